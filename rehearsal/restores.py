"""Restores in a member account: does the deployed TagOnRestore, started by the event, put the tags back?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rehearsal import logs
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.outcomes import MEMBER_ROLE, MEMBER_VAULT, TAG_FUNCTION

TAGS: Final = {"backup": "daily", "owner": "payroll", "cost centre": "4711/a"}
_WAIT_SECONDS: Final = 20.0
_GRACE_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.1
_LOG_LINES: Final = 15


@dataclass(frozen=True)
class Restore:
    """One kind of resource: how to make one with TAGS, how to restore it, and how to read its tags."""

    kind: str  # the resource type of AWS Backup
    create: Callable[[Any], str]  # client → ARN
    service: str
    metadata: Callable[[str], Mapping[str, str]]  # region → StartRestoreJob's Metadata
    tags: Callable[[Any, str], dict[str, str]]  # client, ARN → tags


def _create_table(dynamodb: Any) -> str:
    table = dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()],
    )
    return str(table["TableDescription"]["TableArn"])


def _table_tags(dynamodb: Any, arn: str) -> dict[str, str]:
    return _as_map(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"])


def _create_volume(ec2: Any) -> str:
    region = ec2.meta.region_name
    volume = ec2.create_volume(
        AvailabilityZone=f"{region}a",
        Size=1,
        TagSpecifications=[
            {
                "ResourceType": "volume",
                "Tags": [{"Key": key, "Value": value} for key, value in TAGS.items()],
            }
        ],
    )
    return str(volume["VolumeId"])


def _volume_tags(ec2: Any, arn: str) -> dict[str, str]:
    volume = arn.rpartition("/")[2]
    return _as_map(ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [volume]}])["Tags"])


def _as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


TABLE: Final = Restore(
    kind="DynamoDB",
    create=_create_table,
    service="dynamodb",
    metadata=lambda _: {"targetTableName": "orders-restored"},
    tags=_table_tags,
)
VOLUME: Final = Restore(
    kind="EBS",
    create=_create_volume,
    service="ec2",
    metadata=lambda region: {"availabilityZone": f"{region}a"},
    tags=_volume_tags,
)


def rehearse(emulator: Emulator, account: str, region: str, restore: Restore) -> str:
    """Make, back up and restore one resource, and wait for its tags. Returns the restored resource's ARN.

    Raises OutcomeError with the end of the function's log.
    """
    session = emulator.session(account, region)
    client, backup = session.client(restore.service), session.client("backup")
    already = len(emulator.denied())
    source = restore.create(client)
    if not source.startswith("arn:"):
        source = f"arn:aws:ec2:{region}:{account}:volume/{source}"
    point = emulator.control(
        "create-recovery-point",
        account=account,
        region=region,
        vault=MEMBER_VAULT,
        resource=source,
        resource_type=restore.kind,
    )["RecoveryPointArn"]
    job = backup.start_restore_job(
        RecoveryPointArn=point,
        IamRoleArn=f"arn:aws:iam::{account}:role/{MEMBER_ROLE}",
        ResourceType=restore.kind,
        Metadata=dict(restore.metadata(region)),
    )["RestoreJobId"]
    created = _restored(backup, job)
    _wait_for_tags(emulator, account, region, restore, created, already)
    return created


def _restored(backup: Any, job: str) -> str:
    """The ARN of what the job made."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        found = backup.describe_restore_job(RestoreJobId=job)
        if found["Status"] == "COMPLETED":
            return str(found["CreatedResourceArn"])
        if found["Status"] in ("FAILED", "ABORTED"):
            raise OutcomeError(f"restore job {job} {found['Status']}: {found.get('StatusMessage', '')}")
        time.sleep(_POLL_SECONDS)
    raise OutcomeError(f"restore job {job} has not ended after {_WAIT_SECONDS:.0f} seconds.")


def _wait_for_tags(
    emulator: Emulator, account: str, region: str, restore: Restore, created: str, already: int
) -> None:
    """`already` is the number of calls that had been refused before."""
    client = emulator.session(account, region).client(restore.service)
    began = time.monotonic()
    while (tags := restore.tags(client, created)) != TAGS:
        waited = time.monotonic() - began
        # A call that was refused is refused again in every retry: there is nothing to wait for.
        if waited > _WAIT_SECONDS or (waited > _GRACE_SECONDS and len(emulator.denied()) > already):
            log = logs.of_function(emulator, account, region, TAG_FUNCTION)
            raise OutcomeError(
                f"{created} was restored but has the tags {tags or 'none'} instead of {TAGS}.",
                f"the end of the log of {TAG_FUNCTION} in account {account}, {region}:",
                *(log[-_LOG_LINES:] or ["(nothing: the function was not started)"]),
            )
        time.sleep(_POLL_SECONDS)
