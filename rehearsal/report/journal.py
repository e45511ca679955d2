"""What happened, as data: every step with its duration, its lines and the calls that were denied meanwhile.

The journal is the one source of everything that is displayed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from rehearsal.emulator import Denied, EmulatorError
from rehearsal.errors import RehearsalError, StepError


class Status(Enum):
    PASSED = "passed"
    FAILED = "failed"
    EXPECTED_FAILURE = "failed as expected"
    NOT_RUN = "not run here"
    INTERRUPTED = "interrupted"


def describe(denied: Denied) -> str:
    """One denied call in one line."""
    return f"denied: {denied.action} on {denied.resource} by {denied.principal} ({denied.reason})"


@dataclass(frozen=True)
class Step:
    """One finished step: what it reported, why it failed, and the calls that were denied while it ran."""

    section: str
    title: str
    status: Status
    seconds: float
    summary: str = ""
    lines: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    denied: tuple[Denied, ...] = ()


@dataclass(frozen=True)
class Holding:
    """Something that an account has at the end: type and physical name, in a Region ("" for global)."""

    account: str  # the account's name: management, home, central, member-1 …
    account_id: str
    region: str
    kind: str
    name: str


@dataclass(frozen=True)
class Result:
    """The whole rehearsal."""

    succeeded: bool
    seconds: float
    steps: tuple[Step, ...]
    holdings: tuple[Holding, ...]
    denied: tuple[Denied, ...]
    error: RehearsalError | None = None


class Listener(Protocol):
    """Displays the journal as it is written. Called from the threads of parallel steps."""

    def section(self, title: str) -> None: ...
    def remark(self, text: str) -> None: ...
    def started(self, title: str) -> None: ...
    def line(self, title: str, text: str) -> None: ...
    def finished(self, step: Step) -> None: ...


@dataclass
class OpenStep:
    """A step that is running."""

    title: str
    _say: Callable[[str], None]
    status: Status = Status.PASSED
    summary: str = ""
    lines: list[str] = field(default_factory=list)
    reason: tuple[str, ...] = ()

    def say(self, text: str) -> None:
        """Report something worth a line."""
        self.lines.append(text)
        self._say(text)

    def failed(self, error: RehearsalError, status: Status = Status.FAILED) -> None:
        """The step failed; the status says whether that was expected."""
        self.status = status
        self.reason = (str(error), *error.details)


class Journal:
    """Records steps, and passes them to a listener as they happen.

    `denied` returns every call that was denied so far (none before the organization runs).
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._section = ""
        self._began = time.monotonic()
        self.steps: list[Step] = []
        self.holdings: list[Holding] = []
        self.denied: Callable[[], Sequence[Denied]] = tuple
        self._announced: set[Denied] = set()
        self._closed = False

    def close(self) -> None:
        """Record nothing more: after an interruption, threads still run whose failures mean nothing."""
        self._closed = True

    def unexpected(self) -> list[Denied]:
        """The denied calls, except those that were announced and those of steps that failed as expected."""
        expected = self._announced | {
            entry for step in self.steps if step.status is Status.EXPECTED_FAILURE for entry in step.denied
        }
        return [entry for entry in self.denied() if entry not in expected]

    def section(self, title: str) -> None:
        self._section = title
        self._listener.section(title)

    def remark(self, text: str) -> None:
        """Something to display that is not a step."""
        self._listener.remark(text)

    @property
    def seconds(self) -> float:
        """How long the rehearsal has run, without the time it waited for a person."""
        return time.monotonic() - self._began

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Do not count the time of this block: it waits for a person."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - began

    @contextmanager
    def watching(self, denied: Callable[[], Sequence[Denied]]) -> Iterator[None]:
        """Read denied calls from `denied` during the block; keep its last result afterwards."""
        self.denied = denied
        try:
            yield
        finally:
            last: Sequence[Denied] = ()
            # After an interruption or a crash the organization no longer matters.
            with suppress(OSError, EmulatorError):
                last = denied()
            self.denied = lambda: last

    @contextmanager
    def announced(self, planned: Callable[[Denied], bool]) -> Iterator[Callable[[], list[Denied]]]:
        """Calls that `planned` accepts may be denied in this block; yields a function that returns them."""
        before = set(self.denied())

        def refused() -> list[Denied]:
            return [entry for entry in self.denied() if entry not in before and planned(entry)]

        try:
            yield refused
        finally:
            self._announced.update(refused())

    @contextmanager
    def step(self, title: str) -> Iterator[OpenStep]:
        """Run one step: an exception in the block ends it as failed, and is raised again."""
        self._listener.started(title)
        began, wall_clock = time.monotonic(), time.time()
        step = OpenStep(title, lambda text: self._listener.line(title, text))
        try:
            yield step
        except RehearsalError as error:
            step.failed(error)
            raise
        except Exception as error:
            step.failed(StepError(f"{type(error).__name__}: {error}"))
            raise
        except BaseException:
            step.status = Status.INTERRUPTED
            raise
        finally:
            if not self._closed:
                failed = step.status is not Status.PASSED
                self._finish(step, time.monotonic() - began, self._denied_since(wall_clock) if failed else ())

    def note(self, title: str, status: Status, *reason: str) -> None:
        """Record a step that takes no time."""
        self._finish(OpenStep(title, lambda _: None, status, reason=reason), 0.0, ())

    def result(self, error: RehearsalError | None = None) -> Result:
        return Result(
            succeeded=error is None,
            seconds=self.seconds,
            steps=tuple(self.steps),
            holdings=tuple(self.holdings),
            denied=tuple(self.denied()),
            error=error,
        )

    def _denied_since(self, wall_clock: float) -> tuple[Denied, ...]:
        """None if the organization no longer responds: then the step's own failure counts."""
        with suppress(OSError, EmulatorError):
            return tuple(entry for entry in self.denied() if entry.time >= wall_clock)
        return ()

    def _finish(self, step: OpenStep, seconds: float, denied: tuple[Denied, ...]) -> None:
        finished = Step(
            section=self._section,
            title=step.title,
            status=step.status,
            seconds=seconds,
            summary=step.summary,
            lines=tuple(step.lines),
            reason=step.reason,
            denied=denied,
        )
        self.steps.append(finished)
        self._listener.finished(finished)
