"""Items that are made ahead of their use."""

import threading
from collections.abc import Iterator

import pytest

from rehearsal.machine import parallel


def test_items_are_made_before_they_are_taken_and_keep_their_order() -> None:
    all_made = threading.Event()

    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        all_made.set()

    taken = parallel.ahead(items())
    assert all_made.wait(5)
    assert list(taken) == [1, 2, 3]


def test_a_failure_to_make_an_item_is_raised_where_it_is_taken() -> None:
    taken = parallel.ahead(int(text) for text in ("1", "two"))
    assert next(taken) == 1
    with pytest.raises(ValueError, match="two"):
        next(taken)
