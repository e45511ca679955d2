"""What policies and trust allow, and to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from buildspecs.lint.rules.finding import Finding
from buildspecs.lint.rules.reading import (
    actions,
    conditions,
    is_for_anybody,
    limits,
    listed,
    names_organization,
    policies,
    statements,
    variants,
)
from buildspecs.lint.templates import Template
from buildspecs.names import HOME, PACKAGES_SET

STATEMENT = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
SOURCE_KEYS = frozenset({"aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid", "aws:sourceorgpaths"})
# AWS does not document that these services always send aws:Source keys. A key that is sent has to be right
# (…IfExists); a missing one must stop neither the pipeline nor the backups.
LENIENT_SERVICES = frozenset(
    f"{name}.amazonaws.com" for name in ("backup", "cloudformation", "codepipeline", "lambda")
)
# The only role that may call every action of a service: (template, action) → the only resource, and AWS's
# page that requires it ("Your target account always needs full AWS CloudFormation permissions").
WHOLE_SERVICE: Mapping[tuple[str, str], tuple[Any, str]] = {
    (f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", "cloudformation:*"): (
        {
            "Fn::Sub": "arn:${AWS::Partition}:cloudformation:*:${AWS::AccountId}"
            f":stack/StackSet-{PACKAGES_SET}-*/*"
        },
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html",
    )
}


def statement_form(template: Template) -> Iterator[Finding]:
    """Every statement has a Sid, which findings and reviews cite, and one order of elements."""
    for name, statement in statements(template):
        if "Sid" not in statement:
            yield Finding(template.path, name, "a statement needs a Sid")
        if list(statement) != [element for element in STATEMENT if element in statement]:
            reason = f"statement {statement.get('Sid')}: elements must be in the order {', '.join(STATEMENT)}"
            yield Finding(template.path, name, reason)


def version(template: Template) -> Iterator[Finding]:
    """Without Version, a policy has the version 2008-10-17, which has no policy variables."""
    for name, document in policies(template):
        if document.get("Version") != "2012-10-17":
            yield Finding(template.path, name, "a policy document needs Version: '2012-10-17'")


def organization(template: Template) -> Iterator[Finding]:
    """Allow for Principal * needs a condition that limits it to the organization."""
    for name, statement in statements(template):
        anybody = is_for_anybody(statement) or "NotPrincipal" in statement
        limited = any(names_organization(*one) for one in conditions(statement))
        if statement["Effect"] == "Allow" and anybody and not limited:
            yield Finding(template.path, name, "allows Principal * without a condition on aws:PrincipalOrgID")
    for name, properties in template.of_type("AWS::Lambda::Permission"):
        if properties.get("Principal") == "*" and "PrincipalOrgID" not in properties:
            yield Finding(template.path, name, "allows Principal * without PrincipalOrgID")


def invocations(template: Template) -> Iterator[Finding]:
    """A service may invoke a function for one source only, not on behalf of any account."""
    for name, properties in template.of_type("AWS::Lambda::Permission"):
        service = str(properties.get("Principal")).endswith(".amazonaws.com")
        if service and not {"SourceAccount", "SourceArn"} & set(properties):
            yield Finding(template.path, name, "a service's permission needs SourceArn or SourceAccount")


def wildcards(template: Template) -> Iterator[Finding]:
    """No principal is allowed every action of a service, or every action but some."""
    for name, statement in statements(template):
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement:
            yield Finding(template.path, name, "allows NotAction: name the actions")
        for action in actions(statement):
            resource, _ = WHOLE_SERVICE.get((template.path, action), (None, ""))
            whole = action == "*" or action.endswith(":*")
            if whole and (resource is None or statement.get("Resource") != resource):
                yield Finding(template.path, name, f"allows {action}: name the actions")


def pass_role(template: Template) -> Iterator[Finding]:
    """iam:PassRole is for named roles and one service."""
    for name, statement in statements(template):
        if statement["Effect"] == "Allow" and "iam:PassRole" in actions(statement):
            if "*" in listed(statement.get("Resource")):
                yield Finding(template.path, name, "iam:PassRole on Resource *: name the roles")
            if "iam:passedtoservice" not in {key for _, key, _ in conditions(statement)}:
                yield Finding(template.path, name, "iam:PassRole needs a condition on iam:PassedToService")


def trust(template: Template) -> Iterator[Finding]:
    """A service assumes a role for this account only, not on behalf of another account."""
    for name, properties in template.of_type("AWS::IAM::Role"):
        for statement in listed((properties.get("AssumeRolePolicyDocument") or {}).get("Statement")):
            for variant in variants(statement):
                principal = variant.get("Principal")
                services = listed(principal.get("Service")) if isinstance(principal, dict) else []
                lenient = set(services) <= LENIENT_SERVICES
                keys = {
                    key
                    for operator, key, _ in conditions(variant)
                    if limits(operator.removesuffix("IfExists") if lenient else operator)
                }
                if services and not keys & SOURCE_KEYS:
                    reason = "a service's trust needs a condition on aws:SourceAccount"
                    yield Finding(template.path, name, reason)


def named_roles(template: Template) -> Iterator[Finding]:
    """A role with a fixed name gives the reason for the name, and its purpose."""
    for name, properties in template.of_type("AWS::IAM::Role"):
        if "RoleName" not in properties:
            continue
        metadata = template.resources[name].get("Metadata", {})
        suppressed = metadata.get("cfn_nag", {}).get("rules_to_suppress", [])
        if not any(rule.get("id") == "W28" and rule.get("reason") for rule in suppressed):
            reason = "a role with a fixed name gives the reason in Metadata (cfn_nag, W28)"
            yield Finding(template.path, name, reason)
        if not properties.get("Description"):
            yield Finding(template.path, name, "a role with a fixed name needs a Description")
