"""EventBridge rules: malformed ones are refused, and a schedule runs when the rehearsal runs it.

AWS refuses a rule whose pattern or schedule is malformed ("Setting a schedule pattern for scheduled rules",
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html); ministack's
CloudFormation creates it, and it never matches or runs.

Emulated: those refusals. The control operation `run-schedule` sends a rule's targets what they get when the
schedule runs, and returns the longest time between two runs; `rule-events` counts what each rule has sent to
its targets.

Not emulated: the clock.
"""

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.emulator import control, hooks
from rehearsal.emulator.extensions import base

_RATE = re.compile(r"rate\((?:1 (minute|hour|day)|(?!0|1 )(\d+) (minute|hour|day)s)\)")
_CRON = re.compile(r"cron\((\S+(?: +\S+){5})\)")
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
# The six fields of a cron expression: name, values, and a pattern of what else is allowed.
_FIELDS: tuple[tuple[str, Collection[str], str], ...] = (
    ("minutes", [str(number) for number in range(60)], ""),
    ("hours", [str(number) for number in range(24)], ""),
    ("day-of-month", [str(number) for number in range(1, 32)], r"\?|L|LW|([1-9]|[12]\d|3[01])W"),
    ("month", [*(str(number) for number in range(1, 13)), *_MONTHS], ""),
    ("day-of-week", [*(str(number) for number in range(1, 8)), *_DAYS], r"\?|L|[1-7]L|[1-7]#[1-5]"),
    ("year", [str(number) for number in range(1970, 2200)], ""),
)

_sent: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    base.wrap_resource_type("AWS::Events::Rule", _check)
    control.register("run-schedule", _run)
    control.register("rule-events", _events)


def count_delivery(rule: dict[str, Any]) -> None:
    """Count an event that a rule sends to one of its targets."""
    _sent.setdefault("rules", Counter())[rule["Name"]] += 1


def why_refused(schedule: str) -> str | None:
    """What is wrong with a schedule expression; None for a valid one."""
    if _RATE.fullmatch(schedule):
        return None
    if not (cron := _CRON.fullmatch(schedule)):
        return (
            "it is neither a rate such as rate(1 day) or rate(12 hours) "
            "nor cron(minutes hours day-of-month month day-of-week year)"
        )
    fields = cron[1].upper().split()
    for (name, values, more), field in zip(_FIELDS, fields, strict=True):
        if not all(_fits(part, values, more) for part in field.split(",")):
            return f"{field} is not valid for {name}"
    if "?" not in (fields[2], fields[4]):
        return "day-of-month or day-of-week must be ?"
    return None


def _fits(part: str, values: Collection[str], more: str) -> bool:
    span, slash, step = part.partition("/")
    plain = span == "*" or all(bound in values for bound in span.split("-", 1))
    return bool(more and re.fullmatch(more, part)) or (plain and (not slash or step.isdigit()))


def _check(properties: dict[str, Any]) -> None:
    schedule, pattern = properties.get("ScheduleExpression"), properties.get("EventPattern")
    if schedule and (reason := why_refused(schedule)):
        raise ValueError(f"Parameter ScheduleExpression is not valid: {schedule}: {reason}.")
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    if pattern and (reason := hooks.eventbridge._event_pattern_error(text)):
        raise ValueError(f"Event pattern is not valid. Reason: {reason}")


def _run(account: str, region: str, rule: str) -> float:
    with base.scope(account, region):
        key = hooks.eventbridge._rule_key(rule, "default")
        found = hooks.eventbridge._rules.get(key)
        if not found or found["State"] != "ENABLED" or not found["ScheduleExpression"]:
            raise control.RefusedError(
                f"{rule} is not an enabled rule with a schedule in {account}, {region}"
            )
        event = {
            "EventId": str(uuid.uuid4()),
            "Source": "aws.events",
            "DetailType": "Scheduled Event",
            "Detail": "{}",
            "EventBusName": "default",
            "Time": int(time.time()),
            "Resources": [found["Arn"]],
            "Account": account,
            "Region": region,
        }
        longest = longest_pause(found["ScheduleExpression"], datetime.now(UTC))
        if longest is None:
            raise control.RefusedError(f"{rule} never runs: {found['ScheduleExpression']}")
        for target in hooks.eventbridge._targets.get(key, []):
            hooks.eventbridge._invoke_target(target, event, found)
        return longest.total_seconds()


def longest_pause(schedule: str, now: datetime) -> timedelta | None:
    """The longest time without a run in the following year; None if there is no run."""
    if rate := _RATE.fullmatch(schedule):
        return timedelta(**{f"{rate[1] or rate[3]}s": int(rate[2] or 1)})
    fields = hooks.eventbridge._parse_cron_fields(schedule)
    longest, last = timedelta(0), now
    while last < now + timedelta(days=366):
        following = hooks.eventbridge._cron_next_fire(fields, last)
        if following is None:
            return None
        longest, last = max(longest, following - last), following
    return longest


def _events(account: str, region: str) -> dict[str, int]:
    with base.scope(account, region):
        return dict(_sent.get("rules", {}))
