"""Backup policies: what Organizations refuses, and what takes effect if several are attached."""

import json
from typing import Any

import pytest

from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.organizations import backup_policies

RULE = {
    "schedule_expression": {"@@assign": "cron(0 5 ? * * *)"},
    "start_backup_window_minutes": {"@@assign": "60"},
    "complete_backup_window_minutes": {"@@assign": "1200"},
    "target_backup_vault_name": {"@@assign": "Vault"},
    "lifecycle": {"delete_after_days": {"@@assign": "35"}},
    "copy_actions": {
        "arn:aws:backup:us-east-1:333333333333:backup-vault:Central": {
            "target_backup_vault_arn": {
                "@@assign": "arn:aws:backup:us-east-1:333333333333:backup-vault:Central"
            },
            "lifecycle": {"delete_after_days": {"@@assign": "35"}},
        }
    },
}
SELECTIONS = {
    "tags": {
        "Daily": {
            "iam_role_arn": {"@@assign": "arn:aws:iam::$account:role/R"},
            "tag_key": {"@@assign": "backup"},
            "tag_value": {"@@assign": ["daily"]},
        }
    }
}


def policy(rule: dict[str, Any], selections: dict[str, Any] | None = None) -> str:
    plan = {
        "regions": {"@@assign": ["us-east-1"]},
        "rules": {"R": rule},
        "selections": selections or SELECTIONS,
    }
    return json.dumps({"plans": {"P": plan}})


def test_a_complete_policy_is_accepted() -> None:
    backup_policies.check(policy(RULE))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "not valid JSON"),
        ('{"plans": {}, "plans": {}}', "duplicate keys: plans"),
        ("[]", 'the one key "plans"'),
        ('{"plans": {}, "extra": 1}', 'the one key "plans"'),
        ('{"plans": {"P": {"rule": {}}}}', "plans.P has unknown elements: rule"),
        ('{"plans": {"P": {"regions": ["us-east-1"]}}}', "plans.P.regions needs a value operator"),
        (policy({**RULE, "window": {}}), "plans.P.rules.R has unknown elements: window"),
        (policy({**RULE, "start_backup_window_minutes": {"@@assign": "59"}}), "must be at least 60"),
        (policy({**RULE, "start_backup_window_minutes": {"@@assign": "soon"}}), "a whole number, not 'soon'"),
        (
            policy(
                {
                    **RULE,
                    "lifecycle": {
                        "delete_after_days": {"@@assign": "100"},
                        "move_to_cold_storage_after_days": {"@@assign": "30"},
                    },
                }
            ),
            "at least 90 days after cold storage",
        ),
        (policy({**RULE, "copy_actions": {"v": {"to": {}}}}), "copy_actions.v has unknown elements: to"),
        (policy(RULE, {"tags": {"T": {"key": {}}}}), "selections.tags.T has unknown elements: key"),
    ],
)
def test_a_malformed_policy_is_refused_with_the_path(content: str, named: str) -> None:
    with pytest.raises(ApiError) as error:
        backup_policies.check(content)
    assert error.value.code == "MalformedPolicyDocumentException"
    assert named in error.value.message


def test_spaces_count_towards_the_limit() -> None:
    content = policy(RULE)
    backup_policies.check(content + " " * (10_000 - len(content)))
    with pytest.raises(ApiError, match="10001 characters") as error:
        backup_policies.check(content + " " * (10_001 - len(content)))
    assert error.value.code == "ConstraintViolationException"


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ([{"@@assign": ["a"]}], ["a"]),
        ([{"@@assign": ["a"]}, {"@@assign": ["b"]}], ["b"]),
        ([{"@@assign": ["a"]}, {"@@append": ["b"]}], ["a", "b"]),
        ([{"@@assign": ["a", "b"]}, {"@@remove": ["a"]}], ["b"]),
        ([{"@@assign": ["a"]}, {"@@append": ["a", "c"]}], ["a", "c"]),
        ([{"@@assign": "a"}, {"@@assign": "b"}], "b"),
    ],
)
def test_values_are_inherited_by_their_operators(operators: list[dict[str, Any]], expected: Any) -> None:
    levels = [[{"plans": {"P": {"regions": each}}}] for each in operators]
    assert backup_policies.effective(levels) == {"plans": {"P": {"regions": expected}}}


def test_plans_with_different_names_are_all_in_effect() -> None:
    contents = [{"plans": {name: {"regions": {"@@assign": [name]}}}} for name in ("A", "B")]
    assert backup_policies.effective([contents]) == {
        "plans": {"A": {"regions": ["A"]}, "B": {"regions": ["B"]}}
    }


def test_two_policies_of_one_target_with_different_values_are_in_conflict() -> None:
    first, second = ({"plans": {"P": {"regions": {"@@assign": [region]}}}} for region in ("a", "b"))
    assert backup_policies.conflicts([[first, second]]) == ["/plans/P/regions"]


def test_policies_of_different_levels_or_with_equal_values_are_not_in_conflict() -> None:
    first, second = ({"plans": {"P": {"regions": {"@@assign": [region]}}}} for region in ("a", "b"))
    assert backup_policies.conflicts([[first], [second]]) == []
    assert backup_policies.conflicts([[first, first]]) == []
