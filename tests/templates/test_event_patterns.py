"""Every rule's pattern matches the event files that it is meant for, and no other.

The files in tests/events have the documented forms: "Monitoring AWS Backup events using Amazon EventBridge",
"Monitoring CodeCommit events", "Monitoring CodePipeline events". What matches is asked of EventBridge's
TestEventPattern, as the rehearsal's emulator answers it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import HOME, MEMBER, PIPELINE
from buildspecs.paths import ROOT
from rehearsal.emulator import Accounts, Emulator
from tests.rehearsal.conftest import openssl  # noqa: F401 - the emulator's fixture
from tests.templates.planted import changed
from tests.templates.resolving import Resolver

FILES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "tests/events").glob("*.json")}
RESTORES, PIPELINES = f"{MEMBER}/aws-backup-tagonrestore.yaml", f"{HOME}/aws-backup-codepipeline.yaml"
# Rule → the files that it matches.
MEANT: Mapping[tuple[str, str], frozenset[str]] = {
    (RESTORES, "RestoreRule"): frozenset(
        name for name in FILES if name.startswith("restore-job-") and "-status-" not in name
    ),
    (PIPELINES, "StartRule"): frozenset({"codecommit-main-created", "codecommit-main-updated"}),
    (PIPELINES, "FailureRule"): frozenset({"codepipeline-execution-failed"}),
}
# What a deployment puts in place of these, in the account of the event files.
DEPLOYED = {
    "${ImportValue:aws-backup-codecommit-arn}": f"arn:aws:codecommit:us-east-1:111122223333:{PIPELINE}",
    "${Pipeline}": PIPELINE,
}
Matches = Callable[[str, str], bool]


@pytest.fixture(scope="module")
def matches(openssl: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matches]:  # noqa: F811
    """Whether a pattern matches an event, both as JSON."""
    accounts = Accounts("111111111111", "222222222222", "333333333333", ())
    with Emulator(tmp_path_factory.mktemp("emulator"), accounts, "us-east-1") as emulator:
        events = emulator.session(accounts.home, "us-east-1").client("events")
        yield lambda pattern, event: events.test_event_pattern(EventPattern=pattern, Event=event)["Result"]


def patterns() -> list[tuple[Template, str]]:
    """Every rule with a pattern: its template and its logical id."""
    return [
        (template, name)
        for template in repository_templates()
        for name, properties in template.of_type("AWS::Events::Rule")
        if "EventPattern" in properties
    ]


def pattern(template: Template, rule: str) -> str:
    """The pattern as JSON, as it is deployed."""
    text = json.dumps(Resolver(template).properties(rule)["EventPattern"])
    for placeholder, value in DEPLOYED.items():
        text = text.replace(placeholder, value)
    return text


def fault(template: Template, rule: str, matches: Matches) -> str:
    """What the rule matches otherwise than it is meant to; empty if nothing."""
    text = pattern(template, rule)
    found = {name for name, event in FILES.items() if matches(text, event)}
    meant = MEANT[template.path, rule]
    parts = {"misses": sorted(meant - found), "matches": sorted(found - meant)}
    told = [f"{verb} {', '.join(names)}" for verb, names in parts.items() if names]
    return f"{template.path}: {rule} {' and '.join(told)}: {text}" if told else ""


def test_every_rule_with_a_pattern_has_event_files() -> None:
    assert {(template.path, rule) for template, rule in patterns()} == set(MEANT), (
        "put the event into tests/events and the rule into MEANT"
    )
    assert all(MEANT.values())


@pytest.mark.parametrize(("template", "rule"), patterns(), ids=lambda part: getattr(part, "path", part))
def test_a_rule_matches_the_events_that_it_is_meant_for_and_no_others(
    template: Template, rule: str, matches: Matches
) -> None:
    assert not (found := fault(template, rule, matches)), found


@pytest.mark.parametrize(
    ("path", "rule", "old", "new", "found"),
    [
        (PIPELINES, "StartRule", "[main]", "[master]", "misses codecommit-main-created, codecommit-main-upd"),
        (PIPELINES, "StartRule", "[main]", "[main, preview]", "matches codecommit-branch-updated"),
        (PIPELINES, "StartRule", "referenceCreated, referenceU", "referenceU", "misses codecommit-main-cre"),
        (PIPELINES, "StartRule", "[branch]", "[branch, tag]", "matches codecommit-tag-created"),
        (PIPELINES, "FailureRule", "state: [FAILED]", "state: [FAILURE]", "misses codepipeline-execution-f"),
        (PIPELINES, "FailureRule", "Pipeline Pipeline Ex", "Pipeline Stage Ex", "matches codepipeline-stage"),
        (RESTORES, "RestoreRule", "[COMPLETED]", "[COMPLETE]", "RestoreRule misses restore-job-aurora, "),
        (RESTORES, "RestoreRule", "[COMPLETED]", "[ABORTED]", "matches restore-job-status-aborted"),
    ],
)  # fmt: skip
def test_a_pattern_that_matches_otherwise_is_named(
    path: str, rule: str, old: str, new: str, found: str, matches: Matches
) -> None:
    assert found in fault(changed(load(ROOT / path), old, new), rule, matches)
