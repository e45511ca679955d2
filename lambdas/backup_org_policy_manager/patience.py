"""The only place that retries and waits.

botocore's own retries are switched off (aws.py), so a call is never repeated by two mechanisms, and every
wait is measured against the time that Lambda leaves. Organizations allows two writes a second with a burst
of three (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
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

# Seconds before Lambda's end. One call takes at most 7 s (aws.py), so an answer always gets away.
WORK_RESERVE = 20.0
UNDO_RESERVE = 8.0

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0

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

# The connection failed, was closed, timed out or ended too early.
NO_ANSWER = (ConnectionError, HTTPClientError, IncompleteReadError)


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@dataclass(frozen=True)
class Patience:
    """Repeats a call for as long as time is left.

    remaining_ms: Lambda's context.get_remaining_time_in_millis
    reserve:      seconds that are kept for what comes after
    """

    remaining_ms: Callable[[], int]
    reserve: float = WORK_RESERVE
    sleep: Callable[[float], None] = _sleep
    jitter: Callable[[float, float], float] = random.uniform

    def seconds_left(self) -> float:
        return self.remaining_ms() / 1000 - self.reserve

    def keeping(self, reserve: float) -> "Patience":
        return replace(self, reserve=reserve)

    def at_most(self, seconds: float) -> "Patience":
        """The same, but ending after so many seconds."""
        return self.keeping(self.reserve + max(0.0, self.seconds_left() - seconds))

    def persist(self, what: str, attempt: Callable[[], T]) -> T:
        """The attempt's result; repeated while AWS's answer says that a later try can succeed.

        Raises CallFailedError for any other answer and OutOfTimeError when there is no time for a further
        try.
        """
        tries = 0
        last_error: str | None = None
        maybe_done = False
        while True:
            if self.seconds_left() <= 0:
                raise OutOfTimeError(what, last_error, maybe_done=maybe_done)
            try:
                return attempt()
            except (ClientError, BotoCoreError) as error:
                last_error = error_code(error)
                if not is_transient(error):
                    raise CallFailedError(
                        what, last_error, error_message(error), maybe_done=maybe_done
                    ) from error
                maybe_done = maybe_done or has_no_clear_answer(error)
            self.pause(what, tries, last_error, maybe_done=maybe_done)
            tries += 1

    def pause(self, what: str, tries: int, why: str, *, maybe_done: bool = False) -> None:
        """Wait before the next try: half a second at first, doubling, half of it by chance."""
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2**tries)
        seconds = self.jitter(longest / 2, longest)
        if seconds >= self.seconds_left():
            raise OutOfTimeError(what, why, maybe_done=maybe_done)
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


def has_no_clear_answer(error: Exception) -> bool:
    """True where the call may have taken effect: no answer came, or the server failed."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)) >= 500
    return isinstance(error, NO_ANSWER)


def is_transient(error: Exception) -> bool:
    return error_code(error) in TRANSIENT_CODES or has_no_clear_answer(error)
