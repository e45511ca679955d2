"""The whole rehearsal, from an empty folder to a verified organization."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rehearsal import scenarios
from rehearsal.checks import secrets_in_logs
from rehearsal.checks.outcomes import Outcomes
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError, PrerequisiteError
from rehearsal.machine import environment, preflight, processes, scratch
from rehearsal.organization import plan
from rehearsal.organization.plan import Organization, Plan
from rehearsal.readme import runbook, workspace
from rehearsal.readme.operator import PRINTED, Operator
from rehearsal.readme.runbook import Command
from rehearsal.report.journal import Journal, Status, describe
from rehearsal.scenarios import Scenario, changes
from rehearsal.stories import policy_lifecycle, restores
from rehearsal.stories.policy_lifecycle import Laboratory

SECTIONS = ("Prerequisites", "Deploy", "Verify")


@dataclass(frozen=True)
class Options:
    """How to rehearse. `keep` is called with the running emulator once everything has passed."""

    repository: Path
    plan: Plan = plan.DEFAULT
    port: int | None = None
    targets: Path | None = None
    keep: Callable[[Emulator, Organization], None] | None = None
    scenarios: Sequence[Scenario] = ()  # instead of the outcomes of the first rollout


def rehearse(options: Options, journal: Journal) -> None:
    """Carry everything out, writing the journal. Raises RehearsalError at the first thing that is wrong."""
    plan = options.plan
    with scratch.folder() as folder:
        journal.section("Before anything starts")
        for left in scratch.remove_left_behind():
            journal.remark(f"Removed what a rehearsal that was killed had left: {left}")
        tools = _check_machine(options, journal, folder)
        clone, commands = _copy(options, journal, folder)
        with (
            Emulator(folder / "emulator", plan.accounts, plan.home_region, options.port) as emulator,
            journal.watching(emulator.denied),
            _interruptible(journal),
        ):
            created = _create_organization(emulator, options, journal, clone)
            desk = folder / "operator"
            desk.mkdir()
            operator = Operator(emulator, created, tools, journal, clone, desk)
            try:
                laboratory = _carry_out(operator, commands, emulator, created, journal)
                rollout = scenarios.rolled_out(emulator, created, journal, clone, desk, operator.executions)
                if options.scenarios:
                    scenarios.carry_out(options.scenarios, rollout)
                else:
                    _check_outcomes(emulator, created, journal)
                    journal.section("Change: a commit")
                    changes.begin_with_a_commit(rollout)
                    _tell_stories(operator, emulator, created, laboratory, journal)
                _check_what_was_said(emulator, created, folder, journal)
            finally:
                interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
                if options.keep and not interrupted:
                    with journal.waiting():
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


def _carry_out(
    operator: Operator, commands: list[Command], emulator: Emulator, created: Organization, journal: Journal
) -> Laboratory:
    """The README's commands; between prerequisites and deployment, something that must stay untouched."""
    prerequisites, *others = SECTIONS
    _carry_out_section(operator, commands, prerequisites, journal)
    with journal.step("a backup policy made by hand") as step:
        laboratory = policy_lifecycle.plant(emulator, created)
        step.summary = f"{policy_lifecycle.FOREIGN}, for the organizational unit laboratory"
    for section in others:
        _carry_out_section(operator, commands, section, journal)
    operator.finish()
    return laboratory


def _carry_out_section(operator: Operator, commands: list[Command], section: str, journal: Journal) -> None:
    journal.section(f"{section}: the README's commands")
    operator.carry_out([command for command in commands if command.section == section])


def _check_outcomes(emulator: Emulator, created: Organization, journal: Journal) -> None:
    journal.section("Outcomes")
    for title, check in Outcomes(emulator, created).all().items():
        with journal.step(title) as step:
            found = check()
            journal.holdings += found
            step.summary = f"{len(found)} found"


def _tell_stories(
    operator: Operator, emulator: Emulator, created: Organization, laboratory: Laboratory, journal: Journal
) -> None:
    """What happens to the deployed organization afterwards."""
    journal.section("Restores in a member account")
    restores.rehearse(emulator, created, journal)
    journal.section("The life of the backup policies")
    (pipeline,) = operator.executions.values()
    policy_lifecycle.rehearse(emulator, created, laboratory, pipeline, journal)


def _check_what_was_said(emulator: Emulator, created: Organization, folder: Path, journal: Journal) -> None:
    """What no step may leave behind: secrets in logs, calls that were refused without being announced."""
    journal.section("At the end")
    with journal.step("no log holds a ResponseURL, a credential or a whole event") as step:
        step.summary = f"{secrets_in_logs.check(emulator, created, folder)} lines"
    with journal.step("no call was refused but those announced"):
        if refused := journal.unexpected():
            raise OutcomeError(
                f"{len(refused)} calls were refused, the first: {describe(refused[0])}",
                *map(describe, refused[1:]),
            )


def _check_machine(options: Options, journal: Journal, folder: Path) -> preflight.Tools:
    with journal.step("Python, programs and port"):
        tools = preflight.check(
            environment.given("PATH", os.defpath),
            options.port,
            Path(sys.executable).parent,
            folder / "programs",
        )
    for note in tools.notes:
        journal.note(note, Status.NOT_RUN)
    return tools


def _copy(options: Options, journal: Journal, folder: Path) -> tuple[Path, list[Command]]:
    clone = folder / "clone"
    with journal.step("Copy of the repository") as step:
        count = workspace.copy_repository(options.repository, clone)
        step.summary = f"{count} files"
        if not (clone / "README.md").is_file():
            raise PrerequisiteError(f"{options.repository} holds no README.md that git knows: is it a clone?")
    if not options.targets:
        with journal.step(f"{workspace.TARGETS} as it is in the repository"):
            workspace.check_targets(clone / workspace.TARGETS)
    with journal.step("README.md as a runbook") as step:
        commands = runbook.select(runbook.parse((clone / "README.md").read_text()), SECTIONS)
        runbook.check(commands, [*plan.PLACEHOLDERS, *PRINTED], clone)
        step.summary = f"{len(commands)} commands"
    return clone, commands


def _create_organization(emulator: Emulator, options: Options, journal: Journal, clone: Path) -> Organization:
    with journal.step("Emulated organization") as step:
        created = plan.create(emulator, options.plan)
        step.summary = f"{created.identifier} at {emulator.endpoint}"
    with journal.step(workspace.TARGETS) as step:
        if options.targets:
            workspace.use_targets(options.targets, clone / workspace.TARGETS)
            step.summary = f"as it is in {options.targets}"
        else:
            filled = workspace.fill_targets(clone / workspace.TARGETS, created.targets | restores.OPTIONS)
            step.summary = f"{len(filled)} values put into the copy, with {', '.join(restores.OPTIONS)}"
    return created
