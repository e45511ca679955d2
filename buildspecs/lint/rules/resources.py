"""What keys, vaults, buckets, functions, rules and pipelines must have."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from buildspecs.lint.rules.finding import Finding
from buildspecs.lint.rules.reading import (
    actions,
    is_for_anybody,
    listed,
    referred,
    statements,
    variants,
    walk,
)
from buildspecs.lint.templates import Template
from buildspecs.names import POLICY_FUNCTION
from buildspecs.paths import ROOT

RETAINED = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::Backup::LogicallyAirGappedBackupVault",
        "AWS::KMS::Key",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
    }
)
# Functions whose callers wait for the response: a failure, or no response, fails the stack or the action.
AWAITED = {POLICY_FUNCTION: "CloudFormation (Custom::OrgPolicy) and CodePipeline (Invoke action)"}


def retention(template: Template) -> Iterator[Finding]:
    """Vaults, keys, buckets and log groups outlive their stack."""
    for name, resource in template.resources.items():
        if resource.get("Type") in RETAINED:
            for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
                if resource.get(attribute) != "Retain":
                    yield Finding(template.path, name, f"{attribute} must be Retain")


def keys(template: Template) -> Iterator[Finding]:
    """Keys rotate, never let a whole organization decrypt, and create grants for AWS resources only."""
    for name, properties in template.of_type("AWS::KMS::Key"):
        if properties.get("EnableKeyRotation") is not True:
            yield Finding(template.path, name, "EnableKeyRotation must be true")
        for statement in listed((properties.get("KeyPolicy") or {}).get("Statement")):
            for variant in variants(statement):
                if isinstance(variant, dict) and variant.get("Effect") == "Allow":
                    yield from _key_statement(template, name, variant)


def _key_statement(template: Template, name: str, statement: Mapping[str, Any]) -> Iterator[Finding]:
    allowed = actions(statement)
    if is_for_anybody(statement):
        for action in allowed:
            if action in ("kms:*", "kms:Decrypt", "kms:Decrypt*", "kms:De*", "kms:ReEncrypt*"):
                yield Finding(template.path, name, f"allows {action} to everybody")
    grants = any(action in ("kms:*", "kms:Create*", "kms:CreateGrant") for action in allowed)
    condition = statement.get("Condition") or {}
    if grants and str(condition.get("Bool", {}).get("kms:GrantIsForAWSResource", "")).lower() != "true":
        yield Finding(template.path, name, "kms:CreateGrant needs Bool kms:GrantIsForAWSResource: 'true'")


def buckets(template: Template) -> Iterator[Finding]:
    """Buckets are private, encrypted, versioned, owned by their account and reached over TLS."""
    needed = {
        "BucketEncryption": "default encryption",
        "OwnershipControls": "OwnershipControls (BucketOwnerEnforced)",
        "VersioningConfiguration": "versioning",
        "LoggingConfiguration": "a parameter for access logs",
    }
    for name, properties in template.of_type("AWS::S3::Bucket"):
        block = properties.get("PublicAccessBlockConfiguration", {})
        sides = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if not all(block.get(side) is True for side in sides):
            reason = "all four settings of PublicAccessBlockConfiguration must be true"
            yield Finding(template.path, name, reason)
        for key, what in needed.items():
            if key not in properties:
                yield Finding(template.path, name, f"needs {what}")
        if not any(_denies_plain_http(statement, name) for _, statement in statements(template)):
            reason = "needs a policy that denies requests without TLS to the bucket and its objects"
            yield Finding(template.path, name, reason)


def _denies_plain_http(statement: Mapping[str, Any], bucket: str) -> bool:
    resources = str(listed(statement.get("Resource")))
    secure = (statement.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport", "")
    return (
        statement["Effect"] == "Deny"
        and is_for_anybody(statement)
        and str(secure).lower() == "false"
        and bucket in resources
        and "/*" in resources
    )


def vaults(template: Template) -> Iterator[Finding]:
    """Vaults have a key of ours, accept copies only for themselves and keep their recovery points."""
    for name, properties in template.of_type("AWS::Backup::BackupVault"):
        if "EncryptionKeyArn" not in properties:
            reason = "needs EncryptionKeyArn: copies between accounts need a customer managed key"
            yield Finding(template.path, name, reason)
        kept = False
        for statement in listed((properties.get("AccessPolicy") or {}).get("Statement")):
            for variant in variants(statement):
                effect = variant.get("Effect")
                if effect == "Allow" and "*" in listed(variant.get("Resource")):
                    reason = "an Allow of an access policy names the vault as Resource"
                    yield Finding(template.path, name, reason)
                kept = kept or (effect == "Deny" and "backup:DeleteRecoveryPoint" in actions(variant))
        if not kept:
            yield Finding(template.path, name, "the access policy must deny backup:DeleteRecoveryPoint")


def log_groups(template: Template) -> Iterator[Finding]:
    """A function's log group is in its template, so that it has a retention period and is retained."""
    groups = [
        str(properties.get("LogGroupName")) for _, properties in template.of_type("AWS::Logs::LogGroup")
    ]
    for name, properties in template.of_type("AWS::Lambda::Function"):
        if "LoggingConfig" not in properties and not any("/aws/lambda/" in group for group in groups):
            yield Finding(template.path, name, "a function needs an AWS::Logs::LogGroup in its template")
    for name, properties in template.of_type("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in properties:
            yield Finding(template.path, name, "a log group needs RetentionInDays")


def handlers(template: Template) -> Iterator[Finding]:
    """A function's handler is in lambdas/: Lambda accepts any text, and then every invocation fails."""
    for name, properties in template.of_type("AWS::Lambda::Function"):
        module, _, function = str(properties.get("Handler")).rpartition(".")
        path = f"lambdas/{module.replace('.', '/')}.py"
        if not (ROOT / path).is_file():
            yield Finding(template.path, name, f"Handler: there is no module {module or 'at all'} ({path})")
        elif function not in _functions(ROOT / path):
            yield Finding(template.path, name, f"Handler: there is no function {function} in {path}")


def _functions(path: Path) -> set[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {item.name for item in body if isinstance(item, ast.FunctionDef)}


def dead_letters(template: Template) -> Iterator[Finding]:
    """Events that a rule or a topic cannot deliver, or a function fails on, go to a queue with an alarm.

    An email is the last step: a queue for undelivered emails would notify no one.
    """
    for name, properties in template.of_type("AWS::Events::Rule"):
        for target in (each for variant in variants(properties.get("Targets", [])) for each in variant):
            reason = f"target {target.get('Id')} needs a DeadLetterConfig"
            arn = (target.get("DeadLetterConfig") or {}).get("Arn")
            yield from _queue(template, name, reason, arn, rule=name)
    for name, properties in template.of_type("AWS::SNS::Subscription"):
        if properties.get("Protocol") != "email":
            arn = (properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
            yield from _queue(template, name, "needs a RedrivePolicy with a deadLetterTargetArn", arn)
    for name, properties in template.of_type("AWS::SNS::Topic"):
        for each in (each for variant in variants(properties.get("Subscription", [])) for each in variant):
            if each.get("Protocol") != "email":
                reason = "make it an AWS::SNS::Subscription, which can have a queue"
                yield Finding(template.path, name, f"subscribes {each.get('Protocol')}: {reason}")
    for name, properties in template.of_type("AWS::Lambda::Function"):
        if properties.get("FunctionName") not in AWAITED:
            failures = [(properties.get("DeadLetterConfig") or {}).get("TargetArn")] + [
                ((config.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
                for _, config in template.of_type("AWS::Lambda::EventInvokeConfig")
                if config.get("FunctionName") == {"Ref": name}
            ]
            reason = "needs an EventInvokeConfig with OnFailure"
            yield from _queue(template, name, reason, next(filter(None, failures), None))


def _queue(template: Template, name: str, reason: str, arn: Any, rule: str = "") -> Iterator[Finding]:
    """Whether an ARN is that of a queue of the template that accepts the rule's events and has an alarm."""
    queue = referred(arn, "Arn")
    if queue not in dict(template.of_type("AWS::SQS::Queue")):
        yield Finding(template.path, name, f"{reason} that is the Arn of an AWS::SQS::Queue of this template")
        return
    watched = [
        referred(each.get("Value"), "QueueName")
        for _, alarm in template.of_type("AWS::CloudWatch::Alarm")
        for each in alarm.get("Dimensions", [])
    ]
    if queue not in watched:
        yield Finding(template.path, queue, "needs an alarm, or the failures in it go unnoticed")
    senders = [
        statement
        for _, statement in statements(template)
        if "sqs:SendMessage" in actions(statement)
        and statement.get("Resource") == {"Fn::GetAtt": [queue, "Arn"]}
    ]
    if rule and not any({"Fn::GetAtt": [rule, "Arn"]} in walk(statement) for statement in senders):
        reason = f"its policy does not allow {rule} to send: name its Arn in aws:SourceArn"
        yield Finding(template.path, queue, reason)


def member_alone(template: Template) -> Iterator[Finding]:
    """A member template can be created in an account in which nothing exists yet."""
    if template.account != "member":
        return
    for name, parameter in template.parameters.items():
        if str(parameter.get("Type")).startswith("AWS::SSM::"):
            reason = "a member template takes values, not SSM parameters of its account"
            yield Finding(template.path, name, reason)
    for name, resource in template.resources.items():
        for value in walk(resource):
            if isinstance(value, dict) and "Fn::ImportValue" in value:
                reason = "a member template imports nothing: the other stack may not exist"
                yield Finding(template.path, name, reason)
            if isinstance(value, str) and "{{resolve:" in value:
                yield Finding(template.path, name, "a member template resolves nothing from its account")
    for name, statement in statements(template):
        principal = statement.get("Principal")
        arns = listed(principal.get("AWS")) if isinstance(principal, dict) else []
        if any(":role/" in str(arn) or ":user/" in str(arn) for arn in arns):
            reason = "a named principal has to exist first: use the root and aws:PrincipalArn"
            yield Finding(template.path, name, reason)


def builds_in_turn(template: Template) -> Iterator[Finding]:
    """A new account may run one build at a time: StartBuild fails for a second one (BUILDS_QUOTA)."""
    for name, pipeline in template.of_type("AWS::CodePipeline::Pipeline"):
        for stage in pipeline["Stages"]:
            groups: dict[int, list[str]] = defaultdict(list)
            for action in stage["Actions"]:
                if action["ActionTypeId"]["Provider"] == "CodeBuild":
                    groups[int(action.get("RunOrder", 1))].append(str(action["Name"]))
            for order, builds in groups.items():
                if len(builds) > 1:
                    reason = f"{' and '.join(builds)} share run order {order}: give each build its own"
                    yield Finding(template.path, name, f"stage {stage['Name']}: {reason}")
