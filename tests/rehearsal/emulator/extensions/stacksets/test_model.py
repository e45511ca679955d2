"""The arithmetic of operation preferences, and the first failure among stack events."""

from typing import Any

import pytest

from rehearsal.emulator.extensions.stacksets.model import Preferences, first_failure


@pytest.mark.parametrize(
    ("preferences", "concurrent", "tolerated"),
    [
        ({}, 1, 0),
        ({"MaxConcurrentCount": 5}, 1, 0),
        ({"MaxConcurrentCount": 5, "FailureToleranceCount": 2}, 3, 2),
        ({"MaxConcurrentCount": 5, "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}, 5, 0),
        ({"MaxConcurrentPercentage": 100, "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}, 10, 0),
        ({"MaxConcurrentPercentage": 1, "FailureTolerancePercentage": 25}, 1, 2),
        ({"MaxConcurrentPercentage": "50", "FailureTolerancePercentage": "100"}, 5, 10),
    ],
)
def test_preferences_for_ten_accounts(preferences: dict[str, Any], concurrent: int, tolerated: int) -> None:
    found = Preferences.of(preferences)
    assert (found.concurrent(10), found.tolerated(10)) == (concurrent, tolerated)


def test_regions_run_in_sequence_by_default() -> None:
    assert not Preferences.of({}).parallel_regions
    assert Preferences.of({"RegionConcurrencyType": "PARALLEL"}).parallel_regions


def event(resource: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "LogicalResourceId": resource,
        "ResourceType": "AWS::SNS::Topic",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_the_first_failed_resource_is_named_with_its_reason() -> None:
    events = [
        event("A", "CREATE_COMPLETE"),
        event("B", "CREATE_FAILED", "it exists"),
        event("C", "CREATE_FAILED", "cancelled"),
    ]
    assert first_failure(events) == (
        "ResourceLogicalId:B, ResourceType:AWS::SNS::Topic, ResourceStatusReason:it exists"
    )
    assert first_failure(events[:1]) is None
