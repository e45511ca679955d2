"""Sweeps: TagOnRestore looks at past restore jobs again, on its schedule or when it is invoked by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from buildspecs.names import TAG_FUNCTION, TAG_SWEEP_ALARM
from rehearsal.errors import OutcomeError
from rehearsal.organization import logs, rules
from rehearsal.stories.member import Member
from rehearsal.stories.restore_jobs import end_of_log, eventually

_BY_HAND: Final = {"RefreshTagItems": "true"}
_RUNS_IN_LOOK_BACK: Final = 2  # so that one lost run does no harm


def scheduled(member: Member, expected: Mapping[str, int]) -> str:
    """Run the rule that starts the function on a schedule; returns what the rule sent.

    Raises OutcomeError unless the sweep writes the expected metrics (all others 0), and among them the one
    that its alarm watches.
    """
    started = rules.starting(member.emulator, member, f":function:{TAG_FUNCTION}")
    schedules = [each for each in started if each.schedule and each.enabled]
    if len(schedules) != 1:
        raise OutcomeError(
            f"{len(schedules)} enabled schedules start {TAG_FUNCTION} in {member}, instead of one.",
            *map(str, started),
        )
    rule, sent = schedules[0], str(schedules[0].target.get("Input", "{}"))
    before = len(_metrics(member))
    check_look_back(rule, sent, rules.run(member.emulator, member, rule.name))
    found = eventually(
        lambda: _metrics(member)[before:],
        lambda: OutcomeError(
            f"{TAG_FUNCTION} has not swept: rule {rule.name}, {rule.schedule}, sent it {sent}",
            *end_of_log(member),
        ),
    )[0]
    if (watched := _watched(member)) not in found:
        raise OutcomeError(
            f"alarm {TAG_SWEEP_ALARM} in {member} watches {watched}, but a sweep writes {', '.join(found)}."
        )
    counts = {_metric(TAG_FUNCTION, name): count for name, count in expected.items()}
    if {name: count for name, count in found.items() if count} != counts:
        raise OutcomeError(f"the sweep in {member} counted {found} instead of {counts}.", *end_of_log(member))
    return f"rule {rule.name}, {rule.schedule}, sent {sent}"


def by_hand(member: Member, expected: Mapping[str, int]) -> str:
    """Invoke the function to look at all restore jobs again; returns its counts in words.

    Raises OutcomeError unless it finishes with the expected counts (0 if not named).
    """
    invoked = member.client("lambda").invoke(FunctionName=TAG_FUNCTION, Payload=json.dumps(_BY_HAND))
    response = json.loads(invoked["Payload"].read())
    outcomes = ("tagged", "unchanged", "skipped", "unsupported", "failed")
    counts = {outcome: response.get(outcome) for outcome in outcomes}
    if not response.get("finished") or counts != {name: expected.get(name, 0) for name in outcomes}:
        raise OutcomeError(
            f"the sweep in {member} returned {response} instead of {dict(expected)}.", *end_of_log(member)
        )
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def look_back(sent: str) -> timedelta | None:
    """The period before now that a sweep's input names; None: all that AWS Backup keeps. Pure."""
    since = re.fullmatch(r"P(?:(\d+)D)?(?:T(\d+)H)?", json.loads(sent).get("since", ""))
    return timedelta(days=int(since[1] or 0), hours=int(since[2] or 0)) if since else None


def check_look_back(rule: rules.Trigger, sent: str, pause: timedelta) -> None:
    """Raises OutcomeError unless a sweep also covers the run before it."""
    back = look_back(sent)
    if back is not None and pause * _RUNS_IN_LOOK_BACK > back:
        raise OutcomeError(
            f"rule {rule.name}, {rule.schedule}, runs every {pause}, and each sweep looks back {back}: "
            f"it should look back over {_RUNS_IN_LOOK_BACK} runs, so that a lost one does no harm."
        )


def _watched(member: Member) -> str:
    """The metric that the alarm of the sweep watches."""
    alarms = member.client("cloudwatch").describe_alarms(AlarmNames=[TAG_SWEEP_ALARM])["MetricAlarms"]
    if not alarms:
        raise OutcomeError(f"there is no alarm {TAG_SWEEP_ALARM} in {member}.")
    names = [dimension["Name"] for dimension in alarms[0]["Dimensions"]]
    return _metric(alarms[0]["Namespace"], alarms[0]["MetricName"], names)


def _metrics(member: Member) -> list[dict[str, int]]:
    """What CloudWatch reads from the function's log: a line in the embedded metric format for each sweep."""
    log = logs.of_function(member.emulator, member, TAG_FUNCTION)
    documents = [json.loads(line) for line in log if '"CloudWatchMetrics"' in line]
    return [
        {
            _metric(directive["Namespace"], definition["Name"], dimensions): document[definition["Name"]]
            for directive in document["_aws"]["CloudWatchMetrics"]
            for definition in directive["Metrics"]
            for dimensions in directive["Dimensions"]
        }
        for document in documents
    ]


def _metric(namespace: str, name: str, dimensions: Iterable[str] = ()) -> str:
    """A metric in words."""
    return " ".join([namespace, name, *(f"by {dimension}" for dimension in sorted(dimensions))])
