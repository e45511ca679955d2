"""AWS Backup: recovery points, vault access policies and settings; restore jobs are in restores.py.

ministack answers empty lists for recovery points and restore jobs, drops AccessPolicy of
AWS::Backup::BackupVault, lets a vault be created twice through CloudFormation and deleted while it is in use,
and has no settings.

Emulated: recovery points that the control operation `create-recovery-point` makes (Describe, List, Delete,
restore metadata, and tags for those whose ARN belongs to the service backup, as AWS documents it); access
policies through CloudFormation and the API; vaults that are not empty cannot be deleted; global settings,
changed by the management account only; region settings (opt-in of resource types, all off in a new account).

Not emulated: backup plans never run, vault lock has no effect, access policies and key policies are stored,
not enforced; copies to other vaults.
"""

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import restores
from rehearsal.emulator.extensions.base import Answer
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import organizations

_VAULT = "AWS::Backup::BackupVault"
_policies: Any = hooks.responses.AccountRegionScopedDict()
_opt_in: Any = hooks.responses.AccountRegionScopedDict()
_global = {"isCrossAccountBackupEnabled": "false"}
_global_changed = [time.time()]

# resource type → what its recovery points' ARNs look like ("AWS Backup ARNs" and the service's own snapshot
# ARNs)
_RECOVERY_POINT_ARNS = {
    "EC2": "arn:{partition}:ec2:{region}::image/ami-{hex17}",
    "RDS": "arn:{partition}:rds:{region}:{account}:snapshot:awsbackup:job-{uuid}",
    "Aurora": "arn:{partition}:rds:{region}:{account}:cluster-snapshot:awsbackup:job-{uuid}",
}
_OWN_RECOVERY_POINT_ARN = "arn:{partition}:backup:{region}:{account}:recovery-point:{uuid}"


def install() -> None:
    _answer_requests()
    _wrap_vaults()
    control.register("create-recovery-point", create_recovery_point)
    restores.install()


# -- recovery points -----------------------------------------------------------------------------------------


def create_recovery_point(
    account: str,
    region: str,
    vault: str,
    resource: str,
    resource_type: str,
    tags: dict[str, str] | None = None,
    recovery_point: str | None = None,
) -> dict[str, Any]:
    """Put a recovery point of a resource (ARN) into a vault; returns it as DescribeRecoveryPoint does.

    tags: those of the recovery point, by default the resource's own. recovery_point: its ARN, by default a
    new one of the type's form.
    """
    with base.scope(account, region):
        if vault not in hooks.backup._vaults:
            raise control.RefusedError(
                f"there is no backup vault {vault} in account {account}, region {region}"
            )
        backup = restores.back_up(account, region, resource, resource_type, tags)
        form = _RECOVERY_POINT_ARNS.get(resource_type, _OWN_RECOVERY_POINT_ARN)
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
        restores.recovery_points[arn] = {
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
        return restores.public(restores.recovery_points[arn])


def _recovery_point(vault: str, arn: str) -> dict[str, Any]:
    _vault(vault)
    found: dict[str, Any] | None = restores.recovery_points.get(arn)
    if found is None or found["BackupVaultName"] != vault:
        raise _not_found(f"Recovery point {arn} was not found in vault {vault}")
    return found


def _delete_recovery_point(vault: str, arn: str) -> dict[str, Any]:
    _recovery_point(vault, arn)
    restores.recovery_points.pop(arn)
    hooks.backup._vaults[vault]["NumberOfRecoveryPoints"] -= 1
    return {}


def _tags(arn: str) -> dict[str, str]:
    found = restores.recovery_points.get(arn)
    if found is None:
        raise _not_found(f"Recovery point {arn} was not found")
    tags: dict[str, str] = found["_tags"]
    return tags


def _change_tags(arn: str, added: dict[str, str], removed: list[str]) -> dict[str, Any]:
    tags = _tags(arn)
    tags.update(added)
    for key in removed:
        tags.pop(key, None)
    return {}


# -- vaults --------------------------------------------------------------------------------------------------


def _vault(name: str) -> dict[str, Any]:
    found: dict[str, Any] | None = hooks.backup._vaults.get(name)
    if found is None:
        raise _not_found(f"Backup vault {name} was not found")
    return found


def _put_policy(name: str, policy: str | dict[str, Any] | None) -> dict[str, Any]:
    _vault(name)
    document = json.loads(policy) if isinstance(policy, str) else policy
    if document is None:
        _policies.pop(name, None)
        return {}
    if not isinstance(document, dict) or "Statement" not in document:
        raise ApiError(
            "InvalidParameterValueException", f"The access policy of vault {name} has no Statement"
        )
    _policies[name] = document
    return {}


def _get_policy(name: str) -> dict[str, Any]:
    vault = _vault(name)
    if name not in _policies:
        raise _not_found(f"Backup vault {name} has no access policy")
    return {
        "BackupVaultName": name,
        "BackupVaultArn": vault["BackupVaultArn"],
        "Policy": json.dumps(_policies[name]),
    }


def _refuse_filled(name: str) -> None:
    if any(point["BackupVaultName"] == name for point in restores.recovery_points.values()):
        raise ApiError(
            "InvalidRequestException",
            f"Backup vault {name} cannot be deleted because it contains recovery points",
        )


def _wrap_vaults() -> None:
    """AccessPolicy, and what AWS refuses, around ministack's handlers of the resource type."""
    handlers = hooks.provisioners._RESOURCE_HANDLERS[_VAULT]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def create_vault(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        if properties["BackupVaultName"] in hooks.backup._vaults:
            raise ValueError(
                f"Backup vault with the same name already exists: {properties['BackupVaultName']}"
            )
        created = create(logical_id, properties, stack)
        _put_policy(created[0], properties.get("AccessPolicy"))
        return created

    def update_vault(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Any:
        updated = update(physical_id, old, new, stack, logical_id)
        _put_policy(updated[0], new.get("AccessPolicy"))
        return updated

    def delete_vault(physical_id: str, properties: dict[str, Any]) -> None:
        try:
            _refuse_filled(physical_id)
        except ApiError as refused:
            raise ValueError(refused.message) from None
        _policies.pop(physical_id, None)
        delete(physical_id, properties)

    handlers.update(create=create_vault, update=update_vault, delete=delete_vault)


# -- settings ------------------------------------------------------------------------------------------------


def _put_global(settings: dict[str, str]) -> dict[str, Any]:
    if base.account() != organizations.management_account():
        raise ApiError(
            "InvalidRequestException", "Only the organization's management account can change global settings"
        )
    unknown = sorted(
        set(settings) - {"isCrossAccountBackupEnabled", "isDelegatedAdministratorEnabled", "isMpaEnabled"}
    )
    if unknown:
        raise ApiError("InvalidParameterValueException", f"unknown global settings: {', '.join(unknown)}")
    _global.update(settings)
    _global_changed[0] = time.time()
    return {}


def _get_global() -> dict[str, Any]:
    if base.account() not in organizations.members():
        raise ApiError("InvalidRequestException", "The account is not a member of an organization")
    return {"GlobalSettings": dict(_global), "LastUpdateTime": _global_changed[0]}


def _get_region_settings() -> dict[str, Any]:
    preferences = dict.fromkeys(hooks.backup._SUPPORTED_RESOURCE_TYPES, False)
    return {
        "ResourceTypeOptInPreference": preferences | (_opt_in.get("types") or {}),
        "ResourceTypeManagementPreference": _opt_in.get("management") or {"DynamoDB": False, "EFS": False},
    }


def _put_region_settings(request: dict[str, Any]) -> dict[str, Any]:
    types = request.get("ResourceTypeOptInPreference") or {}
    unknown = sorted(set(types) - set(hooks.backup._SUPPORTED_RESOURCE_TYPES))
    if unknown:
        raise ApiError("InvalidParameterValueException", f"unknown resource types: {', '.join(unknown)}")
    _opt_in["types"] = (_opt_in.get("types") or {}) | types
    management = request.get("ResourceTypeManagementPreference") or {}
    _opt_in["management"] = _get_region_settings()["ResourceTypeManagementPreference"] | management
    return {}


# -- requests ------------------------------------------------------------------------------------------------

Parts = list[str]
Query = dict[str, str]
Route = Callable[[str, Parts, Query, dict[str, Any]], dict[str, Any] | None]
_OWN_RECOVERY_POINT = re.compile(r"arn:[a-z-]+:backup:[^:]*:[0-9]*:recovery-point:.+")


def _route(method: str, parts: Parts, query: Query, body: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to a request that is emulated here, None for one that ministack answers."""
    for routes in (_vault_routes, _tag_routes, _setting_routes, restores.route):
        answer = routes(method, parts, query, body)
        if answer is not None:
            return answer
    return None


def _vault_routes(method: str, parts: Parts, query: Query, body: dict[str, Any]) -> dict[str, Any] | None:
    match method, *parts:
        case "PUT", "backup-vaults", vault, "access-policy":
            return _put_policy(vault, body.get("Policy"))
        case "GET", "backup-vaults", vault, "access-policy":
            return _get_policy(vault)
        case "DELETE", "backup-vaults", vault, "access-policy":
            return _put_policy(vault, None)
        case "DELETE", "backup-vaults", vault:
            _refuse_filled(vault)
        case "GET", "backup-vaults", vault, "recovery-points":
            _vault(vault)
            points = [
                point for point in restores.recovery_points.values() if point["BackupVaultName"] == vault
            ]
            return restores.page([restores.public(point) for point in points], query, "RecoveryPoints")
        case "GET", "backup-vaults", vault, "recovery-points", *arn, "restore-metadata":
            point = _recovery_point(vault, "/".join(arn))
            return {
                **_named(point),
                "RestoreMetadata": point["_content"],
                "ResourceType": point["ResourceType"],
            }
        case "GET", "backup-vaults", vault, "recovery-points", *arn:
            return restores.public(_recovery_point(vault, "/".join(arn)))
        case "DELETE", "backup-vaults", vault, "recovery-points", *arn:
            return _delete_recovery_point(vault, "/".join(arn))
    return None


def _tag_routes(method: str, parts: Parts, _query: Query, body: dict[str, Any]) -> dict[str, Any] | None:
    arn = "/".join(parts[1:])
    if parts[0] not in ("tags", "untag") or not _OWN_RECOVERY_POINT.fullmatch(arn):
        return None
    if method == "GET":
        return {"Tags": dict(_tags(arn))}
    return _change_tags(arn, body.get("Tags") or {}, body.get("TagKeyList") or [])


def _setting_routes(method: str, parts: Parts, _query: Query, body: dict[str, Any]) -> dict[str, Any] | None:
    match method, *parts:
        case "PUT", "global-settings":
            return _put_global(body.get("GlobalSettings") or {})
        case "GET", "global-settings":
            return _get_global()
        case "PUT", "account-settings":
            return _put_region_settings(body)
        case "GET", "account-settings":
            return _get_region_settings()
    return None


def _named(point: dict[str, Any]) -> dict[str, Any]:
    return {key: point[key] for key in ("BackupVaultArn", "RecoveryPointArn")}


def _not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message, 400)


def _answer_requests() -> None:
    ministacks_own = hooks.backup.handle_request

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: Any
    ) -> Answer:
        parts = [part for part in path.strip("/").split("/") if part]
        single = {key: value[0] if isinstance(value, list) else value for key, value in query.items()}
        try:
            found = _route(method, parts, single, json.loads(body or b"{}"))
        except ApiError as error:
            answer = {"__type": error.code, "Message": error.message}
            headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
            return error.status, headers, json.dumps(answer).encode()
        if found is not None:
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()
        own: Answer = await ministacks_own(method, path, headers, body, query)
        return own

    hooks.backup.handle_request = handle_request
