"""The operator: runs the README's commands in order, and waits for what AWS does after each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from botocore.exceptions import ClientError

from buildspecs import names
from rehearsal.checks.packages import Packages
from rehearsal.emulator import Emulator
from rehearsal.errors import CommandError, RunbookError, StepError
from rehearsal.machine import preflight, processes
from rehearsal.machine.preflight import Tools
from rehearsal.organization import stacks
from rehearsal.organization.plan import Organization
from rehearsal.pipeline.execution import Execution, ExpectedFailure
from rehearsal.place import Place
from rehearsal.readme import runbook
from rehearsal.readme.runbook import AwsCall, Command
from rehearsal.report.journal import Journal

# The placeholders that the README describes as "printed by the command before it".
PRINTED: Final = ("deployment-bucket", "pipeline-execution-id")
# In the README's order this stage fails until stack 13 creates the role.
PUBLISHED_FAILURE: Final = ExpectedFailure(
    names.POLICY_STAGE,
    names.MANAGEMENT_ROLE,
    f"the README says that it fails until {names.MANAGEMENT_ROLE} exists",
)

_CHANGES_A_STACK: Final = ("create-stack", "update-stack", "delete-stack")
_SHOWN_LINES: Final = 20


class Operator:
    """A person at a terminal with the README. `folder` is the clone, `scratch` a folder next to it."""

    def __init__(
        self,
        emulator: Emulator,
        organization: Organization,
        tools: Tools,
        journal: Journal,
        folder: Path,
        scratch: Path,
    ) -> None:
        self._emulator = emulator
        self._organization = organization
        self._tools = tools
        self._journal = journal
        self._folder = folder
        self._scratch = scratch
        self._printed = ""
        self._numbers = itertools.count(1)
        self.executions: dict[str, Execution] = {}

    def run(self, commands: Sequence[Command]) -> None:
        """Raises StepError at the first command, stack or pipeline stage that fails."""
        for command in commands:
            text = runbook.fill(command, self._values(command))
            calls = runbook.aws_calls(text)
            with self._journal.step(f"{command.account}: {_title(text, calls)}") as step:
                self._run_command(command, text)
                for call in calls:
                    if call.service == "cloudformation" and call.operation in _CHANGES_A_STACK:
                        step.summary = self._wait(command, call)
            for call in calls:
                self._follow(command, call)

    def finish(self) -> None:
        """No pipeline may still have a failed stage. Raises StepError."""
        for name, execution in self.executions.items():
            if execution.failed_stage:
                raise StepError(
                    f"pipeline {name} still has the failed stage {execution.failed_stage}: "
                    "no command of the README retries it."
                )

    def _values(self, command: Command) -> dict[str, Callable[[], str]]:
        def printed() -> str:
            words = self._printed.split()
            if len(words) != 1:
                raise RunbookError(
                    f"README line {command.line}: the command before it must print only the value of the "
                    f"placeholder, but printed: {self._printed.strip() or 'nothing'}",
                    command.text,
                )
            return words[0]

        known = self._organization.placeholders.items()
        return {
            **{name: lambda value=value: value for name, value in known},  # type: ignore[misc] # default
            **dict.fromkeys(PRINTED, printed),
        }

    def _run_command(self, command: Command, text: str) -> None:
        plan = self._organization.plan
        account = self._organization.account(command.account)
        for path in runbook.files(text):
            if not (self._folder / path).is_file():
                raise RunbookError(f"README line {command.line}: file://{path} does not exist.", text)
        environment = preflight.command_environment(
            self._tools, self._scratch, self._emulator.session(account, plan.home_region).environment
        )
        log = self._scratch / f"command-{next(self._numbers):02d}.log"
        done = processes.run(["bash", "-c", text], folder=self._folder, environment=environment, log=log)
        self._printed = done.stdout
        if done.code:
            raise CommandError(
                f"README line {command.line}: the command failed with exit code {done.code} "
                f"in the {command.account} account",
                text,
                *done.output.strip().splitlines()[-_SHOWN_LINES:],
            )

    def _wait(self, command: Command, call: AwsCall) -> str:
        account = self._organization.account(command.account)
        region = self._region(call)
        client = self._emulator.session(account, region).client("cloudformation")
        return stacks.wait(client, call.options["--stack-name"], f"the {command.account} account, {region}")

    def _follow(self, command: Command, call: AwsCall) -> None:
        """What AWS does on its own after a command: a new pipeline starts, a retried stage runs."""
        if (call.service, call.operation) == ("cloudformation", "create-stack"):
            self._start_new_pipelines(Place(self._organization.account(command.account), self._region(call)))
        if (call.service, call.operation) == ("codepipeline", "retry-stage-execution"):
            self._journal.section("The pipeline, retried from its failed stage")
            self.executions[call.options["--pipeline-name"]].retry(call.options["--stage-name"])

    def _region(self, call: AwsCall) -> str:
        return call.options.get("--region", self._organization.plan.home_region)

    def _start_new_pipelines(self, place: Place) -> None:
        client = self._emulator.session(place.account, place.region).client("codepipeline")
        for name in [entry["name"] for entry in client.list_pipelines()["pipelines"]]:
            if name in self.executions:
                continue
            self._journal.section(f"The pipeline {name}, which starts when it is created")
            execution = Execution(
                self._emulator,
                place,
                name,
                self._scratch / "pipeline",
                self._journal,
                after_builds=self._check_packages,
            )
            self.executions[name] = execution
            execution.run(None if self._management_role_exists() else PUBLISHED_FAILURE)
            self._journal.section("Deploy, continued")

    def _check_packages(self) -> None:
        """Name a package that is missing in a Region before a stack fails because of it."""
        packages = Packages(self._emulator, self._organization)
        if not packages.are_recorded():
            return
        with self._journal.step("packages in the bucket of every Region") as step:
            step.summary = f"{len(packages.check())} packages"

    def _management_role_exists(self) -> bool:
        plan = self._organization.plan
        iam = self._emulator.session(plan.accounts.management, plan.home_region).client("iam")
        try:
            iam.get_role(RoleName=names.MANAGEMENT_ROLE)
        except ClientError:
            return False
        return True


def _title(text: str, calls: Sequence[AwsCall]) -> str:
    """A command in a few words, as the title of its step."""
    if not calls:
        return text.splitlines()[0].rstrip("\\ ")
    call = calls[0]
    subject = call.options.get("--stack-name") or call.options.get("--stage-name") or ""
    return f"aws {call.service} {call.operation} {subject}".rstrip()
