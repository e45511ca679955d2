"""What an invocation asks for. Pure: no AWS access.

Form of the event: https://docs.aws.amazon.com/aws-backup/latest/devguide/eventbridge.html ("Restore Job
events").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from .arn import Arn
from .errors import MalformedEventError

COMPLETED = "COMPLETED"
_FIRST_YEAR, _LAST_YEAR = 2019, 9000  # AWS Backup exists since 2019; beyond 9000 arithmetic with times fails
# Recovery points that are the service's own snapshot. An event may name the same backup once by such an ARN
# (in `resources`) and once by one of AWS Backup (in the detail); only the former can be asked for tags.
_SNAPSHOTS = {"ec2": ("image/*", "snapshot/*"), "rds": ("snapshot:*", "cluster-snapshot:*")}
_PERIOD = r"P(?:(?P<days>\d{1,4})D)?(?:T(?P<hours>\d{1,4})H)?"


@dataclass(frozen=True)
class RestoreJob:
    """One restore job, as far as an event or AWS Backup has told; "" or None where it has not."""

    job_id: str = ""
    account: str = ""
    status: str = ""
    resource_type: str = ""
    created: Arn | None = None
    source: Arn | None = None
    recovery_point: Arn | None = None
    vault: Arn | None = None
    completed_at: datetime | None = None
    is_test: bool = False
    is_parent: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is missing that DescribeRestoreJob could add."""
        return bool(self.account and self.created and self.source and self.recovery_point)

    def completed_by(self, other: "RestoreJob") -> "RestoreJob":
        """This job with its gaps filled from `other`."""
        gaps = {name: value for name, value in vars(other).items() if not getattr(self, name)}
        return replace(self, **gaps)


@dataclass(frozen=True)
class SweepRequest:
    """Go through the jobs completed from `since` to `until` (UTC, None = no bound).

    `after` is the id of the last job that an earlier call finished at exactly `since`.
    """

    since: datetime | None = None
    until: datetime | None = None
    after: str = ""

    def payload(self) -> dict[str, str]:
        """The event that asks for this sweep."""
        times = {"since": self.since, "until": self.until}
        return (
            {"RefreshTagItems": "true"}
            | {name: time.isoformat() for name, time in times.items() if time}
            | ({"after": self.after} if self.after else {})
        )


def parse(event: object, now: datetime) -> RestoreJob | SweepRequest:
    """The request in a Lambda event; MalformedEventError says what is wrong with it."""
    if not isinstance(event, Mapping):
        raise MalformedEventError(f"The event is {type(event).__name__}, not a JSON object.")
    if "RefreshTagItems" in event:
        return _sweep(event, now)
    if event.get("source") != "aws.backup" or event.get("detail-type") != "Restore Job State Change":
        raise MalformedEventError(
            'The event is no "Restore Job State Change" of aws.backup and not {"RefreshTagItems": "true"}: '
            f"source {event.get('source')!r:.100}, detail-type {event.get('detail-type')!r:.100}."
        )
    return _restore_job(event)


def _restore_job(event: Mapping[str, Any]) -> RestoreJob:
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedEventError("The event's detail is missing or not an object.")
    return RestoreJob(
        job_id=_text(detail, "restoreJobId"),
        account=_text(event, "account"),
        status=_text(detail, "status") or _text(detail, "state"),
        resource_type=_text(detail, "resourceType"),
        created=_arn(detail, "createdResourceArn"),
        source=_arn(detail, "sourceResourceArn"),
        recovery_point=_recovery_point(event, detail),
        vault=_arn(detail, "backupVaultArn"),
        completed_at=_moment(detail.get("completionDate")),
        is_test=bool(_text(detail, "restoreTestingPlanArn")),
        is_parent=str(detail.get("isParent")).lower() == "true",
    )


def _moment(text: object) -> datetime | None:
    """Only tells old volumes from new ones, so that an unknown form is no reason to fail."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _recovery_point(event: Mapping[str, Any], detail: Mapping[str, Any]) -> Arn | None:
    named = _arn(detail, "recoveryPointArn")
    resources = event.get("resources")
    for text in resources if isinstance(resources, list) else ():
        try:
            arn = Arn.parse(text)
        except MalformedEventError:
            continue
        if any(arn.fits(pattern) for pattern in _SNAPSHOTS.get(arn.service, ())):
            return arn
        named = named or (arn if arn.service == "backup" else None)
    return named


def from_api(job: Mapping[str, Any]) -> RestoreJob:
    """A job as DescribeRestoreJob and ListRestoreJobs return it."""
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
        completed_at=job.get("CompletionDate"),
        is_test=bool(creator.get("RestoreTestingPlanArn")),
        is_parent=job.get("IsParent") is True,
    )


def why_skipped(job: RestoreJob) -> str | None:
    """The reason for which the job's result must not be tagged, or None."""
    if not job.status:
        raise MalformedEventError(f"Restore job {job.job_id!r} says neither status nor state.")
    if job.status != COMPLETED:
        return f"the job is {job.status}, not {COMPLETED}"
    if job.is_test:
        return "restore test: AWS Backup deletes what it created; copied tags would enrol it in backups"
    if job.created is None:
        return None
    if job.created == job.source:
        return "restored into the source itself, which has its tags"
    if job.created.service == "s3" and (job.resource_type not in ("", "S3") or "/" in job.created.resource):
        return "item-level restore into a bucket that is not a copy of the source"
    return None


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
            f'RefreshTagItems is {event["RefreshTagItems"]!r:.100}; a sweep needs "true".'
        )
    unknown = sorted(map(str, set(event) - {"RefreshTagItems", "since", "until", "after"}))
    if unknown:
        raise MalformedEventError(f"A sweep knows since, until and after, not {', '.join(unknown):.200}.")
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
    """A time in ISO 8601 (UTC unless it says otherwise), or a period such as P2D or PT6H before `now`."""
    period = re.fullmatch(_PERIOD, text)
    if period and (period["days"] or period["hours"]):
        return now - timedelta(days=int(period["days"] or 0), hours=int(period["hours"] or 0))
    time = datetime.fromisoformat(text)
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"nothing was restored in {time.year}")
    return time
