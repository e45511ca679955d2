"""The sample service control policies are small enough, and deny exactly the intended requests."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest

from buildspecs.lint.templates import load
from buildspecs.names import CENTRAL, CENTRAL_KEY_ALIAS, HAND_MADE, MEMBER_KEY_ALIAS, NAMES
from buildspecs.names import MEMBER as MEMBER_TEMPLATES
from buildspecs.paths import ROOT
from tests.templates.policies import Request, decide
from tests.templates.resolving import Resolver

FOLDER = ROOT / "templates" / "service-control-policies"
CENTRAL_VAULT = "arn:aws:backup:us-east-1:333333333333:backup-vault:AWSBackupSolutionCentralVault"
OTHER_VAULT = "arn:aws:backup:us-east-1:333333333333:backup-vault:Another"
FOREIGN_VAULT = "arn:aws:backup:us-east-1:999999999999:backup-vault:AWSBackupSolutionCentralVault"
VALUES = {
    "<central-backup-vault-arn>": CENTRAL_VAULT,
    "<organization-id>": "o-exampleorgid",
    "<break-glass-role-name>": "security/break-glass",
}
MEMBER = "arn:aws:iam::444444444444"
ENGINEER, STACK_SETS = f"{MEMBER}:role/Engineer", f"{MEMBER}:role/stacksets-exec-0a1b2c3d"
BREAK_GLASS, BACKUP_ROLE = f"{MEMBER}:role/security/break-glass", f"{MEMBER}:role/AWSBackupSolutionRole"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))


@cache
def policy(name: str) -> Any:
    """The document with its placeholders filled."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    for placeholder, value in VALUES.items():
        text = text.replace(placeholder, value)
    return json.loads(text)


def test_the_folder_has_both_published_samples_and_both_protecting_policies() -> None:
    assert FILES == [
        "copy-inside-organization-only.json",
        "copy-to-central-vault-only.json",
        "protect-backup-solution.json",
        "protect-central-account.json",
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_policy_is_within_the_size_of_a_service_control_policy(name: str) -> None:
    """10,240 characters since May 2026; the CLI sends all spaces. Placeholders have long values."""
    longest = {
        "<central-backup-vault-arn>": CENTRAL_VAULT.rpartition(":")[0] + ":" + "v" * 50,
        "<organization-id>": f"o-{'x' * 32}",
        "<break-glass-role-name>": f"{'p' * 95}/{'r' * 64}",
    }
    text = (FOLDER / name).read_text(encoding="utf-8")
    for placeholder, value in longest.items():
        text = text.replace(placeholder, value)
    assert len(text) <= 10_240


@pytest.mark.parametrize("name", FILES)
def test_a_policy_only_denies_and_every_statement_has_its_own_sid(name: str) -> None:
    document = policy(name)
    assert document["Version"] == "2012-10-17"
    assert {statement["Effect"] for statement in document["Statement"]} == {"Deny"}
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all("Principal" not in statement for statement in document["Statement"])


@pytest.mark.parametrize("name", FILES)
def test_a_policy_works_in_every_partition_and_has_only_known_placeholders(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert "arn:aws" not in text
    assert set(re.findall(r"<[a-z-]+>", text)) <= set(VALUES)


@pytest.mark.parametrize(
    ("targets", "decision"),
    [
        ([CENTRAL_VAULT], ""),
        (CENTRAL_VAULT, ""),
        ([CENTRAL_VAULT, CENTRAL_VAULT], ""),
        ([OTHER_VAULT], "Deny"),
        ([FOREIGN_VAULT], "Deny"),
        # what ForAllValues would allow: one allowed target in addition to a forbidden one
        ([CENTRAL_VAULT, FOREIGN_VAULT], "Deny"),
        ([FOREIGN_VAULT, CENTRAL_VAULT], "Deny"),
        ([], "Deny"),
        (None, "Deny"),
    ],
)
def test_backups_are_copied_to_the_central_vault_only(targets: Any, decision: str) -> None:
    context = {} if targets in (None, []) else {"backup:CopyTargets": targets}
    request = Request(BACKUP_ROLE, "backup:CopyFromBackupVault", context=context)
    assert decide(policy("copy-to-central-vault-only.json"), request) == decision


@pytest.mark.parametrize(
    ("paths", "decision"),
    [
        (["o-exampleorgid/r-root/ou-root-backup/"], ""),
        (["o-exampleorgid/r-root/"], ""),
        (["o-otherotherot/r-root/"], "Deny"),
        (["o-exampleorgidx/r-root/"], "Deny"),
        (["o-exampleorgid/r-root/", "o-otherotherot/r-root/"], "Deny"),
        (["o-otherotherot/r-root/", "o-exampleorgid/r-root/"], "Deny"),
        (None, "Deny"),
    ],
)
def test_backups_stay_inside_the_organization(paths: Any, decision: str) -> None:
    context = {} if paths is None else {"backup:CopyTargetOrgPaths": paths}
    request = Request(BACKUP_ROLE, "backup:CopyFromBackupVault", context=context)
    assert decide(policy("copy-inside-organization-only.json"), request) == decision


@pytest.mark.parametrize("name", [file for file in FILES if file.startswith("copy-")])
@pytest.mark.parametrize(
    "action", ["backup:StartBackupJob", "backup:CopyIntoBackupVault", "backup:StartRestoreJob"]
)
def test_only_copying_is_limited(name: str, action: str) -> None:
    assert decide(policy(name), Request(ENGINEER, action)) == ""


KEY = "arn:aws:kms:us-east-1:444444444444:key/0a1b"
OURS, THEIRS = {"kms:ResourceAliases": [MEMBER_KEY_ALIAS]}, {"kms:ResourceAliases": ["alias/app"]}
PROTECTED = [
    (
        "backup:DeleteBackupVault",
        "arn:aws:backup:us-east-1:444444444444:backup-vault:AWSBackupSolutionVault",
        {},
    ),
    (
        "backup:PutBackupVaultAccessPolicy",
        "arn:aws-cn:backup:cn-north-1:444444444444:backup-vault:AWSBackupSolutionVault",
        {},
    ),
    (
        "backup:PutBackupVaultLockConfiguration",
        "arn:aws:backup:us-east-1:444444444444:backup-vault:AWSBackupSolutionVault",
        {},
    ),
    ("kms:ScheduleKeyDeletion", KEY, OURS),
    ("kms:DisableKey", KEY, OURS),
    ("kms:PutKeyPolicy", KEY, OURS),
    ("kms:RevokeGrant", KEY, OURS),
    ("kms:RevokeGrant", KEY, OURS | {"kms:GrantIsForAWSResource": "false"}),
    ("kms:DeleteAlias", "arn:aws:kms:us-east-1:444444444444:alias/AWSBackupSolutionKey", {}),
    ("iam:DeleteRole", BACKUP_ROLE, {}),
    ("iam:DetachRolePolicy", BACKUP_ROLE, {}),
    ("iam:PutRolePolicy", f"{MEMBER}:role/TagOnRestoreFunctionForAWSBackup", {}),
    ("lambda:DeleteFunction", "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestore", {}),
    ("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestore", {}),
    (
        "events:DisableRule",
        "arn:aws:events:us-east-1:444444444444:rule/StackSet-organizations-aws-backup-tago-RestoreRule-1A2B",
        {},
    ),
    (
        "cloudformation:DeleteStack",
        "arn:aws:cloudformation:us-east-1:444444444444:stack/StackSet-organizations-aws-backup-member-accounts-1/2",
        {},
    ),
]


FUNCTION = "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestore"
STACK = "arn:aws:cloudformation:us-east-1:444444444444:stack/StackSet-"
# service → each form of ARN of the solution's resources in a member account
FORMS = {
    "backup": ["arn:aws:backup:us-east-1:444444444444:backup-vault:AWSBackupSolutionVault"],
    "cloudformation": [
        f"{STACK}{name.value}-0a1b2c3d-4e5f-6a7b-8c9d-0e1f2a3b4c5d/1a2b3c4d"
        for name in NAMES
        if name.value.startswith("organizations-aws-backup-")
    ],
    "events": [
        f"arn:aws:events:us-east-1:444444444444:rule/StackSet-organizations-aws-backup-tago-{rule}Rule-1A2B3C"
        for rule in ("Restore", "Sweep")
    ],
    "iam": [BACKUP_ROLE, f"{MEMBER}:role/TagOnRestoreFunctionForAWSBackup"],
    "lambda": [FUNCTION, *(f"{FUNCTION}:{qualifier}" for qualifier in ("1", "live", "$LATEST", "*"))],
}
# These are about other resources, and have their own rows.
APART = {"iam:DeleteServiceLinkedRole"}


@pytest.mark.parametrize("service", FORMS)
@pytest.mark.parametrize(("who", "decision"), [(ENGINEER, "Deny"), (STACK_SETS, ""), (BREAK_GLASS, "")])
def test_a_denied_action_is_denied_on_every_form_of_arn(service: str, who: str, decision: str) -> None:
    document = policy("protect-backup-solution.json")
    asked = {
        action
        for statement in document["Statement"]
        for action in statement["Action"]
        if action.startswith(f"{service}:")
    } - APART
    assert len(asked) > 4
    for action in sorted(asked):
        for resource in FORMS[service]:
            assert decide(document, Request(who, action, resource)) == decision, f"{action} on {resource}"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("organizations:LeaveOrganization", "*"),
        ("organizations:AcceptHandshake", "arn:aws:organizations::999999999999:handshake/o-other/invite/h-1"),
        ("account:CloseAccount", "arn:aws:account::444444444444:account"),
        ("account:DisableRegion", "arn:aws:account::444444444444:account"),
        (
            "iam:DeleteServiceLinkedRole",
            f"{MEMBER}:role/aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup",
        ),
    ],
)
@pytest.mark.parametrize("name", [file for file in FILES if file.startswith("protect-")])
def test_the_account_stays_in_the_organization_with_its_service_linked_role(
    name: str, action: str, resource: str
) -> None:
    for who in (ENGINEER, f"{MEMBER}:root", STACK_SETS):
        assert decide(policy(name), Request(who, action, resource)) == "Deny"
    assert decide(policy(name), Request(BREAK_GLASS, action, resource)) == ""


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("protect-backup-solution.json", MEMBER_KEY_ALIAS),
        ("protect-central-account.json", CENTRAL_KEY_ALIAS),
    ],
)
@pytest.mark.parametrize(
    ("days", "decision"), [("7", "Deny"), ("29", "Deny"), ("30", ""), (None, "")], ids=str
)
def test_even_the_break_glass_role_cannot_delete_a_key_in_less_than_30_days(
    name: str, alias: str, days: str | None, decision: str
) -> None:
    """Without a waiting period KMS uses 30 days, and need not send its condition key."""
    chosen = {} if days is None else {"kms:ScheduleKeyDeletionPendingWindowInDays": days}
    for context, expected in (
        ({"kms:ResourceAliases": [alias, "alias/second"]}, decision),
        ({"kms:ResourceAliases": ["alias/app"]}, ""),
    ):
        request = Request(BREAK_GLASS, "kms:ScheduleKeyDeletion", KEY, context | chosen)
        assert decide(policy(name), request) == expected


def test_a_service_may_revoke_its_grant_for_its_caller() -> None:
    """The condition key is true if an AWS service sends the request on behalf of its user."""
    context = OURS | {"kms:GrantIsForAWSResource": "true"}
    request = Request(ENGINEER, "kms:RevokeGrant", KEY, context)
    assert decide(policy("protect-backup-solution.json"), request) == ""


@pytest.mark.parametrize(("action", "resource", "context"), PROTECTED, ids=[row[0] for row in PROTECTED])
@pytest.mark.parametrize(
    ("who", "decision"),
    [
        (ENGINEER, "Deny"),
        (f"{MEMBER}:root", "Deny"),
        (f"{MEMBER}:role/break-glass", "Deny"),
        (STACK_SETS, ""),
        (BREAK_GLASS, ""),
    ],
)
def test_only_stack_sets_and_the_break_glass_role_change_the_solution(
    action: str, resource: str, context: dict[str, Any], who: str, decision: str
) -> None:
    assert decide(policy("protect-backup-solution.json"), Request(who, action, resource, context)) == decision


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("backup:DeleteBackupVault", "arn:aws:backup:us-east-1:444444444444:backup-vault:Team", {}),
        ("kms:ScheduleKeyDeletion", KEY, THEIRS),
        ("kms:ScheduleKeyDeletion", KEY, {}),
        ("kms:RevokeGrant", KEY, THEIRS),
        (
            "cloudformation:CreateStackRefactor",
            "arn:aws:cloudformation:us-east-1:444444444444:stack/app/1",
            {},
        ),
        (
            "iam:DeleteServiceLinkedRole",
            f"{MEMBER}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            {},
        ),
        (
            "lambda:AddPermission",
            "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestoreOfAnother:1",
            {},
        ),
        ("organizations:DescribeOrganization", "*", {}),
        ("iam:DeleteRole", f"{MEMBER}:role/Application", {}),
        ("iam:PassRole", BACKUP_ROLE, {}),
        ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestore", {}),
        ("lambda:DeleteFunction", "arn:aws:lambda:us-east-1:444444444444:function:TagOnRestoreOfAnother", {}),
        ("events:PutRule", "arn:aws:events:us-east-1:444444444444:rule/nightly", {}),
        ("backup:StartRestoreJob", "arn:aws:ec2:us-east-1::snapshot/snap-1", {}),
    ],
)
def test_other_resources_and_actions_are_not_affected(
    action: str, resource: str, context: dict[str, Any]
) -> None:
    assert decide(policy("protect-backup-solution.json"), Request(ENGINEER, action, resource, context)) == ""


POSING = ["iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePolicy"]


@pytest.mark.parametrize("action", POSING)
@pytest.mark.parametrize(
    ("who", "decision"),
    [(ENGINEER, "Deny"), (f"{MEMBER}:root", "Deny"), (STACK_SETS, ""), (BREAK_GLASS, "")],
)
def test_nobody_else_can_create_a_break_glass_role(who: str, decision: str, action: str) -> None:
    """In an account without that role, anybody who may create roles could otherwise take its name."""
    assert decide(policy("protect-backup-solution.json"), Request(who, action, BREAK_GLASS)) == decision


@pytest.mark.parametrize("who", [ENGINEER, STACK_SETS])
@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy"])
def test_nobody_can_pose_as_stack_sets(who: str, action: str) -> None:
    request = Request(who, action, f"{MEMBER}:role/stacksets-exec-mine")
    assert decide(policy("protect-backup-solution.json"), request) == "Deny"


CENTRAL_ROOT = "arn:aws:iam::333333333333"
CENTRAL_GLASS = f"{CENTRAL_ROOT}:role/security/break-glass"
CENTRAL_STACK = "arn:aws:cloudformation:us-east-1:333333333333:stack/aws-backup-solution-central-account"
CENTRAL_ALIAS = {"kms:ResourceAliases": [CENTRAL_KEY_ALIAS]}


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("backup:PutBackupVaultAccessPolicy", CENTRAL_VAULT, {}),
        ("backup:DeleteBackupVaultAccessPolicy", CENTRAL_VAULT, {}),
        ("backup:DeleteBackupVault", CENTRAL_VAULT, {}),
        ("backup:PutBackupVaultLockConfiguration", CENTRAL_VAULT, {}),
        ("kms:PutKeyPolicy", KEY, CENTRAL_ALIAS),
        ("kms:ScheduleKeyDeletion", KEY, CENTRAL_ALIAS),
        ("kms:RevokeGrant", KEY, CENTRAL_ALIAS),
        ("kms:DeleteAlias", "arn:aws:kms:us-east-1:333333333333:alias/AWSBackupSolutionCentralKey", {}),
        ("iam:UpdateAssumeRolePolicy", f"{CENTRAL_ROOT}:role/AWSBackupSolutionCentralAccountRole", {}),
        ("cloudformation:UpdateStack", f"{CENTRAL_STACK}/1", {}),
        ("cloudformation:DeleteStack", f"{CENTRAL_STACK}-role/1", {}),
        ("cloudformation:CreateStackRefactor", f"{CENTRAL_STACK}/1", {}),
        ("cloudformation:ExecuteStackRefactor", f"{CENTRAL_STACK}/1", {}),
        ("cloudformation:RollbackStack", f"{CENTRAL_STACK}/1", {}),
        ("iam:CreateRole", CENTRAL_GLASS, {}),
        ("iam:UpdateAssumeRolePolicy", CENTRAL_GLASS, {}),
    ],
)
@pytest.mark.parametrize(
    ("who", "decision"),
    [
        (f"{CENTRAL_ROOT}:role/Engineer", "Deny"),
        (f"{CENTRAL_ROOT}:root", "Deny"),
        # the home account's access to any account of the organization
        (f"{CENTRAL_ROOT}:role/stacksets-exec-0a1b2c3d", "Deny"),
        (CENTRAL_GLASS, ""),
    ],
)
def test_only_the_break_glass_role_changes_the_central_account(
    action: str, resource: str, context: dict[str, Any], who: str, decision: str
) -> None:
    assert decide(policy("protect-central-account.json"), Request(who, action, resource, context)) == decision


def test_one_role_for_all_three_purposes_can_update_the_central_stack() -> None:
    """As docs/operations.md says: one of the three policies would deny another role."""
    template = load(ROOT / CENTRAL / "aws-backup-central-backup-account.yaml")
    name = VALUES["<break-glass-role-name>"]
    given = {
        "KeyAdministratorRoleName": name,
        "BreakGlassRoleName": name,
        "pOrganizationId": "o-exampleorgid",
    }
    deployed = Resolver(template, given, {"AWS::Partition": "aws", "AWS::AccountId": "3" * 12})
    update = Request(CENTRAL_GLASS, "cloudformation:UpdateStack", f"{CENTRAL_STACK}/1")
    key = Request(CENTRAL_GLASS, "kms:PutKeyPolicy", KEY, CENTRAL_ALIAS)
    vault = Request(CENTRAL_GLASS, "backup:PutBackupVaultAccessPolicy", CENTRAL_VAULT)
    for request in (update, key, vault):
        assert decide(policy("protect-central-account.json"), request) == ""
    assert decide(deployed.properties("Key")["KeyPolicy"], key) == "Allow"
    assert decide(deployed.properties("Vault")["AccessPolicy"], vault) == ""


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("backup:CopyIntoBackupVault", CENTRAL_VAULT),
        ("backup:CopyFromBackupVault", CENTRAL_VAULT),
        ("backup:StartRestoreJob", CENTRAL_VAULT),
        ("backup:PutBackupVaultAccessPolicy", OTHER_VAULT),
        ("kms:ScheduleKeyDeletion", KEY),
        ("iam:CreateRole", f"{CENTRAL_ROOT}:role/Application"),
        ("iam:PassRole", f"{CENTRAL_ROOT}:role/AWSBackupSolutionCentralAccountRole"),
    ],
)
def test_the_central_account_works_as_before(action: str, resource: str) -> None:
    request = Request(f"{CENTRAL_ROOT}:role/Engineer", action, resource)
    assert decide(policy("protect-central-account.json"), request) == ""


@pytest.mark.parametrize(
    ("name", "folder"),
    [("protect-backup-solution.json", MEMBER_TEMPLATES), ("protect-central-account.json", CENTRAL)],
)
def test_a_protecting_policy_names_what_the_templates_create(name: str, folder: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    named = set(re.findall(r"[:/](?:alias/)?(AWSBackupSolution\w+|TagOnRestore\w*)", text))
    assert named == {name.value.removeprefix("alias/") for name in NAMES if name.template.startswith(folder)}


def test_the_protecting_policies_name_the_stacks_of_the_solution() -> None:
    members = (FOLDER / "protect-backup-solution.json").read_text(encoding="utf-8")
    assert any(name.value.startswith("organizations-aws-backup-") for name in NAMES)
    assert "StackSet-organizations-aws-backup-*" in members
    central = (FOLDER / "protect-central-account.json").read_text(encoding="utf-8")
    (pattern,) = re.findall(r":stack/([\w-]+)\*", central)
    stacks = [stack.name for stack in HAND_MADE if stack.account == "central"]
    assert len(stacks) == 2
    assert all(name.startswith(pattern) for name in stacks)


def test_the_readme_names_every_policy_and_every_placeholder() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in FILES:
        assert f"templates/service-control-policies/{name}" in text
    for placeholder in VALUES:
        assert placeholder in text
