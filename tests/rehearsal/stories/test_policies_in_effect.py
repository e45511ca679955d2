"""Which policies are in effect: what the watch and the checks report, and what they accept."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.errors import OutcomeError
from rehearsal.organization.plan import DEFAULT
from rehearsal.stories.policies_in_effect import Policies
from rehearsal.stories.policy_lifecycle import nonexistent_unit

USUAL, EARLIER = "cron(0 5 ? * * *)", "cron(30 3 ? * * *)"
MEMBERS = DEFAULT.accounts.members
OURS = {"OrgBackupPlanDaily", "OrgBackupPlanMonthly"}


def plans(*names: str, schedule: str = USUAL) -> dict[str, Any]:
    """Effective plans: values without operators."""
    rules = {"OrgDailyBackupRule": {"schedule_expression": schedule}}
    return {name: {"rules": rules} for name in names}


class Organizations:
    """Returns what is in effect in each account: its plans one after the other, then always the last."""

    def __init__(self, in_effect: Mapping[str, list[dict[str, Any]]]) -> None:
        self._in_effect = {account: list(each) for account, each in in_effect.items()}

    def describe_effective_policy(self, TargetId: str, **_: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        each = self._in_effect.get(TargetId, [{}])
        found = each.pop(0) if len(each) > 1 else each[0]
        if not found:
            code = {"Error": {"Code": "EffectivePolicyNotFoundException", "Message": "none"}}
            raise ClientError(code, "DescribeEffectivePolicy")
        return {"EffectivePolicy": {"PolicyContent": json.dumps({"plans": found})}}


def policies(in_effect: Mapping[str, list[dict[str, Any]]]) -> Policies:
    return Policies(Organizations(in_effect), MEMBERS)


def always(found: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {member: [found] for member in MEMBERS}


def test_a_watch_reports_how_often_both_policies_were_in_effect() -> None:
    with policies(always(plans(*OURS))).watched(USUAL) as watch:
        pass
    assert re.fullmatch(r"in effect in all [1-9]\d* checks during the change", watch())


@pytest.mark.parametrize(
    ("gap", "fault"),
    [
        ({}, "account 555555555555 was without OrgBackupPlanDaily, OrgBackupPlanMonthly"),
        (plans("OrgBackupPlanDaily"), "account 555555555555 was without OrgBackupPlanMonthly"),
        (plans(*OURS, schedule=EARLIER), r"555555555555 the daily backup started at cron\(30 3"),
    ],
)
def test_a_moment_without_a_policy_is_a_fault_even_if_it_comes_back(gap: dict[str, Any], fault: str) -> None:
    good = plans(*OURS)
    in_effect = {MEMBERS[0]: [good], MEMBERS[1]: [gap, gap, good]}
    with pytest.raises(OutcomeError, match=fault), policies(in_effect).watched(USUAL):
        pass


def test_a_watch_that_cannot_read_is_a_fault() -> None:
    class Broken(Organizations):
        def describe_effective_policy(self, **_: Any) -> dict[str, Any]:
            raise RuntimeError("no connection")

    broken = Policies(Broken({}), MEMBERS)
    with pytest.raises(OutcomeError, match="could not be read: no connection"), broken.watched():
        pass


@pytest.mark.parametrize(
    ("found", "wanted", "fault"),
    [
        (plans(*OURS), OURS, None),
        ({}, set(), None),
        (plans(*OURS, "Sandbox"), {"Sandbox"}, r"has the backup plans \['OrgBackup.*'Sandbox'\] instead of"),
        ({}, OURS, "has the backup plans none instead of"),
    ],
)
def test_exactly_the_wanted_plans_should_be_in_effect(
    found: dict[str, Any], wanted: set[str], fault: str | None
) -> None:
    read = policies(always(found))
    if fault is None:
        read.expect_in_effect(MEMBERS[0], wanted)
    else:
        with pytest.raises(OutcomeError, match=fault):
            read.expect_in_effect(MEMBERS[0], wanted)


def test_the_nonexistent_unit_has_the_root_of_the_organization() -> None:
    assert nonexistent_unit("ou-abcd-11111111") == "ou-abcd-00000000"
