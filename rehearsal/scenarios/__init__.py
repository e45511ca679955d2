"""Scenarios: what can happen to an organization after its first rollout, each with a name and a sentence.

Each works on any rolled-out organization: it compares before and after, and leaves a consistent organization
behind. So one alone runs after its own first rollout, and all run one after the other on one organization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from buildspecs.names import PIPELINE
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError, UnsupportedError
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Journal, Status, describe
from rehearsal.scenarios import changes, faults, suspension, targets
from rehearsal.scenarios.deployed_organization import Rollout
from rehearsal.scenarios.working_copy import WorkingCopy

ALL: Final = "all"


@dataclass(frozen=True)
class Scenario:
    """What happens, in one sentence, and the function that carries it out; it raises RehearsalError."""

    name: str
    sentence: str
    carry_out: Callable[[Rollout], None]


# In the order in which `all` runs them: what makes the organization larger comes late.
SCENARIOS: Final = (
    Scenario("first-rollout", "The README's commands leave everything in place.", changes.first_rollout),
    Scenario("same-commit", "The same commit again changes nothing.", changes.same_commit),
    Scenario("readme-only", "A commit of the README alone changes nothing.", changes.readme_only),
    Scenario(
        "member-template",
        "A changed member vault template reaches every member account and region, and nothing else.",
        changes.member_template,
    ),
    Scenario(
        "function",
        "A changed function is packaged in every region, recorded last, and deployed.",
        changes.function,
    ),
    Scenario(
        "stack-tags",
        "Another tag reaches every stack and leaves the recorded packages as they are.",
        changes.stack_tags,
    ),
    Scenario(
        "pipeline-template",
        "A changed pipeline template makes the pipeline update itself and start again.",
        changes.pipeline_template,
    ),
    Scenario(
        "analysis-fails", "A template with a fault stops before anything is deployed.", faults.analysis_fails
    ),
    Scenario(
        "tests-fail",
        "A function that fails its tests stops before anything is deployed.",
        faults.tests_fail,
    ),
    Scenario(
        "upload-fails",
        "A bucket that refuses a package fails the build; the next run completes it.",
        faults.upload_fails,
    ),
    Scenario("two-commits", "Two commits in quick succession are rolled out in order.", changes.two_commits),
    Scenario(
        "account-refuses",
        "A member account that refuses a stack is reported; all others are done.",
        faults.account_refuses,
    ),
    Scenario("region-added", "A further target region gets everything.", targets.region_added),
    Scenario(
        "region-removed", "A removed region loses its stacks and keeps its vaults.", targets.region_removed
    ),
    Scenario(
        "unit-added", "The accounts of a further organizational unit get everything.", targets.unit_added
    ),
    Scenario("account-joins", "An account that joins gets everything by itself.", targets.account_joins),
    Scenario(
        "account-leaves",
        "An account that leaves keeps vault, key and recovery points.",
        targets.account_leaves,
    ),
    Scenario(
        "account-suspended",
        "A suspended account is left out and named; all others are done.",
        suspension.account_suspended,
    ),
)


def named(name: str) -> Sequence[Scenario]:
    """The scenario of that name, or all of them. Raises UnsupportedError with every name."""
    found = [scenario for scenario in SCENARIOS if name in (scenario.name, ALL)]
    if not found:
        names = ", ".join([*(scenario.name for scenario in SCENARIOS), ALL])
        raise UnsupportedError(f"there is no scenario {name}. Scenarios: {names}.")
    return found


def rolled_out(
    emulator: Emulator,
    organization: Organization,
    journal: Journal,
    clone: Path,
    scratch: Path,
    executions: Mapping[str, object],
) -> Rollout:
    """An organization after the first rollout; `executions` are the pipelines that it has started."""
    plan = organization.plan
    codecommit = emulator.session(plan.accounts.home, plan.home_region).client("codecommit")
    (pipeline,) = executions
    return Rollout(
        emulator, organization, journal, pipeline, WorkingCopy(clone, codecommit, PIPELINE), scratch
    )


def carry_out(chosen: Sequence[Scenario], rollout: Rollout) -> None:
    """Carry out scenarios, one after the other. Raises RehearsalError at the first fault."""
    journal = rollout.journal
    journal.section("Scenarios")
    journal.note(
        "after the first rollout, builds run gates and tests only where the scenario is about them",
        Status.NOT_RUN,
    )
    for scenario in chosen:
        journal.section(f"Scenario {scenario.name}: {scenario.sentence}")
        scenario.carry_out(rollout)
        with journal.step(f"scenario {scenario.name}"):
            if refused := journal.unexpected():
                raise OutcomeError(f"{len(refused)} calls were refused", *map(describe, refused))
