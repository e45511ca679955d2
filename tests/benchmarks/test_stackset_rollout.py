"""The model follows CloudFormation's documented rules, and our preferences keep the claim."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import stackset_rollout
from benchmarks.stackset_rollout import FASTER, ONE_AT_A_TIME, THROTTLED, Rollout, ours, roll_out

PARALLEL = {"RegionConcurrencyType": "PARALLEL"}
SOFT = {"ConcurrencyMode": "SOFT_FAILURE_TOLERANCE"}


@pytest.mark.parametrize(
    ("preferences", "failing", "expected"),
    [
        ({}, 0, Rollout(40, 40, False)),  # the defaults: one account, one region
        (PARALLEL, 0, Rollout(10, 40, False)),
        ({"MaxConcurrentCount": 5, "FailureToleranceCount": 4}, 0, Rollout(8, 40, False)),
        # strict: never more at a time than tolerance + 1
        ({"MaxConcurrentCount": 5}, 0, Rollout(40, 40, False)),
        ({"MaxConcurrentCount": 5, **SOFT}, 0, Rollout(8, 40, False)),
        # percentages are rounded down, but not to zero
        ({"MaxConcurrentPercentage": 39, **SOFT, **PARALLEL}, 0, Rollout(4, 40, False)),
        ({"MaxConcurrentPercentage": 1, **SOFT, **PARALLEL}, 0, Rollout(10, 40, False)),
        # one more than tolerated stops the region and begins no further one
        ({}, 1, Rollout(1, 1, True)),
        (PARALLEL, 1, Rollout(1, 4, True)),
        ({"FailureTolerancePercentage": 9}, 1, Rollout(1, 1, True)),
        # strict: one less at a time after each failure: 3, then 1 (two have failed), and so on
        ({"MaxConcurrentCount": 5, "FailureToleranceCount": 2, **PARALLEL}, 2, Rollout(8, 40, False)),
        ({"MaxConcurrentCount": 5, "FailureToleranceCount": 2, **SOFT, **PARALLEL}, 2, Rollout(2, 40, False)),
    ],
)
def test_ten_accounts_in_four_regions_follow_the_documented_rules(
    preferences: dict[str, Any], failing: int, expected: Rollout
) -> None:
    assert roll_out(preferences, 10, 4, failing=failing) == expected


def test_a_thousand_accounts_in_four_regions_take_a_hundredth_of_the_steps() -> None:
    one_at_a_time = roll_out(ONE_AT_A_TIME, 1000, 4).steps
    assert one_at_a_time == 4000
    for ceiling in (None, THROTTLED):
        assert one_at_a_time >= FASTER * roll_out(ours(), 1000, 4, ceiling=ceiling).steps


@pytest.mark.parametrize("failing", [1, 999, 1000])
def test_broken_accounts_stop_no_other_account(failing: int) -> None:
    assert roll_out(ours(), 1000, 4, failing=failing) == Rollout(1, 4000, False)


@given(
    accounts=st.integers(1, 60),
    regions=st.integers(1, 5),
    most=st.integers(1, 70),
    tolerated=st.integers(0, 70),
    failing=st.integers(0, 70),
    more=st.sampled_from([{}, SOFT, PARALLEL, SOFT | PARALLEL]),
)
def test_an_operation_reaches_every_account_exactly_if_it_tolerates_the_failures(
    accounts: int, regions: int, most: int, tolerated: int, failing: int, more: dict[str, str]
) -> None:
    preferences = {"MaxConcurrentCount": most, "FailureToleranceCount": tolerated, **more}
    done = roll_out(preferences, accounts, regions, failing=failing)
    assert done.stopped == (min(failing, accounts) > tolerated)
    assert done.stopped or done.attempted == accounts * regions
    assert done.steps <= accounts * regions


def test_the_benchmark_prints_the_table_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert stackset_rollout.main() == 0
    assert "1,000 x 4" in capsys.readouterr().out
