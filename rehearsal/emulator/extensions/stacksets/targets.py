"""Where a StackSet's instances belong: accounts by ID, or by organizational unit (OU), times Regions.

Source: "Account filter type" and "Target accounts" of the CloudFormation User Guide. An OU includes all OUs
below it, but never the management account.
"""

from typing import Any

from rehearsal.emulator.extensions.organizations import organization
from rehearsal.emulator.extensions.stacksets.model import Target, parameters
from rehearsal.place import Place


def targets_of(properties: dict[str, Any]) -> list[Target]:
    """The instances that a StackSet's properties describe; ValueError for targets that AWS refuses."""
    service_managed = properties.get("PermissionModel") == "SERVICE_MANAGED"
    found: dict[Place, Target] = {}
    for group in properties.get("StackInstancesGroup") or []:
        targets, overrides = group["DeploymentTargets"], parameters(group.get("ParameterOverrides"))
        accounts = _unit_accounts(targets) if service_managed else _own_accounts(targets)
        for region in group["Regions"]:
            for account, unit in accounts:
                place = Place(account, region)
                found[place] = Target(place, unit, overrides)
    return list(found.values())


def _own_accounts(targets: dict[str, Any]) -> list[tuple[str, str | None]]:
    if targets.get("OrganizationalUnitIds"):
        raise ValueError("OrganizationalUnitIds are for StackSets with SERVICE_MANAGED permissions only")
    return [(account, None) for account in targets.get("Accounts") or []]


def _unit_accounts(targets: dict[str, Any]) -> list[tuple[str, str | None]]:
    units = targets.get("OrganizationalUnitIds")
    if not units:
        raise ValueError("a SERVICE_MANAGED StackSet needs OrganizationalUnitIds in its DeploymentTargets")
    named = set(targets.get("Accounts") or [])
    inside: dict[str, str | None] = {}
    for unit in units:
        for account in organization.accounts_under(unit):
            inside.setdefault(account, unit)
    match targets.get("AccountFilterType", "NONE"):
        case "INTERSECTION":
            inside = {account: unit for account, unit in inside.items() if account in named}
        case "DIFFERENCE":
            inside = {account: unit for account, unit in inside.items() if account not in named}
        case "UNION":
            inside |= {account: None for account in named if account not in inside}
    return list(inside.items())
