"""Fake accounts with restore jobs, and the way of an event through the function."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tag_on_restore import restore
from tag_on_restore.aws import Aws
from tag_on_restore.event import RestoreEvent, parse
from tag_on_restore.result import Result
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, COMPLETED, CREATED, REGION, STARTED, FakeAws
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, RestoredType

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
FIRST_COMPLETED = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS = Settings.from_environment({})
# The fields of DescribeRestoreJob by those of an event.
_FIELDS = {
    "restoreJobId": "RestoreJobId",
    "resourceType": "ResourceType",
    "createdResourceArn": "CreatedResourceArn",
    "sourceResourceArn": "SourceResourceArn",
    "recoveryPointArn": "RecoveryPointArn",
    "backupVaultArn": "BackupVaultArn",
    "parentJobId": "ParentJobId",
    "isParent": "IsParent",
}


def run(aws: FakeAws, event: dict[str, Any], settings: Settings = SETTINGS) -> Result:
    """Handle a restore event."""
    request = parse(event, NOW)
    assert isinstance(request, RestoreEvent)
    return restore.handle_event(Aws(aws), settings, request)


def add_job(aws: FakeAws, event: dict[str, Any], without: tuple[str, ...] = (), **changed: Any) -> None:
    """Add the job of `event`, `without` some fields or with changed ones."""
    detail = event["detail"]
    job = {"AccountId": ACCOUNT, "Status": "COMPLETED", "CreationDate": STARTED, "CompletionDate": COMPLETED}
    job |= {name: detail[key] for key, name in _FIELDS.items() if key in detail}
    if "restoreTestingPlanArn" in detail:
        job["CreatedBy"] = {"RestoreTestingPlanArn": detail["restoreTestingPlanArn"]}
    job |= changed
    aws.jobs[detail["restoreJobId"]] = {key: value for key, value in job.items() if key not in without}


def account_with(
    restored_type: RestoredType,
    source: dict[str, str] | None,
    restored: dict[str, str] | None = None,
    recovery_point: dict[str, str] | None = None,
) -> FakeAws:
    """An account with one job, the restored resource, its recovery point and (unless None) its source."""
    aws = FakeAws()
    add_job(aws, restored_type.event)
    aws.add(restored_type.created, restored)
    aws.add(
        restored_type.recovery_point, {"from": "recovery point"} if recovery_point is None else recovery_point
    )
    if source is not None:
        aws.add(restored_type.source, source)
    return aws


def account_with_tables(count: int) -> FakeAws:
    """An account with so many jobs that restored a table, one completed each second."""
    aws = FakeAws()
    for number in range(count):
        add_table(aws, number)
    return aws


def table(name: str) -> str:
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def add_table(aws: FakeAws, number: int, completed: datetime | None = None, **changed: Any) -> str:
    """Add a job that restored table-<number> from source-<number>."""
    job_id = f"JOB-{number:05}"
    created = table(f"table-{number}")
    aws.jobs[job_id] = {
        "RestoreJobId": job_id,
        "AccountId": ACCOUNT,
        "Status": "COMPLETED",
        "ResourceType": "DynamoDB",
        "CreatedResourceArn": created,
        "SourceResourceArn": table(f"source-{number}"),
        "RecoveryPointArn": f"arn:aws:backup:{REGION}:{ACCOUNT}:recovery-point:{number}",
        "CompletionDate": completed or FIRST_COMPLETED + timedelta(seconds=number),
    } | changed
    aws.add(created)
    aws.add(table(f"source-{number}"), {"number": str(number)})
    return created


def volume(name: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/{name}"


def snapshot(name: str) -> str:
    return f"arn:aws:ec2:{REGION}::snapshot/{name}"


def attach(aws: FakeAws, name: str, snapshot_id: str, **changed: Any) -> None:
    """Attach a volume, created from a snapshot, to the restored instance."""
    attributes = {
        "SnapshotId": snapshot_id,
        "CreateTime": CREATED,
        "attached_to": "i-0bbbbbbbbbbbbbbb2",
    } | changed
    aws.add(volume(name), **attributes)


def instance_with_volumes(tags: list[dict[str, str]], source: dict[str, str] | None) -> FakeAws:
    """An account with a restored instance; `tags` are those of its volumes' sources."""
    aws = account_with(BY_NAME["ec2"], source)
    for number, source_tags in enumerate(tags, 1):
        aws.add(volume(f"vol-old{number}"), source_tags)
        aws.add(snapshot(f"snap-{number}"), {"disk": f"as of backup {number}"}, VolumeId=f"vol-old{number}")
        attach(aws, f"vol-new{number}", f"snap-{number}")
    return aws


def instance_with_two_volumes() -> FakeAws:
    return instance_with_volumes([{"disk": "root"}, {"disk": "data", "backup": "daily"}], {"project": "shop"})
