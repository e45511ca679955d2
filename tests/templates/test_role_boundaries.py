"""Which resources each role of the home account reaches by pattern, and who may assume it.

test_deploying_roles.py checks that a role may do what it must. These tables list every resource pattern,
every condition and every trust. A change of a role that is not in them fails, and so does an entry that no
role has any more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from buildspecs.lint.templates import load, repository_templates
from buildspecs.names import (
    CENTRAL,
    CLOUDFORMATION_ROLE,
    FIND_ROLE_PROJECT,
    HOME,
    MANAGEMENT,
    MANAGEMENT_ROLE,
    MEMBER,
    PACKAGE_POLICY_PROJECT,
    PACKAGE_TAG_PROJECT,
    PIPELINE_STACK,
    REPORT_PROJECT,
    SCAN_PROJECT,
    VALIDATE_PROJECT,
)
from buildspecs.paths import ROOT
from buildspecs.targets import opt_in_regions
from tests.templates.permissions import Deployed, Need, matches, statements
from tests.templates.resolving import Resolver
from tests.templates.test_deploying_roles import (
    BUCKET,
    PARAMETERS,
    ROLES,
    pipeline_needs,
    site,
    stack_role_needs,
    template,
)

HOME_ID = "222222222222"
IAM = f"arn:aws:iam::{HOME_ID}:role"
CFN = "arn:aws:cloudformation"
HERE = f"{CFN}:us-east-1:{HOME_ID}"
PACKAGES = f"arn:aws:s3:::lambda-deployment-bucket-{HOME_ID}"

DRAWN = "CloudFormation generates the end of the name"
MANY = "several, none of them in another account"
ANYWHERE = "a delegated administrator's StackSets belong to the management account"
NONE = "the actions support no resource, or none that is known beforehand"
ARTIFACTS = {
    f"{BUCKET}/backup-recovery-with*": "CodePipeline writes below 20 characters of the pipeline's name"
}
SOURCE = {f"{BUCKET}/backup-recovery-with/SourceArti/*": "CodePipeline generates the object's name"}
DEPLOYMENT = {f"{BUCKET}/backup-recovery-with/Deployment/*": "CodePipeline generates the object's name"}


def described(name: str) -> dict[str, dict[str, str]]:
    return {
        "DescribeRoleStackSet": {f"{CFN}:us-east-1:*:stackset/organizations-aws-backup-{name}:*": ANYWHERE},
        "FindDelegatedAdministrators": {"*": NONE},
    }


def packaging(package: str) -> dict[str, dict[str, str]]:
    return {
        "SourceArtifact": SOURCE,
        "FindPackages": {f"{PACKAGES}-*": MANY},
        "Packages": {f"{PACKAGES}-*/{package}-*.zip": "the hash is in the name"},
        "ReadTargets": {f"{PARAMETERS}/backup/*": MANY},
        "RecordPackage": {f"{PARAMETERS}/backup/lambda/{package}/*": "name and hash"},
    }


# Role → statement → resource pattern → why it is not one resource.
PATTERNS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    CLOUDFORMATION_ROLE: {
        "Roles": {f"{IAM}/aws-backup-codepipeline-*": DRAWN},
        "PassPipelineRoles": {f"{IAM}/aws-backup-codepipeline-*": DRAWN},
        "PipelineRules": {f"arn:aws:events:us-east-1:{HOME_ID}:rule/aws-backup-codepipeline-*": DRAWN},
        "FailureTopic": {f"arn:aws:sns:us-east-1:{HOME_ID}:aws-backup-codepipeline-*": DRAWN},
        "Parameters": {f"{PARAMETERS}/backup/*": MANY},
        "UndeliveredQueue": {f"arn:aws:sqs:us-east-1:{HOME_ID}:aws-backup-codepipeline-*": DRAWN},
        "UndeliveredAlarm": {
            f"arn:aws:cloudwatch:us-east-1:{HOME_ID}:alarm:aws-backup-codepipeline-*": DRAWN
        },
        "StackSets": {
            f"{HERE}:stackset/account-aws-backup-*": "StackSets generates the end of the ID",
            f"{CFN}:*:{HOME_ID}:stackset-target/account-aws-backup-*": "the user guide has any Region",
            f"{CFN}:us-east-1:*:stackset/organizations-aws-backup-*": ANYWHERE,
            f"{CFN}:*:*:stackset-target/organizations-aws-backup-*": ANYWHERE,
            f"{CFN}:*:*:type/resource/*": "public types, whose owner and Region the user guide leaves open",
        },
        "StackSetTemplates": {f"{BUCKET}/deployment/*": "the hash is in the key"},
        "FunctionPackage": {f"{PACKAGES}-us-east-1/*": "the hash is in the name"},
        "FunctionLogs": {
            f"arn:aws:logs:us-east-1:{HOME_ID}:log-group:/aws/lambda/BackupOrgPolicyManager*": "its streams"
        },
        "WithoutResource": {"*": NONE},
    },
    "StackSetAdministrationRole": {},
    "StackSetExecutionRole": {
        "StacksOfTheStackSet": {
            f"{CFN}:*:{HOME_ID}:stack/StackSet-account-aws-backup-lambda-s3-bucket-*/*": "in every Region"
        },
        "TemplateFromCloudFormation": {
            "arn:aws:s3:::*/*": "a bucket of AWS, not of this account (condition)"
        },
        "PackageBuckets": {f"{PACKAGES}-*": MANY},
        "ListBuckets": {"*": NONE},
    },
    "CodePipelineManageStepsRole": {
        "Builds": {
            f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/AWSBackup-TestAndPackage*": "two projects"
        },
        "FindFunction": {"*": NONE},
        "Stacks": {
            f"{HERE}:stack/aws-backup-codepipeline/*": DRAWN,
            f"{HERE}:stack/aws-backup-ssm-targets/*": DRAWN,
            f"{HERE}:stack/aws-backup-backuporgpolicymanager*/*": "the function's stack and its role's",
            f"{HERE}:stack/aws-backup-org-policy/*": DRAWN,
            f"{HERE}:stack/stackset-aws-backup-*/*": "five stacks",
        },
        "StackParameters": {f"{PARAMETERS}/backup/*": MANY},
        "Artifacts": ARTIFACTS,
        "Deployment": {f"{BUCKET}/deployment/*": "the hash is in the key"},
    },
    "StartRole": {},
    "BackupOrgPolicyManager": {
        "ReadPolicyContent": {
            "arn:aws:s3:::${ImportValue:aws-backup-s3-bucket-name}/*": "a policy names its object"
        },
        "ReportToPipeline": {"*": NONE},
        "WriteOwnLog": {
            f"arn:aws:logs:us-east-1:{HOME_ID}:log-group:/aws/lambda/BackupOrgPolicyManager-*:*": DRAWN
        },
    },
    VALIDATE_PROJECT: {
        "SourceArtifact": SOURCE,
        "DeploymentArtifact": DEPLOYMENT,
        "FindProjects": {
            f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/AWSBackup-*": "also those that are missing"
        },
        "ReadRecorded": {f"{PARAMETERS}/backup/lambda/*": "both packages"},
        "ReadOwner": {f"{HERE}:stack/aws-backup-ssm-targets/*": DRAWN},
    },
    SCAN_PROJECT: {"SourceArtifact": SOURCE},
    FIND_ROLE_PROJECT: {"SourceArtifact": SOURCE, **described("member-accounts-role")},
    PACKAGE_TAG_PROJECT: {
        **packaging("aws-backup-tagonrestore"),
        **described("tagonrestore-role"),
    },
    PACKAGE_POLICY_PROJECT: packaging("aws-backup-backuporgpolicymanager"),
    REPORT_PROJECT: {
        "SourceArtifact": SOURCE,
        "ReadStackSets": {
            f"{HERE}:stackset/account-aws-backup-*": "StackSets generates the end of the ID",
            f"{CFN}:us-east-1:*:stackset/organizations-aws-backup-*": ANYWHERE,
        },
        "FindStackSets": {"*": NONE},
    },
}

# Role → statement → its condition; statements that pass roles have their own test.
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    CLOUDFORMATION_ROLE: {
        "StackSetTemplateKey": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    },
    "StackSetExecutionRole": {
        "TemplateFromCloudFormation": {"StringNotEquals": {"s3:ResourceAccount": HOME_ID}}
    },
}

# Role → the calls for which it passes roles; the others pass none.
PASSING: Mapping[str, Callable[[], Iterable[Need]]] = {
    CLOUDFORMATION_ROLE: stack_role_needs,
    "CodePipelineManageStepsRole": pipeline_needs,
}


def project(name: str) -> dict[str, Any]:
    return {
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": HOME_ID},
            "ArnEquals": {"aws:SourceArn": f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/{name}"},
        },
    }


# Role → who may assume it, and on what condition.
TRUST: Mapping[str, Mapping[str, Any]] = {
    CLOUDFORMATION_ROLE: {
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": HOME_ID}},
    },
    "StackSetAdministrationRole": {
        "Principal": {
            "Service": [
                "cloudformation.amazonaws.com",
                *(f"cloudformation.{region}.amazonaws.com" for region in sorted(opt_in_regions())),
            ]
        },
        "Condition": {
            "StringEquals": {"aws:SourceAccount": HOME_ID},
            "ArnLike": {"aws:SourceArn": f"{CFN}:*:{HOME_ID}:stackset/*"},
        },
    },
    "StackSetExecutionRole": {
        "Principal": {"AWS": f"arn:aws:iam::{HOME_ID}:root"},
        "Condition": {
            "ArnEquals": {"aws:PrincipalArn": f"{IAM}/AWSCloudFormationStackSetAdministrationRole"},
        },
    },
    "CodePipelineManageStepsRole": {
        "Principal": {"Service": "codepipeline.amazonaws.com"},
        "Condition": {
            "StringEqualsIfExists": {"aws:SourceAccount": HOME_ID},
            "ArnLikeIfExists": {
                "aws:SourceArn": f"arn:aws:codepipeline:us-east-1:{HOME_ID}:backup-recovery-with-aws-backup*"
            },
        },
    },
    "StartRole": {
        "Principal": {"Service": "events.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": HOME_ID},
            "ArnLike": {
                "aws:SourceArn": f"arn:aws:events:us-east-1:{HOME_ID}:rule/aws-backup-codepipeline-*"
            },
        },
    },
    "BackupOrgPolicyManager": {
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Condition": {
            "StringEqualsIfExists": {"aws:SourceAccount": HOME_ID},
            "ArnLikeIfExists": {
                "aws:SourceArn": f"arn:aws:lambda:us-east-1:{HOME_ID}:function:BackupOrgPolicyManager*"
            },
        },
    },
    **{name: project(name) for name in ROLES if name.startswith("AWSBackup-")},
}
BACKUP = {
    "Principal": {"Service": "backup.amazonaws.com"},
    "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": HOME_ID}},
}
# Roles of the other accounts, deployed here as if they were in HOME_ID; other files test what they may do.
ELSEWHERE = {
    "CentralBackupRole": (f"{CENTRAL}/aws-backup-central-backup-account-role.yaml", "Role"),
    "MemberBackupRole": (f"{MEMBER}/aws-backup-member-account-role.yaml", "Role"),
    "TagOnRestore": (f"{MEMBER}/aws-backup-tagonrestore-role.yaml", "Role"),
    MANAGEMENT_ROLE: (
        f"{MANAGEMENT}/aws-backup-backuporgpolicymanager-mangement-role.yaml",
        "Role",
    ),
}
TRUST_ELSEWHERE: Mapping[str, Mapping[str, Any]] = {
    "CentralBackupRole": BACKUP,
    "MemberBackupRole": BACKUP,
    "TagOnRestore": {
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Condition": {
            "StringEqualsIfExists": {"aws:SourceAccount": HOME_ID},
            "ArnLikeIfExists": {"aws:SourceArn": f"arn:aws:lambda:*:{HOME_ID}:function:TagOnRestore*"},
        },
    },
    MANAGEMENT_ROLE: {
        "Principal": {"AWS": f"arn:aws:iam::{HOME_ID}:root"},
        "Condition": {"ArnEquals": {"aws:PrincipalArn": f"{IAM}/BackupOrgPolicyManager"}},
    },
}
EVERY_ROLE = pytest.mark.parametrize("name", ROLES)


def deployed(name: str) -> Deployed:
    path, _ = {**ROLES, **ELSEWHERE}[name]
    stack = PIPELINE_STACK if path.endswith("aws-backup-codepipeline.yaml") else "aws-backup-roles"
    given = dict.fromkeys(("AdministratorAccountId", "BackupAndRecoveryHomeAccountId"), HOME_ID)
    return Deployed(template(path), site(stack, parameters=given))


def properties(name: str) -> dict[str, Any]:
    return dict(deployed(name).properties({**ROLES, **ELSEWHERE}[name][1]))


@EVERY_ROLE
def test_a_role_has_the_resource_patterns_of_the_table(name: str) -> None:
    found = {
        f"{name}, {statement.sid}: {resource}"
        for statement in statements(deployed(name).template, ROLES[name][1], deployed(name).site)
        for resource in statement.resources
        if "*" in resource or "?" in resource
    }
    listed = {f"{name}, {sid}: {pattern}" for sid, patterns in PATTERNS[name].items() for pattern in patterns}
    assert found == listed


@EVERY_ROLE
def test_a_role_is_passed_only_to_the_service_that_assumes_it(name: str) -> None:
    passed = set(_passed(properties(name)))
    needed = [need for need in PASSING.get(name, list)() if need.action == "iam:PassRole"]
    assert bool(needed) == (name in PASSING)
    assert passed == {
        (role, need.service) for need in needed for role, _ in passed if matches(role, need.arn, fold=False)
    }


def _passed(role: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for statement in _written(role):
        if _passes(statement):
            condition = statement.get("Condition", {})
            services = condition.get("StringEquals", {}).get("iam:PassedToService", [])
            assert condition == {"StringEquals": {"iam:PassedToService": services}}, statement.get("Sid")
            yield from product(_listed(statement["Resource"]), _listed(services))


def _passes(statement: Mapping[str, Any]) -> bool:
    return "iam:PassRole" in _listed(statement["Action"])


def _written(role: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for policy in role["Policies"] for each in policy["PolicyDocument"]["Statement"]]


@EVERY_ROLE
def test_a_role_has_the_conditions_of_the_table(name: str) -> None:
    found = [
        (each.get("Sid"), each["Condition"])
        for each in _written(properties(name))
        if "Condition" in each and not _passes(each)
    ]
    assert found == list(CONDITIONS.get(name, {}).items())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", [*ROLES, *ELSEWHERE])
def test_a_role_is_assumed_only_as_the_table_says(name: str) -> None:
    (statement,) = properties(name)["AssumeRolePolicyDocument"]["Statement"]
    expected = {"Effect": "Allow", "Action": "sts:AssumeRole", **{**TRUST, **TRUST_ELSEWHERE}[name]}
    assert {key: value for key, value in statement.items() if key != "Sid"} == expected


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_no_region_is_disabled_by_default_in_another_partition(partition: str) -> None:
    """IAM refuses a service principal that does not exist."""
    role = template(f"{HOME}/aws-cloudformation-stackset-admin-role.yaml")
    resolved = Resolver(role, pseudo={"AWS::Partition": partition}).properties("Role")
    (statement,) = resolved["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudformation.amazonaws.com"}


@pytest.mark.parametrize("name", [*ROLES, *ELSEWHERE])
def test_a_trust_policy_is_within_the_quota_of_iam(name: str) -> None:
    """2,048 characters without whitespace, unless the quota is raised."""
    assert len(json.dumps(properties(name)["AssumeRolePolicyDocument"], separators=(",", ":"))) <= 2_048


@pytest.mark.parametrize("name", ["CentralBackupRole", "MemberBackupRole"])
def test_a_backup_role_has_the_four_aws_managed_policies_and_no_other(name: str) -> None:
    assert "Policies" not in properties(name)
    assert properties(name)["ManagedPolicyArns"] == [
        f"arn:aws:iam::aws:policy/{policy}"
        for policy in (
            "service-role/AWSBackupServiceRolePolicyForBackup",
            "service-role/AWSBackupServiceRolePolicyForRestores",
            "AWSBackupServiceRolePolicyForS3Backup",
            "AWSBackupServiceRolePolicyForS3Restore",
        )
    ]


@EVERY_ROLE
def test_a_role_has_only_inline_policies(name: str) -> None:
    """The execution role accepts one more, for those whose own StackSets share it."""
    path, role = ROLES[name]
    managed = load(ROOT / path).resources[role]["Properties"].get("ManagedPolicyArns")
    if name == "StackSetExecutionRole":
        assert managed == {
            "Fn::If": ["HasAdditionalPolicy", [{"Ref": "AdditionalPolicyArn"}], {"Ref": "AWS::NoValue"}]
        }
        assert properties(name).get("ManagedPolicyArns") in (None, [""])
    else:
        assert managed is None


def test_the_only_iam_resources_are_roles() -> None:
    """A policy resource could attach itself to a role and bypass these tables."""
    found = {
        f"{each.path}: {name} is {resource['Type']}"
        for each in repository_templates()
        for name, resource in each.resources.items()
        if resource["Type"].startswith("AWS::IAM::") and resource["Type"] != "AWS::IAM::Role"
    }
    assert found == set()


def test_the_tables_include_every_role_of_the_home_account() -> None:
    roles = {
        (each.path, name)
        for each in repository_templates()
        if each.account == "home"
        for name, _ in each.of_type("AWS::IAM::Role")
    }
    assert roles == set(ROLES.values())
