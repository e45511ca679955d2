"""Two commits in quick succession: two executions of the pipeline, one close behind the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from buildspecs import names
from rehearsal.errors import OutcomeError
from rehearsal.pipeline.execution import Execution, Progress
from rehearsal.readme.workspace import TARGETS
from rehearsal.scenarios import edits
from rehearsal.scenarios.commits import TAG_KEY, parameter_fault
from rehearsal.scenarios.deployed_organization import DeployedOrganization

_PACKAGED: Final = 3  # the run order of the last packaging build in its stage


def two_commits(deployed: DeployedOrganization) -> None:
    """CodePipeline locks one stage for an execution, so the second one follows a stage behind the first.

    The worst moment for the recorded packages: the first has packaged and not deployed yet when the second
    updates the stack that owns them, with what it has read before.
    """
    known, before = len(deployed.executions()), _operations(deployed)
    targets = deployed.parameters("/backup/target")
    first_mark, first = _commit_everything(deployed, "the first of two commits")
    ahead = first.steps()
    _run_until(ahead, names.SOURCE_STAGE)
    second_mark, second = _commit_everything(deployed, "the second of two commits")
    behind = second.steps()
    _run_until(behind, names.SOURCE_STAGE)
    _run_until(ahead, names.ANALYSIS_STAGE)
    _run_until(behind, names.ANALYSIS_STAGE)
    _run_until(ahead, names.FUNCTIONS_STAGE, _PACKAGED)
    package = edits.recorded_package(deployed)
    _run_until(behind, names.BUCKET_STAGE)
    _run_until(ahead, names.FUNCTIONS_STAGE)
    deployed.check(
        "the first execution has deployed the package that it tested",
        lambda: edits.function_fault(deployed, package),
    )
    for progress in ahead:
        if progress.stage_ended:
            if progress.stage == names.MEMBER_STAGE:
                deployed.check("the first commit is deployed", lambda: edits.key_fault(deployed, first_mark))
            _run_until(behind, progress.stage)
    for _ in behind:
        pass
    latest = edits.recorded_package(deployed)
    deployed.check("the second commit is deployed", lambda: edits.key_fault(deployed, second_mark))
    deployed.check(
        "SSM names the package of the second commit, and every function runs it",
        lambda: (
            edits.function_fault(deployed, latest)
            if latest != package
            else f"SSM still names the package of the first commit, {package}."
        ),
    )
    statuses = [entry["status"] for entry in deployed.executions()[known:]]
    done = {name: count - before[name] for name, count in _operations(deployed).items()}
    deployed.check(
        "both executions have succeeded, with two operations of each StackSet",
        lambda: (
            None
            if statuses == ["Succeeded"] * 2 and set(done.values()) == {2}
            else f"executions: {', '.join(statuses)}; operations: {done}."
        ),
    )
    deployed.check(
        "the targets are what they were",
        lambda: parameter_fault(targets, deployed.parameters("/backup/target")),
    )
    deployed.check_outcomes()


def _commit_everything(deployed: DeployedOrganization, name: str) -> tuple[str, Execution]:
    """Commit a member template, a function and a stack tag; the execution is left to the caller."""
    mark = edits.edit_member_template(deployed)
    edits.edit_function(deployed)
    deployed.files.add_tag(TARGETS, TAG_KEY, name)
    deployed.commit(name.capitalize())
    return mark, deployed.next_execution()


def _run_until(steps: Iterator[Progress], stage: str, run_order: int | None = None) -> None:
    """Run an execution until a stage has ended, or a run order of it."""
    for progress in steps:
        if progress.stage == stage and (
            progress.stage_ended if run_order is None else progress.run_order == run_order
        ):
            return
    raise OutcomeError(f"the execution has ended before stage {stage}.")


def _operations(deployed: DeployedOrganization) -> dict[str, int]:
    """How many operations the StackSets have had that both commits change."""
    return {
        name: sum(
            len(page["Summaries"])
            for page in deployed.client("cloudformation")
            .get_paginator("list_stack_set_operations")
            .paginate(StackSetName=name, CallAs="DELEGATED_ADMIN")
        )
        for name in names.REGIONAL_SETS
    }
