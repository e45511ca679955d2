"""Which tags are copied: reserved and excluded keys, keys that exist, the limit of fifty."""

import pytest
from tag_on_restore.tags import Exclusions, TagPlan, plan

NOTHING = Exclusions(())
FORTY_NINE = {f"own-{number:02}": "x" for number in range(49)}


@pytest.mark.parametrize(
    ("text", "key", "excluded"),
    [
        ("aws:backup:source-resource", "aws:backup:source-resource", True),
        ("owner", "owner", True),
        ("owner", "Owner", False),
        ("owner", "owner2", False),
        ("  owner ,\tteam ", "team", True),
        ("tmp:*", "tmp:1", True),
        ("tmp:*", "tmp", False),
        ("*-id", "cost-id", True),
        ("*", "anything\nat all", True),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("a.c", "abc", False),
        ("cost[1]", "cost1", False),
        ("cost?", "costs", False),
        ("", "", False),
        (" , ,", "", False),
    ],
)
def test_a_key_is_excluded_exactly_or_by_pattern(text: str, key: str, excluded: bool) -> None:
    assert Exclusions.parse(text).match(key) is excluded


@pytest.mark.parametrize(
    ("source", "restored", "overwrite", "expected"),
    [
        ({"a": "1"}, {}, False, TagPlan({"a": "1"}, ())),
        ({}, {"a": "1"}, False, TagPlan({}, ())),
        ({"a": "1"}, {"a": "1"}, True, TagPlan({}, ())),
        ({"a": "1"}, {"a": "2"}, False, TagPlan({}, ())),
        ({"a": "1"}, {"a": "2"}, True, TagPlan({"a": "1"}, ())),
        ({"a": ""}, {}, False, TagPlan({"a": ""}, ())),
        ({"aws:x": "1", "Aws:y": "1", "aws": "1"}, {}, False, TagPlan({"aws": "1"}, ())),
        ({"b": "1", "a": "1"}, FORTY_NINE, False, TagPlan({"a": "1"}, ("b",))),
        ({"b": "1", "a": "1"}, FORTY_NINE | {"aws:x": "y"}, False, TagPlan({"a": "1"}, ("b",))),
        ({"b": "1", "own-07": "y"}, FORTY_NINE | {"z": ""}, True, TagPlan({"own-07": "y"}, ("b",))),
        ({"Name": "web"}, {}, False, TagPlan({"Name": "web"}, ())),
    ],
)
def test_the_plan(
    source: dict[str, str], restored: dict[str, str], overwrite: bool, expected: TagPlan
) -> None:
    assert plan(source, restored, NOTHING, overwrite) == expected


@pytest.mark.parametrize(
    ("source", "restored", "overwrite", "expected"),
    [
        ({"backup": "daily", "a": "1"}, {}, False, TagPlan({"a": "1"}, (), ("backup",))),
        ({"backup": "daily"}, {"backup": "daily"}, True, TagPlan({}, ())),
        ({"backup": "daily"}, {"backup": "none"}, False, TagPlan({}, ())),
        ({"backup": "daily"}, {"backup": "none"}, True, TagPlan({}, (), ("backup",))),
        ({"Backup": "daily", "backups": "x"}, {}, False, TagPlan({"Backup": "daily", "backups": "x"}, ())),
        (
            {"backup": "daily", "c": "1", "d": "1"},
            FORTY_NINE,
            False,
            TagPlan({"c": "1"}, ("d",), ("backup",)),
        ),
    ],
)
def test_keys_that_select_for_backup_are_withheld_and_do_not_count(
    source: dict[str, str], restored: dict[str, str], overwrite: bool, expected: TagPlan
) -> None:
    assert plan(source, restored, NOTHING, overwrite, frozenset({"backup"})) == expected


def test_what_a_restore_test_created_gets_nothing() -> None:
    restored = {"awsbackup-restore-test": "plan"}
    assert plan({"backup": "daily"}, restored, NOTHING, True) == TagPlan({}, ())


def test_no_name_tag_is_added() -> None:
    assert plan({"project": "shop"}, {}, NOTHING, False).write == {"project": "shop"}


def test_a_resource_with_more_than_fifty_tags_gets_none() -> None:
    restored = {f"own-{number}": "x" for number in range(60)}
    assert plan({"a": "1"}, restored, NOTHING, False) == TagPlan({}, ("a",))
