"""The Lambda function as Lambda calls it: event in; response, log lines and metrics out."""

import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from tag_on_restore import handler as module
from tag_on_restore.errors import CallFailedError, ConfigurationError, MalformedEventError
from tag_on_restore.handler import handler

from tests.lambdas.tag_on_restore.accounts import account_with, account_with_tables, add_job
from tests.lambdas.tag_on_restore.fake_aws import FakeAws
from tests.lambdas.tag_on_restore.restored_types import BY_NAME, event

DYNAMODB = BY_NAME["dynamodb"]
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 900_000)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """The account that the sessions of botocore reach."""
    account = account_with(DYNAMODB, {"project": "shop", "secret": "value-of-a-tag", "tmp:1": "x"})
    monkeypatch.setattr(botocore.session, "get_session", lambda: account)
    module._aws.cache_clear()
    yield account
    module._aws.cache_clear()


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line of embedded metrics that was written."""
    (line,) = capsys.readouterr().out.splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def test_the_response_says_what_was_tagged(aws: FakeAws) -> None:
    assert handler(DYNAMODB.event, CONTEXT) == {
        "outcome": "tagged",
        "restoreJobId": DYNAMODB.detail["restoreJobId"],
        "reason": "tags copied from the source",
        "resources": {
            DYNAMODB.created: {
                "tagged": ["project", "secret", "tmp:1"],
                "origin": "from the source",
                "leftOut": [],
                "withheld": [],
            }
        },
    }


def test_excluded_keys_come_from_the_environment(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGS_TO_EXCLUDE_IN_COPY", "aws:backup:source-resource , tmp:* ,secret")
    handler(DYNAMODB.event, CONTEXT)
    assert aws.tags[DYNAMODB.created] == {"project": "shop"}


def test_the_metrics_are_in_the_embedded_metric_format(
    aws: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    handler(DYNAMODB.event, CONTEXT)
    document = metrics(capsys)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "TagOnRestore"
    assert directive["Dimensions"] == [[]]
    counts = {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}
    assert counts == {"Tagged": 1, "FromSource": 1, "TagsLeftOut": 0, "TagsWithheld": 0}
    assert document["_aws"]["Timestamp"] > 1_700_000_000_000


@pytest.mark.parametrize(("name", "metric"), [("restore-test", "Skipped"), ("cloudformation", "Unsupported")])
def test_what_is_not_tagged_is_counted_too(
    aws: FakeAws, capsys: pytest.CaptureFixture[str], name: str, metric: str
) -> None:
    add_job(aws, event(name))
    handler(event(name), CONTEXT)
    assert metrics(capsys)[metric] == 1


def test_an_unsupported_type_is_a_warning(aws: FakeAws, caplog: pytest.LogCaptureFixture) -> None:
    add_job(aws, event("cloudformation"))
    handler(event("cloudformation"), CONTEXT)
    assert caplog.records[0].levelno == logging.WARNING


def test_the_log_has_tag_keys_but_no_values_and_no_whole_event(
    aws: FakeAws, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG, "tag_on_restore"):
        handler(DYNAMODB.event, CONTEXT)
    written = caplog.text + capsys.readouterr().out
    assert DYNAMODB.created in written
    assert "secret" in written
    assert "value-of-a-tag" not in written
    assert "iamRoleArn" not in written


def test_the_log_level_is_that_of_the_setting(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "warning")
    with caplog.at_level(logging.INFO, "tag_on_restore"):
        handler(DYNAMODB.event, CONTEXT)
    assert caplog.records == []


def test_a_failure_is_logged_and_raised_for_lambda_to_retry(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    aws.denied = {("dynamodb:TagResource", DYNAMODB.created)}
    with pytest.raises(CallFailedError):
        handler(DYNAMODB.event, CONTEXT)
    assert caplog.records[0].levelno == logging.ERROR
    assert "dynamodb tag_resource" in caplog.text


def test_a_malformed_event_is_logged_and_creates_no_client(
    aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MalformedEventError):
        handler({"hello": "world"}, CONTEXT)
    assert "The event is neither" in caplog.text
    assert aws.clients == []


def test_a_sweep_returns_counts_and_logs_each_job(
    monkeypatch: pytest.MonkeyPatch, aws: FakeAws, caplog: pytest.LogCaptureFixture
) -> None:
    restored = account_with_tables(3)
    monkeypatch.setattr(botocore.session, "get_session", lambda: restored)
    assert handler({"RefreshTagItems": "true"}, CONTEXT) == {
        "tagged": 3,
        "unchanged": 0,
        "skipped": 0,
        "unsupported": 0,
        "failed": 0,
        "failures": [],
        "finished": True,
        "next": None,
    }
    assert caplog.text.count('"outcome": "tagged"') == 3


def test_an_unfinished_sweep_returns_the_event_that_continues_it(
    monkeypatch: pytest.MonkeyPatch, aws: FakeAws
) -> None:
    restored = account_with_tables(3)
    monkeypatch.setattr(botocore.session, "get_session", lambda: restored)
    left = iter([900_000, 1_000])
    response = handler(
        {"RefreshTagItems": "true"}, SimpleNamespace(get_remaining_time_in_millis=lambda: next(left))
    )
    assert response["finished"] is False
    assert response["next"] == {
        "RefreshTagItems": "true",
        "since": "2026-11-01T00:00:00+00:00",
        "after": "JOB-00000",
    }
    assert handler(response["next"], CONTEXT)["tagged"] == 2


def test_the_next_invocation_uses_the_same_clients(aws: FakeAws) -> None:
    handler(DYNAMODB.event, CONTEXT)
    handler(DYNAMODB.event, CONTEXT)
    assert aws.clients == ["backup", "dynamodb"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OVERWRITE_EXISTING_TAGS", "yes", "OVERWRITE_EXISTING_TAGS is 'yes'; use true or false"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'; use one of DEBUG"),
    ],
)
def test_an_invalid_setting_is_named(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message):
        handler(DYNAMODB.event, CONTEXT)
