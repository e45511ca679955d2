"""A denied permission, the dead-letter queue and its alarm."""

import json
from dataclasses import replace

import pytest

from buildspecs.names import TAG_FAILURES
from rehearsal.emulator import Denied
from rehearsal.errors import OutcomeError
from rehearsal.stories import failures
from rehearsal.stories.member import Member

MEMBER = "444444444444"
REFUSED = Denied(
    time=1.0,
    account=MEMBER,
    principal=f"arn:aws:sts::{MEMBER}:assumed-role/TagOnRestoreFunctionForAWSBackup/TagOnRestore",
    action="dynamodb:TagResource",
    resource="arn:aws:dynamodb:us-east-2:444444444444:table/t",
    reason="explicit deny",
)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (REFUSED, True),
        (replace(REFUSED, action="ec2:CreateTags"), False),
        (replace(REFUSED, account="555555555555"), False),
        (replace(REFUSED, principal=f"arn:aws:sts::{MEMBER}:assumed-role/Another/x"), False),
    ],
)
def test_only_the_denied_call_is_expected(member: Member, entry: Denied, expected: bool) -> None:
    assert failures.expected_denial(member, "dynamodb:TagResource")(entry) == expected


def test_a_queue_that_no_alarm_watches_is_a_fault(member: Member) -> None:
    sqs, cloudwatch = member.client("sqs"), member.client("cloudwatch")
    queue = sqs.create_queue(QueueName=TAG_FAILURES)["QueueUrl"]
    alarm = {
        "AlarmName": TAG_FAILURES,
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    elsewhere = [{"Name": "QueueName", "Value": "another"}]
    cloudwatch.put_metric_alarm(**alarm, Dimensions=elsewhere)
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    with pytest.raises(OutcomeError, match="1 messages in TagOnRestoreFailures do not trigger an alarm"):
        failures.alarm(member)
    here = [{"Name": "QueueName", "Value": TAG_FAILURES}]
    cloudwatch.put_metric_alarm(**alarm, Dimensions=here)
    assert (
        failures.alarm(member)
        == "messages in queue TagOnRestoreFailures: 1; threshold of alarm TagOnRestoreFailures: 0"
    )
    failures.purge(member)
    with pytest.raises(OutcomeError, match="0 messages"):
        failures.alarm(member)


def test_the_reason_is_read_from_the_message_of_the_job(member: Member, hasty: None) -> None:
    sqs = member.client("sqs")
    queue = sqs.create_queue(QueueName=TAG_FAILURES)["QueueUrl"]
    for job, reason in (("job-1", "one"), ("job-2", "two")):
        body = {
            "requestPayload": {"detail": {"restoreJobId": job}},
            "responsePayload": {"errorMessage": reason},
        }
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(body))
    assert failures.reason(member, "job-2") == "two"
    with pytest.raises(OutcomeError, match="job-3 failed, but is not in the queue"):
        failures.reason(member, "job-3")
    failures.purge(member)
