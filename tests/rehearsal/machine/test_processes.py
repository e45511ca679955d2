"""Programs and threads that the rehearsal starts."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.machine import parallel, processes

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def test_a_program_runs_with_exactly_its_environment(tmp_path: Path) -> None:
    done = processes.run(
        ["bash", "-c", "echo $A; pwd; echo wrong >&2; exit 3"],
        folder=tmp_path,
        environment={**ENVIRONMENT, "A": "b"},
        log=tmp_path / "log",
    )
    assert (done.code, done.stdout) == (3, f"b\n{tmp_path}\n")
    assert done.output == f"b\n{tmp_path}\nwrong\n"


@pytest.fixture
def not_interrupted() -> Iterator[None]:
    yield
    processes._ended.clear()


@pytest.mark.usefixtures("not_interrupted")
def test_an_interruption_ends_what_runs_and_what_starts_later(tmp_path: Path) -> None:
    codes: list[int] = []

    def sleep(log: str) -> None:
        done = processes.run(["sleep", "60"], folder=tmp_path, environment=ENVIRONMENT, log=tmp_path / log)
        codes.append(done.code)

    thread = threading.Thread(target=sleep, args=("first",))
    thread.start()
    while not processes._running:
        time.sleep(0.01)
    processes.end_all()
    thread.join(timeout=10)
    sleep("second")
    assert codes == [-9, -9]


def test_results_come_in_the_order_of_the_tasks() -> None:
    first_waits = threading.Event()

    def first() -> str:
        assert first_waits.wait(timeout=10)
        return "first"

    def second() -> str:
        first_waits.set()
        return "second"

    assert parallel.run([first, second]) == ["first", "second"]
    assert parallel.run([]) == []


def test_all_tasks_are_finished_before_the_first_failure_is_raised() -> None:
    finished: list[str] = []

    def fail(name: str) -> None:
        finished.append(name)
        raise ValueError(name)

    def slow() -> None:
        time.sleep(0.1)
        finished.append("slow")

    with pytest.raises(ValueError, match="one"):
        parallel.run([slow, lambda: fail("one"), lambda: fail("two")])
    assert sorted(finished) == ["one", "slow", "two"]
