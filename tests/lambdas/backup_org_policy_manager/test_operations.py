"""The limits of AWS calls hold in every test run, not only in the benchmark."""

import pytest

from tests.lambdas.backup_org_policy_manager.operations import OPERATIONS, measure


@pytest.mark.parametrize("operation", OPERATIONS, ids=[name for name, _, _ in OPERATIONS])
def test_an_operation_stays_within_its_limit_of_calls(operation: tuple[str, object, int]) -> None:
    measured = measure(*operation)  # type: ignore[arg-type]  # the tuple is OPERATIONS' own
    assert measured.within_limit, measured
