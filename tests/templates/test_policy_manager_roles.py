"""The management account's role allows exactly the calls that the function makes, on backup policies only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from backup_org_policy_manager.request import read_properties

from buildspecs.lint.rules.reading import listed
from buildspecs.lint.templates import load
from buildspecs.names import HOME, MANAGEMENT, MANAGEMENT_ROLE, SSM_VALUES, VAULT_PATH
from buildspecs.paths import ROOT
from tests.templates.resolving import Resolver

PACKAGE = ROOT / "lambdas/backup_org_policy_manager"
ORGANIZATION = "arn:${AWS::Partition}:organizations::${AWS::AccountId}"
POLICIES = load(ROOT / HOME / "aws-backup-org-policy.yaml")


def management_role() -> dict[str, Any]:
    template = load(ROOT / MANAGEMENT / "aws-backup-backuporgpolicymanager-mangement-role.yaml")
    given = {"BackupAndRecoveryHomeAccountId": "222222222222"}
    return dict(Resolver(template, given).properties("Role"))


def statements() -> list[dict[str, Any]]:
    policies = management_role()["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def test_the_management_role_allows_exactly_the_calls_of_the_code() -> None:
    text = "".join((PACKAGE / name).read_text() for name in ("organizations.py", "verification.py"))
    called = set(re.findall(r'"((?:Attach|Create|Delete|Describe|Detach|List|Update)[A-Z][A-Za-z]+)"', text))
    called -= {match for match in called if match.endswith("Exception")}
    actions = {action for statement in statements() for action in listed(statement["Action"])}
    # CreatePolicy with tags needs the permission to tag.
    assert actions == {f"organizations:{name}" for name in {*called, "TagResource"}}


def test_every_statement_of_the_management_role_is_limited_to_backup_policies() -> None:
    for statement in statements():
        if statement["Sid"] == "FindAccountsToVerify":
            assert statement["Action"] == "organizations:ListAccountsForParent"  # has no policy type
            continue
        # A tagging request need not send the type: the resource names it.
        tags = statement["Sid"] == "ReadAndWriteTagsOfBackupPolicies"
        operator = "StringEqualsIfExists" if tags else "StringEquals"
        assert statement["Condition"] == {operator: {"organizations:PolicyType": "BACKUP_POLICY"}}


def test_the_management_role_reaches_only_the_resources_of_its_actions() -> None:
    policy, account = f"{ORGANIZATION}:policy/*/backup_policy/*", f"{ORGANIZATION}:account/*"
    parents = [f"{ORGANIZATION}:root/*", f"{ORGANIZATION}:ou/*"]
    assert {statement["Sid"]: listed(statement["Resource"]) for statement in statements()} == {
        "CreateBackupPolicies": ["*"],
        "ManageBackupPolicies": [policy],
        "AttachBackupPolicies": [policy, *parents, account],
        "ReadAndWriteTagsOfBackupPolicies": [policy],
        "FindBackupPolicies": ["*"],
        "VerifyEffectiveBackupPolicies": [account],
        "FindAccountsToVerify": parents,
    }


def test_the_function_gets_its_timeout_package_and_settings() -> None:
    template = load(ROOT / HOME / "aws-backup-backuporgpolicymanager.yaml")
    function = Resolver(template).properties("Function")
    assert function["Timeout"] == 900
    assert function["Environment"]["Variables"] == {
        "ORG_ADMIN_ROLE_NAME": MANAGEMENT_ROLE,
        "LOG_LEVEL": "INFO",
    }
    assert function["Code"]["S3Bucket"] == "lambda-deployment-bucket-${AWS::AccountId}-${AWS::Region}"


@pytest.mark.parametrize("name", ["DailyPolicy", "MonthlyPolicy"])
def test_the_function_accepts_both_policies(name: str) -> None:
    given = Resolver(POLICIES).properties(name)
    vault = SSM_VALUES[VAULT_PATH][1]
    wanted, faults = read_properties(given, frozenset(given["PolicyRegions"]), lambda place: "")
    assert not faults
    assert wanted.content.count(vault) == 2, "as the key of the copy action and as its target"
    assert "CENTRAL_VAULT_ARN" not in wanted.content


def test_the_policies_are_created_one_after_the_other() -> None:
    assert POLICIES.resources["MonthlyPolicy"]["DependsOn"] == "DailyPolicy"
