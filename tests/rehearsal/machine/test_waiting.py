"""The poller."""

import pytest

from rehearsal.machine import waiting


def test_the_first_true_value_ends_the_waiting() -> None:
    values = iter(["", "found", "later"])
    assert waiting.until(lambda: next(values), seconds=10) == "found"


@pytest.mark.parametrize("seconds", [0, 0.05])
def test_when_the_time_is_over_the_last_value_counts(seconds: float) -> None:
    assert waiting.until(lambda: None, seconds) is None
