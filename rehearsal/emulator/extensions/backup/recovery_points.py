"""Recovery points, and backing up a resource into one.

ministack has none. Emulated: recovery points that the control operation `create-recovery-point` creates
(Describe, List, Delete, restore metadata, and tags for those whose ARN belongs to the service backup, as AWS
documents it).

Not emulated: backup plans never run; copies to other vaults.
"""

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.place import Place

_points: Any = hooks.responses.AccountRegionScopedDict()
_OWN_ARN = re.compile(r"arn:[a-z-]+:backup:[^:]*:[0-9]*:recovery-point:.+")

# resource type → the form of its recovery points' ARNs ("AWS Backup ARNs", and those of services' snapshots)
_ARNS = {
    "EC2": "arn:{partition}:ec2:{region}::image/ami-{hex17}",
    "RDS": "arn:{partition}:rds:{region}:{account}:snapshot:awsbackup:job-{uuid}",
    "Aurora": "arn:{partition}:rds:{region}:{account}:cluster-snapshot:awsbackup:job-{uuid}",
}
_OWN_FORM = "arn:{partition}:backup:{region}:{account}:recovery-point:{uuid}"


def install() -> None:
    control.register("create-recovery-point", _create)


def public(record: dict[str, Any]) -> dict[str, Any]:
    """A stored record as the API returns it."""
    return {key: value for key, value in record.items() if not key.startswith("_")}


def find(arn: str) -> dict[str, Any]:
    """A recovery point; ApiError if there is none with this ARN."""
    found: dict[str, Any] | None = _points.get(arn)
    if found is None:
        raise _not_found(f"Recovery point {arn} was not found")
    return found


def inside(vault: str) -> list[dict[str, Any]]:
    """The recovery points of a vault."""
    return [point for point in _points.values() if point["BackupVaultName"] == vault]


def find_inside(vault: str, arn: str) -> dict[str, Any]:
    """A recovery point of a vault; ApiError if there is none with this ARN."""
    found: dict[str, Any] | None = _points.get(arn)
    if found is None or found["BackupVaultName"] != vault:
        raise _not_found(f"Recovery point {arn} was not found in vault {vault}")
    return found


def delete(vault: str, arn: str) -> dict[str, Any]:
    find_inside(vault, arn)
    _points.pop(arn)
    hooks.backup._vaults[vault]["NumberOfRecoveryPoints"] -= 1
    return {}


def has_tags(arn: str) -> bool:
    """Whether AWS Backup's tag calls are for this resource: a recovery point of the service backup."""
    return bool(_OWN_ARN.fullmatch(arn))


def change_tags(arn: str, added: dict[str, str], removed: list[str]) -> dict[str, Any]:
    tags = find(arn)["_tags"]
    tags.update(added)
    for key in removed:
        tags.pop(key, None)
    return {}


def _not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message)


# -- backing up ----------------------------------------------------------------------------------------------


def _create(
    account: str,
    region: str,
    vault: str,
    resource: str,
    resource_type: str,
    tags: dict[str, str] | None = None,
    recovery_point: str | None = None,
) -> dict[str, Any]:
    """Back up a resource (ARN) into a vault; returns the recovery point as DescribeRecoveryPoint does.

    tags: the recovery point's, by default those of the resource. recovery_point: its ARN, by default a new
    one in the form of the resource type.
    """
    with base.scope(account, region):
        if vault not in hooks.backup._vaults:
            raise control.RefusedError(f"there is no backup vault {vault} in account {account}, {region}")
        backup = _back_up(Place(account, region), resource, resource_type, tags)
        form = _ARNS.get(resource_type, _OWN_FORM)
        arn = (
            recovery_point
            or backup.arn
            or form.format(
                partition=PARTITION,
                region=region,
                account=account,
                uuid=uuid.uuid4(),
                hex17=uuid.uuid4().hex[:17],
            )
        )
        stored_vault = hooks.backup._vaults[vault]
        _points[arn] = {
            "RecoveryPointArn": arn,
            "BackupVaultName": vault,
            "BackupVaultArn": stored_vault["BackupVaultArn"],
            "ResourceArn": resource,
            "ResourceType": resource_type,
            "Status": "COMPLETED",
            "CreationDate": time.time(),
            "CompletionDate": time.time(),
            "EncryptionKeyArn": stored_vault["EncryptionKeyArn"],
            "IsEncrypted": True,
            "_tags": dict(backup.tags),
            "_content": backup.content,
        }
        stored_vault["NumberOfRecoveryPoints"] += 1
        return public(_points[arn])


@dataclass(frozen=True)
class Backup:
    """A backup: what a restore needs, tags, and the ARN if the resource's service has given it one."""

    content: dict[str, str]
    tags: dict[str, str]
    arn: str | None = None


def _back_up(place: Place, resource: str, resource_type: str, tags: dict[str, str] | None) -> Backup:
    """Back up a resource (ARN), with its own tags unless others are given.

    For EBS there is a snapshot, so that its tags can be read from EC2. Raises RefusedError if a table or
    volume does not exist.
    """
    try:
        match resource_type:
            case "DynamoDB":
                return _back_up_table(base.client("dynamodb", place), resource, tags)
            case "EBS":
                return _back_up_volume(base.client("ec2", place), resource, tags)
            case _:
                return Backup({"originalResource": resource}, tags or {})
    except ClientError as missing:
        raise control.RefusedError(str(missing)) from None


def _back_up_table(dynamodb: Any, resource: str, tags: dict[str, str] | None) -> Backup:
    name = resource.rpartition("/")[2]
    table = dynamodb.describe_table(TableName=name)["Table"]
    own = dynamodb.list_tags_of_resource(ResourceArn=resource)["Tags"]
    content = {
        "originalTableName": name,
        "keySchema": json.dumps(table["KeySchema"]),
        "attributeDefinitions": json.dumps(table["AttributeDefinitions"]),
    }
    return Backup(content, _as_map(own) if tags is None else tags)


def _back_up_volume(ec2: Any, resource: str, tags: dict[str, str] | None) -> Backup:
    name = resource.rpartition("/")[2]
    own = ec2.describe_volumes(VolumeIds=[name])["Volumes"][0].get("Tags") or []
    kept = _as_map(own) if tags is None else tags
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    if kept:
        ec2.create_tags(Resources=[snapshot], Tags=as_list(kept))
    content = {"volumeId": name, "snapshotId": snapshot}
    return Backup(content, kept, f"arn:{PARTITION}:ec2:{ec2.meta.region_name}::snapshot/{snapshot}")


def _as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
