"""EventBridge accepts every schedule, and the function that it invokes accepts what it sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from tag_on_restore.event import SweepRequest, parse

from buildspecs.lint.rules.reading import referred
from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import MEMBER
from buildspecs.paths import ROOT
from rehearsal.emulator.extensions.functions.rules import why_refused
from tests.templates.planted import changed
from tests.templates.resolving import Resolver

NOW = datetime(2026, 11, 27, tzinfo=UTC)
# Function → whether it accepts the event that its schedule sends.
ACCEPTS: Mapping[str, Callable[[Any], bool]] = {
    "TagOnRestore": lambda event: isinstance(parse(event, NOW), SweepRequest)
}


def faults(template: Template) -> list[str]:
    """What is wrong with the schedules of a template."""
    functions = {name: item.get("FunctionName") for name, item in template.of_type("AWS::Lambda::Function")}
    found = []
    for name, properties in template.of_type("AWS::Events::Rule"):
        schedule = Resolver(template).resolve(properties.get("ScheduleExpression"))
        if not schedule:
            continue
        where = f"{template.path}: {name}"
        if reason := why_refused(schedule):
            found.append(f"{where}: {schedule}: {reason}")
        for target in properties["Targets"]:
            sent = target.get("Input", "{}")
            function = str(functions.get(referred(target.get("Arn"), "Arn"), target.get("Arn")))
            if function not in ACCEPTS:
                found.append(f"{where} invokes {function}: say in ACCEPTS what it accepts")
                continue
            try:
                accepted = ACCEPTS[function](json.loads(sent))
            except Exception as error:  # noqa: BLE001 - anything that the function raises
                found.append(f"{where} sends {function} {sent}: {type(error).__name__}: {error}")
            else:
                if not accepted:
                    found.append(f"{where} sends {function} {sent}, which is not a sweep")
    return found


@pytest.mark.parametrize("template", repository_templates(), ids=lambda template: template.path)
def test_a_schedule_runs_and_its_function_accepts_what_it_sends(template: Template) -> None:
    assert not (found := faults(template)), "\n".join(found)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('{"RefreshTagItems": "true", "since"', '{"RefreshTagItem": "true", "since"', "MalformedEventError"),
        ('"since": "P2D"', '"sinse": "P2D"', "MalformedEventError: A sweep takes since, until and after"),
        ('"since": "P2D"', '"since": "2D"', "MalformedEventError: since is '2D'"),
        ("FunctionName: TagOnRestore", "FunctionName: Another", "SweepRule invokes Another: say in ACCEPTS"),
        ("rate(1 day)", "rate(1 days)", "SweepRule: rate(1 days): it is neither a rate"),
        ("rate(1 day)", "cron(0 5 * * * *)", "day-of-month or day-of-week must be ?"),
    ],
)
def test_a_schedule_that_does_nothing_is_reported(old: str, new: str, fault: str) -> None:
    template = changed(load(ROOT / f"{MEMBER}/aws-backup-tagonrestore.yaml"), old, new)
    assert fault in "\n".join(faults(template))
