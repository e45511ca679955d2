"""Runs several tasks at the same time, in threads that never keep the rehearsal from ending."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def run(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Results in the order of `tasks`. All of them finish before the first failure, in that order, is raised.

    An interruption (Ctrl-C) is raised at once: the threads are daemons, so nothing waits for them.
    """
    if len(tasks) == 1:
        return [tasks[0]()]
    results: dict[int, T] = {}
    failures: dict[int, BaseException] = {}

    def work(number: int) -> None:
        try:
            results[number] = tasks[number]()
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            failures[number] = error

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(tasks))]


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The items in their order. A thread makes them without waiting until they are taken.

    A failure to make one is raised where that one is taken.
    """
    made: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()

    def work() -> None:
        try:
            for item in items:
                made.put((item,))
            made.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that takes
            made.put(error)

    def taken() -> Iterator[T]:
        while entry := made.get():
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]

    threading.Thread(target=work, daemon=True).start()
    return taken()
