"""How a check reports: what it found, or an OutcomeError with everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore.exceptions import ClientError

from rehearsal.errors import OutcomeError
from rehearsal.report.journal import Holding

Found = list[Holding]


@contextmanager
def existing(what: str, *where: str) -> Iterator[None]:
    """Turns an AWS error in the block into an OutcomeError: `what` does not exist."""
    try:
        yield
    except ClientError as error:
        raise OutcomeError(f"{', '.join(where)}: {what} does not exist ({error}).") from None


def found_unless(faults: Sequence[str], found: Found) -> Found:
    if faults:
        raise OutcomeError(*faults)
    return found
