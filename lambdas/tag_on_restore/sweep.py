"""Go through past restore jobs again, for events that never came or could not be handled when they did."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from . import restore
from .aws import Aws
from .errors import RestoredResourceMissingError, TagOnRestoreError
from .event import COMPLETED, SweepRequest, from_api
from .outcome import LOGGER, Kind, Outcome
from .settings import Settings

# A job that begins must be able to end: five attempts of a call that times out take about 100 seconds.
RESERVE_MS = 120_000
PAGE_SIZE = 1000
FAILURES_NAMED = 100
_START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SweepResult:
    """`counts` by kind of outcome, `totals` by metric, `failures` the first hundred reasons, `next` what to
    ask for to go on."""

    counts: Mapping[Kind, int]
    totals: Mapping[str, int]
    failures: tuple[str, ...]
    next: SweepRequest | None

    def answer(self) -> dict[str, Any]:
        """As JSON; `next` is the event that continues an unfinished sweep."""
        return {kind.value: self.counts.get(kind, 0) for kind in Kind} | {
            "failures": list(self.failures),
            "finished": self.next is None,
            "next": self.next.payload() if self.next else None,
        }

    def metrics(self) -> dict[str, int]:
        """What CloudWatch is told. The template's alarm watches SweepProblems: failed jobs, plus one if
        unfinished."""
        problems = self.counts.get(Kind.FAILED, 0) + (self.next is not None)
        return {**self.totals, "SweepProblems": problems}


def run(aws: Aws, settings: Settings, request: SweepRequest, remaining_ms: Callable[[], int]) -> SweepResult:
    """Handle every completed job of the period, oldest first, until less than RESERVE_MS of the time is
    left."""
    counts: Counter[Kind] = Counter()
    totals: Counter[str] = Counter()
    failures: list[str] = []
    position = request
    for done_at, job_id, listed in _jobs(aws, request):
        if remaining_ms() < RESERVE_MS:
            return SweepResult(counts, totals, tuple(failures), position)
        outcome = _handle(aws, settings, job_id, listed)
        outcome.log()
        counts[outcome.kind] += 1
        totals.update(outcome.metrics())
        if outcome.kind is Kind.FAILED and len(failures) < FAILURES_NAMED:
            failures.append(f"{job_id}: {outcome.reason}")
        position = replace(request, since=done_at, after=job_id)
    return SweepResult(counts, totals, tuple(failures), None)


def _handle(aws: Aws, settings: Settings, job_id: str, listed: Mapping[str, Any]) -> Outcome:
    """Any failure of one job, even a bug of ours, must not keep the others from their tags."""
    try:
        return restore.apply(aws, settings, from_api(listed))
    except RestoredResourceMissingError as missing:
        return Outcome(Kind.SKIPPED, job_id, f"{missing} It was deleted since: nothing to tag.")
    except TagOnRestoreError as error:
        return Outcome(Kind.FAILED, job_id, f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - counted, logged with its stack and reported
        LOGGER.exception("restore_job=%s", job_id)
        return Outcome(Kind.FAILED, job_id, f"{type(error).__name__}: {error}")


def _jobs(aws: Aws, request: SweepRequest) -> list[tuple[datetime, str, Mapping[str, Any]]]:
    """The jobs of the period once each, in an order that every call finds again: by completion time, then by
    id.

    AWS documents no order for ListRestoreJobs and no life time for its page token, so neither is used to go
    on with an interrupted sweep.
    """
    found = {job["RestoreJobId"]: job for job in _list(aws, request)}
    for parent in [job_id for job_id, job in found.items() if job.get("IsParent")]:
        found |= {job["RestoreJobId"]: job for job in _list(aws, request, ByParentJobId=parent)}
    start = (request.since or _START, request.after)
    end = request.until or datetime.max.replace(tzinfo=UTC)
    ordered = sorted(
        ((job.get("CompletionDate") or _START, job_id, job) for job_id, job in found.items()),
        key=lambda entry: entry[:2],
    )
    return [
        (done_at, job_id, job)
        for done_at, job_id, job in ordered
        if job.get("Status") == COMPLETED and (done_at, job_id) > start and done_at <= end
    ]


def _list(aws: Aws, request: SweepRequest, **only: str) -> Iterator[Mapping[str, Any]]:
    # AWS does not say whether its bounds are inclusive: ask for a second more, compare exactly afterwards.
    bounds: dict[str, datetime] = {}
    if request.since:
        bounds["ByCompleteAfter"] = request.since - timedelta(seconds=1)
    if request.until:
        bounds["ByCompleteBefore"] = request.until + timedelta(seconds=1)
    pages = aws.pages(
        "backup",
        "list_restore_jobs",
        "the sweep",
        ("NextToken", "NextToken"),
        ByStatus=COMPLETED,
        MaxResults=PAGE_SIZE,
        **bounds,
        **only,
    )
    for page in pages:
        yield from page.get("RestoreJobs", ())
