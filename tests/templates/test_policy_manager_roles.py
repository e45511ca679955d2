"""The management account's role allows exactly the calls that the function makes, on backup policies only."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from backup_org_policy_manager.request import read_properties

from buildspecs.lint.templates import plain
from buildspecs.paths import ROOT

PACKAGE = ROOT / "lambdas/backup_org_policy_manager"
TEMPLATES = ROOT / "templates"
ADMIN = TEMPLATES / "management-account/aws-backup-backuporgpolicymanager-mangement-role.yaml"
EXECUTION = TEMPLATES / "home-account/aws-backup-backuporgpolicymanager-role.yaml"
FUNCTION = TEMPLATES / "home-account/aws-backup-backuporgpolicymanager.yaml"
POLICIES = TEMPLATES / "home-account/aws-backup-org-policy.yaml"
ORGANIZATION = "arn:${AWS::Partition}:organizations::${AWS::AccountId}"
MANAGEMENT, OU_1 = "111111111111", "ou-root-11111111"


class Loader(yaml.SafeLoader):
    """CloudFormation's short intrinsics as plain values: `!Sub x` is x."""


def _plain(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


Loader.add_multi_constructor("!", _plain)


def template(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = plain(yaml.load(path.read_text(), Loader), path.name)  # noqa: S506  # a SafeLoader
    return loaded


def statements(path: Path) -> list[dict[str, Any]]:
    policies = template(path)["Resources"]["Role"]["Properties"]["Policies"]
    assert {policy["PolicyDocument"]["Version"] for policy in policies} == {"2012-10-17"}
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def actions(path: Path) -> set[str]:
    return {action for statement in statements(path) for action in _listed(statement["Action"])}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_management_role_allows_exactly_the_calls_of_the_code() -> None:
    text = "".join((PACKAGE / name).read_text() for name in ("organizations.py", "verification.py"))
    called = set(re.findall(r'"((?:Attach|Create|Delete|Describe|Detach|List|Update)[A-Z][A-Za-z]+)"', text))
    called -= {match for match in called if match.endswith("Exception")}
    # CreatePolicy with tags needs the permission to tag.
    assert actions(ADMIN) == {f"organizations:{name}" for name in {*called, "TagResource"}}


def test_every_statement_of_the_management_role_is_limited_to_backup_policies() -> None:
    for statement in statements(ADMIN):
        if statement["Sid"] == "FindAccountsToVerify":
            assert statement["Action"] == "organizations:ListAccountsForParent"  # knows no policy type
            continue
        # A tag request need not carry the type a second time: the resource names it.
        tags = statement["Sid"] == "ReadAndWriteTagsOfBackupPolicies"
        operator = "StringEqualsIfExists" if tags else "StringEquals"
        assert statement["Condition"] == {operator: {"organizations:PolicyType": "BACKUP_POLICY"}}


def test_the_management_role_reaches_no_more_than_its_actions_take() -> None:
    policy, account = f"{ORGANIZATION}:policy/*/backup_policy/*", f"{ORGANIZATION}:account/*"
    parents = [f"{ORGANIZATION}:root/*", f"{ORGANIZATION}:ou/*"]
    assert {statement["Sid"]: _listed(statement["Resource"]) for statement in statements(ADMIN)} == {
        "CreateBackupPolicies": ["*"],
        "ManageBackupPolicies": [policy],
        "AttachBackupPolicies": [policy, *parents, account],
        "ReadAndWriteTagsOfBackupPolicies": [policy],
        "FindBackupPolicies": ["*"],
        "VerifyEffectiveBackupPolicies": [account],
        "FindAccountsToVerify": parents,
    }


def test_only_the_functions_role_can_assume_the_management_role() -> None:
    trust = template(ADMIN)["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"]
    account = "arn:${AWS::Partition}:iam::${BackupAndRecoveryHomeAccountId}"
    assert trust["Statement"] == [
        {
            "Sid": "AssumedByPolicyManager",
            "Effect": "Allow",
            "Principal": {"AWS": f"{account}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": f"{account}:role/BackupOrgPolicyManager"}},
        }
    ]
    assert template(EXECUTION)["Resources"]["Role"]["Properties"]["RoleName"] == "BackupOrgPolicyManager"


def test_the_function_gets_its_role_package_and_settings() -> None:
    function = template(FUNCTION)["Resources"]["Function"]["Properties"]
    assert function["Handler"] == "backup_org_policy_manager.handler.handler"
    assert function["Timeout"] == 900
    assert function["Environment"]["Variables"] == {
        "ORG_ADMIN_ROLE_NAME": template(ADMIN)["Resources"]["Role"]["Properties"]["RoleName"],
        "LOG_LEVEL": "INFO",
    }
    assert function["Code"]["S3Bucket"] == "${PackageBucketPrefix}-${AWS::AccountId}-${AWS::Region}"


@pytest.mark.parametrize(
    ("name", "plan", "rule", "days", "schedule"),
    [
        ("DailyPolicy", "OrgBackupPlanDaily", "OrgDailyBackupRule", "35", "DailyBackupSchedule"),
        ("MonthlyPolicy", "OrgBackupPlanMonthly", "OrgMonthlyBackupRule", "366", "MonthlyBackupSchedule"),
    ],
)
def test_both_policies_are_what_the_contract_says(
    name: str, plan: str, rule: str, days: str, schedule: str
) -> None:
    resource = template(POLICIES)["Resources"][name]
    ((found_plan, content),) = resource["Properties"]["PolicyContent"]["plans"].items()
    ((found_rule, values),) = content["rules"].items()
    assert (found_plan, found_rule) == (plan, rule)
    assert values["schedule_expression"]["@@assign"] == schedule
    assert values["start_backup_window_minutes"]["@@assign"] == "60"
    assert values["complete_backup_window_minutes"]["@@assign"] == "1200"
    assert values["lifecycle"]["delete_after_days"]["@@assign"] == days
    (copy,) = values["copy_actions"].values()
    assert copy["lifecycle"]["delete_after_days"]["@@assign"] == days
    assert copy["target_backup_vault_arn"]["@@assign"] in resource["Properties"]["Variables"][0]


@pytest.mark.parametrize("name", ["DailyPolicy", "MonthlyPolicy"])
def test_the_function_accepts_both_policies(name: str) -> None:
    given = template(POLICIES)["Resources"][name]["Properties"]
    given |= {"PolicyTargets": [OU_1], "PolicyRegions": ["us-east-1"], "OrgManagementAccount": MANAGEMENT}
    vault = "arn:aws:backup:us-east-1:333333333333:backup-vault:AWSBackupSolutionCentralVault"
    given["Variables"] = [dict.fromkeys(given["Variables"][0], vault)]
    wanted, faults = read_properties(given, frozenset({"us-east-1"}), lambda place: "")
    assert not faults
    assert wanted.content.count(vault) == 2, "as the key of the copy action and as its target"
    assert "CENTRAL_VAULT_ARN" not in wanted.content


def test_the_policies_are_created_one_after_the_other() -> None:
    resources = template(POLICIES)["Resources"]
    assert resources["MonthlyPolicy"]["DependsOn"] == "DailyPolicy"
