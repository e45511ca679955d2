"""Every rule's pattern matches the intended event files and no others.

The files in tests/events have the documented forms: "Monitoring AWS Backup events using Amazon EventBridge",
"Monitoring CodeCommit events", "Monitoring CodePipeline events". Whether a pattern
matches is what TestEventPattern of the rehearsal's emulator returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from buildspecs.lint.rules.reading import referred, variants
from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import HOME, MEMBER, PIPELINE
from buildspecs.paths import ROOT
from rehearsal.emulator import Accounts, Emulator
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
def matches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matches]:
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
    """Which events the rule misses, and which it should not match; empty if none."""
    text = pattern(template, rule)
    found = {name for name, event in FILES.items() if matches(text, event)}
    meant = MEANT[template.path, rule]
    parts = {"misses": sorted(meant - found), "matches": sorted(found - meant)}
    said = [f"{verb} {', '.join(names)}" for verb, names in parts.items() if names]
    return f"{template.path}: {rule} {' and '.join(said)}: {text}" if said else ""


def test_every_rule_with_a_pattern_has_event_files() -> None:
    assert {(template.path, rule) for template, rule in patterns()} == set(MEANT), (
        "put the event into tests/events and the rule into MEANT"
    )
    assert all(MEANT.values())


@pytest.mark.parametrize(("template", "rule"), patterns(), ids=lambda part: getattr(part, "path", part))
def test_a_rule_matches_the_intended_events_and_no_others(
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
def test_a_pattern_with_a_fault_is_reported(
    path: str, rule: str, old: str, new: str, found: str, matches: Matches
) -> None:
    assert found in fault(changed(load(ROOT / path), old, new), rule, matches)


def not_permitted(template: Template) -> list[str]:
    """The rules that a function of their template does not allow to invoke it."""
    permitted = {
        (permission["FunctionName"]["Ref"], referred(permission["SourceArn"], "Arn"))
        for _, permission in template.of_type("AWS::Lambda::Permission")
    }
    functions = dict(template.of_type("AWS::Lambda::Function"))
    return [
        f"{template.path}: {rule} may not invoke {function}"
        for rule, properties in template.of_type("AWS::Events::Rule")
        for targets in variants(properties["Targets"])
        for target in targets
        if (function := referred(target["Arn"], "Arn")) in functions and (function, rule) not in permitted
    ]


@pytest.mark.parametrize("template", repository_templates(), ids=lambda template: template.path)
def test_a_rule_is_allowed_to_invoke_its_function(template: Template) -> None:
    assert not_permitted(template) == []


def test_a_missing_permission_is_reported() -> None:
    other = "SourceArn: !GetAtt SweepRule.Arn"
    template = changed(load(ROOT / RESTORES), "SourceArn: !GetAtt RestoreRule.Arn", other)
    assert not_permitted(template) == [f"{RESTORES}: RestoreRule may not invoke Function"]
