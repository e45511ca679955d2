"""Each wrapper deploys exactly its body: in parallel, keyed by content, with the parameters that it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from buildspecs.lint.templates import Template, load
from buildspecs.names import EXECUTION_ROLE, HOME, STACKSETS, StackSet
from buildspecs.paths import ROOT
from tests.templates.resolving import Resolver

SERVICE_MANAGED = [stack_set for stack_set in STACKSETS if stack_set.name.startswith("organizations-")]
SELF_MANAGED = [stack_set for stack_set in STACKSETS if stack_set.name.startswith("account-")]
ROLE_STACK_SET = (
    "arn:aws:cloudformation:us-east-1:777788889999:"
    "stackset/organizations-aws-backup-x-role:0a1b2c3d-0000-4000-8000-000000000000"
)
KEY = "deployment/0123456789abcdef/body.yaml"
PACKAGE_REGIONS = ["eu-central-1", "us-east-1"]
TARGET_REGIONS = ["us-east-1", "us-east-2"]


def wrapper(stack_set: StackSet) -> tuple[Template, dict[str, Any]]:
    """The wrapper and its StackSet's properties, with the values that the pipeline passes."""
    template = load(ROOT / stack_set.wrapper)
    given = {
        "TemplateKey": KEY,
        "PackageRegions": ",".join(PACKAGE_REGIONS),
        "RoleStackSetArn": ROLE_STACK_SET,
    }
    resolver = Resolver(template, given)
    name = template.only("AWS::CloudFormation::StackSet")
    return template, resolver.properties(name)


def ids(stack_set: StackSet) -> str:
    return stack_set.name


@pytest.mark.parametrize("stack_set", STACKSETS, ids=ids)
def test_the_body_comes_from_the_deployment_bucket_by_its_content(stack_set: StackSet) -> None:
    bucket = "${ImportValue:aws-backup-s3-bucket-name}"
    _, properties = wrapper(stack_set)
    assert properties["TemplateURL"] == f"https://{bucket}.s3.${{AWS::Region}}.${{AWS::URLSuffix}}/{KEY}"


@pytest.mark.parametrize("stack_set", STACKSETS, ids=ids)
def test_the_body_gets_every_parameter_that_it_needs_and_no_unknown_one(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    body = load(ROOT / stack_set.body)
    given = {item["ParameterKey"]: item["ParameterValue"] for item in properties.get("Parameters", [])}
    needed = {name for name, parameter in body.parameters.items() if "Default" not in parameter}
    assert needed <= set(given) <= set(body.parameters)
    assert None not in given.values()


@pytest.mark.parametrize("stack_set", STACKSETS, ids=ids)
def test_a_body_that_names_roles_is_allowed_to(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    names_roles = any("RoleName" in role for _, role in load(ROOT / stack_set.body).of_type("AWS::IAM::Role"))
    assert ("CAPABILITY_NAMED_IAM" in properties.get("Capabilities", [])) >= names_roles


@pytest.mark.parametrize("stack_set", STACKSETS, ids=ids)
def test_operations_queue_instead_of_failing_and_run_in_all_regions_at_once(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    assert properties["ManagedExecution"] == {"Active": True}
    assert properties["OperationPreferences"]["RegionConcurrencyType"] == "PARALLEL"


@pytest.mark.parametrize("stack_set", STACKSETS, ids=ids)
def test_the_stacks_go_to_the_published_targets(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    (group,) = properties["StackInstancesGroup"]
    regions = {"GlobalRegion": ["us-east-1"], "pRegions": TARGET_REGIONS, "PackageRegions": PACKAGE_REGIONS}
    assert group["Regions"] == regions[stack_set.regions]
    targets = {"OrganizationalUnitIds": ["ou-exam-ple11111"]}
    assert group["DeploymentTargets"] == (
        targets if stack_set in SERVICE_MANAGED else {"Accounts": ["${AWS::AccountId}"]}
    )


@pytest.mark.parametrize("stack_set", SERVICE_MANAGED, ids=ids)
def test_member_stack_sets_follow_the_organization(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    assert properties["PermissionModel"] == "SERVICE_MANAGED"
    assert properties["CallAs"] == "DELEGATED_ADMIN"
    assert properties["AutoDeployment"]["Enabled"] is True
    # An account that leaves keeps what protects its backups; it has no use for the function.
    keeps = "member-accounts" in stack_set.name
    assert properties["AutoDeployment"]["RetainStacksOnAccountRemoval"] in (
        [True] if keeps else [True, False]
    )


@pytest.mark.parametrize("stack_set", SERVICE_MANAGED, ids=ids)
def test_an_account_that_fails_does_not_stop_the_others(stack_set: StackSet) -> None:
    _, properties = wrapper(stack_set)
    assert properties["OperationPreferences"] == {
        "RegionConcurrencyType": "PARALLEL",
        "ConcurrencyMode": "SOFT_FAILURE_TOLERANCE",
        "MaxConcurrentPercentage": "100",
        "FailureTolerancePercentage": "100",
    }


WAITING = pytest.mark.parametrize(
    "later", ["stackset-aws-backup-member-accounts", "stackset-aws-backup-tagonrestore"]
)


@WAITING
def test_in_an_account_that_joins_the_role_comes_first(later: str) -> None:
    """The ARN of its StackSet comes from AWS: its documentation does not say which account the ARN has."""
    by_file = {stack_set.wrapper: stack_set for stack_set in STACKSETS}
    template, properties = wrapper(by_file[f"{HOME}/{later}.yaml"])
    assert properties["AutoDeployment"]["DependsOn"] == [ROLE_STACK_SET]
    assert "OrgManagementAccount" not in template.parameters


@WAITING
@pytest.mark.parametrize(
    ("arn", "accepted"),
    [
        (ROLE_STACK_SET, True),
        (ROLE_STACK_SET.replace("arn:aws", "arn:aws-us-gov"), True),
        ("", False),  # a variable that the build does not export
        ("organizations-aws-backup-x-role:0a1b2c3d-0000-4000-8000-000000000000", False),
        (ROLE_STACK_SET.replace("stackset/", "stack/"), False),
    ],
)
def test_only_the_arn_of_a_stack_set_is_accepted(later: str, arn: str, accepted: bool) -> None:
    parameter = load(ROOT / f"{HOME}/{later}.yaml").parameters["RoleStackSetArn"]
    assert bool(re.fullmatch(parameter["AllowedPattern"], arn)) == accepted
    assert "Default" not in parameter


@pytest.mark.parametrize("stack_set", SELF_MANAGED, ids=ids)
def test_package_buckets_are_created_with_the_account_s_own_roles_and_no_failure_is_tolerated(
    stack_set: StackSet,
) -> None:
    _, properties = wrapper(stack_set)
    assert properties["PermissionModel"] == "SELF_MANAGED"
    assert properties["AdministrationRoleARN"] == (
        "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/AWSCloudFormationStackSetAdministrationRole"
    )
    assert properties["ExecutionRoleName"] == EXECUTION_ROLE
    assert properties["OperationPreferences"]["FailureToleranceCount"] == "0"
