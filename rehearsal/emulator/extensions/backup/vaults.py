"""Backup vaults: access policies, unique names, and no deletion of a vault that holds recovery points.

ministack drops AccessPolicy of AWS::Backup::BackupVault, creates a vault twice through CloudFormation, and
deletes a vault with its content.

Not emulated: vault lock has no effect; access policies and key policies are stored, not enforced.
"""

import json
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import recovery_points
from rehearsal.emulator.extensions.base import Create, Delete, Properties
from rehearsal.emulator.extensions.errors import ApiError

_VAULT = "AWS::Backup::BackupVault"
_policies: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    handlers = hooks.provisioners._RESOURCE_HANDLERS[_VAULT]
    create: Create = handlers["create"]
    delete: Delete = handlers["delete"]

    def create_new(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, Any]]:
        name = properties["BackupVaultName"]
        if name in hooks.backup._vaults:
            raise ValueError(f"Backup vault with the same name already exists: {name}")
        return create(logical_id, properties, stack)

    def delete_empty(name: str, properties: Properties) -> None:
        try:
            refuse_filled(name)
        except ApiError as refused:
            raise ValueError(refused.message) from None
        _policies.pop(name, None)
        delete(name, properties)

    handlers.update(create=create_new, delete=delete_empty)
    base.wrap_resource_type(_VAULT, after=_keep_policy)


def _keep_policy(name: str, properties: Properties) -> None:
    put_policy(name, properties.get("AccessPolicy"))


def find(name: str) -> dict[str, Any]:
    """A vault; ApiError if there is none with this name."""
    found: dict[str, Any] | None = hooks.backup._vaults.get(name)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"Backup vault {name} was not found")
    return found


def put_policy(name: str, policy: str | dict[str, Any] | None) -> dict[str, Any]:
    find(name)
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


def get_policy(name: str) -> dict[str, Any]:
    vault = find(name)
    if name not in _policies:
        raise ApiError("ResourceNotFoundException", f"Backup vault {name} has no access policy")
    return {
        "BackupVaultName": name,
        "BackupVaultArn": vault["BackupVaultArn"],
        "Policy": json.dumps(_policies[name]),
    }


def refuse_filled(name: str) -> None:
    """Raise ApiError if a vault holds recovery points."""
    if recovery_points.inside(name):
        raise ApiError(
            "InvalidRequestException",
            f"Backup vault {name} cannot be deleted because it contains recovery points",
        )
