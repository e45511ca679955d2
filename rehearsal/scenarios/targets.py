"""Regions, organizational units and accounts that come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs import names
from rehearsal.scenarios.deployed_organization import Rollout
from rehearsal.scenarios.snapshot import Change, changes, stack_of

_FURTHER_REGIONS: Final = ("us-west-2", "eu-west-1", "eu-central-1")


def region_added(rollout: Rollout) -> None:
    region = next(each for each in _FURTHER_REGIONS if each not in rollout.regions)
    rollout.use_regions(*rollout.regions, region)
    before = rollout.snapshot()
    rollout.files.set_targets({"TargetRegions": ", ".join(rollout.regions)})
    rollout.commit(f"Protect {region}, too")
    rollout.run()
    fresh = [(account, region) for account in rollout.members]
    at_home = [(rollout.home.account, region)]
    packages = {thing.name for thing in before if thing.kind == "package"}
    recorded = rollout.parameters("/backup/lambda").values()
    current = {name for name in packages if name in recorded}
    rollout.only(
        f"{region} has got everything, and no other region has changed",
        before,
        _regions_changed(rollout)
        | _created(fresh)
        | changes("created", "stack", at_home, stack_of(names.PACKAGES_SET))
        | changes("created", "package", at_home, *current),
    )
    rollout.is_consistent()


def _created(places: list[tuple[str, str]]) -> set[Change]:
    """What a member account gets in a region."""
    return (
        changes("created", "stack", places, *map(stack_of, names.REGIONAL_SETS))
        | changes("created", "vault", places, names.MEMBER_VAULT)
        | changes("created", "key", places, names.MEMBER_KEY_ALIAS)
        | changes("created", "function", places, names.TAG_FUNCTION)
    )


def _targets_changed(rollout: Rollout, parameter: str, *sets: str) -> set[Change]:
    """What the home account does for other targets: its stacks, and these StackSets."""
    wrappers = map(names.wrapper, sets)
    return (
        changes("changed", "stack", rollout.at_home, names.TARGETS_STACK, names.POLICY_STACK, *wrappers)
        | changes("changed", "StackSet operation", rollout.at_home, *sets)
        | changes("changed", "parameter", rollout.at_home, f"/backup/target/{parameter}")
        | _policies_changed(rollout)
    )


def _regions_changed(rollout: Rollout) -> set[Change]:
    return _targets_changed(rollout, "regions", names.PACKAGES_SET, *names.REGIONAL_SETS)


def _policies_changed(rollout: Rollout) -> set[Change]:
    management = rollout.organization.plan.accounts.management
    return changes("changed", "backup policy", [(management, "")], *names.POLICY_NAMES)


def region_removed(rollout: Rollout) -> None:
    *kept, region = rollout.regions
    gone = [(account, region) for account in rollout.members]
    before = rollout.snapshot()
    rollout.use_regions(*kept)
    rollout.files.set_targets({"TargetRegions": ", ".join(kept)})
    rollout.commit(f"Protect {region} no longer")
    rollout.run()
    rollout.only(
        f"the stacks in {region} are gone; its vaults are retained, and no other region has changed",
        before,
        _regions_changed(rollout)
        | changes("gone", "stack", gone, *map(stack_of, names.REGIONAL_SETS))
        | changes("gone", "key", gone, names.MEMBER_KEY_ALIAS)
        | changes("gone", "function", gone, names.TAG_FUNCTION)
        | changes("gone", "stack", [(rollout.home.account, region)], stack_of(names.PACKAGES_SET)),
    )
    rollout.check(
        f"the vaults in {region} are there, with their keys",
        lambda: next(
            (fault for account, _ in gone if (fault := _vault_fault(rollout, account, region))), None
        ),
    )
    rollout.is_consistent()


def _vault_fault(rollout: Rollout, account: str, region: str) -> str | None:
    """What is wrong with a retained vault: it must be there, and its key must be usable."""
    try:
        vault = rollout.client("backup", account, region).describe_backup_vault(
            BackupVaultName=names.MEMBER_VAULT
        )
        kms = rollout.client("kms", account, region)
        state = kms.describe_key(KeyId=vault["EncryptionKeyArn"])["KeyMetadata"]["KeyState"]
    except ClientError as error:
        return f"account {account}, {region}: {error}"
    return None if state == "Enabled" else f"account {account}, {region}: the vault's key is {state}."


def unit_added(rollout: Rollout) -> None:
    organizations = rollout.client("organizations", rollout.organization.plan.accounts.management)
    number = len(rollout.organization.units)
    unit = organizations.create_organizational_unit(
        ParentId=rollout.organization.root, Name=f"further-{number}"
    )["OrganizationalUnit"]["Id"]
    account = rollout.new_account(unit)
    rollout.use_members(*rollout.members, account)
    before = rollout.snapshot()
    rollout.use_units(*rollout.organization.further_units, unit)
    rollout.files.set_targets({"TargetOUs": ", ".join(rollout.organization.units)})
    rollout.commit("Protect another organizational unit, too")
    rollout.run()
    rollout.only(
        "the unit's account has got everything, and no other account has changed",
        before,
        _account_created(rollout, account)
        | _targets_changed(rollout, "organizational-units", *names.ROLE_SETS, *names.REGIONAL_SETS),
    )
    rollout.is_consistent()


def _account_created(rollout: Rollout, account: str) -> set[Change]:
    """What an account gets that is protected from now on."""
    return _created([(account, region) for region in rollout.regions]) | changes(
        "created", "stack", [(account, rollout.home.region)], *map(stack_of, names.ROLE_SETS)
    )


def account_joins(rollout: Rollout) -> None:
    before, known = rollout.snapshot(), len(rollout.executions())
    account = rollout.new_account()
    rollout.use_members(*rollout.members, account)
    deployed_by_itself(rollout, account)
    rollout.only(
        "the account has got everything, and nothing else has changed",
        before,
        _account_created(rollout, account)
        | changes("changed", "StackSet operation", rollout.at_home, *names.ROLE_SETS, *names.REGIONAL_SETS),
    )
    rollout.check(
        "the pipeline had nothing to do",
        lambda: None if len(rollout.executions()) == known else "an execution was started.",
    )
    rollout.is_consistent()


def deployed_by_itself(rollout: Rollout, account: str) -> None:
    """A step: the account that has come into a unit gets every stack without anybody's doing."""
    wanted = len(names.ROLE_SETS) + len(names.REGIONAL_SETS) * len(rollout.regions)
    with rollout.journal.step("the StackSets deploy to it by themselves") as step:
        rollout.eventually(
            lambda: [each["Status"] for each in instances(rollout, account)] == ["CURRENT"] * wanted,
            f"account {account} has not got its {wanted} stacks",
        )
        step.summary = f"{wanted} stacks"


def instances(rollout: Rollout, account: str) -> list[Mapping[str, Any]]:
    """The account's instances of the StackSets for the organization."""
    return [each for each in rollout.instances() if each["Account"] == account]


def account_leaves(rollout: Rollout) -> None:
    *staying, account = rollout.members
    region = rollout.home.region
    everywhere = [(account, each) for each in rollout.regions]
    point = _back_up(rollout, account, region)
    before = rollout.snapshot()
    organizations = rollout.client("organizations", rollout.organization.plan.accounts.management)
    with rollout.journal.step(f"account {account} leaves its unit"):
        unit = organizations.list_parents(ChildId=account)["Parents"][0]["Id"]
        organizations.move_account(
            AccountId=account, SourceParentId=unit, DestinationParentId=rollout.organization.root
        )
        rollout.eventually(
            lambda: not instances(rollout, account), f"StackSets still hold stacks of account {account}"
        )
    rollout.use_members(*staying)
    rollout.only(
        "vault, key and backup role stay; TagOnRestore goes; no other account has changed",
        before,
        changes("gone", "stack", everywhere, stack_of(names.TAG_SET))
        | changes("gone", "stack", [(account, region)], stack_of(names.TAG_ROLE_SET))
        | changes("gone", "function", everywhere, names.TAG_FUNCTION)
        | changes("changed", "StackSet operation", rollout.at_home, *names.ROLE_SETS, *names.REGIONAL_SETS),
    )
    rollout.check(
        "its recovery point is there, and no backup policy reaches it",
        lambda: _left_fault(rollout, account, region, point),
    )
    rollout.is_consistent()


def _back_up(rollout: Rollout, account: str, region: str) -> str:
    """A recovery point in the account's vault; returns its ARN."""
    with rollout.journal.step(f"account {account} has a recovery point in {region}"):
        table = rollout.client("dynamodb", account, region).create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]
        point = rollout.emulator.control(
            "create-recovery-point",
            account=account,
            region=region,
            vault=names.MEMBER_VAULT,
            resource=table["TableArn"],
            resource_type="DynamoDB",
        )
        return str(point["RecoveryPointArn"])


def _left_fault(rollout: Rollout, account: str, region: str, point: str) -> str | None:
    points = (
        rollout.client("backup", account, region)
        .get_paginator("list_recovery_points_by_backup_vault")
        .paginate(BackupVaultName=names.MEMBER_VAULT)
    )
    if point not in [each["RecoveryPointArn"] for page in points for each in page["RecoveryPoints"]]:
        return f"recovery point {point} is gone."
    organizations = rollout.client("organizations", rollout.organization.plan.accounts.management)
    try:
        effective = organizations.describe_effective_policy(PolicyType="BACKUP_POLICY", TargetId=account)
    except ClientError as error:
        return None if error.response["Error"]["Code"] == "EffectivePolicyNotFoundException" else str(error)
    return f"a backup policy is still in effect: {effective['EffectivePolicy']['PolicyContent']}"
