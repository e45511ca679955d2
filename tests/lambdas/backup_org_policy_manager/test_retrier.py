"""What is retried, the waits between tries, and the end."""

from collections.abc import Callable
from typing import Any

import pytest
from backup_org_policy_manager.errors import CallFailedError, OutOfTimeError
from backup_org_policy_manager.retrier import WORK_RESERVE, Retrier
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from .fakes import Clock


def refused(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "why"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "AttachPolicy")


def retrier_on(clock: Clock, **options: Any) -> Retrier:
    return Retrier(clock.remaining_ms, sleep=clock.sleep, **options)


def failing(*errors: Exception) -> Callable[[], str]:
    """An attempt that meets these errors, one each time, and then succeeds."""
    left = list(errors)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


@pytest.mark.parametrize(
    "error",
    [
        refused("ConcurrentModificationException"),
        refused("FinalizingOrganizationException"),
        refused("PolicyChangesInProgressException"),
        refused("PriorRequestNotComplete"),
        refused("RequestLimitExceeded"),
        refused("RequestTimeout"),
        refused("ServiceException"),
        refused("SlowDown"),
        refused("Throttling"),
        refused("ThrottlingException"),
        refused("TooManyRequestsException"),
        refused("SomethingNew", 503),
        ConnectTimeoutError(endpoint_url="u"),
        EndpointConnectionError(endpoint_url="u"),
        ReadTimeoutError(endpoint_url="u"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=repr,
)
def test_a_transient_error_is_retried(error: Exception) -> None:
    clock = Clock()
    assert retrier_on(clock).call("AttachPolicy", failing(error, error)) == "done"
    assert len(clock.slept) == 2


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDeniedException"),
        refused("ConstraintViolationException"),
        refused("SomethingNew", 400),
        NoCredentialsError(),
        ParamValidationError(report="PolicyId"),
    ],
    ids=repr,
)
def test_everything_else_fails_at_once(error: Exception) -> None:
    clock = Clock()
    with pytest.raises(CallFailedError):
        retrier_on(clock).call("AttachPolicy", failing(error))
    assert not clock.slept


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (refused("TooManyRequestsException"), False),
        (refused("SomethingNew", 503), True),
        (ReadTimeoutError(endpoint_url="u"), True),
    ],
    ids=repr,
)
def test_a_call_that_may_have_taken_effect_is_marked(before: Exception, expected: bool) -> None:
    with pytest.raises(CallFailedError) as failed:
        retrier_on(Clock()).call("CreatePolicy", failing(before, refused("AccessDeniedException")))
    assert failed.value.outcome_unknown is expected


def test_waits_double_up_to_eight_seconds() -> None:
    clock = Clock()
    attempt = failing(*[refused("TooManyRequestsException")] * 7)
    retrier_on(clock, jitter=lambda least, most: most).call("AttachPolicy", attempt)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_half_of_a_wait_is_random() -> None:
    asked = []

    def shortest(least: float, most: float) -> float:
        asked.append((least, most))
        return least

    retrier_on(Clock(), jitter=shortest).wait("AttachPolicy", 1, "why")
    assert asked == [(0.5, 1.0)]


def test_no_wait_reaches_into_the_reserve() -> None:
    clock = Clock(limit=100)
    with pytest.raises(OutOfTimeError, match="no time left; last error TooManyRequestsException"):
        retrier_on(clock).call("AttachPolicy", failing(*[refused("TooManyRequestsException")] * 99))
    assert 100 - WORK_RESERVE - 8 <= clock.now < 100 - WORK_RESERVE


def test_no_call_begins_in_the_reserve() -> None:
    with pytest.raises(OutOfTimeError):
        retrier_on(Clock(limit=WORK_RESERVE)).call("AttachPolicy", lambda: pytest.fail("called"))


def test_a_limit_ends_earlier_never_later() -> None:
    waiting = retrier_on(Clock(limit=100))
    assert waiting.limited_to(20).seconds_left() == 20
    assert waiting.limited_to(500).seconds_left() == waiting.seconds_left() == 100 - WORK_RESERVE
