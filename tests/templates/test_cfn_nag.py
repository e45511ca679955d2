"""cfn-nag has nothing to say that is not suppressed with a reason, and nothing is suppressed for nothing."""

from __future__ import annotations

import pytest

from buildspecs.lint.suppressions import Finding, faults
from buildspecs.lint.suppressions import of as suppressed
from buildspecs.lint.templates import Template, load, repository_templates
from tests.templates.cfn_nag import reported
from tests.templates.planted import BAD


def label(template: Template) -> str:
    return template.path.rsplit("/", 1)[-1]


def gate(template: Template) -> list[str]:
    """What would stop the validation build, and what is suppressed for nothing."""
    found = [
        Finding(template.path, resource, "cfn-nag", rule, "is reported")
        for resource, rule in reported(template)
    ]
    return faults("cfn-nag", found, suppressed(template.path, template.body))


@pytest.mark.parametrize("template", repository_templates(), ids=label)
def test_what_cfn_nag_reports_is_what_is_suppressed(template: Template) -> None:
    assert gate(template) == []


def test_a_suppression_that_never_fires_is_named() -> None:
    """An optional property counts for cfn-nag, whatever its condition's default is."""
    suppression = {
        "cfn_nag": {"rules_to_suppress": [{"id": "W84", "reason": "Encrypted where a key is given"}]}
    }
    key = {"Fn::If": ["HasLogKey", {"Ref": "LogKey"}, {"Ref": "AWS::NoValue"}]}
    properties = {"KmsKeyId": key, "RetentionInDays": 30}
    group = {"Type": "AWS::Logs::LogGroup", "Metadata": suppression, "Properties": properties}
    assert gate(Template("logs.yaml", "", {"Resources": {"Group": group}})) == [
        "logs.yaml: Group: cfn-nag W84 is suppressed and not found: remove the suppression"
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keys-rotation", {("Key", "F19")}),
        ("organization-key", {("Key", "F76")}),
        ("organization-queue", {("QueuePolicy", "F21")}),
        ("organization-topic", {("TopicPolicy", "F18")}),
        ("pass-role-any", {("Role", "W11"), ("Role", "F38")}),
        ("buckets-encryption", {("Bucket", "W41")}),
    ],
)
def test_a_planted_fault_is_reported(name: str, expected: set[tuple[str, str]]) -> None:
    found = reported(load(BAD / "home-account" / f"{name}.yaml"))
    assert expected <= found


def test_an_intricate_policy_is_too_complex() -> None:
    services = ["ec2", "rds", "s3", "sqs", "sns", "logs", "kms", "eks", "fsx", "dsql"]
    statement = {
        "Effect": "Allow",
        "Action": [f"{service}:Read" for service in services],
        "Resource": [{"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:::*"} for service in services],
    }
    policy = {"PolicyName": "All", "PolicyDocument": {"Version": "2012-10-17", "Statement": statement}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
    assert reported(Template("role.yaml", "", {"Resources": {"Role": role}})) == {("Role", "W76")}
