"""Every action stands on a resource that it takes, as the Service Authorization Reference has it.

IAM accepts a policy whose actions and resources do not fit each other, and the call is refused later. So each
statement of every role, resource policy and Lambda permission is held against the reference: an action that
takes no resource is on "*", in a statement of such actions; one that takes some is on a form that it takes;
and a resource is taken by one of its statement's actions. What is right all the same stands in EXCEPTIONS.
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

# What Resource "*" means in a policy that belongs to one resource: that resource, and what is in it.
OWN: Mapping[str, tuple[str, ...]] = {
    "AWS::KMS::Key": ("arn:aws:kms:us-east-1:222222222222:key/0a1b2c3d",),
    "AWS::Backup::BackupVault": (
        "arn:aws:backup:us-east-1:222222222222:backup-vault:Vault",
        "arn:aws:backup:us-east-1:222222222222:recovery-point:0a1b2c3d",
    ),
}
DOCS = "https://docs.aws.amazon.com"
INERT = "a wildcard reaches those actions only that the resource takes; no other is meant"
OTHER_ARNS = "a recovery point has the ARN of the service whose snapshot it is"
TAGS_ROLE = f"{MEMBER}/aws-backup-tagonrestore-role.yaml"
# (template, statement, action or pattern of resources) → why it is right all the same, and AWS's page.
EXCEPTIONS: Mapping[tuple[str, str, str], tuple[str, str]] = {
    (f"{HOME}/CloudFormationRole.yaml", "WithoutResource", "cloudformation:GetTemplateSummary"): (
        "is called on a template, before there is a stack or a StackSet",
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
        "the call takes the ARN of any resource; the reference names snapshots for TagResource only",
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
    """A deployed template in which GetAtt of a log group names its streams, as in CloudFormation."""

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
    """Everything in a template that allows or denies actions on resources; trust policies have none."""
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
    """One value or several; a value of SSM that another stack exports is a name like any other."""
    found = map(str, value if isinstance(value, list) else [value])
    return tuple(re.sub(r"\$\{ImportValue:([^}]+)\}", r"\1", one) for one in found)


def findings(grant: Grant) -> Iterator[tuple[str, str]]:
    """(action or resource as it is written, what is wrong with it); an action with a wildcard is one."""
    for written in grant.actions:
        known = named(written)
        wrong = [f"{action} {found}" for action, facts in known.items() if (found := _wrong(facts, grant))]
        if not known:
            yield written, f"{written} is no action that the reference knows"
        elif wrong:
            yield written, wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
    forms = {
        form for written in grant.actions for facts in named(written).values() for form in facts.resources
    }
    for resource in set(grant.resources).difference({"*"}, *OWN.values()):
        if not any(is_of_form(resource, form) for form in forms):
            yield resource, f"{resource} is taken by none of the statement's actions"


def _wrong(facts: Facts, grant: Grant) -> str:
    if facts.takes_no_resource:
        return "" if grant.resources == ("*",) else "takes no resource: put it on * in a statement of its own"
    fits = any(is_of_form(resource, form) for resource in grant.resources for form in facts.resources)
    return "" if fits else f"takes {' or '.join(facts.resources)}, but is on {', '.join(grant.resources)}"


@cache
def faults() -> Mapping[tuple[str, str, str], str]:
    """(template, statement, action or resource as it is written) → what is wrong with it, said in full."""
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


def test_every_action_is_on_a_resource_that_it_takes() -> None:
    wrong = [
        said
        for place, said in faults().items()
        if not any(is_excepted(place, exception) for exception in EXCEPTIONS)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: f"{exception[1]}-{exception[2]}")
def test_every_exception_is_still_one(exception: tuple[str, str, str]) -> None:
    assert any(is_excepted(place, exception) for place in faults()), (
        f"no statement needs the exception {exception} any more: is it another one, or has it another Sid?"
    )


def test_statements_of_every_kind_of_policy_are_looked_at() -> None:
    kinds = {
        template.resources[grant.owner]["Type"]
        for template in repository_templates()
        for grant in grants(template)
    }
    assert kinds == {"AWS::IAM::Role", "AWS::Lambda::Permission", *RESOURCE_POLICIES}


ROLE = "arn:aws:iam::222222222222:role/Role"
LOGS = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/lambda/Function-*"
# Planted: actions and resources of a statement, and what is found.
PLANTED: list[tuple[tuple[str, ...], tuple[str, ...], list[str]]] = [
    (
        ("logs:CreateLogGroup", "logs:DescribeIndexPolicies"),
        (LOGS,),
        ["logs:DescribeIndexPolicies takes no resource"],
    ),
    (
        ("ssm-sap:ListTagsForResource", "ssm-sap:TagResource"),
        ("arn:aws:ssm-sap:*:222222222222:HANA/*",),
        ["ssm-sap:ListTagsForResource takes no resource"],
    ),
    (
        ("organizations:CreatePolicy", "organizations:UpdatePolicy"),
        ("arn:aws:organizations::111111111111:policy/*/backup_policy/*",),
        ["organizations:CreatePolicy takes no resource"],
    ),
    (("iam:GetRole", "iam:ListRoles"), ("*", ROLE), ["iam:ListRoles takes no resource: put it on * in a"]),
    (
        ("iam:GetRole",),
        ("*",),
        ["iam:GetRole takes arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}"],
    ),
    (("iam:GetRole", "kms:Decrypt"), (ROLE,), ["kms:Decrypt takes arn:${Partition}:kms:"]),
    (("iam:GetRole",), (ROLE, ROLE.replace("role/", "roles/")), [":roles/Role is taken by none of the"]),
    (("s3:GetObject",), ("arn:aws:s3:::bucket",), ["s3:GetObject takes", "arn:aws:s3:::bucket is taken by"]),
    (("iam:GetRoles",), (ROLE,), ["iam:GetRoles is no action", "role/Role is taken by none"]),
    (("iem:GetRole",), ("*",), ["iem:GetRole is no action that the reference knows"]),
    (("sqs:*",), ("arn:aws:sqs:*:222222222222:Queue",), ["sqs:ListQueues takes no resource"]),
    (("iam:getrole", "iam:Get*"), (ROLE,), [" more)"]),
    (("logs:CreateLogGroup", "logs:PutLogEvents"), (LOGS, f"{LOGS}:*"), []),
    (("ssm:PutParameter",), ("arn:aws:ssm:us-east-1:222222222222:parameter/backup/*",), []),
    (("kms:Decrypt",), OWN["AWS::KMS::Key"], []),
    (("sts:GetCallerIdentity",), ("*",), []),
]


@pytest.mark.parametrize(("written", "resources", "told"), PLANTED, ids=lambda value: str(value)[:40])
def test_what_does_not_fit_is_told(
    written: tuple[str, ...], resources: tuple[str, ...], told: list[str]
) -> None:
    found = [wrong for _, wrong in findings(Grant("path", "Role", "Sid", written, resources))]
    assert len(found) == len(told), found
    assert all(words in wrong for words, wrong in zip(told, found, strict=True)), found


def test_a_finding_names_the_template_and_the_statement() -> None:
    """The action is moved to an ARN that it does not take, in the template itself."""
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
        " ManageBackupPolicies: organizations:CreatePolicy takes no resource: put it on * in a statement of"
        " its own"
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
def test_a_pattern_is_held_against_the_form_of_an_arn(pattern: str, form: str, fits: bool) -> None:
    assert is_of_form(pattern, form) is fits
