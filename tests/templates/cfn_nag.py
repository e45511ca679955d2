"""What cfn-nag 0.8.10 reports on the resource types of this repository, by the conditions of its rules.

cfn-nag is a RubyGem and runs only in its own build, where each warning stops the pipeline before anything is
deployed. These rules report the warning earlier. Rules for other types are left out, and so are those on
passwords and NotAction, which checkov and buildspecs/lint/rules cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from buildspecs.lint.templates import Template

Found = set[tuple[str, str]]  # (logical ID, rule)

# Rule → type, and the property that must exist and not be false.
REQUIRED = {
    "F19": ("AWS::KMS::Key", "EnableKeyRotation"),
    "W32": ("AWS::CodeBuild::Project", "EncryptionKey"),
    "W35": ("AWS::S3::Bucket", "LoggingConfiguration"),
    "W41": ("AWS::S3::Bucket", "BucketEncryption"),
    "W47": ("AWS::SNS::Topic", "KmsMasterKeyId"),
    "W48": ("AWS::SQS::Queue", "KmsMasterKeyId"),
    "W84": ("AWS::Logs::LogGroup", "KmsKeyId"),
    "W86": ("AWS::Logs::LogGroup", "RetentionInDays"),
    "W89": ("AWS::Lambda::Function", "VpcConfig"),
    "W92": ("AWS::Lambda::Function", "ReservedConcurrentExecutions"),
}
# W28: a resource with a physical name cannot be replaced.
NAMED = {"AWS::CloudWatch::Alarm": "AlarmName", "AWS::IAM::Role": "RoleName"}
# Type → where its policy is, the rule about Principal *, the rule about Action *.
POLICIES = {
    "AWS::KMS::Key": ("KeyPolicy", "F76", None),
    "AWS::S3::BucketPolicy": ("PolicyDocument", "F16", "F15"),
    "AWS::SNS::TopicPolicy": ("PolicyDocument", "F18", None),
    "AWS::SQS::QueuePolicy": ("PolicyDocument", "F21", "F20"),
}
COMPLEX = 25  # W76: with this metric or more, a policy is too complex


def reported(template: Template) -> Found:
    """Every (logical ID, rule) of the template, suppressed or not."""
    return {
        (name, rule)
        for name, resource in template.resources.items()
        for rule in _rules(template, str(resource["Type"]), resource.get("Properties") or {})
    }


def _rules(template: Template, kind: str, properties: Mapping[str, Any]) -> Iterator[str]:
    yield from (rule for rule, (type_, key) in REQUIRED.items() if kind == type_ and not properties.get(key))
    if NAMED.get(kind) in properties:
        yield "W28"
    if kind in POLICIES:
        yield from _resource_policy(properties, *POLICIES[kind])
    if kind == "AWS::IAM::Role":
        yield from _role(properties)
    if kind == "AWS::Lambda::Function" and not _writes_logs(template, properties):
        yield "W58"
    if kind == "AWS::Lambda::Permission":
        yield from ["F13"] * (properties["Principal"] == "*")
        yield from ["W24"] * (properties["Action"] != "lambda:InvokeFunction")
    if kind == "AWS::S3::Bucket" and not any(template.of_type("AWS::S3::BucketPolicy")):
        yield "W51"


def _resource_policy(
    properties: Mapping[str, Any], key: str, anybody: str, anything: str | None
) -> Iterator[str]:
    for statement in _allowed(properties[key]):
        principal = statement["Principal"]
        if principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS"))):
            yield anybody
        if anything and any(str(action).endswith("*") for action in _list(statement["Action"])):
            yield anything


def _role(properties: Mapping[str, Any]) -> Iterator[str]:
    for policy in properties.get("Policies", []):
        document = policy["PolicyDocument"]
        for statement in _allowed(document):
            everywhere = "*" in _list(statement["Resource"])
            yield from ["W11"] * everywhere
            yield from ["F38"] * (everywhere and "iam:PassRole" in _list(statement["Action"]))
            yield from ["F3"] * ("*" in _list(statement["Action"]))
        if sum(_complexity(statement) for statement in _list(document["Statement"])) >= COMPLEX:
            yield "W76"


def _complexity(statement: Mapping[str, Any]) -> int:
    """cfn-nag's "stelligent policy complexity metric" of one statement.

    A resource that is not plain text counts as a separate service, so each !Sub adds 3.
    """
    actions = {str(action).split(":")[0] for action in _list(statement["Action"])}
    resources = {
        one if one == "*" else (one.split(":")[2] if isinstance(one, str) else str(one))
        for one in _list(statement["Resource"])
    }
    conditions = statement.get("Condition") or {}
    lenient = sum(operator.endswith("IfExists") for operator in conditions)
    many = sum(operator.startswith("ForA") for operator in conditions)
    return (
        1
        + (statement["Effect"] == "Deny")
        + 2 * max(len((actions | resources) - {"*"}) - 1, 0)
        + (0 if resources == {"*"} else len(resources - {"*"} - actions))
        + ("*" in resources and len(resources) > 1)
        + 2 * len(conditions)
        + lenient
        + 2 * many
    )


def _writes_logs(template: Template, properties: Mapping[str, Any]) -> bool:
    """W58 follows a role of the same template only, and requires all three permissions in one statement."""
    role = properties["Role"].get("Fn::GetAtt", [""])[0]
    policies = template.resources.get(role, {}).get("Properties", {}).get("Policies", [])
    wanted = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    return any(
        wanted <= set(_list(statement["Action"]))
        for policy in policies
        for statement in _allowed(policy["PolicyDocument"])
    )


def _allowed(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in _list(document["Statement"]) if one.get("Effect") == "Allow"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
