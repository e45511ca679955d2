"""Every cfn-nag finding is suppressed with a reason, and every suppression is needed."""

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
    """What would stop the build: findings that are not suppressed, and suppressions without a finding."""
    found = [
        Finding(template.path, resource, "cfn-nag", rule, "is reported")
        for resource, rule in reported(template)
    ]
    return faults("cfn-nag", found, suppressed(template.path, template.body))


@pytest.mark.parametrize("template", repository_templates(), ids=label)
def test_the_findings_of_cfn_nag_are_those_that_are_suppressed(template: Template) -> None:
    assert gate(template) == []


def test_a_suppression_without_a_finding_is_reported() -> None:
    """For cfn-nag, an optional property counts as set, whatever its condition's default is."""
    suppression = {"cfn_nag": {"rules_to_suppress": [{"id": "W84", "reason": "Encrypted if a key is given"}]}}
    key = {"Fn::If": ["HasLogKey", {"Ref": "LogKey"}, {"Ref": "AWS::NoValue"}]}
    properties = {"KmsKeyId": key, "RetentionInDays": 30}
    group = {"Type": "AWS::Logs::LogGroup", "Metadata": suppression, "Properties": properties}
    assert gate(Template("logs.yaml", "", {"Resources": {"Group": group}})) == [
        "logs.yaml: Group: cfn-nag W84 is suppressed but not found: remove the suppression"
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


def test_a_policy_of_many_services_is_too_complex() -> None:
    services = ["ec2", "rds", "s3", "sqs", "sns", "logs", "kms", "eks", "fsx", "dsql"]
    statement = {
        "Effect": "Allow",
        "Action": [f"{service}:Read" for service in services],
        "Resource": [{"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:::*"} for service in services],
    }
    policy = {"PolicyName": "All", "PolicyDocument": {"Version": "2012-10-17", "Statement": statement}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
    assert reported(Template("role.yaml", "", {"Resources": {"Role": role}})) == {("Role", "W76")}
