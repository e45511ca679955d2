"""What several tests share: an event's way through the function, and an estate to work on."""

from datetime import UTC, datetime
from typing import Any

from tag_on_restore import restore
from tag_on_restore.aws import Aws
from tag_on_restore.event import RestoreEvent, parse
from tag_on_restore.outcome import Outcome
from tag_on_restore.settings import Settings

from tests.lambdas.tag_on_restore.fake_aws import ACCOUNT, COMPLETED, STARTED, FakeAws
from tests.lambdas.tag_on_restore.resources import Row

NOW = datetime(2026, 11, 2, 4, 0, tzinfo=UTC)
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


def run(aws: FakeAws, event: dict[str, Any], settings: Settings = SETTINGS) -> Outcome:
    """What the function does with a restore event."""
    request = parse(event, NOW)
    assert isinstance(request, RestoreEvent)
    return restore.handle(Aws(aws), settings, request)


def add_job(aws: FakeAws, event: dict[str, Any], without: tuple[str, ...] = (), **changed: Any) -> None:
    """Let the job of `event` exist as AWS Backup describes it, but `without` some fields or with others."""
    detail = event["detail"]
    job = {"AccountId": ACCOUNT, "Status": "COMPLETED", "CreationDate": STARTED, "CompletionDate": COMPLETED}
    job |= {name: detail[key] for key, name in _FIELDS.items() if key in detail}
    if "restoreTestingPlanArn" in detail:
        job["CreatedBy"] = {"RestoreTestingPlanArn": detail["restoreTestingPlanArn"]}
    job |= changed
    aws.jobs[detail["restoreJobId"]] = {key: value for key, value in job.items() if key not in without}


def estate(
    row: Row,
    source: dict[str, str] | None,
    restored: dict[str, str] | None = None,
    point: dict[str, str] | None = None,
) -> FakeAws:
    """An account with the job, the restored resource, its recovery point and (unless None) its source."""
    aws = FakeAws()
    add_job(aws, row.event)
    aws.add(row.created, restored)
    aws.add(row.recovery_point, {"from": "recovery point"} if point is None else point)
    if source is not None:
        aws.add(row.original, source)
    return aws
