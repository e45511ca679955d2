"""Runs a deployed pipeline as its definition says, stage by stage and run order by run order.

Like CodePipeline it stops at the first stage that fails, runs only failed actions when a stage is retried,
and starts again from the source when the pipeline has updated itself (RestartExecutionOnUpdate).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rehearsal.emulator import Emulator
from rehearsal.errors import ActionError, StepError, UnsupportedError
from rehearsal.machine import parallel
from rehearsal.organization.assumed_roles import Roles
from rehearsal.pipeline import actions, definition, variables
from rehearsal.pipeline.actions import Context
from rehearsal.pipeline.artifacts import ArtifactStore
from rehearsal.pipeline.build_shell import AS_ON_AWS, Differences
from rehearsal.pipeline.definition import Action, Definition, Stage
from rehearsal.place import Place
from rehearsal.report.journal import Journal, Status

CODEPIPELINE: Final = "codepipeline.amazonaws.com"


@dataclass(frozen=True)
class ExpectedFailure:
    """A stage that is expected to fail with a reason that mentions something.

    `because` ends the sentence "stage … succeeded, but …" for a stage that does not fail.
    """

    stage: str
    mentions: str
    because: str = "it was expected to fail"


@dataclass(frozen=True)
class Progress:
    """The actions of a stage's run order have succeeded; if they were its last, the stage has ended."""

    stage: str
    run_order: int
    stage_ended: bool


class Execution:
    """One execution of a pipeline. `failed_stage` is None unless a stage has failed.

    `after_builds` checks what builds have made, right after they end; it raises OutcomeError. `identifier` is
    the ID of an execution that AWS has started already; without it, a new one starts here.
    """

    def __init__(
        self,
        emulator: Emulator,
        place: Place,
        pipeline: str,
        scratch: Path,
        journal: Journal,
        after_builds: Callable[[], None],
        *,
        identifier: str | None = None,
        differences: Differences = AS_ON_AWS,
    ) -> None:
        self.identifier = ""
        self.pipeline = pipeline
        self.failed_stage: str | None = None
        self.restarted = False  # because the pipeline has updated itself
        self._emulator = emulator
        self._place = place
        self._owner = emulator.session(place.account, place.region)
        self._roles = Roles(emulator)
        self._scratch = scratch
        self._journal = journal
        self._after_builds = after_builds
        self._differences = differences
        self._succeeded: set[tuple[str, str]] = set()
        self._runs = 0
        self._definition = self._read()
        self._begin(identifier)

    def run(self, expected: ExpectedFailure | None = None) -> None:
        """Run from the source to the end or to the expected failure. Raises StepError for other failures."""
        for _ in self.steps(expected):
            pass

    def steps(self, expected: ExpectedFailure | None = None) -> Iterator[Progress]:
        """The same, one run order at a time, so that another execution can run in between."""
        self._report("InProgress")
        while (yield from self._run_from(self._definition.stages[0].name, expected, follow_update=True)):
            if self.restarted:
                raise UnsupportedError(f"pipeline {self.pipeline} updates itself whenever it runs.")
            self.restarted = True
            self._definition = self._read()
            self._begin()
            self._report("InProgress")
            self._journal.remark("the pipeline has updated itself: it starts again from the source")
        if expected and self.failed_stage is None:
            raise ActionError(f"stage {expected.stage} succeeded, but {expected.because}.")

    def retry(self, stage: str) -> None:
        """Run the failed actions of the failed stage again, then the rest. Raises StepError."""
        if stage != self.failed_stage:
            raise ActionError(
                f"stage {stage} cannot be retried: the stage that failed is {self.failed_stage or 'none'}."
            )
        self.failed_stage = None
        self._report("InProgress")
        for _ in self._run_from(stage, None, follow_update=False):
            pass

    def run_stage_again(self, stage: str) -> None:
        """Run a stage that has succeeded again, with the same source and variables, and no other stage.

        In AWS that is RollbackStage with this execution as the target. Raises StepError.
        """
        wanted = self._definition.stage(stage)
        self._succeeded -= {(stage, action.name) for action in wanted.actions}
        for group in wanted.run_orders:
            self._run_group(wanted, group, None)

    def _report(self, status: str) -> None:
        """Give the emulator the status that its CodePipeline returns for this execution."""
        self._emulator.control(
            "pipeline-execution",
            account=self._place.account,
            region=self._place.region,
            pipeline=self.pipeline,
            identifier=self.identifier,
            status=status,
            failed_stage=self.failed_stage,
        )

    def _read(self) -> Definition:
        client = self._owner.client("codepipeline")
        read = definition.parse(client.get_pipeline(name=self.pipeline))
        actions.check_types(action for stage in read.stages for action in stage.actions)
        return read

    def _begin(self, identifier: str | None = None) -> None:
        read = self._definition
        self.identifier = identifier or str(uuid.uuid4())
        self._store = ArtifactStore(self.pipeline, read.bucket, read.encryption_key)
        self._namespaces = {"codepipeline": {"PipelineExecutionId": self.identifier}}
        self._succeeded.clear()

    def _run_from(
        self, first: str, expected: ExpectedFailure | None, *, follow_update: bool
    ) -> Generator[Progress, None, bool]:
        """Returns whether the pipeline has updated itself and has to start again."""
        names = [stage.name for stage in self._definition.stages]
        for stage in self._definition.stages[names.index(first) :]:
            wanted = expected if expected and expected.stage == stage.name else None
            *_, last = stage.run_orders
            for group in stage.run_orders:
                self._run_group(stage, group, wanted)
                if self.failed_stage:
                    self._report("Failed")
                    return False
                yield Progress(stage.name, group[0].run_order, stage_ended=group == last)
            if follow_update and self._read().version != self._definition.version:
                self._report("Cancelled")
                return True
        self._report("Succeeded")
        return False

    def _run_group(self, stage: Stage, group: list[Action], expected: ExpectedFailure | None) -> None:
        todo = [action for action in group if (stage.name, action.name) not in self._succeeded]
        tasks: list[Callable[[], None]] = [
            lambda action=action: self._run_action(stage, action, expected)  # type: ignore[misc] # default
            for action in todo
        ]
        if tasks:
            parallel.run(tasks)
        if not self.failed_stage and any(action.provider == "CodeBuild" for action in todo):
            self._after_builds()

    def _run_action(self, stage: Stage, action: Action, expected: ExpectedFailure | None) -> None:
        with self._journal.step(f"{stage.name} · {action.name}") as step:
            try:
                result = actions.run(self._context(action, step.say))
            except StepError as error:
                self.failed_stage = stage.name
                reason = "\n".join([str(error), *error.details])
                if not expected or expected.mentions not in reason:
                    raise
                step.failed(error, Status.EXPECTED_FAILURE)
                return
            step.summary = result.summary
        self._succeeded.add((stage.name, action.name))
        if action.namespace:
            self._namespaces[action.namespace] = dict(result.variables)

    def _context(self, action: Action, say: Callable[[str], None]) -> Context:
        self._runs += 1
        read = self._definition
        configuration = {
            key: variables.resolve(value, self._namespaces) for key, value in action.configuration.items()
        }
        # In AWS the pipeline's role assumes the role of an action; none of ours has one.
        if action.role_arn:
            raise UnsupportedError(f"action {action.name}: the rehearsal does not support a role of its own.")
        return Context(
            action=replace(action, configuration=configuration),
            role=self._roles.assume(read.role_arn, CODEPIPELINE, self._place.region, read.arn),
            roles=self._roles,
            emulator=self._emulator,
            place=self._place,
            store=self._store,
            scratch=self._scratch / f"{self._runs:02d}-{action.name}",
            say=say,
            differences=self._differences,
            skipped=lambda command: self._journal.note(
                f"{action.name}: {command}",
                Status.NOT_RUN,
                self._differences.reason(command) or "it needs RubyGems",
            ),
        )
