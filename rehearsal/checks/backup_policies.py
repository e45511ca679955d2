"""The two backup policies: their content, targets and tags, and whether member accounts are under them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from buildspecs.names import (
    BACKUP_POLICIES,
    COMPLETE_WINDOW_MINUTES,
    MEMBER_VAULT,
    POLICY_FUNCTION,
    POLICY_STACK,
    START_WINDOW_MINUTES,
    BackupPolicy,
)
from rehearsal.checks.findings import Found, existing, found_unless
from rehearsal.emulator import Emulator
from rehearsal.organization import logs
from rehearsal.organization.plan import Organization
from rehearsal.place import Place
from rehearsal.report.journal import Holding


def check(emulator: Emulator, organization: Organization) -> Found:
    """Both policies are as published, created by the function for its stack, and in effect."""
    accounts, region = organization.plan.accounts, organization.plan.home_region
    organizations = emulator.session(accounts.management, region).client("organizations")
    ids = policy_ids(organizations)
    log = logs.of_function(emulator, Place(accounts.home, region), POLICY_FUNCTION)
    faults: list[str] = []
    found: Found = []
    for published in BACKUP_POLICIES:
        name = published.name
        if name not in ids:
            faults.append(f"the backup policy {name} does not exist.")
            continue
        policy_faults = _policy_faults(organizations, ids[name], published, organization)
        faults += (f"policy {name}: {fault}" for fault in policy_faults)
        if not any("CreatePolicy" in line and name in line for line in log):
            faults.append(f"policy {name}: the log of {POLICY_FUNCTION} does not say that it created it.")
        text = f"{name} ({ids[name]})"
        found.append(Holding("management", accounts.management, "", "backup policy", text))
    faults += _effective_faults(organizations, accounts.members)
    return found_unless(faults, found)


def policy_ids(organizations: Any) -> dict[str, str]:
    """The IDs of all backup policies, by name."""
    pages = organizations.get_paginator("list_policies").paginate(Filter="BACKUP_POLICY")
    return {policy["Name"]: policy["Id"] for page in pages for policy in page["Policies"]}


def policy_targets(organizations: Any, identifier: str) -> frozenset[str]:
    """The IDs of what a policy is attached to."""
    pages = organizations.get_paginator("list_targets_for_policy").paginate(PolicyId=identifier)
    return frozenset(target["TargetId"] for page in pages for target in page["Targets"])


def _policy_faults(
    organizations: Any, identifier: str, published: BackupPolicy, organization: Organization
) -> Iterator[str]:
    policy = organizations.describe_policy(PolicyId=identifier)["Policy"]
    yield from content_faults(json.loads(policy["Content"]), published, organization)
    targets = policy_targets(organizations, identifier)
    if targets != set(organization.units):
        yield f"is attached to {_joined(targets)} instead of {', '.join(organization.units)}."
    tags = organizations.list_tags_for_resource(ResourceId=identifier)["Tags"]
    if not any(f":stack/{POLICY_STACK}/" in tag["Value"] for tag in tags):
        yield f"has no tag with the ARN of the stack {POLICY_STACK}."


def _effective_faults(organizations: Any, members: Sequence[str]) -> Iterator[str]:
    for account in members:
        with existing("effective backup policy", account):
            response = organizations.describe_effective_policy(PolicyType="BACKUP_POLICY", TargetId=account)
        plans = set(json.loads(response["EffectivePolicy"]["PolicyContent"])["plans"])
        if missing := {published.plan for published in BACKUP_POLICIES} - plans:
            yield f"the effective policy of account {account} lacks the plan {_joined(missing)}."


def content_faults(
    content: Mapping[str, Any], published: BackupPolicy, organization: Organization
) -> Iterator[str]:
    """Where the content of a policy differs from the published values. Pure."""
    vault = organization.targets["CentralBackupVaultArn"]
    rule = ("plans", published.plan, "rules", published.rule)
    copy = (*rule, "copy_actions", vault)
    expected: dict[tuple[str, ...], object] = {
        ("plans", published.plan, "regions"): list(organization.plan.regions),
        (*rule, "schedule_expression"): published.schedule,
        (*rule, "start_backup_window_minutes"): START_WINDOW_MINUTES,
        (*rule, "complete_backup_window_minutes"): COMPLETE_WINDOW_MINUTES,
        (*rule, "target_backup_vault_name"): MEMBER_VAULT,
        (*rule, "lifecycle", "delete_after_days"): published.days,
        (*copy, "target_backup_vault_arn"): vault,
        (*copy, "lifecycle", "delete_after_days"): published.days,
    }
    for path, value in expected.items():
        if (actual := assigned(content, path)) != value:
            yield f"{'.'.join(path)} is {actual!r} instead of {value!r}."
    selections = _at(content, ("plans", published.plan, "selections", "tags")) or {}
    key, tag = published.tag
    selected = [
        (assigned(selection, ("tag_key",)), assigned(selection, ("tag_value",)))
        for selection in selections.values()
    ]
    if selected != [(key, [tag])]:
        yield f"selects by {selected} instead of the tag {key}={tag}."


def assigned(content: Mapping[str, Any], path: Sequence[str]) -> object:
    """The value that a policy assigns at a path, without the operator; None if there is none."""
    return _at(content, (*path, "@@assign"))


def _at(content: Any, path: Sequence[str]) -> Any:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return None
        content = content[key]
    return content


def _joined(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
