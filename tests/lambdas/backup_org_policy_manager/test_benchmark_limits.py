"""The promised numbers of AWS calls hold on every run of the tests, not only when somebody benchmarks."""

import pytest

from benchmarks.policy_manager import OPERATIONS, measure


@pytest.mark.parametrize("operation", OPERATIONS, ids=[name for name, _, _ in OPERATIONS])
def test_an_operation_keeps_its_number_of_calls(operation: tuple[str, object, int]) -> None:
    measured = measure(*operation)  # type: ignore[arg-type]  # the tuple is OPERATIONS' own
    assert measured.kept, measured
