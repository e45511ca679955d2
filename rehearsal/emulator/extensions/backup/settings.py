"""AWS Backup's settings, which ministack does not have.

Emulated: global settings, which the management account alone can change; the settings of a Region: opt-in and
management by resource type, all off in a new account.
"""

import time
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import organization

_opt_in: Any = hooks.responses.AccountRegionScopedDict()
_global = {"isCrossAccountBackupEnabled": "false"}
_global_changed = [time.time()]


def put_global(settings: dict[str, str]) -> dict[str, Any]:
    if base.account() != organization.management_account():
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


def get_global() -> dict[str, Any]:
    if base.account() not in organization.members():
        raise ApiError("InvalidRequestException", "The account is not a member of an organization")
    return {"GlobalSettings": dict(_global), "LastUpdateTime": _global_changed[0]}


def get_for_region() -> dict[str, Any]:
    preferences = dict.fromkeys(hooks.backup._SUPPORTED_RESOURCE_TYPES, False)
    return {
        "ResourceTypeOptInPreference": preferences | (_opt_in.get("types") or {}),
        "ResourceTypeManagementPreference": _opt_in.get("management") or {"DynamoDB": False, "EFS": False},
    }


def put_for_region(request: dict[str, Any]) -> dict[str, Any]:
    types = request.get("ResourceTypeOptInPreference") or {}
    unknown = sorted(set(types) - set(hooks.backup._SUPPORTED_RESOURCE_TYPES))
    if unknown:
        raise ApiError("InvalidParameterValueException", f"unknown resource types: {', '.join(unknown)}")
    _opt_in["types"] = (_opt_in.get("types") or {}) | types
    management = request.get("ResourceTypeManagementPreference") or {}
    _opt_in["management"] = get_for_region()["ResourceTypeManagementPreference"] | management
    return {}
