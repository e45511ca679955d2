"""The whole rehearsal, from an empty folder to a verified organization."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rehearsal import organization, preflight, runbook, workspace
from rehearsal.emulator import Emulator
from rehearsal.journal import Journal, Status
from rehearsal.operator import PRINTED, Operator
from rehearsal.organization import Organization, Plan
from rehearsal.runbook import Command

SECTIONS = ("Prerequisites", "Deploy")


@dataclass(frozen=True)
class Options:
    """How to rehearse. `keep` is called with the running emulator once everything has passed."""

    repository: Path
    plan: Plan = organization.DEFAULT
    port: int | None = None
    targets: Path | None = None
    keep: Callable[[Emulator, Organization], None] | None = None


def rehearse(options: Options, journal: Journal) -> None:
    """Carry everything out, writing the journal. Raises RehearsalError at the first thing that is wrong."""
    with _folder() as folder:
        journal.section("Before anything starts")
        tools = _check_machine(options, journal, folder)
        clone, commands = _copy(options, journal, folder)
        with Emulator(
            folder / "emulator", options.plan.accounts, options.plan.home_region, options.port
        ) as emulator:
            journal.denied = emulator.denied
            created = _create_organization(emulator, options, journal, clone)
            scratch = folder / "operator"
            scratch.mkdir()
            operator = Operator(emulator, created, tools, journal, clone, scratch)
            for section in SECTIONS:
                journal.section(f"{section}: the README's commands")
                operator.carry_out([command for command in commands if command.section == section])
            operator.finish()
            if options.keep:
                options.keep(emulator, created)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """The one folder outside of the clone that anything is written to."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


def _check_machine(options: Options, journal: Journal, folder: Path) -> preflight.Tools:
    with journal.step("Python, programs and port"):
        tools = preflight.check(
            os.environ.get("PATH", os.defpath), options.port, Path(sys.executable).parent, folder / "programs"
        )
    for note in tools.notes:
        journal.note(note, Status.NOT_RUN)
    return tools


def _copy(options: Options, journal: Journal, folder: Path) -> tuple[Path, list[Command]]:
    clone = folder / "clone"
    with journal.step("Copy of the repository") as step:
        count = workspace.copy_repository(options.repository, clone)
        step.summary = f"{count} files"
    with journal.step("README.md as a runbook") as step:
        commands = runbook.select(runbook.parse((clone / "README.md").read_text()), SECTIONS)
        runbook.check(commands, [*organization.PLACEHOLDERS, *PRINTED], clone)
        step.summary = f"{len(commands)} commands"
    return clone, commands


def _create_organization(emulator: Emulator, options: Options, journal: Journal, clone: Path) -> Organization:
    with journal.step("Emulated organization") as step:
        created = organization.create(emulator, options.plan)
        step.summary = f"{created.identifier} at {emulator.endpoint}"
    with journal.step(workspace.TARGETS) as step:
        if options.targets:
            workspace.use_targets(options.targets, clone / workspace.TARGETS)
            step.summary = f"as it is in {options.targets}"
        else:
            filled = workspace.fill_targets(clone / workspace.TARGETS, created.targets)
            step.summary = f"{len(filled)} values of the emulated organization put into the copy"
    return created
