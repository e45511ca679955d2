"""600 targets at Organizations' two writes a second, on a fake clock: no test sleeps."""

import json

import pytest

from .conftest import Function, event, properties
from .fakes import TwoPerSecond

# Instead of 15 minutes, for requests that do not fit: fewer calls.
FEW_SECONDS = 180
TARGETS = [f"ou-root-{number:08d}" for number in range(600)]

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def slow(function: Function) -> Function:
    function.organization.targets += TARGETS
    function.aws.limit = TwoPerSecond(function.aws.clock)
    return function


def test_600_targets_are_attached_and_detached_in_time(slow: Function) -> None:
    response = slow.succeed(event("Create", properties(PolicyTargets=TARGETS)))
    policy_id = response["PhysicalResourceId"]
    assert response["Data"]["PolicyTargetCount"] == "600"
    shown = response["Data"]["PolicyTargets"]
    assert shown == TARGETS[: len(shown)], "as many as the response can hold"
    assert len(json.dumps(response)) <= 4096 < len(json.dumps(response)) + len(', "ou-root-00000000"')
    assert slow.organization.policies[policy_id].targets == TARGETS[:600]
    assert 290 < slow.aws.clock.now < 700
    assert slow.aws.errors, "the limit was reached"
    assert len(slow.aws.clock.slept) == len(slow.aws.errors), "no sleep without a retry"
    response = slow.invoke(event("Delete", properties(), PhysicalResourceId=policy_id))
    assert response
    assert response["Status"] == "SUCCESS"
    assert not slow.organization.policies
    assert slow.aws.clock.now < 700


def test_a_create_that_runs_out_of_time_fails_and_the_delete_removes_the_policy(slow: Function) -> None:
    slow.aws.latency, slow.aws.clock.limit = 0.9, FEW_SECONDS
    given = properties(PolicyTargets=TARGETS[:FEW_SECONDS])
    response = slow.invoke(event("Create", given))
    assert response
    assert response["Status"] == "FAILED"
    assert FEW_SECONDS - 22 <= slow.aws.clock.now < FEW_SECONDS - 5
    (policy,) = slow.organization.policies.values()
    made = response["Reason"].split("(")[1].split(f" of {FEW_SECONDS + 1} changes made")[0]
    assert int(made) > FEW_SECONDS / 3
    assert f"left to the rollback: policy {policy.id}" in response["Reason"]
    assert response["PhysicalResourceId"] == policy.id

    slow.aws.latency = 0.05
    removed = slow.invoke(event("Delete", given, PhysicalResourceId=policy.id))
    assert removed
    assert removed["Status"] == "SUCCESS"
    assert not slow.organization.policies


def test_an_update_that_runs_out_of_time_keeps_the_old_targets_and_is_rolled_back(
    slow: Function,
) -> None:
    old = properties(PolicyTargets=TARGETS[:5])
    new = properties(PolicyTargets=TARGETS[4:FEW_SECONDS])
    policy_id = slow.create(PolicyTargets=TARGETS[:5])
    slow.aws.latency, slow.aws.clock.limit = 0.9, FEW_SECONDS
    response = slow.invoke(event("Update", new, OldResourceProperties=old, PhysicalResourceId=policy_id))
    assert response
    assert response["Status"] == "FAILED"
    assert slow.organization.policies[policy_id].targets[:5] == TARGETS[:5]

    slow.aws.latency = 0.05
    back = event("Update", old, OldResourceProperties=new, PhysicalResourceId=policy_id, RequestId="rollback")
    restored = slow.invoke(back)
    assert restored
    assert restored["Status"] == "SUCCESS"
    assert slow.organization.policies[policy_id].targets == TARGETS[:5]
