"""EventBridge rules: malformed ones are not created, and a schedule runs when the rehearsal runs it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rehearsal.emulator.errors import ControlError
from rehearsal.emulator.extensions.functions.rules import longest_pause, why_refused
from tests.rehearsal.emulator.templates import function, role, statement, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World, eventually

SOURCE = """
def handler(event, context):
    print("received", event)
"""


@pytest.mark.parametrize(
    "schedule",
    [
        "rate(1 day)",
        "rate(12 hours)",
        "rate(100 minutes)",
        "cron(0 5 ? * * *)",
        "cron(0 5 1 * ? *)",
        "cron(0/15 8-17 ? * MON-FRI 2026,2027)",
        "cron(0 8 L jan,7 ? *)",
        "cron(0 8 3W * ? *)",
        "cron(0 8 ? * 6L *)",
        "cron(0 8 ? * 3#2 *)",
    ],
)
def test_a_schedule_that_eventbridge_accepts_is_accepted(schedule: str) -> None:
    assert why_refused(schedule) is None


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("rate(1 days)", "neither a rate"),
        ("rate(2 day)", "neither a rate"),
        ("rate(0 days)", "neither a rate"),
        ("rate(1 week)", "neither a rate"),
        ("every day", "neither a rate"),
        ("cron(0 5 * * *)", "neither a rate"),
        ("cron(0 5 * * * *)", "day-of-month or day-of-week must be ?"),
        ("cron(60 5 ? * * *)", "60 is not valid for minutes"),
        ("cron(0 24 ? * * *)", "24 is not valid for hours"),
        ("cron(0 5 ? 13 * *)", "13 is not valid for month"),
        ("cron(0 5 ? * 8 *)", "8 is not valid for day-of-week"),
        ("cron(0 5 0 * ? *)", "0 is not valid for day-of-month"),
        ("cron(0 5 ? * MO *)", "MO is not valid for day-of-week"),
        ("cron(0 5,, ? * * *)", "5,, is not valid for hours"),
        ("cron(0 5 ? * * 1969)", "1969 is not valid for year"),
    ],
)
def test_a_schedule_that_eventbridge_refuses_is_refused_with_the_reason(schedule: str, reason: str) -> None:
    assert reason in str(why_refused(schedule))


NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "pause"),
    [
        ("rate(1 day)", timedelta(days=1)),
        ("rate(6 hours)", timedelta(hours=6)),
        ("cron(0 5 ? * * *)", timedelta(days=1)),
        ("cron(0 5 ? * MON-FRI *)", timedelta(days=3)),
        ("cron(0 5 1 * ? *)", timedelta(days=31)),
        ("cron(0 5 1 1 ? 2020)", None),
    ],
)
def test_the_longest_pause_of_a_schedule_is_found(schedule: str, pause: timedelta | None) -> None:
    assert longest_pause(schedule, NOW) == pause


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::Events::Rule", "Properties": {"Name": name, **more}}


@pytest.mark.parametrize(
    ("name", "properties", "reason"),
    [
        ("seldom", {"ScheduleExpression": "rate(1 days)"}, "ScheduleExpression is not valid: rate(1 days)"),
        ("odd", {"EventPattern": {"source": "aws.backup"}}, "Event pattern is not valid"),
    ],
)
def test_a_malformed_rule_fails_its_stack_at_creation_and_at_an_update(
    world: World, name: str, properties: dict[str, Any], reason: str
) -> None:
    assert reason in world.create(name, template({"Rule": rule(name, **properties)})).reason
    good = rule(f"{name}-later", ScheduleExpression="rate(1 day)")
    assert world.create(f"{name}-later", template({"Rule": good})).status == "CREATE_COMPLETE"
    bad = rule(f"{name}-later", **properties)
    assert reason in world.update(f"{name}-later", template({"Rule": bad})).reason


def run(world: World, name: str) -> Any:
    return world.emulator.control("run-schedule", account=ACCOUNTS.home, region=HOME_REGION, rule=name)


def test_a_schedule_that_runs_sends_its_own_input(world: World) -> None:
    target = {"Id": "Function", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}, "Input": '{"go": "now"}'}
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Ref": "Function"},
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
        },
    }
    resources = {
        "Role": role("daily-role", {"Service": "lambda.amazonaws.com"}, statement("logs:*")),
        "Function": function("daily", {"ZipFile": SOURCE}),
        "Rule": rule("daily", ScheduleExpression="rate(1 day)", Targets=[target]),
        "Permission": permission,
    }
    assert world.create("daily", template(resources)).status == "CREATE_COMPLETE"
    assert run(world, "daily") == 86400
    eventually(lambda: "received {'go': 'now'}" in world.log("daily"))
    sent = world.emulator.control("rule-events", account=ACCOUNTS.home, region=HOME_REGION)
    assert sent["daily"] == 1


@pytest.mark.parametrize(
    ("name", "properties", "refusal"),
    [
        ("off", {"ScheduleExpression": "rate(1 day)", "State": "DISABLED"}, "off is not an enabled rule"),
        ("waits", {"EventPattern": {"source": ["x"]}}, "waits is not an enabled rule with a schedule"),
        ("past", {"ScheduleExpression": "cron(0 5 1 1 ? 2020)"}, "past never runs: cron"),
    ],
)
def test_a_rule_that_would_not_run_is_refused(
    world: World, name: str, properties: dict[str, Any], refusal: str
) -> None:
    world.create(name, template({"Rule": rule(name, **properties)}))
    with pytest.raises(ControlError, match=refusal):
        run(world, name)


def test_only_a_rule_that_matches_sends_the_event(world: World) -> None:
    target = {"Id": "Queue", "Arn": f"arn:aws:sqs:{HOME_REGION}:{ACCOUNTS.home}:none"}
    rules = {
        name: rule(name, EventPattern={"source": [name]}, Targets=[target]) for name in ("right", "wrong")
    }
    world.create("two-rules", template(rules))
    entry = {"Source": "right", "DetailType": "t", "Detail": json.dumps({})}
    world.client("events").put_events(Entries=[entry])
    sent = world.emulator.control("rule-events", account=ACCOUNTS.home, region=HOME_REGION)
    assert (sent.get("right"), sent.get("wrong")) == (1, None)
