"""The state of the effective policies is reported and never fails a request."""

import json
import logging
from typing import Any

import pytest

from .conftest import ACCOUNT, OU_1, OU_2, Function, event, plan, properties
from .fakes import Fault

ERROR = {
    "ErrorCode": "ELEMENTS_TOO_MANY",
    "ErrorMessage": "too many rules",
    "PathToError": "plans/Daily/rules",
}


def effective(function: Function, **changed: Any) -> str:
    response = function.invoke(event("Create", properties(**changed)))
    assert response
    assert response["Status"] == "SUCCESS", response["Reason"]
    return str(response["Data"]["EffectivePolicy"])


def test_an_invalid_effective_policy_is_reported_with_account_and_path(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    function.organization.accounts_in[OU_1] = [ACCOUNT]
    function.organization.invalid[ACCOUNT] = [ERROR]
    with caplog.at_level(logging.WARNING):
        assert effective(function) == f"invalid: account {ACCOUNT} at plans/Daily/rules: too many rules"
    assert f"account {ACCOUNT} at plans/Daily/rules" in caplog.text


def test_every_page_of_an_accounts_errors_is_read(function: Function) -> None:
    function.organization.accounts_in[OU_1] = [ACCOUNT]
    function.organization.invalid[ACCOUNT] = [{**ERROR, "ErrorMessage": text} for text in ("a", "b", "c")]
    function.organization.page = 2
    report = effective(function)
    assert all(f"plans/Daily/rules: {text}" in report for text in ("a", "b", "c"))


def test_an_account_that_the_policy_does_not_reach_is_not_reported(function: Function) -> None:
    function.organization.invalid["555555555555"] = [{**ERROR, "ContributingPolicies": ["p-other000"]}]
    assert effective(function) == "valid"


def test_an_error_that_the_policy_contributes_to_is_reported_wherever_it_is(function: Function) -> None:
    policy_id = function.create()
    contributing = {"ErrorCode": "CONFLICT", "ContributingPolicies": ["p-other000", policy_id]}
    function.organization.invalid["555555555555"] = [contributing]
    assert effective(function) == "invalid: account 555555555555 at an unknown path: CONFLICT"


def test_of_200_invalid_accounts_ten_are_read(function: Function) -> None:
    accounts = [f"{number:012d}" for number in range(200)]
    function.organization.accounts_in[OU_2] = accounts
    function.organization.invalid = {account: [ERROR] for account in accounts}
    report = effective(function)
    assert len(report) <= 600
    assert report.count("too many rules") >= 5
    assert function.aws.counts()["ListEffectivePolicyValidationErrors"] == 10


def test_verification_can_be_turned_off(function: Function) -> None:
    assert effective(function, VerifyEffectivePolicy="false") == "off"
    assert function.aws.calls == ["AssumeRole", "CreatePolicy", "AttachPolicy", "AttachPolicy"]


NEWER = {"ListAccountsWithInvalidEffectivePolicy", "ListEffectivePolicyValidationErrors"}


def test_where_the_newer_calls_are_unsupported_effective_policies_are_read(function: Function) -> None:
    function.organization.unsupported = set(NEWER)
    function.organization.accounts_in = {OU_1: [ACCOUNT], OU_2: ["555555555555"]}
    assert effective(function) == "valid"


def test_without_the_newer_calls_in_the_sdk_effective_policies_are_read(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    function.create()
    function.aws.not_in_this_sdk = NEWER
    function.organization.accounts_in = {OU_1: [ACCOUNT], OU_2: ["555555555555"]}
    assert effective(function) == "valid"
    assert not NEWER & set(function.aws.calls)
    assert "DescribeEffectivePolicy" in function.aws.calls


@pytest.mark.parametrize("content", ['{"plans": {"Another": {}}}', "{}", None])
def test_an_effective_policy_without_the_plan_is_reported(function: Function, content: str | None) -> None:
    organization = function.organization
    organization.unsupported = set(NEWER)
    organization.accounts_in = {OU_1: [ACCOUNT]}
    organization.effective[ACCOUNT] = content
    report = effective(function, PolicyTargets=[OU_1])
    assert report == f"invalid: account {ACCOUNT} at plans: no effective plan daily yet"


@pytest.mark.parametrize("how", ["unsupported", "denied"])
def test_without_any_of_the_calls_the_result_is_unknown_and_the_request_succeeds(
    function: Function, how: str
) -> None:
    older = {"DescribeEffectivePolicy", "ListAccountsForParent"}
    setattr(function.organization, how, NEWER | older)
    report = effective(function)
    assert report.startswith("unknown: ListAccountsForParent ou-root-11111111: ")


def test_an_unreadable_response_does_not_fail_the_request(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    organization = function.organization
    organization.unsupported = set(NEWER)
    organization.accounts_in = {OU_1: [ACCOUNT]}
    organization.effective[ACCOUNT] = "no JSON"
    assert effective(function).startswith("unknown: a response from Organizations could not be read")
    assert "action=verify" in caplog.text


def test_plan_names_are_compared_ignoring_case(function: Function) -> None:
    organization = function.organization
    organization.unsupported = set(NEWER)
    organization.accounts_in = {OU_1: [ACCOUNT], OU_2: [ACCOUNT]}
    organization.effective[ACCOUNT] = '{"plans": {"daily": {}}}'
    assert effective(function) == "valid"


def test_what_was_found_before_a_call_failed_is_reported(function: Function) -> None:
    function.organization.accounts_in[OU_1] = [ACCOUNT, "555555555555"]
    function.organization.invalid = {ACCOUNT: [ERROR], "555555555555": [ERROR]}
    response = function.invoke(event("Create", properties()), Fault("denied", 6))
    assert response
    assert function.aws.calls[6] == "ListEffectivePolicyValidationErrors"
    assert (
        response["Data"]["EffectivePolicy"]
        == f"invalid: account {ACCOUNT} at plans/Daily/rules: too many rules"
    )


def test_an_ou_without_accounts_of_its_own_is_unknown(function: Function) -> None:
    function.organization.unsupported = set(NEWER)
    assert effective(function) == f"unknown: no account is directly in {OU_2}"


def test_a_throttled_verification_ends_after_20_seconds(function: Function) -> None:
    response = function.invoke(event("Create", properties()), Fault("throttled forever", 4))
    assert response
    assert response["Status"] == "SUCCESS"
    assert response["Data"]["EffectivePolicy"].startswith("unknown: ")
    assert function.aws.clock.now < 25


INCOMPLETE = {"plans": {"daily": {"rules": {"rule": {"schedule_expression": "cron(0 5 ? * * *)"}}}}}


@pytest.mark.parametrize("newer", [True, False], ids=["newer calls", "older calls"])
def test_an_effective_plan_that_a_child_policy_leaves_incomplete_is_reported(
    function: Function, newer: bool
) -> None:
    organization = function.organization
    organization.unsupported = set() if newer else set(NEWER)
    organization.accounts_in = {OU_1: [ACCOUNT]}
    organization.effective[ACCOUNT] = json.dumps(INCOMPLETE)
    content = {"plans": {"Daily": {"rules": {"Rule": plan()["plans"]["Daily"]["rules"]["Rule"]}}}}
    report = effective(function, PolicyContent=content, ChildPolicy="true", PolicyTargets=[OU_1, ACCOUNT])
    assert report == (
        f"invalid: account {ACCOUNT} at plans.daily.rules.rule: no target_backup_vault_name; "
        f"account {ACCOUNT} at plans.daily.selections: no selection"
    )


def test_a_child_policy_that_a_parent_completes_is_valid(function: Function) -> None:
    function.organization.accounts_in = {OU_1: [ACCOUNT]}
    function.organization.effective[ACCOUNT] = json.dumps(plan())
    content = {"plans": {"Daily": {"rules": {"Rule": {"schedule_expression": {"@@assign": "cron(1)"}}}}}}
    report = effective(function, PolicyContent=content, ChildPolicy="true", PolicyTargets=[OU_1])
    assert report == "valid"
