"""Deliveries: a target receives what its policy allows, and failures are kept."""

import json
from typing import Any

import pytest

from tests.rehearsal.emulator.templates import function, policy, role, statement, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World, eventually

EVENTS = {"Service": "events.amazonaws.com"}
SOURCE = """
def handler(event, context):
    if event["detail"].get("fail"):
        raise ValueError("failed as expected")
    print("received", event["detail"]["number"])
"""


def queue(name: str) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def queue_policy(queue_id: str, rule_id: str) -> dict[str, Any]:
    source = {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule_id, "Arn"]}}}
    arn = {"Fn::GetAtt": [queue_id, "Arn"]}
    document = policy(
        {**statement("sqs:SendMessage", Condition=source), "Resource": arn, "Principal": EVENTS}
    )
    return {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [{"Ref": queue_id}], "PolicyDocument": document},
    }


def permission(**more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            **more,
        },
    }


def failures(name: str) -> dict[str, Any]:
    return statement("sqs:SendMessage", f"arn:aws:sqs:{HOME_REGION}:{ACCOUNTS.home}:{name}-failures")


def rule_with_function(
    name: str, permissions: dict[str, dict[str, Any]], *role_statements: dict[str, Any]
) -> str:
    """A rule for source `name`, a function with a queue for failures, and a queue for undelivered events."""
    dead_letters: dict[str, Any] = {"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Failures", "Arn"]}}}
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": name,
            "EventPattern": {"source": [name]},
            "Targets": [
                {
                    "Id": "Function",
                    "Arn": {"Fn::GetAtt": ["Function", "Arn"]},
                    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Undelivered", "Arn"]}},
                    "RetryPolicy": {"MaximumRetryAttempts": 2},
                }
            ],
        },
    }
    return template(
        {
            "Role": role(
                f"{name}-role", {"Service": "lambda.amazonaws.com"}, statement("logs:*"), *role_statements
            ),
            "Failures": queue(f"{name}-failures"),
            "Undelivered": queue(f"{name}-undelivered"),
            "UndeliveredPolicy": queue_policy("Undelivered", "Rule"),
            "Function": function(name, {"ZipFile": SOURCE}, **dead_letters),
            "Rule": rule,
            **permissions,
        },
        Outputs={
            "Failures": {"Value": {"Ref": "Failures"}},
            "Undelivered": {"Value": {"Ref": "Undelivered"}},
            "Rule": {"Value": {"Fn::GetAtt": ["Rule", "Arn"]}},
            "Function": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
        },
    )


def send(world: World, source: str, **detail: Any) -> None:
    entry = {"Source": source, "DetailType": "t", "Detail": json.dumps(detail)}
    assert world.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def message(world: World, queue_url: str) -> Any:
    def look() -> Any:
        messages = world.client("sqs").receive_message(QueueUrl=queue_url).get("Messages")
        return messages and json.loads(messages[0]["Body"])

    return eventually(look)


FROM_RULE = {"Permission": permission(SourceArn={"Fn::GetAtt": ["Rule", "Arn"]})}


def test_an_event_reaches_a_function_that_allows_the_rule(world: World) -> None:
    made = world.create("permitted", rule_with_function("permitted", FROM_RULE, failures("permitted")))
    assert (made.status, made.reason) == ("CREATE_COMPLETE", "")
    send(world, "permitted", number=7)
    eventually(lambda: "received 7" in world.log("permitted"))


@pytest.mark.parametrize(
    ("name", "permissions"),
    [
        ("without", {}),
        (
            "of-other-rule",
            {"Permission": permission(SourceArn=f"arn:aws:events:{HOME_REGION}:{ACCOUNTS.home}:rule/x")},
        ),
        ("of-other-service", {"Permission": permission(Principal="sns.amazonaws.com")}),
    ],
)
def test_a_function_that_does_not_allow_the_rule_is_not_invoked(
    world: World, name: str, permissions: dict[str, Any]
) -> None:
    outputs = world.create(name, rule_with_function(name, permissions, failures(name))).outputs
    send(world, name, number=1)
    assert message(world, outputs["Undelivered"])["detail"] == {"number": 1}
    denied = world.emulator.denied()[-1]
    assert (denied.principal, denied.action) == ("events.amazonaws.com", "lambda:InvokeFunction")
    assert denied.resource == outputs["Function"]
    assert outputs["Rule"] in denied.reason
    assert world.log(name) == ""


def test_a_function_that_keeps_failing_gets_its_event_into_its_dead_letter_queue(world: World) -> None:
    outputs = world.create("failing", rule_with_function("failing", FROM_RULE, failures("failing"))).outputs
    send(world, "failing", fail=True)
    kept = message(world, outputs["Failures"])
    assert kept["requestPayload"]["detail"] == {"fail": True}
    assert kept["responsePayload"]["errorMessage"] == "failed as expected"
    log = world.log("failing")
    assert log.count("START RequestId") == 3


def test_a_role_that_may_not_write_to_the_dead_letter_queue_is_refused_or_recorded_as_denied(
    world: World,
) -> None:
    refused = world.create("mute", rule_with_function("mute", FROM_RULE))
    assert "does not have permissions to call sqs:SendMessage" in refused.reason
    queue_arn = f"arn:aws:sqs:{HOME_REGION}:{ACCOUNTS.home}:muted-failures"
    assert (
        world.create("muted", rule_with_function("muted", FROM_RULE, failures("muted"))).status
        == "CREATE_COMPLETE"
    )
    world.client("iam").delete_role_policy(RoleName="muted-role", PolicyName="P")
    send(world, "muted", fail=True)
    denied = eventually(lambda: [each for each in world.emulator.denied() if "muted-role" in each.principal])
    assert (denied[0].action, denied[0].resource) == ("sqs:SendMessage", queue_arn)


def test_a_queue_as_target_needs_a_policy_for_the_rule(world: World) -> None:
    target = {"Id": "Queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}
    rule = {
        "Type": "AWS::Events::Rule",
        "Properties": {"Name": "to-queue", "EventPattern": {"source": ["to-queue"]}, "Targets": [target]},
    }
    resources = {"Queue": queue("target"), "Rule": rule}
    outputs = {"Queue": {"Value": {"Ref": "Queue"}}}
    url = world.create("to-queue", template(resources, Outputs=outputs)).outputs["Queue"]
    send(world, "to-queue", number=1)
    assert world.emulator.denied()[-1].action == "sqs:SendMessage"
    resources["Policy"] = queue_policy("Queue", "Rule")
    assert world.update("to-queue", template(resources, Outputs=outputs)).status == "UPDATE_COMPLETE"
    send(world, "to-queue", number=2)
    assert message(world, url)["detail"] == {"number": 2}
