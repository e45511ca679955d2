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
from rehearsal.emulator import Emulator, port_fault
from rehearsal.errors import OutcomeError, PrerequisiteError
from rehearsal.machine import environment, preflight, processes, scratch, warm_start
from rehearsal.organization import plan
from rehearsal.organization.plan import Organization, Plan
from rehearsal.readme import runbook, workspace
from rehearsal.readme.operator import PRINTED, Operator
from rehearsal.readme.runbook import Command
from rehearsal.report.journal import Journal, Status, describe
from rehearsal.scenarios import Scenario, commits
from rehearsal.stories import policy_lifecycle, restores, sandbox
from rehearsal.stories.sandbox import Sandbox

SECTIONS = ("Prerequisites", "Deploy", "Verify")


@dataclass(frozen=True)
class Options:
    """How to rehearse. `keep` is called with the running emulator after everything has passed."""

    repository: Path
    plan: Plan = plan.DEFAULT
    port: int | None = None
    targets: Path | None = None
    keep: Callable[[Emulator, Organization], None] | None = None
    scenarios: Sequence[Scenario] = ()  # instead of checks and stories


def rehearse(options: Options, journal: Journal) -> None:
    """Run everything and write the journal. Raises RehearsalError at the first fault."""
    plan = options.plan
    with scratch.folder() as folder:
        journal.section("Before anything starts")
        for left in scratch.remove_left_behind():
            journal.remark(f"Removed the folder of a rehearsal that was killed: {left}")
        standins = folder / "programs"
        tools = _check_machine(options, journal, standins)
        clone, commands = _copy(options, journal, folder)
        with (
            warm_start.aws(standins) as warm,
            Emulator(folder / "emulator", plan.accounts, plan.home_region, options.port) as emulator,
            journal.watching(emulator.denied),
            _interruptible(journal),
        ):
            if warm:
                journal.remark(
                    "aws commands run in forks of a process that has already imported the AWS CLI."
                )
            created = _create_organization(emulator, options, journal, clone)
            desk = folder / "operator"
            desk.mkdir()
            operator = Operator(emulator, created, tools, journal, clone, desk)
            try:
                outside = _run_commands(operator, commands, emulator, created, journal)
                deployed = scenarios.deployed(emulator, created, journal, clone, desk)
                if options.scenarios:
                    scenarios.run(options.scenarios, deployed)
                else:
                    _check_outcomes(emulator, created, journal)
                    journal.section("Change: a commit")
                    commits.start_by_a_commit(deployed)
                    _run_stories(operator, emulator, created, outside, journal)
                _check_logs_and_denied(emulator, created, folder, journal)
            finally:
                interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
                if options.keep and not interrupted:
                    with journal.waiting():
                        options.keep(emulator, created)


@contextlib.contextmanager
def _interruptible(journal: Journal) -> Iterator[None]:
    """On Ctrl-C, end everything that was started before the organization and the folder are removed."""
    try:
        yield
    except KeyboardInterrupt:
        journal.close()
        processes.end_all()
        raise


def _run_commands(
    operator: Operator, commands: list[Command], emulator: Emulator, created: Organization, journal: Journal
) -> Sandbox:
    """The README's commands; between prerequisites and deployment, a policy that must stay unchanged."""
    prerequisites, *others = SECTIONS
    _run_section(operator, commands, prerequisites, journal)
    with journal.step("a backup policy created by hand") as step:
        outside = sandbox.create(emulator, created)
        step.summary = f"{sandbox.POLICY}, for the OU sandbox"
    for section in others:
        _run_section(operator, commands, section, journal)
    operator.finish()
    return outside


def _run_section(operator: Operator, commands: list[Command], section: str, journal: Journal) -> None:
    journal.section(f"{section}: the README's commands")
    operator.run([command for command in commands if command.section == section])


def _check_outcomes(emulator: Emulator, created: Organization, journal: Journal) -> None:
    journal.section("Outcomes")
    for title, check in Outcomes(emulator, created).all().items():
        with journal.step(title) as step:
            found = check()
            journal.holdings += found
            step.summary = f"{len(found)} found"


def _run_stories(
    operator: Operator, emulator: Emulator, created: Organization, outside: Sandbox, journal: Journal
) -> None:
    """What happens in the deployed organization afterwards."""
    journal.section("Restores in a member account")
    restores.rehearse(emulator, created, journal)
    journal.section("The lifecycle of the backup policies")
    (pipeline,) = operator.executions.values()
    policy_lifecycle.rehearse(emulator, created, outside, pipeline, journal)


def _check_logs_and_denied(emulator: Emulator, created: Organization, folder: Path, journal: Journal) -> None:
    """What no step may leave behind: secrets in logs, and denied calls that were not announced."""
    journal.section("At the end")
    with journal.step("no log holds a ResponseURL, a credential or a whole event") as step:
        step.summary = f"{secrets_in_logs.check(emulator, created, folder)} lines"
    with journal.step("no call was denied except those announced"):
        if denied := journal.unexpected():
            raise OutcomeError(
                f"{len(denied)} calls were denied, the first: {describe(denied[0])}",
                *map(describe, denied[1:]),
            )


def _check_machine(options: Options, journal: Journal, standins: Path) -> preflight.Tools:
    with journal.step("Python, programs and port"):
        standins.mkdir()
        tools = preflight.check(
            environment.given("PATH", os.defpath),
            None if options.port is None else port_fault(options.port),
            Path(sys.executable).parent,
            standins,
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
            raise PrerequisiteError(f"{options.repository} has no README.md that git lists: is it a clone?")
    if not options.targets:
        with journal.step(f"{workspace.TARGETS} of the repository"):
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
            step.summary = f"unchanged from {options.targets}"
        else:
            filled = workspace.fill_targets(clone / workspace.TARGETS, created.targets | restores.OPTIONS)
            step.summary = f"{len(filled)} values written to the copy, with {', '.join(restores.OPTIONS)}"
    return created
