"""When TagOnRestore fails: the permission that is denied, the dead-letter queue, and its alarm."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from buildspecs.names import TAG_FAILURES, TAG_ROLE
from rehearsal.emulator import Denied
from rehearsal.errors import OutcomeError
from rehearsal.stories.member import Member
from rehearsal.stories.restore_jobs import end_of_log, eventually

_POLICY: Final = "denied-by-the-administrator-of-the-account"


@contextmanager
def denied(member: Member, action: str) -> Iterator[None]:
    """During the block, an administrator of the account denies the function's role an action."""
    iam = member.client("iam")
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=TAG_ROLE, PolicyName=_POLICY, PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=TAG_ROLE, PolicyName=_POLICY)


def expected_denial(member: Member, action: str) -> Callable[[Denied], bool]:
    """Whether a refused call is one that `denied` causes."""
    role = f":sts::{member.account}:assumed-role/{TAG_ROLE}/"
    return lambda entry: (
        entry.action == action and entry.account == member.account and role in f"{entry.principal}/"
    )


def reason(member: Member, job: str) -> str:
    """The reason in the dead-letter queue for the failure of a job's event. Raises OutcomeError."""
    sqs = member.client("sqs")
    queue = sqs.get_queue_url(QueueName=TAG_FAILURES)["QueueUrl"]

    def message() -> Any:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
        bodies = [json.loads(entry["Body"]) for entry in received.get("Messages", [])]
        return next((body for body in bodies if job in json.dumps(body)), None)

    found = eventually(
        message,
        lambda: OutcomeError(
            f"the event of restore job {job} failed, but is not in the queue {TAG_FAILURES}, {member}.",
            *end_of_log(member),
        ),
    )
    return str((found.get("responsePayload") or {}).get("errorMessage") or "no reason given")


def alarm(member: Member) -> str:
    """What the alarm watches, in words. Raises OutcomeError unless the messages in the queue trigger it."""
    sqs, cloudwatch = member.client("sqs"), member.client("cloudwatch")
    queue = sqs.get_queue_url(QueueName=TAG_FAILURES)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"])
    waiting = int(attributes["Attributes"]["ApproximateNumberOfMessages"])
    triggered = [
        one
        for one in cloudwatch.describe_alarms(AlarmNames=[TAG_FAILURES])["MetricAlarms"]
        if (one["Namespace"], one["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
        and {"Name": "QueueName", "Value": TAG_FAILURES} in one["Dimensions"]
        and one["ComparisonOperator"] == "GreaterThanThreshold"
        and waiting > one["Threshold"]
    ]
    if not triggered:
        raise OutcomeError(
            f"{waiting} messages in {TAG_FAILURES} do not trigger an alarm {TAG_FAILURES} in {member}."
        )
    threshold = f"{triggered[0]['Threshold']:.0f}"
    return f"messages in queue {TAG_FAILURES}: {waiting}; threshold of alarm {TAG_FAILURES}: {threshold}"


def purge(member: Member) -> None:
    """Empty the dead-letter queue, as the alarm's description says, once the cause is removed."""
    sqs = member.client("sqs")
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=TAG_FAILURES)["QueueUrl"])
