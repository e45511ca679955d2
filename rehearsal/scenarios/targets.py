"""Target Regions, organizational units (OUs) and accounts that are added and removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs import names
from rehearsal.place import Place
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.snapshot import Change, changes, stack_of
from rehearsal.stories.member import Member
from rehearsal.stories.restore_cases import TABLE
from rehearsal.stories.restore_jobs import back_up

_FURTHER_REGIONS: Final = ("us-west-2", "eu-west-1", "eu-central-1")


def region_added(deployed: DeployedOrganization) -> None:
    region = next(each for each in _FURTHER_REGIONS if each not in deployed.regions)
    deployed.set_regions(*deployed.regions, region)
    before = deployed.snapshot()
    deployed.files.set_targets({"TargetRegions": ", ".join(deployed.regions)})
    deployed.commit(f"Protect {region} too")
    deployed.run()
    members = [Place(account, region) for account in deployed.members]
    at_home = [Place(deployed.home.account, region)]
    packages = {thing.name for thing in before if thing.kind == "package"}
    recorded = deployed.parameters("/backup/lambda").values()
    current = {name for name in packages if name in recorded}
    deployed.expect_only(
        f"{region} has everything, and no other Region has changed",
        before,
        _regions_changed(deployed)
        | _created(members)
        | changes("created", "stack", at_home, stack_of(names.PACKAGES_SET))
        | changes("created", "package", at_home, *current),
    )
    deployed.check_outcomes()


def _created(places: list[Place]) -> set[Change]:
    """What is created in a member account's Region."""
    return (
        changes("created", "stack", places, *map(stack_of, names.REGIONAL_SETS))
        | changes("created", "vault", places, names.MEMBER_VAULT)
        | changes("created", "key", places, names.MEMBER_KEY_ALIAS)
        | changes("created", "function", places, names.TAG_FUNCTION)
    )


def _targets_changed(deployed: DeployedOrganization, parameter: str, *sets: str) -> set[Change]:
    """What a change of the targets updates in the home account: its stacks, and these StackSets."""
    wrappers = map(names.wrapper, sets)
    return (
        changes("changed", "stack", deployed.home_places, names.TARGETS_STACK, names.POLICY_STACK, *wrappers)
        | changes("changed", "StackSet operation", deployed.home_places, *sets)
        | changes("changed", "parameter", deployed.home_places, f"/backup/target/{parameter}")
        | _policies_changed(deployed)
    )


def _regions_changed(deployed: DeployedOrganization) -> set[Change]:
    return _targets_changed(deployed, "regions", names.PACKAGES_SET, *names.REGIONAL_SETS)


def _policies_changed(deployed: DeployedOrganization) -> set[Change]:
    management = deployed.organization.plan.accounts.management
    return changes("changed", "backup policy", [Place(management, "")], *names.POLICY_NAMES)


def region_removed(deployed: DeployedOrganization) -> None:
    *kept, region = deployed.regions
    left = [Place(account, region) for account in deployed.members]
    before = deployed.snapshot()
    deployed.set_regions(*kept)
    deployed.files.set_targets({"TargetRegions": ", ".join(kept)})
    deployed.commit(f"Protect {region} no longer")
    deployed.run()
    deployed.expect_only(
        f"the stacks in {region} are deleted, its vaults are retained, and no other Region has changed",
        before,
        _regions_changed(deployed)
        | changes("deleted", "stack", left, *map(stack_of, names.REGIONAL_SETS))
        | changes("deleted", "key", left, names.MEMBER_KEY_ALIAS)
        | changes("deleted", "function", left, names.TAG_FUNCTION)
        | changes("deleted", "stack", [Place(deployed.home.account, region)], stack_of(names.PACKAGES_SET)),
    )
    deployed.check(
        f"the vaults in {region} exist, and their keys are enabled",
        lambda: next((fault for place in left if (fault := _vault_fault(deployed, place))), None),
    )
    deployed.check_outcomes()


def _vault_fault(deployed: DeployedOrganization, place: Place) -> str | None:
    """What is wrong with a retained vault: it should exist, and its key should be enabled."""
    try:
        vault = deployed.client("backup", place).describe_backup_vault(BackupVaultName=names.MEMBER_VAULT)
        kms = deployed.client("kms", place)
        state = kms.describe_key(KeyId=vault["EncryptionKeyArn"])["KeyMetadata"]["KeyState"]
    except ClientError as error:
        return f"{place}: {error}"
    return None if state == "Enabled" else f"{place}: the vault's key is {state}."


def unit_added(deployed: DeployedOrganization) -> None:
    number = len(deployed.organization.units)
    unit = deployed.organizations.create_organizational_unit(
        ParentId=deployed.organization.root, Name=f"further-{number}"
    )["OrganizationalUnit"]["Id"]
    account = deployed.new_account(unit)
    deployed.set_members(*deployed.members, account)
    before = deployed.snapshot()
    deployed.set_units(*deployed.organization.further_units, unit)
    deployed.files.set_targets({"TargetOUs": ", ".join(deployed.organization.units)})
    deployed.commit("Protect another organizational unit too")
    deployed.run()
    deployed.expect_only(
        "the account of the OU has everything, and no other account has changed",
        before,
        _account_created(deployed, account)
        | _targets_changed(deployed, "organizational-units", *names.ROLE_SETS, *names.REGIONAL_SETS),
    )
    deployed.check_outcomes()


def _account_created(deployed: DeployedOrganization, account: str) -> set[Change]:
    """What is created in an account that is protected from now on."""
    return _created([Place(account, region) for region in deployed.regions]) | changes(
        "created", "stack", [Place(account, deployed.home.region)], *map(stack_of, names.ROLE_SETS)
    )


def account_joins(deployed: DeployedOrganization) -> None:
    before, known = deployed.snapshot(), len(deployed.executions())
    account = deployed.new_account()
    deployed.set_members(*deployed.members, account)
    check_automatic_deployment(deployed, account)
    deployed.expect_only(
        "the account has everything, and nothing else has changed",
        before,
        _account_created(deployed, account)
        | changes(
            "changed", "StackSet operation", deployed.home_places, *names.ROLE_SETS, *names.REGIONAL_SETS
        ),
    )
    deployed.check(
        "the pipeline was not started",
        lambda: None if len(deployed.executions()) == known else "it was started.",
    )
    deployed.check_outcomes()


def check_automatic_deployment(deployed: DeployedOrganization, account: str) -> None:
    """A step that fails unless StackSets deploys every stack to an account that has joined an OU."""
    wanted = len(names.ROLE_SETS) + len(names.REGIONAL_SETS) * len(deployed.regions)
    with deployed.journal.step("the StackSets deploy to it automatically") as step:
        deployed.eventually(
            lambda: [each["Status"] for each in instances(deployed, account)] == ["CURRENT"] * wanted,
            f"account {account} does not have its {wanted} stacks.",
        )
        step.summary = f"{wanted} stacks"


def instances(deployed: DeployedOrganization, account: str) -> list[Mapping[str, Any]]:
    """The account's stack instances of the StackSets for the organization."""
    return [each for each in deployed.instances() if each["Account"] == account]


def account_leaves(deployed: DeployedOrganization) -> None:
    *staying, account = deployed.members
    global_place = Place(account, deployed.home.region)
    everywhere = [Place(account, region) for region in deployed.regions]
    point = _back_up(deployed, global_place)
    before = deployed.snapshot()
    with deployed.journal.step(f"account {account} leaves its OU"):
        unit = deployed.organizations.list_parents(ChildId=account)["Parents"][0]["Id"]
        deployed.organizations.move_account(
            AccountId=account, SourceParentId=unit, DestinationParentId=deployed.organization.root
        )
        deployed.eventually(
            lambda: not instances(deployed, account),
            f"StackSets still have stack instances in account {account}.",
        )
    deployed.set_members(*staying)
    deployed.expect_only(
        "vault, key and backup role are retained, TagOnRestore is deleted, and no other account has changed",
        before,
        changes("deleted", "stack", everywhere, stack_of(names.TAG_SET))
        | changes("deleted", "stack", [global_place], stack_of(names.TAG_ROLE_SET))
        | changes("deleted", "function", everywhere, names.TAG_FUNCTION)
        | changes(
            "changed", "StackSet operation", deployed.home_places, *names.ROLE_SETS, *names.REGIONAL_SETS
        ),
    )
    deployed.check(
        "its recovery point exists, and no backup policy is in effect",
        lambda: _recovery_point_fault(deployed, global_place, point),
    )
    deployed.check_outcomes()


def _back_up(deployed: DeployedOrganization, place: Place) -> str:
    """Make a recovery point in the account's vault; returns its ARN."""
    with deployed.journal.step(f"{place} has a recovery point"):
        return back_up(Member(place.account, place.region, deployed.emulator), TABLE).arn


def _recovery_point_fault(deployed: DeployedOrganization, place: Place, point: str) -> str | None:
    points = (
        deployed.client("backup", place)
        .get_paginator("list_recovery_points_by_backup_vault")
        .paginate(BackupVaultName=names.MEMBER_VAULT)
    )
    if point not in [each["RecoveryPointArn"] for page in points for each in page["RecoveryPoints"]]:
        return f"recovery point {point} does not exist."
    try:
        effective = deployed.organizations.describe_effective_policy(
            PolicyType="BACKUP_POLICY", TargetId=place.account
        )
    except ClientError as error:
        return None if error.response["Error"]["Code"] == "EffectivePolicyNotFoundException" else str(error)
    return f"a backup policy is still in effect: {effective['EffectivePolicy']['PolicyContent']}"
