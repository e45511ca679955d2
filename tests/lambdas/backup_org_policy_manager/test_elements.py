"""What AWS's tables require and limit: one row for each quota at its limit and one above it."""

import json
import sys
from typing import Any

import pytest
from backup_org_policy_manager import policy

from tests.generated import IN_CODEBUILD

from .conftest import plan

RULE = "PolicyContent.plans.Daily.rules.Rule"
SELECTION = "PolicyContent.plans.Daily.selections"
VAULT = "arn:aws:backup:us-east-1:111122223333:backup-vault:Vault"


def faults(content: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in policy.compose(json.dumps(content), {}, ["us-east-1"])[1]]


def assign(**values: Any) -> dict[str, Any]:
    return {name: {"@@assign": value} for name, value in values.items()}


def many(number: int, what: Any) -> dict[str, Any]:
    return {f"Name{index}": what for index in range(number)}


def rules(number: int) -> dict[str, Any]:
    content = plan()
    daily = content["plans"]["Daily"]
    daily["rules"] = many(number, daily["rules"]["Rule"])
    return content


def selections(**kinds: Any) -> dict[str, Any]:
    content = plan()
    content["plans"]["Daily"]["selections"] = kinds
    return content


def tag_selection(**changed: Any) -> dict[str, Any]:
    given = assign(iam_role_arn="arn:aws:iam::$account:role/R", tag_key="k", tag_value=["v"]) | changed
    return {name: value for name, value in given.items() if value is not None}


def resource_selection(**changed: Any) -> dict[str, Any]:
    given = assign(iam_role_arn="arn:aws:iam::$account:role/R", resource_types=["*"]) | changed
    return {name: value for name, value in given.items() if value is not None}


def conditions(number: int) -> dict[str, Any]:
    one = assign(condition_key="aws:ResourceTag/a", condition_value="b")
    return {"string_equals": many(number - 1, one), "string_like": {"last": one}}


def copy(**lifecycle: Any) -> dict[str, Any]:
    action = assign(target_backup_vault_arn=VAULT) | {"lifecycle": assign(**lifecycle)}
    return plan(copy_actions={VAULT: action})


def kept(**lifecycle: Any) -> dict[str, Any]:
    return plan(lifecycle=assign(**lifecycle))


def continuous(flag: Any = "true", **lifecycle: Any) -> dict[str, Any]:
    return plan(**assign(enable_continuous_backup=flag), lifecycle=assign(**lifecycle))


COPIES = assign(target_backup_vault_arn=VAULT)
TAG = assign(tag_key="k", tag_value="v")
COPY = f"{RULE}.copy_actions.{VAULT}.lifecycle"
AFTER_30 = "(cold storage after 30, then 90)"

# quota: at the limit, one above it, the place and the limit
QUOTAS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "rules in a plan": (rules(10), rules(11), "PolicyContent.plans.Daily.rules: 11 rules, at most 10"),
    "tag selections in a plan": (
        selections(tags=many(10, tag_selection())),
        selections(tags=many(11, tag_selection())),
        f"{SELECTION}.tags: 11 tag selections, at most 10",
    ),
    "copy actions in a rule": (
        plan(copy_actions=many(5, COPIES)),
        plan(copy_actions=many(6, COPIES)),
        f"{RULE}.copy_actions: 6 copy actions, at most 5",
    ),
    "tags on a recovery point": (
        plan(recovery_point_tags=many(10, TAG)),
        plan(recovery_point_tags=many(11, TAG)),
        f"{RULE}.recovery_point_tags: 11 tags, at most 10",
    ),
    "values in a tag selection": (
        selections(tags={"S": tag_selection(tag_value={"@@assign": ["v"] * 30})}),
        selections(tags={"S": tag_selection(tag_value={"@@assign": ["v"] * 31})}),
        f"{SELECTION}.tags.S.tag_value: 31 values, at most 30",
    ),
    "appended values in a tag selection": (
        selections(tags={"S": tag_selection(tag_value={"@@append": ["v"] * 30})}),
        selections(tags={"S": tag_selection(tag_value={"@@append": ["v"] * 31})}),
        f"{SELECTION}.tags.S.tag_value: 31 values, at most 30",
    ),
    "conditions in a resource selection": (
        selections(resources={"S": resource_selection(conditions=conditions(30))}),
        selections(resources={"S": resource_selection(conditions=conditions(31))}),
        f"{SELECTION}.resources.S.conditions: 31 conditions, at most 30",
    ),
    "conditions in a tag selection": (
        selections(tags={"S": tag_selection(conditions=conditions(30))}),
        selections(tags={"S": tag_selection(conditions=conditions(31))}),
        f"{SELECTION}.tags.S.conditions: 31 conditions, at most 30",
    ),
    "start window": (
        plan(**assign(start_backup_window_minutes="60")),
        plan(**assign(start_backup_window_minutes="59")),
        f"{RULE}.start_backup_window_minutes: 59, at least 60",
    ),
    "least days": (
        kept(delete_after_days=1),
        kept(delete_after_days=0),
        f"{RULE}.lifecycle.delete_after_days: 0, from 1 to 36,500",
    ),
    "most days": (
        kept(delete_after_days="36500"),
        kept(delete_after_days="36501"),
        f"{RULE}.lifecycle.delete_after_days: 36501, from 1 to 36,500",
    ),
    "least days before cold storage": (
        kept(move_to_cold_storage_after_days=1),
        kept(move_to_cold_storage_after_days=0),
        f"{RULE}.lifecycle.move_to_cold_storage_after_days: 0, from 1 to 36,500",
    ),
    "most days before cold storage": (
        kept(move_to_cold_storage_after_days=36500),
        kept(move_to_cold_storage_after_days=36501),
        f"{RULE}.lifecycle.move_to_cold_storage_after_days: 36501, from 1 to 36,500",
    ),
    "days in cold storage": (
        kept(move_to_cold_storage_after_days="30", delete_after_days="120"),
        kept(move_to_cold_storage_after_days="30", delete_after_days="119"),
        f"{RULE}.lifecycle.delete_after_days: 119, at least 120 {AFTER_30}",
    ),
    "least days of a copy": (
        copy(delete_after_days=1),
        copy(delete_after_days=0),
        f"{COPY}.delete_after_days: 0, from 1 to 36,500",
    ),
    "most days of a copy": (
        copy(delete_after_days=36500),
        copy(delete_after_days=36501),
        f"{COPY}.delete_after_days: 36501, from 1 to 36,500",
    ),
    "most days before cold storage of a copy": (
        copy(move_to_cold_storage_after_days=36500),
        copy(move_to_cold_storage_after_days=36501),
        f"{COPY}.move_to_cold_storage_after_days: 36501, from 1 to 36,500",
    ),
    "days of a copy in cold storage": (
        copy(move_to_cold_storage_after_days=30, delete_after_days=120),
        copy(move_to_cold_storage_after_days=30, delete_after_days=119),
        f"{COPY}.delete_after_days: 119, at least 120 {AFTER_30}",
    ),
    "most days of a continuous backup": (
        continuous(delete_after_days="35"),
        continuous(delete_after_days="36"),
        f"{RULE}.lifecycle.delete_after_days: 36, at most 35 for a continuous backup",
    ),
}


@pytest.mark.parametrize("name", QUOTAS)
def test_the_limit_is_accepted_and_one_more_is_refused_with_place_and_limit(name: str) -> None:
    at_the_limit, above, expected = QUOTAS[name]
    assert faults(at_the_limit) == []
    assert faults(above) == [expected]


@pytest.mark.parametrize(
    ("days", "cold", "place", "limits"),
    [
        (36, 30, "delete_after_days: 36", "at least 120"),
        (120, 30, "delete_after_days: 120", "at least 120"),
        (36501, 30, "delete_after_days: 36501", "at least 120"),
        (None, 30, "move_to_cold_storage_after_days: 30", "at least 120"),
    ],
)
def test_the_refusal_of_a_continuous_rule_names_both_of_its_limits(
    days: int | None, cold: int, place: str, limits: str
) -> None:
    lifecycle = {"move_to_cold_storage_after_days": cold} | ({"delete_after_days": days} if days else {})
    for flag in (True, "true", "True"):
        (fault,) = faults(continuous(flag, **lifecycle))
        assert fault.startswith(f"{RULE}.lifecycle.{place}, ")
        assert limits in fault
        assert "at most 35 for a continuous backup" in fault


def test_snapshots_and_copies_of_a_continuous_rule_may_be_kept_longer() -> None:
    assert faults(continuous("false", delete_after_days=366)) == []
    content = continuous(delete_after_days=35)
    content["plans"]["Daily"]["rules"]["Rule"]["copy_actions"] = {
        VAULT: COPIES | {"lifecycle": assign(delete_after_days=366)}
    }
    assert faults(content) == []


@pytest.mark.parametrize(
    ("content", "element"),
    [
        (plan(schedule_expression={}), "rules.Rule: no schedule_expression"),
        (plan(**assign(schedule_expression="")), "rules.Rule: no schedule_expression"),
        (
            plan(target_backup_vault_name={"@@operators_allowed_for_child_policies": ["@@none"]}),
            "rules.Rule: no target_backup_vault_name",
        ),
        (plan(copy_actions={VAULT: {}}), f"rules.Rule.copy_actions.{VAULT}: no target_backup_vault_arn"),
        *[
            (selections(tags={"S": tag_selection(**{name: None})}), f"selections.tags.S: no {name}")
            for name in ("iam_role_arn", "tag_key", "tag_value")
        ],
        (selections(tags={"S": tag_selection(tag_value={"@@assign": []})}), "tags.S: no tag_value"),
        (selections(tags={"S": tag_selection(tag_value={"@@remove": ["v"]})}), "tags.S: no tag_value"),
        *[
            (selections(resources={"S": resource_selection(**{name: None})}), f"resources.S: no {name}")
            for name in ("iam_role_arn", "resource_types")
        ],
        (selections(), "selections: no selection"),
        (selections(tags={}), "selections: no selection"),
        (
            selections(tags={"@@operators_allowed_for_child_policies": ["@@none"]}),
            "selections: no selection",
        ),
    ],
)
def test_a_missing_element_is_refused_unless_a_parent_may_supply_it(
    content: dict[str, Any], element: str
) -> None:
    found = faults(content)
    assert any(fault.endswith(element) for fault in found), found
    assert found[-1].startswith("ChildPolicy: ")
    as_child = policy.compose(json.dumps(content), {}, ["us-east-1"], child=True)[1]
    assert not [fault for fault in as_child if fault.what.startswith("no ")]


@pytest.mark.parametrize(
    "target",
    [
        VAULT,
        "arn:aws:backup:us-west-2:$account:backup-vault:Vault",
        "arn:aws:backup:$region:$account:backup-vault:Default",
        "arn:aws:backup:$region:111122223333:backup-vault:vault-of-$account-$region",
        "arn:aws-iso-b:backup:us-isob-east-1:111122223333:backup-vault:Vault",
        "arn:aws-cn:backup:cn-north-1:111122223333:backup-vault:a-b_C9",
        "arn:aws-us-gov:backup:us-gov-west-1:111122223333:backup-vault:Vault",
    ],
)
def test_a_vault_arn_may_contain_the_variables_of_aws(target: str) -> None:
    assert faults(plan(copy_actions={target: assign(target_backup_vault_arn=target)})) == []
    assert faults(plan(**assign(target_logically_air_gapped_backup_vault_arn=target))) == []


@pytest.mark.parametrize(
    "target",
    [
        "CENTRAL_VAULT_ARN",
        "Vault",
        "arn:aws:backup:us-east-1:111122223333:backup-vault:$Vault",
        "arn:aws:backup:us-east-1:111122223333:backup-vault:${Vault}",
        "arn:aws:backup:us-east-1:$accounts:backup-vault:Vault",
        "arn:aws:backup:us-east-1:1111:backup-vault:Vault",
        "arn:aws:backup:us-east-1:111122223333:backup-plan:Vault",
        "arn:aws:iam::111122223333:role/Vault",
        f" {VAULT}",
        [VAULT],
        7,
    ],
)
def test_a_target_that_is_not_a_vault_is_named(target: Any) -> None:
    place = f"{RULE}.copy_actions.{VAULT}.target_backup_vault_arn"
    assert faults(plan(copy_actions={VAULT: assign(target_backup_vault_arn=target)})) == [
        f"{place}: {target} is not the ARN of a backup vault"
    ]
    assert faults(plan(**assign(target_logically_air_gapped_backup_vault_arn=target))) == [
        f"{RULE}.target_logically_air_gapped_backup_vault_arn: {target} is not the ARN of a backup vault"
    ]


@pytest.mark.parametrize("value", ["35.5", 35.5, "", None, True, "abc", [35], "0x23"])
def test_days_and_minutes_that_are_not_whole_numbers_are_named(value: Any) -> None:
    problem = "must be a whole number"
    for name in ("delete_after_days", "move_to_cold_storage_after_days"):
        assert faults(kept(**{name: value})) == [f"{RULE}.lifecycle.{name}: {problem}"]
        assert faults(copy(**{name: value})) == [f"{COPY}.{name}: {problem}"]
    for name in ("start_backup_window_minutes", "complete_backup_window_minutes"):
        assert faults(plan(**assign(**{name: value}))) == [f"{RULE}.{name}: {problem}"]


@pytest.mark.parametrize("days", [-1, "-1", 0, "0", 36501, "36501", "999999999999"])
def test_days_beyond_the_limits_are_refused_as_numbers_and_as_strings(days: Any) -> None:
    for name in ("delete_after_days", "move_to_cold_storage_after_days"):
        for content in (kept(**{name: days}), copy(**{name: days})):
            (fault,) = faults(content)
            assert fault.endswith(f"lifecycle.{name}: {days}, from 1 to 36,500")


@pytest.mark.parametrize("value", ["yes", "", 1, None, ["true"]])
def test_a_boolean_that_is_neither_true_nor_false_is_named(value: Any) -> None:
    assert faults(continuous(value)) == [f"{RULE}.enable_continuous_backup: must be true or false"]
    name = "opt_in_to_archive_for_supported_resources"
    assert faults(kept(**{name: value})) == [f"{RULE}.lifecycle.{name}: must be true or false"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (plan(schedule_expression="cron(0 5 ? * * *)"), f"{RULE}.schedule_expression"),
        (plan(target_backup_vault_name=None), f"{RULE}.target_backup_vault_name"),
        (plan(start_backup_window_minutes=60), f"{RULE}.start_backup_window_minutes"),
        (plan(complete_backup_window_minutes="120"), f"{RULE}.complete_backup_window_minutes"),
        (plan(enable_continuous_backup=True), f"{RULE}.enable_continuous_backup"),
        (plan(lifecycle={"delete_after_days": 35}), f"{RULE}.lifecycle.delete_after_days"),
        (plan(lifecycle={"delete_after_days": {"value": 35}}), f"{RULE}.lifecycle.delete_after_days"),
        (plan(index_actions={"resource_types": ["EBS"]}), f"{RULE}.index_actions.resource_types"),
        (
            plan(copy_actions={VAULT: {"target_backup_vault_arn": VAULT}}),
            f"{RULE}.copy_actions.{VAULT}.target_backup_vault_arn",
        ),
        (
            plan(recovery_point_tags={"a": {"tag_key": "a", "tag_value": {"@@assign": "b"}}}),
            f"{RULE}.recovery_point_tags.a.tag_key",
        ),
        (selections(tags={"S": tag_selection(tag_value=["v"])}), f"{SELECTION}.tags.S.tag_value"),
        (
            selections(resources={"S": resource_selection(resource_types=["*"])}),
            f"{SELECTION}.resources.S.resource_types",
        ),
        (
            selections(
                tags={"S": tag_selection(conditions={"string_equals": {"c": {"condition_key": "a"}}})}
            ),
            f"{SELECTION}.tags.S.conditions.string_equals.c.condition_key",
        ),
    ],
)
def test_a_plain_value_where_an_operator_is_required_is_named(content: dict[str, Any], place: str) -> None:
    assert f"{place}: needs an operator such as @@assign" in faults(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (plan(lifecycle="35"), f"{RULE}.lifecycle: must be an object"),
        (plan(copy_actions=[VAULT]), f"{RULE}.copy_actions: must be an object"),
        (selections(tags={"S": "backup=daily"}), f"{SELECTION}.tags.S: must be an object"),
        (
            plan(schedule_expression={"@@asign": "cron(0 5 ? * * *)"}),
            f"{RULE}.schedule_expression.@@asign: no such operator",
        ),
        (plan(new_element={"a": [{"@@Assign": 1}]}), f"{RULE}.new_element.a[0].@@Assign: no such operator"),
        (
            plan(**{"@@operators_allowed_for_child_policies": ["@@non"]}),
            f"{RULE}.@@operators_allowed_for_child_policies: @@non is not an operator",
        ),
    ],
)
def test_an_invalid_operator_or_object_is_named_with_its_path(content: dict[str, Any], expected: str) -> None:
    found = faults(content)
    assert any(fault.startswith(expected) for fault in found), found


def test_content_of_any_depth_ends_in_a_policy_or_a_refusal() -> None:
    """With Python's default recursion limit, which other libraries raise in the test process."""
    found = set()
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(1000)
        for depth in range(100, 1100, 50 if IN_CODEBUILD else 10):
            deep = '{"a":' * depth + "1" + "}" * depth
            text = json.dumps(plan(something_new=0)).replace('"something_new": 0', f'"something_new": {deep}')
            found.add(tuple(policy.compose(text, {}, ["us-east-1"])[1]))
    finally:
        sys.setrecursionlimit(before)
    assert found == {(), (("PolicyContent", "nested too deeply"),)}
