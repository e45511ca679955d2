"""The story of the policies: what the watch and the checks find, and what they let pass."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import DEFAULT, Organization
from rehearsal.stories import policy_lifecycle
from rehearsal.stories.policy_lifecycle import Laboratory, Policy, Story

ORGANIZATION = Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
LABORATORY = Laboratory("ou-abcd-22222222", "666666666666", Policy("p-foreign", "{}", frozenset()))
USUAL, EARLIER = "cron(0 5 ? * * *)", "cron(30 3 ? * * *)"
MEMBERS = DEFAULT.accounts.members
OURS = {"OrgBackupPlanDaily", "OrgBackupPlanMonthly"}


def plans(*names: str, schedule: str = USUAL) -> dict[str, Any]:
    """Effective plans: values without operators."""
    rules = {"OrgDailyBackupRule": {"schedule_expression": schedule}}
    return {name: {"rules": rules} for name in names}


class Organizations:
    """Answers what is in force for each account: an account's answers one after the other, then the last."""

    def __init__(self, in_force: Mapping[str, list[dict[str, Any]]]) -> None:
        self._in_force = {account: list(answers) for account, answers in in_force.items()}

    def session(self, *_: str) -> "Organizations":
        return self

    def client(self, _service: str) -> "Organizations":
        return self

    def describe_effective_policy(self, TargetId: str, **_: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        answers = self._in_force.get(TargetId, [{}])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            code = {"Error": {"Code": "EffectivePolicyNotFoundException", "Message": "none"}}
            raise ClientError(code, "DescribeEffectivePolicy")
        return {"EffectivePolicy": {"PolicyContent": json.dumps({"plans": found})}}


def story(in_force: Mapping[str, list[dict[str, Any]]]) -> Story:
    emulator: Any = Organizations(in_force)
    return Story(emulator, ORGANIZATION, LABORATORY)


def always(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {member: [found] for member in MEMBERS}


def test_a_watch_that_finds_both_policies_in_force_is_content() -> None:
    with story(always(plans(*OURS))).watched(USUAL) as watch:
        pass
    assert re.fullmatch(r"in force each of [1-9]\d* times asked meanwhile", watch())


@pytest.mark.parametrize(
    ("gap", "told"),
    [
        ({}, "account 555555555555 was without OrgBackupPlanDaily, OrgBackupPlanMonthly"),
        (plans("OrgBackupPlanDaily"), "account 555555555555 was without OrgBackupPlanMonthly"),
        (plans(*OURS, schedule=EARLIER), r"555555555555 the daily backup started at cron\(30 3"),
    ],
)
def test_a_moment_without_a_policy_is_a_fault_even_if_it_comes_back(gap: dict[str, Any], told: str) -> None:
    good = plans(*OURS)
    in_force = {MEMBERS[0]: [good], MEMBERS[1]: [gap, gap, good]}
    with pytest.raises(OutcomeError, match=told), story(in_force).watched(USUAL):
        pass


def test_a_watch_that_could_not_ask_is_a_fault() -> None:
    class Broken(Organizations):
        def describe_effective_policy(self, **_: Any) -> dict[str, Any]:
            raise RuntimeError("no connection")

    emulator: Any = Broken({})
    broken = Story(emulator, ORGANIZATION, LABORATORY)
    with pytest.raises(OutcomeError, match="could not be asked: no connection"), broken.watched():
        pass


@pytest.mark.parametrize(
    ("found", "wanted", "told"),
    [
        (plans(*OURS), OURS, None),
        ({}, set(), None),
        (plans(*OURS, "Laboratory"), {"Laboratory"}, r"has the backup plans \['Laboratory', 'OrgBackup"),
        ({}, OURS, "has the backup plans none instead of"),
    ],
)
def test_exactly_the_wanted_plans_have_to_be_in_force(
    found: dict[str, Any], wanted: set[str], told: str | None
) -> None:
    asked = story(always(found))
    if told is None:
        asked.in_force(MEMBERS[0], wanted)
    else:
        with pytest.raises(OutcomeError, match=told):
            asked.in_force(MEMBERS[0], wanted)


def test_the_unit_that_does_not_exist_could_be_one_of_the_organization() -> None:
    assert policy_lifecycle.no_unit("ou-abcd-11111111") == "ou-abcd-00000000"
