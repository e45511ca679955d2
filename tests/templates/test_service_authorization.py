"""Every action is on a resource that it supports, according to the Service Authorization Reference.

IAM accepts a policy whose actions do not support its resources, and denies the call later. So each statement
of every role, resource policy and Lambda permission is checked against the reference: an action that supports
no resource is on "*", in a statement of such actions; any other is on an ARN format that it supports; and a
resource is supported by one of the statement's actions. EXCEPTIONS lists what is right nevertheless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from buildspecs.lint.rules.reading import statements
from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import HOME, MANAGEMENT, MEMBER
from buildspecs.paths import ROOT
from tests.templates.permissions import Deployed, matches
from tests.templates.service_authorization import Facts, is_of_form, named
from tests.templates.test_deploying_roles import site
from tests.templates.test_requests import RESOURCE_POLICIES

# What Resource "*" means in the policy of a resource: that resource, and what is in it.
OWN: Mapping[str, tuple[str, ...]] = {
    "AWS::KMS::Key": ("arn:aws:kms:us-east-1:222222222222:key/0a1b2c3d",),
    "AWS::Backup::BackupVault": (
        "arn:aws:backup:us-east-1:222222222222:backup-vault:Vault",
        "arn:aws:backup:us-east-1:222222222222:recovery-point:0a1b2c3d",
    ),
}
DOCS = "https://docs.aws.amazon.com"
INERT = "a wildcard covers only the actions that the resource supports; no other is meant"
OTHER_ARNS = "a recovery point has the ARN of a snapshot of its service"
TAGS_ROLE = f"{MEMBER}/aws-backup-tagonrestore-role.yaml"
# (template, statement, action or resource pattern) → why it is right nevertheless, and AWS's page.
EXCEPTIONS: Mapping[tuple[str, str, str], tuple[str, str]] = {
    (f"{HOME}/CloudFormationRole.yaml", "WithoutResource", "cloudformation:GetTemplateSummary"): (
        "is called for a template, before there is a stack or a StackSet",
        f"{DOCS}/AWSCloudFormation/latest/APIReference/API_GetTemplateSummary.html",
    ),
    (f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", "StacksOfTheStackSet", "cloudformation:*"): (
        INERT,
        f"{DOCS}/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html",
    ),
    **{
        (f"{HOME}/{bucket}.yaml", "TlsOnly", "s3:*"): (
            INERT,
            f"{DOCS}/AmazonS3/latest/userguide/security-best-practices.html",
        )
        for bucket in ("aws-backup-lambda-s3-bucket", "aws-backup-s3-bucket")
    },
    **{
        (template, "TlsOnly", "sqs:*"): (
            INERT,
            f"{DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-security-best-practices.html",
        )
        for template in (f"{MEMBER}/aws-backup-tagonrestore.yaml", f"{HOME}/aws-backup-codepipeline.yaml")
    },
    (TAGS_ROLE, "ReadTags", "arn:aws:redshift-serverless:*:222222222222:snapshot?*"): (
        "the call accepts the ARN of any resource; the reference lists snapshots for TagResource only",
        f"{DOCS}/redshift-serverless/latest/APIReference/API_ListTagsForResource.html",
    ),
    **{
        (TAGS_ROLE, "FindSource", f"arn:aws:{arn}"): (
            OTHER_ARNS,
            f"{DOCS}/aws-backup/latest/devguide/access-control.html",
        )
        for arn in (
            "dynamodb:*:222222222222:table/*/backup/*",
            "ec2:*::image/*",
            "ec2:*::snapshot/*",
            "fsx:*:222222222222:backup/*",
            "redshift-serverless:*:222222222222:snapshot?*",
            "redshift:*:222222222222:snapshot:*/*",
        )
    },
}


class Granted(Deployed):
    """A deployed template in which the Arn of a log group covers its streams, as in CloudFormation."""

    def _getatt(self, argument: Any) -> str:
        arn = super()._getatt(argument)
        return f"{arn}:*" if ":log-group:" in arn else arn


@dataclass(frozen=True)
class Grant:
    """One statement, or a Lambda permission, with values for all intrinsic functions."""

    path: str
    owner: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}: {self.owner}, statement {self.sid or 'without Sid'}"


def grants(template: Template) -> Iterator[Grant]:
    """Every statement of a template that allows or denies actions on resources; trust policies have none."""
    deployed = Granted(template, site("aws-backup-stack"))
    for owner, statement in statements(template):
        assert not {"NotAction", "NotResource"} & statement.keys(), f"{template.path}: {owner}: {statement}"
        if "Resource" in statement:
            sid, resources = statement.get("Sid", ""), _listed(deployed.resolve(statement["Resource"]))
            own = OWN.get(template.resources[owner]["Type"], ()) if resources == ("*",) else ()
            yield Grant(template.path, owner, sid, _listed(statement["Action"]), own or resources)
    for owner, properties in template.of_type("AWS::Lambda::Permission"):
        yield Grant(template.path, owner, "", (properties["Action"],), (deployed.arn(owner),))


def _listed(value: Any) -> tuple[str, ...]:
    """One value or several. A value that another stack exports counts as a name."""
    found = map(str, value if isinstance(value, list) else [value])
    return tuple(re.sub(r"\$\{ImportValue:([^}]+)\}", r"\1", one) for one in found)


def findings(grant: Grant) -> Iterator[tuple[str, str]]:
    """(action or resource as written, what is wrong with it); an action with a wildcard is one."""
    for written in grant.actions:
        known = named(written)
        wrong = [f"{action} {found}" for action, facts in known.items() if (found := _wrong(facts, grant))]
        if not known:
            yield written, f"{written} is not an action of the reference"
        elif wrong:
            yield written, wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
    forms = {
        form for written in grant.actions for facts in named(written).values() for form in facts.resources
    }
    for resource in set(grant.resources).difference({"*"}, *OWN.values()):
        if not any(is_of_form(resource, form) for form in forms):
            yield resource, f"{resource} is supported by none of the statement's actions"


def _wrong(facts: Facts, grant: Grant) -> str:
    if facts.takes_no_resource:
        return "" if grant.resources == ("*",) else "supports no resource: put it on * in its own statement"
    fits = any(is_of_form(resource, form) for resource in grant.resources for form in facts.resources)
    return "" if fits else f"supports {' or '.join(facts.resources)}, but is on {', '.join(grant.resources)}"


@cache
def faults() -> Mapping[tuple[str, str, str], str]:
    """(template, statement, action or resource as written) → what is wrong with it, in full."""
    return {
        (grant.path, grant.sid, written): f"{grant}: {wrong}"
        for template in repository_templates()
        for grant in grants(template)
        for written, wrong in findings(grant)
    }


def is_excepted(place: tuple[str, str, str], exception: tuple[str, str, str]) -> bool:
    written, excepted = place[2], exception[2]
    pattern = excepted.startswith("arn:") and matches(excepted, written, fold=False)
    return place[:2] == exception[:2] and (pattern or written == excepted)


def test_every_action_is_on_a_resource_that_it_supports() -> None:
    wrong = [
        said
        for place, said in faults().items()
        if not any(is_excepted(place, exception) for exception in EXCEPTIONS)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: f"{exception[1]}-{exception[2]}")
def test_every_exception_is_still_needed(exception: tuple[str, str, str]) -> None:
    assert any(is_excepted(place, exception) for place in faults()), (
        f"no statement needs the exception {exception}: has its Sid changed?"
    )


def test_every_type_of_policy_is_checked() -> None:
    kinds = {
        template.resources[grant.owner]["Type"]
        for template in repository_templates()
        for grant in grants(template)
    }
    assert kinds == {"AWS::IAM::Role", "AWS::Lambda::Permission", *RESOURCE_POLICIES}


ROLE = "arn:aws:iam::222222222222:role/Role"
LOGS = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/lambda/Function-*"
# Planted faults: actions and resources of a statement, and what is reported.
PLANTED: list[tuple[tuple[str, ...], tuple[str, ...], list[str]]] = [
    (
        ("logs:CreateLogGroup", "logs:DescribeIndexPolicies"),
        (LOGS,),
        ["logs:DescribeIndexPolicies supports no resource"],
    ),
    (
        ("ssm-sap:ListTagsForResource", "ssm-sap:TagResource"),
        ("arn:aws:ssm-sap:*:222222222222:HANA/*",),
        ["ssm-sap:ListTagsForResource supports no resource"],
    ),
    (
        ("organizations:CreatePolicy", "organizations:UpdatePolicy"),
        ("arn:aws:organizations::111111111111:policy/*/backup_policy/*",),
        ["organizations:CreatePolicy supports no resource"],
    ),
    (
        ("iam:GetRole", "iam:ListRoles"),
        ("*", ROLE),
        ["iam:ListRoles supports no resource: put it on * in its"],
    ),
    (
        ("iam:GetRole",),
        ("*",),
        ["iam:GetRole supports arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"],
    ),
    (("iam:GetRole", "kms:Decrypt"), (ROLE,), ["kms:Decrypt supports arn:${Partition}:kms:"]),
    (("iam:GetRole",), (ROLE, ROLE.replace("role/", "roles/")), [":roles/Role is supported by none of the"]),
    (
        ("s3:GetObject",),
        ("arn:aws:s3:::bucket",),
        ["s3:GetObject supports", "arn:aws:s3:::bucket is supported by"],
    ),
    (("iam:GetRoles",), (ROLE,), ["iam:GetRoles is not an action", "role/Role is supported by none"]),
    (("iem:GetRole",), ("*",), ["iem:GetRole is not an action of the reference"]),
    (("sqs:*",), ("arn:aws:sqs:*:222222222222:Queue",), ["sqs:ListQueues supports no resource"]),
    (("iam:getrole", "iam:Get*"), (ROLE,), [" more)"]),
    (("logs:CreateLogGroup", "logs:PutLogEvents"), (LOGS, f"{LOGS}:*"), []),
    (("ssm:PutParameter",), ("arn:aws:ssm:us-east-1:222222222222:parameter/backup/*",), []),
    (("kms:Decrypt",), OWN["AWS::KMS::Key"], []),
    (("sts:GetCallerIdentity",), ("*",), []),
]


@pytest.mark.parametrize(("written", "resources", "reported"), PLANTED, ids=lambda value: str(value)[:40])
def test_a_mismatch_is_reported(
    written: tuple[str, ...], resources: tuple[str, ...], reported: list[str]
) -> None:
    found = [wrong for _, wrong in findings(Grant("path", "Role", "Sid", written, resources))]
    assert len(found) == len(reported), found
    assert all(words in wrong for words, wrong in zip(reported, found, strict=True)), found


def test_a_finding_names_the_template_and_the_statement() -> None:
    """The action is moved to an ARN that it does not support, in the template itself."""
    template = load(ROOT / MANAGEMENT / "aws-backup-backuporgpolicymanager-mangement-role.yaml")
    body = deepcopy(template.body)
    policies = body["Resources"]["Role"]["Properties"]["Policies"]
    create, manage = policies[0]["PolicyDocument"]["Statement"][:2]
    manage["Action"].append(create["Action"])
    (found,) = [
        f"{grant}: {wrong}"
        for grant in grants(Template(template.path, "", body))
        for _, wrong in findings(grant)
    ]
    assert found == (
        "templates/management-account/aws-backup-backuporgpolicymanager-mangement-role.yaml: Role, statement"
        " ManageBackupPolicies: organizations:CreatePolicy supports no resource: put it on * in its own"
        " statement"
    )


BUCKET = "arn:${Partition}:s3:::${BucketName}"
STREAM = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:log-stream:${LogStreamName}"


@pytest.mark.parametrize(
    ("pattern", "form", "fits"),
    [
        ("arn:aws:s3:::bucket", BUCKET, True),
        ("arn:aws:s3:::bucket/*", BUCKET, False),
        ("arn:aws:s3:::*", BUCKET, True),
        ("arn:aws:s3:::bucket", BUCKET + "/${ObjectName}", False),
        ("arn:aws:s3:::bucket/a/b", BUCKET + "/${ObjectName}", True),
        ("arn:aws:s3:::bucket*", BUCKET + "/${ObjectName}", True),
        ("arn:aws:s3:us-east-1::bucket", BUCKET, False),
        ("arn:aws:*:::bucket", BUCKET, True),
        ("arn:aws:sqs:::bucket", BUCKET, False),
        ("arn:aws:logs:us-east-1:222222222222:log-group:/aws/x-*:*", STREAM, True),
        ("arn:aws:logs:us-east-1:222222222222:log-group:/aws/x", STREAM, False),
        ("arn:aws:logs:*:222222222222:log-group:/aws/x:log-stream:????", STREAM, True),
        ("arn:aws:logs:*", STREAM, False),
        ("*", STREAM, False),
    ],
)
def test_a_pattern_is_compared_with_the_format_of_an_arn(pattern: str, form: str, fits: bool) -> None:
    assert is_of_form(pattern, form) is fits
