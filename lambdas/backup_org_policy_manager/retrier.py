"""The only place that retries and waits.

botocore's own retries are off (aws.py), so no call is retried by two mechanisms, and every wait fits into the
time that Lambda has left. Organizations allows two writes a second with a burst of three
(https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own, not Python's
    HTTPClientError,
    IncompleteReadError,
)

from .errors import CallFailedError, OutOfTimeError

log = logging.getLogger(__name__)
T = TypeVar("T")

# Seconds before the function times out at which changes, and undoing them, stop. One call takes at most 7 s
# (aws.py), so the response is always sent, and before crhelper's own time-out response.
WORK_RESERVE = 20.0
UNDO_RESERVE = 8.0

SERVER_ERROR = 500

FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0

TRANSIENT_CODES = {
    "ConcurrentModificationException",
    "FinalizingOrganizationException",
    "PolicyChangesInProgressException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}

# The connection failed, closed, timed out or ended early: the call may have taken effect.
CONNECTION_ERRORS = (ConnectionError, HTTPClientError, IncompleteReadError)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class Retrier:
    """Repeats a call while time is left.

    remaining_ms: Lambda's context.get_remaining_time_in_millis
    reserve:      seconds to leave unused
    """

    remaining_ms: Callable[[], int]
    reserve: float = WORK_RESERVE
    sleep: Callable[[float], None] = _sleep
    jitter: Callable[[float, float], float] = random.uniform

    def seconds_left(self) -> float:
        return self.remaining_ms() / 1000 - self.reserve

    def with_reserve(self, reserve: float) -> "Retrier":
        return replace(self, reserve=reserve)

    def limited_to(self, seconds: float) -> "Retrier":
        """A retrier that stops after this many seconds at the latest."""
        return self.with_reserve(self.reserve + max(0.0, self.seconds_left() - seconds))

    def call(self, what: str, attempt: Callable[[], T]) -> T:
        """The attempt's result, repeated while the error is one that a later try can overcome.

        Raises CallFailedError for any other error, and OutOfTimeError if no time is left for another try.
        """
        tries = 0
        last_error: str | None = None
        outcome_unknown = False
        while True:
            if self.seconds_left() <= 0:
                raise OutOfTimeError(what, last_error, outcome_unknown=outcome_unknown)
            try:
                return attempt()
            except (ClientError, BotoCoreError) as error:
                last_error = error_code(error)
                if not is_transient(error):
                    raise CallFailedError(
                        what, last_error, error_message(error), outcome_unknown=outcome_unknown
                    ) from error
                outcome_unknown = outcome_unknown or has_unknown_outcome(error)
            self.wait(what, tries, last_error, outcome_unknown=outcome_unknown)
            tries += 1

    def wait(self, what: str, tries: int, why: str, *, outcome_unknown: bool = False) -> None:
        """Wait before the next try, at first up to half a second, doubling each time, with jitter."""
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2**tries)
        seconds = self.jitter(longest / 2, longest)
        if seconds >= self.seconds_left():
            raise OutOfTimeError(what, why, outcome_unknown=outcome_unknown)
        log.info("action=wait call=%s tries=%d reason=%s seconds=%.2f", what, tries + 1, why, seconds)
        self.sleep(seconds)


def error_code(error: Exception) -> str:
    """The service's error code, or the name of botocore's exception."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "Unknown"))
    return type(error).__name__


def error_message(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message", error))
    return str(error)


def has_unknown_outcome(error: Exception) -> bool:
    """True if the call may have taken effect: no response arrived, or the server failed."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)) >= SERVER_ERROR
    return isinstance(error, CONNECTION_ERRORS)


def is_transient(error: Exception) -> bool:
    return error_code(error) in TRANSIENT_CODES or has_unknown_outcome(error)
