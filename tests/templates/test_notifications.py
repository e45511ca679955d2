"""The address and the topic of the two parameters are notified when a run of the pipeline fails.

So they are when EventBridge could not deliver an event.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from buildspecs.lint.templates import load, one
from buildspecs.names import HOME, PIPELINE
from buildspecs.paths import ROOT
from tests.templates.resolving import Resolver

TEMPLATE = load(ROOT / f"{HOME}/aws-backup-codepipeline.yaml")
KEY = load(ROOT / f"{HOME}/aws-backup-codepipeline-kms.yaml")
EMAIL = {"NotificationEmail": "backup@example.com"}
TOPIC = {"NotificationTopicName": "alarms"}
TOPIC_ARN = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:alarms"
RESOURCES = ("FailureTopic", "FailureTopicPolicy", "FailureRule")


@pytest.mark.parametrize(
    ("given", "created", "targets"),
    [
        ({}, (), None),
        (EMAIL, RESOURCES, ["${FailureTopic}"]),
        (TOPIC, ("FailureRule",), [TOPIC_ARN]),
        (EMAIL | TOPIC, RESOURCES, ["${FailureTopic}", TOPIC_ARN]),
    ],
)
def test_only_the_address_and_the_topic_that_are_given_are_notified(
    given: dict[str, str], created: tuple[str, ...], targets: list[str] | None
) -> None:
    resolver = Resolver(TEMPLATE, given)
    made = tuple(name for name in RESOURCES if resolver.condition(TEMPLATE.resources[name]["Condition"]))
    assert made == created
    if targets is not None:
        assert [target["Arn"] for target in resolver.properties("FailureRule")["Targets"]] == targets
    assert resolver.properties("UndeliveredAlarm")["AlarmActions"] == (targets or [])


def test_the_rule_matches_failed_executions_of_this_pipeline_only() -> None:
    pattern = Resolver(TEMPLATE, EMAIL).properties("FailureRule")["EventPattern"]
    assert pattern == {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Pipeline Execution State Change"],
        "detail": {"pipeline": ["${Pipeline}"], "state": ["FAILED"]},  # Ref gives the pipeline's name
    }
    assert Resolver(TEMPLATE).properties("Pipeline")["Name"] == PIPELINE


def test_rules_and_alarms_may_publish_to_the_topic_and_use_its_key() -> None:
    """Without the statement in the key policy, nothing is delivered to an encrypted topic."""
    resolver = Resolver(TEMPLATE, EMAIL)
    assert resolver.properties("FailureTopic")["KmsMasterKeyId"] == (
        "${ImportValue:aws-backup-codepipeline-kms-id}"
    )
    (publish,) = resolver.properties("FailureTopicPolicy")["PolicyDocument"]["Statement"]
    assert resolver.properties("FailureTopicPolicy")["Topics"] == ["${FailureTopic}"]
    assert (publish["Effect"], publish["Action"]) == ("Allow", "sns:Publish")
    use = statement("FailureNotifications")
    assert use["Effect"] == "Allow"
    assert set(use["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    for each in (publish, use):
        assert each["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]}
        # Rules of other accounts are refused; AWS does not document that the key is always sent.
        assert each["Condition"] == {"StringEqualsIfExists": {"aws:SourceAccount": "${AWS::AccountId}"}}


def test_the_address_is_subscribed_to_the_topic() -> None:
    (subscription,) = Resolver(TEMPLATE, EMAIL).properties("FailureTopic")["Subscription"]
    assert subscription == {"Protocol": "email", "Endpoint": "backup@example.com"}


@pytest.mark.parametrize(
    ("parameter", "value", "accepted"),
    [
        ("NotificationEmail", "", True),
        ("NotificationEmail", "a@b.example", True),
        ("NotificationEmail", "a@b", False),
        ("NotificationEmail", "a@b.example, c@d.example", False),
        ("NotificationTopicName", "", True),
        ("NotificationTopicName", "alarms_of-backups", True),
        ("NotificationTopicName", "arn:aws:sns:eu-west-1:222222222222:alarms", False),
        ("NotificationTopicName", "alarms.fifo", False),
    ],
)
def test_a_value_that_would_notify_nobody_is_rejected(parameter: str, value: str, accepted: bool) -> None:
    pattern = TEMPLATE.parameters[parameter]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, value)) == accepted


def statement(sid: str) -> Any:
    policy = Resolver(KEY).properties("Key")["KeyPolicy"]
    return one((each for each in policy["Statement"] if each.get("Sid") == sid), f"Sid {sid} in {KEY.path}")
