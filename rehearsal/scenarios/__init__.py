"""Scenarios: what can happen to an organization after its first deployment, each with a name and a sentence.

`SCENARIOS` lists them. Those that only commit something are in commits and two_commits, failures in faults,
Regions, OUs and accounts in targets, a closed account in suspension. Each works on any deployed organization:
it compares before with after, and leaves a consistent organization behind. So one scenario runs after a first
deployment of its own, and `all` run one after the other on the same organization.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from buildspecs.names import PIPELINE
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError, UnsupportedError
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Journal, Status, describe
from rehearsal.scenarios import commits, faults, suspension, targets
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.two_commits import two_commits
from rehearsal.scenarios.working_copy import WorkingCopy

ALL: Final = "all"


@dataclass(frozen=True)
class Scenario:
    """What happens, in one sentence, and the function that runs it; that raises RehearsalError."""

    name: str
    sentence: str
    run: Callable[[DeployedOrganization], None]


# In the order in which `all` runs them: what makes the organization larger comes late.
SCENARIOS: Final = (
    Scenario("first-rollout", "The README's commands deploy everything.", commits.first_rollout),
    Scenario("same-commit", "The same commit again changes nothing.", commits.same_commit),
    Scenario("readme-only", "A commit of the README alone changes nothing.", commits.readme_only),
    Scenario(
        "member-template",
        "A changed member vault template reaches every member account and Region, and changes nothing else.",
        commits.member_template,
    ),
    Scenario(
        "function",
        "A changed function is packaged in every Region, then recorded, then deployed.",
        commits.function,
    ),
    Scenario(
        "stack-tags",
        "A new tag reaches every stack and leaves the recorded packages as they are.",
        commits.stack_tags,
    ),
    Scenario(
        "pipeline-template",
        "A changed pipeline template makes the pipeline update itself and start again.",
        commits.pipeline_template,
    ),
    Scenario(
        "analysis-fails",
        "A template with a fault stops the pipeline before anything is deployed.",
        faults.analysis_fails,
    ),
    Scenario(
        "tests-fail",
        "A function that fails its tests stops the pipeline before anything is deployed.",
        faults.tests_fail,
    ),
    Scenario(
        "upload-fails",
        "A bucket that refuses a package fails the build; the next run completes the deployment.",
        faults.upload_fails,
    ),
    Scenario("two-commits", "Two commits in quick succession are deployed in order.", two_commits),
    Scenario(
        "account-refuses",
        "A member account in which a stack fails is reported; all others are updated.",
        faults.account_refuses,
    ),
    Scenario("region-added", "An added target Region gets everything.", targets.region_added),
    Scenario(
        "region-removed",
        "A removed target Region loses its stacks and keeps its vaults.",
        targets.region_removed,
    ),
    Scenario(
        "unit-added", "The accounts of an added organizational unit get everything.", targets.unit_added
    ),
    Scenario("account-joins", "An account that joins gets everything automatically.", targets.account_joins),
    Scenario(
        "account-leaves",
        "An account that leaves keeps its vault, key and recovery points.",
        targets.account_leaves,
    ),
    Scenario(
        "account-suspended",
        "A suspended account is skipped and named; all others are updated.",
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


def deployed(
    emulator: Emulator, organization: Organization, journal: Journal, clone: Path, scratch: Path
) -> DeployedOrganization:
    """The organization after its first deployment; `clone` holds the files that were deployed."""
    plan = organization.plan
    codecommit = emulator.session(plan.accounts.home, plan.home_region).client("codecommit")
    working_copy = WorkingCopy(clone, codecommit, PIPELINE)
    return DeployedOrganization(emulator, organization, journal, working_copy, scratch)


def run(chosen: Sequence[Scenario], deployed: DeployedOrganization) -> None:
    """Run scenarios, one after the other. Raises RehearsalError at the first fault."""
    journal = deployed.journal
    journal.section("Scenarios")
    journal.note(
        "after the first deployment, builds run gates and tests only in the scenarios about them",
        Status.NOT_RUN,
    )
    for scenario in chosen:
        journal.section(f"Scenario {scenario.name}: {scenario.sentence}")
        scenario.run(deployed)
        with journal.step(f"scenario {scenario.name}"):
            if refused := journal.unexpected():
                raise OutcomeError(f"{len(refused)} calls were refused", *map(describe, refused))
