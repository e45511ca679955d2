"""Shows the rehearsal: one line for each step as it ends, and a tree of accounts at the end.

A terminal also shows the running steps, below the finished ones; a log gets plain lines only, one per event.
"""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Iterable
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text
from rich.tree import Tree

from rehearsal.emulator import Denied
from rehearsal.errors import RehearsalError
from rehearsal.report.journal import Holding, Result, Status, Step, describe

_SYMBOLS: Final = {
    Status.PASSED: ("✓", "green"),
    Status.FAILED: ("✗", "bold red"),
    Status.EXPECTED_FAILURE: ("✓", "yellow"),
    Status.NOT_RUN: ("-", "yellow"),
    Status.INTERRUPTED: ("■", "yellow"),
}
_WIDE: Final = 200  # a log has no width, and a wrapped line is hard to search for


def console_for(force_plain: bool = False) -> Console:
    """The console of standard output; anything but a terminal gets long plain lines."""
    console = Console(highlight=False)
    if force_plain or not console.is_terminal:
        return Console(highlight=False, no_color=True, width=_WIDE, soft_wrap=True)
    return console


class Display:
    """A journal's listener; use it as a context manager. Thread-safe."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str, float] = {}
        self._shown: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._live = (
            Live(get_renderable=self._render, console=console, transient=True, refresh_per_second=8)
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def section(self, title: str) -> None:
        self._print("")
        self._print(Text(title, style="bold"))

    def started(self, title: str) -> None:
        with self._lock:
            self._running[title] = time.monotonic()

    def line(self, title: str, text: str) -> None:
        self._print(Text(f"      {title.rpartition(' · ')[2]}: {text}", style="dim"))

    def finished(self, step: Step) -> None:
        with self._lock:
            self._running.pop(step.title, None)
        symbol, style = _SYMBOLS[step.status]
        suffix = "" if step.status is Status.PASSED else f" ({step.status.value})"
        summary = f"  {step.summary}" if step.summary else ""
        duration = f"  {step.seconds:.1f} s" if step.seconds >= 0.05 else ""
        self._print(
            Text.assemble(f"  {symbol} ", step.title, suffix, (f"{summary}{duration}", "dim"), style=style)
        )
        self._details(step.reason)
        self._shown = step.reason or self._shown
        self._denied(step.denied)

    def remark(self, text: str) -> None:
        self._print(Text(f"  {text}", style="dim"))

    def tree(self, holdings: Iterable[Holding]) -> None:
        """What each account has, by Region."""
        self._print("")
        self._print(accounts_tree(holdings))

    def end(self, result: Result) -> None:
        """The last lines: the result."""
        self._print("")
        if result.error is not None:
            self.failure(result.error)
        elif result.succeeded:
            steps = sum(step.status is not Status.NOT_RUN for step in result.steps)
            self._print(
                Text(f"The rehearsal succeeded: {steps} steps in {result.seconds:.0f} s.", style="green")
            )

    def failure(self, error: RehearsalError) -> None:
        """An expected error: its message, and never a traceback."""
        self._print(Text(f"The rehearsal failed: {error}", style="bold red"))
        if self._shown != (str(error), *error.details):
            self._details(error.details)

    def _details(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._print(Text(textwrap.indent(line, " " * 6)))

    def _denied(self, denied: Iterable[Denied]) -> None:
        for text in dict.fromkeys(describe(entry) for entry in denied):
            self._print(Text(f"      {text}", style="yellow"))

    def _print(self, what: RenderableType) -> None:
        self._console.print(what)

    def _render(self) -> RenderableType:
        now = time.monotonic()
        with self._lock:
            running = dict(self._running)
        return Group(
            *(
                Spinner("dots", text=f" {escape(title)}  {now - began:.0f} s")
                for title, began in running.items()
            )
        )


def accounts_tree(holdings: Iterable[Holding]) -> Tree:
    """Accounts in the order of `holdings`; in each, what is global comes before its Regions."""
    accounts: dict[tuple[str, str], list[Holding]] = {}
    for holding in holdings:
        accounts.setdefault((holding.account, holding.account_id), []).append(holding)
    root = Tree("Organization")
    for (name, account_id), held in accounts.items():
        account = root.add(f"{escape(name)} account {account_id}")
        for region, items in groupby(
            sorted(held, key=lambda item: item.region), key=lambda item: item.region
        ):
            branch = account.add(region or "global")
            for item in items:
                branch.add(f"{escape(item.kind)}: {escape(item.name)}")
    return root
