"""The search of the logs finds every secret, and nothing in harmless lines."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from buildspecs.paths import ROOT
from rehearsal.checks import secrets_in_logs
from rehearsal.checks.secrets_in_logs import FORBIDDEN, files, secrets_in
from rehearsal.errors import OutcomeError

RESPONSE_URL, SIGNED, CREDENTIAL, CLOUDFORMATION, BACKUP = FORBIDDEN
CUSTOM_RESOURCE = {
    "RequestType": "Create",
    "ResponseURL": "https://localhost/response",
    "ResourceProperties": {"PolicyName": "daily"},
}
EVENTS = ROOT / "tests" / "events"
SIGNATURE = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (json.dumps(CUSTOM_RESOURCE), {RESPONSE_URL, CLOUDFORMATION}),
        (str(CUSTOM_RESOURCE), {RESPONSE_URL, CLOUDFORMATION}),
        ("put to https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x", {RESPONSE_URL}),
        ("GET /package.zip?X-Amz-Signature=0a1b", {SIGNED}),
        ("role=ASIAIOSFODNN7EXAMPLE", {CREDENTIAL}),
        ("AWS_SECRET_ACCESS_KEY=test", {CREDENTIAL}),
        ("{'SessionToken': 'IQoJb3Jp'}", {CREDENTIAL}),
        (f"Authorization: AWS4-HMAC-SHA256 Signature={SIGNATURE}", {CREDENTIAL}),
        ("{'detail-type': 'Restore Job State Change'}", {BACKUP}),
    ],
)
def test_what_no_log_may_hold_is_found(line: str, what: set[str]) -> None:
    assert set(secrets_in(line)) == what


@pytest.mark.parametrize("file", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_logged_restore_event_is_found(file: Path) -> None:
    assert BACKUP in secrets_in(json.dumps(json.loads(file.read_text())))


@pytest.mark.parametrize(
    "line",
    [
        "INFO RequestType=Create LogicalResourceId=DailyPolicy PolicyId=p-0123456789",
        "INFO job=1 arn=arn:aws:dynamodb:us-east-1:444444444444:table/restored tags=3",
        "START RequestId: 5b2c6d1e-0c1f-4b57-9d40-2f3f8f1a7c11 Version: $LATEST",
        "policy-manager: the session token has expired; assume the role again",
        "restored: detail-type and source are as expected",
    ],
)
def test_a_harmless_line_is_accepted(line: str) -> None:
    assert secrets_in(line) == []


def test_every_log_file_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "operator" / "build").mkdir(parents=True)
    (tmp_path / "operator" / "build" / "build.log").write_text("one\ntwo\n")
    (tmp_path / "operator" / "source.txt").write_text("no log\n")
    assert [(log, list(lines)) for log, lines in files(tmp_path)] == [
        ("operator/build/build.log", ["one", "two"])
    ]


class Logs:
    """CloudWatch Logs with one group, the same in every account and Region of a fake emulator."""

    def __init__(self, *messages: str) -> None:
        self._pages: dict[str, dict[str, Any]] = {
            "describe_log_groups": {"logGroups": [{"logGroupName": "/aws/lambda/TagOnRestore-1"}]},
            "filter_log_events": {"events": [{"message": message} for message in messages]},
        }

    def session(self, *_: str) -> Any:
        return SimpleNamespace(client=lambda _: self)

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [self._pages[operation]])


def search(logs: Logs, folder: Path) -> int:
    accounts = SimpleNamespace(ids_by_name=lambda: {"member-1": "444444444444"})
    plan = SimpleNamespace(home_region="us-east-1", regions=("us-east-1",), accounts=accounts)
    emulator: Any = logs
    created: Any = SimpleNamespace(plan=plan)
    return secrets_in_logs.check(emulator, created, folder)


def test_harmless_logs_are_counted(tmp_path: Path) -> None:
    (tmp_path / "build.log").write_text("3 passed\n")
    assert search(Logs("START\nINFO tags=3\n"), tmp_path) == 3


def test_a_log_with_a_secret_is_named_and_the_secret_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "build.log").write_text("AWS_SESSION_TOKEN=IQoJb3Jp\n")
    with pytest.raises(OutcomeError) as raised:
        search(Logs(json.dumps(CUSTOM_RESOURCE)), tmp_path)
    said = [str(raised.value), *raised.value.details]
    place = "log group /aws/lambda/TagOnRestore-1 of member-1, us-east-1"
    assert said == [
        f"{place} holds {RESPONSE_URL}.",
        f"{place} holds {CLOUDFORMATION}.",
        f"build.log holds {CREDENTIAL}.",
    ]
    assert "localhost" not in "".join(said)


def test_a_rehearsal_without_function_logs_proves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match="no function has written a log"):
        search(Logs(), tmp_path)
