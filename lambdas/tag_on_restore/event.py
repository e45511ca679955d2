"""The request in an invocation, and the restore job that it is about. Pure: no AWS access.

Format of the event: https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html ("Restore Job
events").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from .arn import Arn
from .errors import MalformedEventError

COMPLETED = "COMPLETED"
_FIRST_YEAR, _LAST_YEAR = 2019, 9000  # AWS Backup started in 2019; beyond 9000, arithmetic with times fails
_PERIOD = r"P(?:(?P<days>\d{1,4})D)?(?:T(?P<hours>\d{1,4})H)?"


class RestoreEvent(NamedTuple):
    """The fields that are read from an event. Every caller of the function can forge the others, so
    DescribeRestoreJob supplies them.

    `vault` is where to look for the job's recovery point if the job does not name its vault.
    """

    job_id: str
    status: str
    vault: Arn | None


@dataclass(frozen=True)
class RestoreJob:
    """One restore job as AWS Backup describes it; "" or None for what is missing."""

    job_id: str = ""
    account: str = ""
    status: str = ""
    resource_type: str = ""
    created: Arn | None = None
    source: Arn | None = None
    recovery_point: Arn | None = None
    vault: Arn | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    is_test: bool = False
    is_parent: bool = False


@dataclass(frozen=True)
class SweepRequest:
    """Handle the jobs completed from `since` to `until` (UTC, None = no limit) again.

    `after` is the ID of the last job, completed at exactly `since`, that an earlier call handled.
    """

    since: datetime | None = None
    until: datetime | None = None
    after: str = ""

    def payload(self) -> dict[str, str]:
        """The event that requests this sweep."""
        times = {"since": self.since, "until": self.until}
        return (
            {"RefreshTagItems": "true"}
            | {name: time.isoformat() for name, time in times.items() if time}
            | ({"after": self.after} if self.after else {})
        )


def parse(event: object, now: datetime) -> RestoreEvent | SweepRequest:
    """The request in a Lambda event; MalformedEventError names the problem."""
    if not isinstance(event, Mapping):
        raise MalformedEventError(f"The event is {type(event).__name__}, not a JSON object.")
    if "RefreshTagItems" in event:
        return _sweep(event, now)
    if event.get("source") != "aws.backup" or event.get("detail-type") != "Restore Job State Change":
        raise MalformedEventError(
            'The event is neither "Restore Job State Change" of aws.backup nor {"RefreshTagItems": "true"}: '
            f"source {event.get('source')!r:.100}, detail-type {event.get('detail-type')!r:.100}."
        )
    return _restore_event(event)


def _restore_event(event: Mapping[str, Any]) -> RestoreEvent:
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedEventError("The event's detail is missing or not an object.")
    request = RestoreEvent(
        job_id=_text(detail, "restoreJobId"),
        status=_text(detail, "status") or _text(detail, "state"),
        vault=_arn(detail, "backupVaultArn"),
    )
    if not request.job_id:
        raise MalformedEventError("The event has no restoreJobId.")
    if not request.status:
        raise MalformedEventError(
            f"The event of restore job {request.job_id!r} has neither status nor state."
        )
    return request


def restore_job(job: Mapping[str, Any]) -> RestoreJob:
    """From the response of DescribeRestoreJob or ListRestoreJobs."""
    creator = job.get("CreatedBy") or {}
    return RestoreJob(
        job_id=job.get("RestoreJobId") or "",
        account=job.get("AccountId") or "",
        status=job.get("Status") or "",
        resource_type=job.get("ResourceType") or "",
        created=_arn(job, "CreatedResourceArn"),
        source=_arn(job, "SourceResourceArn"),
        recovery_point=_arn(job, "RecoveryPointArn"),
        vault=_arn(job, "BackupVaultArn"),
        started_at=job.get("CreationDate"),
        completed_at=job.get("CompletionDate"),
        is_test=bool(creator.get("RestoreTestingPlanArn")),
        is_parent=job.get("IsParent") is True,
    )


def skip_reason(job: RestoreJob) -> str | None:
    """Why what a completed job restored must not be tagged, or None."""
    if job.is_test:
        return "restore test: AWS Backup deletes what it created; copied tags would select it for backup"
    if job.created is None:
        return (
            "parent job without a resource of its own; its child jobs are handled" if job.is_parent else None
        )
    if job.created == job.source:
        return "restored into the source itself, which has its tags"
    if job.created.service == "s3" and (job.resource_type not in ("", "S3") or "/" in job.created.resource):
        return "item-level restore into a bucket that is not a copy of the source"
    return None


def created_by(job: RestoreJob, created_at: datetime | None) -> bool:
    """Whether `job` created the resource with this creation date; False if unknown.

    The date of a bucket changes when its policy is edited (AmazonS3/latest/API/API_Bucket.html), so a date
    after the job proves nothing. Some services truncate the date to whole seconds.
    """
    if created_at is None or job.started_at is None:
        return False
    started_at = job.started_at if created_at.microsecond else job.started_at.replace(microsecond=0)
    return started_at <= created_at <= (job.completed_at or created_at)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MalformedEventError(f"{name} is {type(value).__name__}, not text.")
    return value


def _arn(fields: Mapping[str, Any], name: str) -> Arn | None:
    value = fields.get(name)
    return Arn.parse(value, name) if value not in (None, "") else None


def _sweep(event: Mapping[str, Any], now: datetime) -> SweepRequest:
    if str(event["RefreshTagItems"]).lower() != "true":
        raise MalformedEventError(
            f'RefreshTagItems is {event["RefreshTagItems"]!r:.100}; use "true" to start a sweep.'
        )
    unknown = sorted(map(str, set(event) - {"RefreshTagItems", "since", "until", "after"}))
    if unknown:
        raise MalformedEventError(f"A sweep takes since, until and after, not {', '.join(unknown):.200}.")
    request = SweepRequest(_time(event, "since", now), _time(event, "until", now), _text(event, "after"))
    if request.since and request.until and request.since > request.until:
        raise MalformedEventError(f"since ({event['since']}) is later than until ({event['until']}).")
    return request


def _time(event: Mapping[str, Any], name: str, now: datetime) -> datetime | None:
    text = _text(event, name).strip()
    if not text:
        return None
    try:
        return _read_time(text, now)
    except (ValueError, OverflowError) as error:
        raise MalformedEventError(
            f"{name} is {text!r:.100}; use a time like 2026-11-01T00:00:00Z or a period like P2D."
        ) from error


def _read_time(text: str, now: datetime) -> datetime:
    """A time in ISO 8601 (UTC by default), or a period before `now`, such as P2D or PT6H."""
    period = re.fullmatch(_PERIOD, text)
    if period and (period["days"] or period["hours"]):
        return now - timedelta(days=int(period["days"] or 0), hours=int(period["hours"] or 0))
    time = datetime.fromisoformat(text)
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"nothing was restored in {time.year}")
    return time
