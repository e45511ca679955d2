"""The response to CloudFormation, as crhelper sends it, and what the log contains."""

import json
import logging
import subprocess
import sys

import pytest
from backup_org_policy_manager import handler, response
from backup_org_policy_manager.errors import NotARequestError

from buildspecs.paths import ROOT
from tests.generated import IN_CODEBUILD

from .conftest import MANAGEMENT, Function, event, properties


def test_40_targets_are_returned_in_full(function: Function) -> None:
    targets = [f"ou-root-{number:08d}" for number in range(40)]
    function.organization.targets += targets
    given = function.invoke(event("Create", properties(PolicyTargets=targets)))
    assert given
    assert given["Data"]["PolicyTargets"] == targets


def test_a_name_of_128_four_byte_characters_fits(function: Function) -> None:
    targets = [f"ou-root-{number:032d}" for number in range(60)]
    function.organization.targets += targets
    name = "\N{GRINNING FACE}" * 128
    given = function.invoke(event("Create", properties(PolicyName=name, PolicyTargets=targets)))
    assert given
    assert given["Data"]["PolicyName"] == name
    assert len(json.dumps(given)) <= 4096


def test_a_missing_setting_is_named(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORG_ADMIN_ROLE_NAME")
    given = function.invoke(event("Create", properties()))
    assert given
    assert given["Status"] == "FAILED"
    assert given["Reason"] == "environment variable ORG_ADMIN_ROLE_NAME of the function is not set"


def test_an_unexpected_error_is_a_failure_with_a_reason(function: Function) -> None:
    def unexpected() -> None:
        raise RuntimeError("unexpected")

    function.aws.after_call = unexpected
    given = function.invoke(event("Create", properties()))
    assert given
    assert (given["Status"], given["Reason"]) == ("FAILED", "unexpected")
    assert given["PhysicalResourceId"] == "policy-not-created"


def test_an_unknown_log_level_does_not_prevent_the_response(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "VERBOSE")
    handler._resource.cache_clear()
    function.create()
    handler._resource.cache_clear()


def test_an_event_without_a_response_url_raises_and_sends_nothing(function: Function) -> None:
    request = event("Create", properties())
    del request["ResponseURL"]
    with pytest.raises(NotARequestError, match="ResponseURL missing"):
        handler.handler(request, function.context())
    assert function.sent == []


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_the_log_has_no_response_url_no_credentials_and_no_whole_event(
    function: Function, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, level: str
) -> None:
    monkeypatch.setenv("LOG_LEVEL", level)
    handler._resource.cache_clear()
    with caplog.at_level(logging.DEBUG):
        function.create()
        function.invoke(event("Create", properties(PolicyName=None)))
    handler._resource.cache_clear()
    assert "action=AttachPolicy" in caplog.text
    assert "PolicyName: missing" in caplog.text
    for secret in ("response?secret", "ASIA", "ResponseURL", "ServiceToken", "SecretAccessKey"):
        assert secret not in caplog.text


def test_the_log_has_every_problem_even_if_the_reason_has_no_room(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = [f"wrong-{number}" for number in range(40)]
    with caplog.at_level(logging.INFO):
        given = function.invoke(event("Create", properties(PolicyTargets=wrong)))
    assert given
    assert len(given["Reason"]) <= 240
    assert all(target in caplog.text for target in wrong)


def test_crhelper_makes_no_clients_and_needs_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    helper = response.custom_resource(lambda event, context: "")
    assert not hasattr(helper, "_lambda_client")
    assert helper._sleep_on_delete == 0
    assert helper._init_failed is None


def test_only_the_clients_that_a_request_needs_are_made(function: Function) -> None:
    function.invoke(event("Delete", properties(), PhysicalResourceId="policy-not-created"))
    assert function.aws.clients == []
    function.create()
    assert function.aws.clients == [("sts", None), ("organizations", f"ASIA{MANAGEMENT}")]


@pytest.mark.skipif(IN_CODEBUILD, reason="starts a process; make test runs it")
def test_importing_the_handler_loads_nothing_but_boto3_crhelper_and_the_package() -> None:
    script = (
        "import sys, boto3, crhelper, random\n"
        "before = set(sys.modules)\n"
        "import backup_org_policy_manager.handler\n"
        "more = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(more), boto3.DEFAULT_SESSION)"
    )
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "lambdas"},
        cwd=ROOT,
    )
    assert done.stdout.strip() == "['backup_org_policy_manager'] None"
