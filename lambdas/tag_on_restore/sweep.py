"""Handles past restore jobs again, for events that were lost or that failed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from . import restore
from .aws import Aws
from .errors import RestoredResourceMissingError, TagOnRestoreError
from .event import COMPLETED, SweepRequest, restore_job
from .result import LOGGER, Outcome, Result
from .settings import Settings

# A job that starts must be able to finish: five attempts of a call that times out take about 100 seconds.
MIN_REMAINING_MS = 120_000
MAX_JOBS_PER_PAGE = 1000
MAX_FAILURES_LISTED = 100
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SweepResult:
    """`failures` are the first MAX_FAILURES_LISTED reasons; `next` continues an unfinished sweep."""

    counts: Mapping[Outcome, int]
    metric_counts: Mapping[str, int]
    failures: tuple[str, ...]
    next: SweepRequest | None

    def response(self) -> dict[str, Any]:
        """As JSON; `next` is an event."""
        return {outcome.value: self.counts.get(outcome, 0) for outcome in Outcome} | {
            "failures": list(self.failures),
            "finished": self.next is None,
            "next": self.next.payload() if self.next else None,
        }

    def metrics(self) -> dict[str, int]:
        """The counts for CloudWatch. An alarm watches SweepProblems: failed jobs, plus one if unfinished."""
        problems = self.counts.get(Outcome.FAILED, 0) + (self.next is not None)
        return {**self.metric_counts, "SweepProblems": problems}


def run(aws: Aws, settings: Settings, request: SweepRequest, remaining_ms: Callable[[], int]) -> SweepResult:
    """Handle every completed job of the period, oldest first, while MIN_REMAINING_MS are left."""
    counts: Counter[Outcome] = Counter()
    metric_counts: Counter[str] = Counter()
    failures: list[str] = []
    next_request = request
    for completed_at, job_id, listed in _jobs(aws, request):
        if remaining_ms() < MIN_REMAINING_MS:
            return SweepResult(counts, metric_counts, tuple(failures), next_request)
        result = _handle(aws, settings, job_id, listed)
        result.log()
        counts[result.outcome] += 1
        metric_counts.update(result.metrics())
        if result.outcome is Outcome.FAILED and len(failures) < MAX_FAILURES_LISTED:
            failures.append(f"{job_id}: {result.reason}")
        next_request = replace(request, since=completed_at, after=job_id)
    return SweepResult(counts, metric_counts, tuple(failures), None)


def _handle(aws: Aws, settings: Settings, job_id: str, listed: Mapping[str, Any]) -> Result:
    """No failure of one job, not even a bug, may stop the sweep."""
    try:
        return restore.handle_job(aws, settings, restore_job(listed))
    except RestoredResourceMissingError as missing:
        return Result(Outcome.SKIPPED, job_id, f"{missing} It was deleted since: nothing to tag.")
    except TagOnRestoreError as error:
        return Result(Outcome.FAILED, job_id, f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001 - counted, logged with its stack trace and reported
        LOGGER.exception("restore_job=%s", job_id)
        return Result(Outcome.FAILED, job_id, f"{type(error).__name__}: {error}")


def _jobs(aws: Aws, request: SweepRequest) -> list[tuple[datetime, str, Mapping[str, Any]]]:
    """The jobs of the period, each once, by completion time and ID.

    AWS documents neither an order for ListRestoreJobs nor how long its token is valid, so a continued sweep
    depends on neither. Whether the list includes child jobs is open, too: those of each parent are listed.
    """
    found = {job["RestoreJobId"]: job for job in _list(aws, request)}
    for parent in [job_id for job_id, job in found.items() if job.get("IsParent")]:
        found |= {job["RestoreJobId"]: job for job in _list(aws, request, ByParentJobId=parent)}
    start = (request.since or _EARLIEST, request.after)
    end = request.until or datetime.max.replace(tzinfo=UTC)
    ordered = sorted(
        ((job.get("CompletionDate") or _EARLIEST, job_id, job) for job_id, job in found.items()),
        key=lambda entry: entry[:2],
    )
    return [
        (completed_at, job_id, job)
        for completed_at, job_id, job in ordered
        if job.get("Status") == COMPLETED and (completed_at, job_id) > start and completed_at <= end
    ]


def _list(aws: Aws, request: SweepRequest, **only: str) -> Iterator[Mapping[str, Any]]:
    # AWS does not document whether its bounds are inclusive: request a second more, compare exactly later.
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
        MaxResults=MAX_JOBS_PER_PAGE,
        **bounds,
        **only,
    )
    for page in pages:
        yield from page.get("RestoreJobs", ())
