"""The EventBridge rules of an account: what they start, and how many events they sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rehearsal.emulator import Emulator
from rehearsal.emulator.errors import ControlError
from rehearsal.errors import OutcomeError
from rehearsal.place import Place


@dataclass(frozen=True)
class Trigger:
    """A rule with one of its targets, and how many events it has sent so far."""

    rule: Mapping[str, Any]
    target: Mapping[str, Any]
    sent: int

    @property
    def name(self) -> str:
        return str(self.rule["Name"])

    @property
    def enabled(self) -> bool:
        return bool(self.rule["State"] == "ENABLED")

    @property
    def schedule(self) -> str:
        return str(self.rule.get("ScheduleExpression", ""))

    def __str__(self) -> str:
        pattern = self.rule.get("EventPattern")
        what = f"has the schedule {self.schedule}" if self.schedule else f"has the pattern {pattern}"
        return f"rule {self.name} ({self.rule['State']}) {what}; events sent: {self.sent}"


def starting(
    emulator: Emulator, place: Place, target: str, before: Mapping[str, int] | None = None
) -> list[Trigger]:
    """The rules with a target whose ARN ends in `target`; `before` is an earlier result of `sent_by_rule`."""
    return list(_starting(emulator, place, target, before or {}))


def _starting(emulator: Emulator, place: Place, target: str, before: Mapping[str, int]) -> Iterator[Trigger]:
    events = emulator.session(place.account, place.region).client("events")
    sent = sent_by_rule(emulator, place)
    for page in events.get_paginator("list_rules").paginate():
        for rule in page["Rules"]:
            name = rule["Name"]
            for each in events.list_targets_by_rule(Rule=name)["Targets"]:
                if each["Arn"].endswith(target):
                    yield Trigger(rule, each, sent.get(name, 0) - before.get(name, 0))


def sent_by_rule(emulator: Emulator, place: Place) -> dict[str, int]:
    """How many events each rule sent; a rule that matched none is not listed."""
    return dict(emulator.control("rule-events", account=place.account, region=place.region))


def run(emulator: Emulator, place: Place, rule: str) -> timedelta:
    """Run a rule's schedule. Returns its longest interval. Raises OutcomeError."""
    try:
        seconds = emulator.control("run-schedule", account=place.account, region=place.region, rule=rule)
    except ControlError as refused:
        raise OutcomeError(str(refused)) from None
    return timedelta(seconds=seconds)


def why_not_started(
    emulator: Emulator, place: Place, target: str, before: Mapping[str, int] | None = None
) -> list[str]:
    """Why EventBridge has not started a target: a sentence, then a line for each of its rules."""
    found = starting(emulator, place, target, before)
    if not found:
        return [f"no rule has it as a target (in {place})"]
    matched = any(each.sent for each in found)
    sentence = "a rule sent it an event" if matched else "no rule matched an event for it"
    return [f"{sentence} (in {place}):", *map(str, found)]
