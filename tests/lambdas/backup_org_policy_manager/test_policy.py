"""The policy's text, without AWS."""

import json
from typing import Any

import pytest
from backup_org_policy_manager import policy

from .conftest import plan

REGIONS = ["us-east-1", "eu-west-1"]


def compose(content: Any, variables: dict[str, str] | None = None) -> tuple[str, list[str]]:
    text = content if isinstance(content, str) else json.dumps(content)
    compact, faults = policy.compose(text, variables or {}, REGIONS)
    return compact, [str(fault) for fault in faults]


def rules_of(**rule: Any) -> dict[str, Any]:
    return plan(**rule)


def with_selections(selections: Any) -> dict[str, Any]:
    content = plan()
    content["plans"]["Daily"]["selections"] = selections
    return content


TAG = {"tag_key": {"@@assign": "a"}, "tag_value": {"@@assign": ["b"]}}
ROLE = {"iam_role_arn": {"@@assign": "arn:aws:iam::$account:role/Role"}}


def assign(**values: Any) -> dict[str, Any]:
    return {key: {"@@assign": value} for key, value in values.items()}


FAULTS = {
    "not JSON": ("{", "not valid JSON"),
    "empty": ("", "not valid JSON"),
    "a list": ("[]", "must be a JSON object"),
    "a number": ("7", "must be a JSON object"),
    "not a number": ('{"plans": NaN}', "NaN is not a value"),
    "infinite": ('{"plans": {"a": 1e999}}', "1e999 is not a value"),
    "an endless number": ('{"plans": ' + "9" * 5000 + "}", "not valid JSON"),
    "duplicate key": ('{"plans": {"A": 1, "A": 2}}', "key A appears twice in one object"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "an unpaired surrogate": ('{"plans": "\\ud800"}', "contains an unpaired Unicode surrogate"),
    "no plans": ({}, "PolicyContent.plans: no plan"),
    "only operators in plans": ({"plans": {"@@operators_allowed_for_child_policies": ["@@none"]}}, "no plan"),
    "plans is a list": ({"plans": []}, "no plan"),
    "a plan that is a string": ({"plans": {"A": "b"}}, "PolicyContent.plans.A: must be an object"),
    "no rules": (
        {"plans": {"A": {"selections": {"tags": {"S": ROLE}}}}},
        "PolicyContent.plans.A.rules: no rule",
    ),
    "a rule that is a string": ({"plans": {"A": {"rules": {"R": "x"}}}}, "rules.R: must be an object"),
    "tags and resources": (
        with_selections({"tags": {"S": ROLE}, "resources": {"S": ROLE}}),
        "either tags or resources, not both",
    ),
    "start window in words": (
        rules_of(start_backup_window_minutes={"@@assign": "an hour"}),
        "start_backup_window_minutes: must be a whole number",
    ),
    "complete window in words": (
        rules_of(complete_backup_window_minutes={"@@assign": True}),
        "complete_backup_window_minutes: must be a whole number",
    ),
}


@pytest.mark.parametrize(("content", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_the_problem_with_a_policy_is_named(content: Any, expected: str) -> None:
    faults = compose(content)[1]
    assert any(expected in fault for fault in faults), faults


def test_all_problems_are_reported_together() -> None:
    content = {"plans": {"A": {}, "B": {"rules": {"R": assign(start_backup_window_minutes="1")}}}}
    assert compose(content)[1] == [
        "PolicyContent.plans.B.rules.R.start_backup_window_minutes: 1, at least 60",
        "PolicyContent.plans.A.rules: no rule",
        "PolicyContent.plans.A.selections: no selection",
        "PolicyContent.plans.B.rules.R: no schedule_expression",
        "PolicyContent.plans.B.rules.R: no target_backup_vault_name",
        "PolicyContent.plans.B.selections: no selection",
        "ChildPolicy: must be true if a parent policy supplies what is missing",
    ]


ACCEPTED = {
    "numbers as numbers": rules_of(**assign(start_backup_window_minutes=60)),
    "a number with spaces": rules_of(**assign(start_backup_window_minutes=" 480 ")),
    "kept forever in cold storage": rules_of(lifecycle=assign(move_to_cold_storage_after_days="30")),
    "operators for child policies": with_selections(
        {"@@operators_allowed_for_child_policies": ["@@none"], "tags": {"S": {**ROLE, **TAG}}}
    ),
    "a rule that only appends": rules_of(lifecycle={"delete_after_days": {"@@append": "35"}}),
    "elements AWS added later": rules_of(
        index_actions={"resource_types": {"@@assign": ["EBS"]}},
        scan_actions={"GUARDDUTY": {"scan_mode": {"@@assign": "FULL"}}},
        schedule_expression_timezone={"@@assign": "Europe/Berlin"},
        something_new=[1, 2.5, None, True],
    ),
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=list(ACCEPTED))
def test_a_correct_policy_keeps_everything_and_gets_the_regions(content: dict[str, Any]) -> None:
    compact, faults = compose(content)
    assert not faults
    for each in content["plans"].values():
        each["regions"] = {"@@assign": REGIONS}
    assert json.loads(compact) == content


def test_regions_replace_what_the_content_says_but_not_the_child_control() -> None:
    content = plan()
    control = {"@@operators_allowed_for_child_policies": ["@@none"]}
    content["plans"] |= control
    content["plans"]["Daily"]["regions"] = {"@@append": ["us-west-2"], **control}
    plans = json.loads(compose(content)[0])["plans"]
    assert plans["Daily"]["regions"] == {**control, "@@assign": REGIONS}
    assert plans["@@operators_allowed_for_child_policies"] == ["@@none"]


def test_the_limit_counts_characters_without_whitespace() -> None:
    content = plan(note="ü" * 9_000)
    assert not compose(json.dumps(content, indent=8, ensure_ascii=True))[1]
    size = len(compose(content)[0])
    assert not compose(plan(note="ü" * (9_000 + 10_000 - size)))[1]
    assert compose(plan(note="ü" * (9_001 + 10_000 - size)))[1] == [
        "PolicyContent: 10,001 characters without whitespace, at most 10,000"
    ]


VARIABLES = {
    "a value": ('{"a": "$x"}', {"$x": "1"}, {"a": "1"}),
    "a key": ('{"$x": 1}', {"$x": "a"}, {"a": 1}),
    "a bare number": ('{"a": $x}', {"$x": "60"}, {"a": 60}),
    "tokens that begin alike": (
        '{"a": "$v $vault $vaultArn"}',
        {"$v": "1", "$vaultArn": "3"},
        {"a": "1 1ault 3"},
    ),
    "a value that holds a token": ('{"a": "$x$y"}', {"$x": "$y", "$y": "2"}, {"a": "$y2"}),
    "quotes, backslashes and lines": ('{"a": "$x"}', {"$x": 'say "hi"\\\n'}, {"a": 'say "hi"\\\n'}),
    "a token with a quote": ('{"a": "\\"x\\""}', {'"x"': "1"}, {"a": "1"}),
    "signs of regular expressions": ('{"a": "b.c bXc"}', {"b.c": "\\1"}, {"a": "\\1 bXc"}),
    "a token written with \\u escapes": ('{"a": "\\u0024\\u0078 $x"}', {"$x": "1"}, {"a": "1 1"}),
    "a key written with \\u escapes": ('{"\\u0024x": 1}', {"$x": "a"}, {"a": 1}),
    "a token of an escaped line and slash": ('{"a": "b\\nc \\/x"}', {"b\nc": "1", "/x": "2"}, {"a": "1 2"}),
    "a token outside the Basic Multilingual Plane": (
        '{"a": "\\ud83d\\ude00"}',
        {"\N{GRINNING FACE}": "1"},
        {"a": "1"},
    ),
    "AWS's own $account": ('{"a": "$account"}', {"$accounts": "1"}, {"a": "$account"}),
}


@pytest.mark.parametrize(("text", "variables", "expected"), VARIABLES.values(), ids=list(VARIABLES))
def test_variables_are_replaced(text: str, variables: dict[str, str], expected: dict[str, Any]) -> None:
    assert policy.parse(policy.substitute(text, variables)) == expected


def test_an_unused_token_is_named() -> None:
    content = json.dumps(plan(note="$used")).replace("$used", "\\u0024used")
    assert compose(content, {"$used": "1", "$usd": "2", "VAULT": "3"})[1] == [
        "Variables.$usd: does not occur in PolicyContent",
        "Variables.VAULT: does not occur in PolicyContent",
    ]


def test_a_variable_that_duplicates_a_key_is_refused() -> None:
    assert compose('{"plans": 1, "$x": 2}', {"$x": "plans"})[1] == [
        "PolicyContent: key plans appears twice in one object"
    ]


def test_texts_with_the_same_meaning_are_the_same() -> None:
    assert policy.same('{"a": 1, "b": [2]}', '{"b":[2],"a":1}')
    assert not policy.same('{"a": [1, 2]}', '{"a": [2, 1]}')
    assert not policy.same("no JSON", '{"a": 1}')
