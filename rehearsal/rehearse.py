"""The whole rehearsal, from an empty folder to a verified organization."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal import organization, preflight, processes, restores, runbook, scenarios, workspace
from rehearsal.commands import PRINTED, Operator
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.journal import Holding, Journal, Status, describe
from rehearsal.organization import Organization, Plan
from rehearsal.outcomes import Outcomes
from rehearsal.runbook import Command
from rehearsal.scenarios import Scenario

SECTIONS = ("Prerequisites", "Deploy")


@dataclass(frozen=True)
class Options:
    """How to rehearse. `keep` is called with the running emulator once everything has passed."""

    repository: Path
    plan: Plan = organization.DEFAULT
    port: int | None = None
    targets: Path | None = None
    keep: Callable[[Emulator, Organization], None] | None = None
    scenarios: Sequence[Scenario] = ()  # instead of the outcomes of the first rollout


def rehearse(options: Options, journal: Journal) -> None:
    """Carry everything out, writing the journal. Raises RehearsalError at the first thing that is wrong."""
    plan = options.plan
    with _folder() as folder:
        journal.section("Before anything starts")
        tools = _check_machine(options, journal, folder)
        clone, commands = _copy(options, journal, folder)
        with (
            Emulator(folder / "emulator", plan.accounts, plan.home_region, options.port) as emulator,
            journal.watching(emulator.denied),
            _interruptible(journal),
        ):
            created = _create_organization(emulator, options, journal, clone)
            scratch = folder / "operator"
            scratch.mkdir()
            operator = Operator(emulator, created, tools, journal, clone, scratch)
            try:
                _carry_out(operator, commands, journal)
                if options.scenarios:
                    scenarios.carry_out(
                        options.scenarios, emulator, created, journal, clone, scratch, operator.executions
                    )
                else:
                    _check_outcomes(emulator, created, journal)
            finally:
                interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
                if options.keep and not interrupted:
                    options.keep(emulator, created)


@contextlib.contextmanager
def _interruptible(journal: Journal) -> Iterator[None]:
    """On Ctrl-C everything that was started ends before the organization and the folder go away."""
    try:
        yield
    except KeyboardInterrupt:
        journal.close()
        processes.end_all()
        raise


def _carry_out(operator: Operator, commands: list[Command], journal: Journal) -> None:
    for section in SECTIONS:
        journal.section(f"{section}: the README's commands")
        operator.carry_out([command for command in commands if command.section == section])
    operator.finish()


def _check_outcomes(emulator: Emulator, created: Organization, journal: Journal) -> None:
    """What the accounts hold, and whether restored resources get their tags back."""
    journal.section("Outcomes")
    for title, check in Outcomes(emulator, created).all().items():
        with journal.step(title) as step:
            found = check()
            journal.holdings += found
            step.summary = f"{len(found)} found"
    member, plan = created.plan.accounts.members[0], created.plan
    elsewhere = next((region for region in plan.regions if region != plan.home_region), plan.home_region)
    for restore, region in ((restores.TABLE, elsewhere), (restores.VOLUME, plan.home_region)):
        with journal.step(f"restore of {restore.kind} in account {member}, {region}") as step:
            arn = restores.rehearse(emulator, member, region, restore)
            step.summary = f"{arn.rpartition(':')[2]} has its tags back"
            name = next(name for name, account in plan.accounts.ids_by_name().items() if account == member)
            journal.holdings.append(Holding(name, member, region, "restored, with its tags", arn))
    with journal.step("no call was refused but the one that the README announces"):
        if refused := journal.unexpected():
            raise OutcomeError(
                f"{len(refused)} calls were refused, the first: {describe(refused[0])}",
                *map(describe, refused[1:]),
            )


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
