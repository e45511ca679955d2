"""How far each deploying role of the home account reaches beyond single resources, and who may assume it.

test_deploying_roles.py asks whether a role may do what it must. These tables are the list of what it may
reach beyond that: every resource pattern, every role that it passes on, every trust. A change of a role's
template that is not in them fails, and so does one of them that no role has any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.templates.loading import ROOT, load
from tests.templates.permissions import Deployed, statements
from tests.templates.test_deploying_roles import BUCKET, PARAMETERS, ROLES, site, template

HOME_ID = "222222222222"
IAM = f"arn:aws:iam::{HOME_ID}:role"
CFN = "arn:aws:cloudformation"
HERE = f"{CFN}:us-east-1:{HOME_ID}"
PACKAGES = f"arn:aws:s3:::lambda-deployment-bucket-{HOME_ID}"

DRAWN = "CloudFormation draws the end of the name"
MANY = "one for each, none of them in another account"
ANYWHERE = "a delegated administrator's StackSets lie in the management account"
NONE = "the actions support no resource, or none that is known before the call"
ARTIFACTS = {
    f"{BUCKET}/backup-recovery-with*": "CodePipeline writes below 20 characters of the pipeline's name"
}


def packaging(package: str) -> dict[str, dict[str, str]]:
    return {
        "Artifacts": ARTIFACTS,
        "FindPackages": {f"{PACKAGES}-*": MANY},
        "Packages": {f"{PACKAGES}-*/{package}-*.zip": "the hash is in the name"},
        "ReadTargets": {f"{PARAMETERS}/backup/*": MANY},
        "RecordPackage": {f"{PARAMETERS}/backup/lambda/{package}/*": "name and hash"},
    }


# Role → statement → resource pattern → why it is no single resource.
PATTERNS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "CloudFormationRole": {
        "Roles": {f"{IAM}/aws-backup-codepipeline-*": DRAWN},
        "PassPipelineRoles": {f"{IAM}/aws-backup-codepipeline-*": DRAWN},
        "PipelineRules": {f"arn:aws:events:us-east-1:{HOME_ID}:rule/aws-backup-codepipeline-*": DRAWN},
        "FailureTopic": {f"arn:aws:sns:us-east-1:{HOME_ID}:aws-backup-codepipeline-*": DRAWN},
        "Parameters": {f"{PARAMETERS}/backup/*": MANY},
        "StackSets": {
            f"{HERE}:stackset/account-aws-backup-*": "StackSets draws the end of the id",
            f"{CFN}:*:{HOME_ID}:stackset-target/account-aws-backup-*": "the guide writes any region",
            f"{CFN}:us-east-1:*:stackset/organizations-aws-backup-*": ANYWHERE,
            f"{CFN}:*:*:stackset-target/organizations-aws-backup-*": ANYWHERE,
            f"{CFN}:*:*:type/resource/*": "public types, whose owner and region the guide leaves open",
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
            f"{CFN}:*:{HOME_ID}:stack/StackSet-account-aws-backup-lambda-s3-bucket-*/*": "in every region"
        },
        "TemplateFromCloudFormation": {
            "arn:aws:s3:::*/*": "a bucket of AWS; not of this account (condition)"
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
    "AWSBackup-ValidateTemplates": {
        "Artifacts": ARTIFACTS,
        "ReadRecorded": {f"{PARAMETERS}/backup/lambda/*": "both packages"},
        "ReadOwner": {f"{HERE}:stack/aws-backup-ssm-targets/*": DRAWN},
    },
    "AWSBackup-TestAndPackageTagOnRestore": packaging("aws-backup-tagonrestore"),
    "AWSBackup-TestAndPackageBackupOrgPolicyManager": packaging("aws-backup-backuporgpolicymanager"),
    "AWSBackup-ReportRollout": {
        "Artifacts": ARTIFACTS,
        "ReadStackSets": {
            f"{HERE}:stackset/account-aws-backup-*": "StackSets draws the end of the id",
            f"{CFN}:us-east-1:*:stackset/organizations-aws-backup-*": ANYWHERE,
        },
        "FindStackSets": {"*": NONE},
    },
}

# Role → (role that it passes on, service that gets it), one pair for each thing that is made with it.
PASSED: Mapping[str, set[tuple[str, str]]] = {
    "CloudFormationRole": {
        (f"{IAM}/aws-backup-codepipeline-*", "codepipeline.amazonaws.com"),  # the pipeline's own
        (f"{IAM}/aws-backup-codepipeline-*", "events.amazonaws.com"),  # of the rule's target
        (f"{IAM}/CloudFormationRole", "codepipeline.amazonaws.com"),  # of the pipeline's actions
        (f"{IAM}/BackupOrgPolicyManager", "lambda.amazonaws.com"),
        (f"{IAM}/AWSCloudFormationStackSetAdministrationRole", "cloudformation.amazonaws.com"),
    },
    "CodePipelineManageStepsRole": {(f"{IAM}/CloudFormationRole", "cloudformation.amazonaws.com")},
}


def project(name: str) -> dict[str, Any]:
    return {
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": HOME_ID},
            "ArnEquals": {"aws:SourceArn": f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/{name}"},
        },
    }


# Role → who may assume it, and on what condition (decision 042).
TRUST: Mapping[str, Mapping[str, Any]] = {
    "CloudFormationRole": {
        "Principal": {"Service": "cloudformation.amazonaws.com"},
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": HOME_ID}},
    },
    "StackSetAdministrationRole": {
        "Principal": {"Service": "cloudformation.amazonaws.com"},
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
            "ArnEqualsIfExists": {
                "aws:SourceArn": f"arn:aws:codepipeline:us-east-1:{HOME_ID}:backup-recovery-with-aws-backup"
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
    **{name: project(name) for name in ROLES if name.startswith("AWSBackup-")},
}
EVERY_ROLE = pytest.mark.parametrize("name", ROLES)


def deployed(name: str) -> Deployed:
    path, _ = ROLES[name]
    stack = "aws-backup-codepipeline" if path.endswith("aws-backup-codepipeline.yaml") else "aws-backup-roles"
    return Deployed(template(path), site(stack, parameters={"AdministratorAccountId": HOME_ID}))


def properties(name: str) -> dict[str, Any]:
    return dict(deployed(name).properties(ROLES[name][1]))


@EVERY_ROLE
def test_a_role_reaches_no_more_than_the_table_says(name: str) -> None:
    found: dict[str, set[str]] = {}
    for statement in statements(deployed(name).template, ROLES[name][1], deployed(name).site):
        wide = {resource for resource in statement.resources if "*" in resource or "?" in resource}
        if wide:
            found.setdefault(statement.sid, set()).update(wide)
    assert found == {sid: set(patterns) for sid, patterns in PATTERNS[name].items()}


@EVERY_ROLE
def test_a_role_is_passed_to_the_service_that_works_with_it_and_to_no_other(name: str) -> None:
    assert set(_passed(properties(name))) == PASSED.get(name, set())


def _passed(role: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if "iam:PassRole" in json.dumps(statement["Action"]):
                assert set(statement["Condition"]) == {"StringEquals"}
                for resource in _listed(statement["Resource"]):
                    for service in _listed(statement["Condition"]["StringEquals"]["iam:PassedToService"]):
                        yield resource, service


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@EVERY_ROLE
def test_nobody_else_may_assume_a_role(name: str) -> None:
    (statement,) = properties(name)["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {"Effect": "Allow", "Action": "sts:AssumeRole", **TRUST[name]}


@EVERY_ROLE
def test_a_role_has_no_policy_but_its_own(name: str) -> None:
    """The execution role takes one more, from those whose own StackSets share it."""
    path, role = ROLES[name]
    managed = load(ROOT / path).resources[role]["Properties"].get("ManagedPolicyArns")
    if name == "StackSetExecutionRole":
        assert managed == {
            "Fn::If": ["HasAdditionalPolicy", [{"Ref": "AdditionalPolicyArn"}], {"Ref": "AWS::NoValue"}]
        }
        assert properties(name).get("ManagedPolicyArns") in (None, [""])
    else:
        assert managed is None
    kinds = {resource["Type"] for resource in load(ROOT / path).resources.values()}
    assert not kinds & {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}
