"""The deployed organization that scenarios work on: commit, run the pipeline, compare."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from buildspecs.names import PIPELINE, PREFIX_PATH
from rehearsal.checks.outcomes import Outcomes
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.machine import waiting
from rehearsal.organization import rules
from rehearsal.organization.plan import Organization
from rehearsal.pipeline.build_shell import AS_ON_AWS, Differences
from rehearsal.pipeline.execution import Execution, ExpectedFailure
from rehearsal.place import Place
from rehearsal.report.journal import Journal, Status
from rehearsal.scenarios import snapshot
from rehearsal.scenarios.snapshot import Change, Facts, Scope
from rehearsal.scenarios.working_copy import WorkingCopy

# Not as on AWS, which the output says: builds lint and test only in the scenarios that are about it.
NO_ANALYSIS: Final = Differences(
    left_out=dict.fromkeys(("buildspecs.lint", "python -m pytest"), "the scenario is not about it")
)
_WAIT_SECONDS: Final = 30.0

T = TypeVar("T")


class DeployedOrganization:
    """An organization after its first deployment; `organization` is what it should look like now."""

    def __init__(
        self,
        emulator: Emulator,
        organization: Organization,
        journal: Journal,
        working_copy: WorkingCopy,
        scratch: Path,
    ) -> None:
        self.emulator = emulator
        self.organization = organization
        self.journal = journal
        self.files = working_copy
        self._scratch = scratch
        self._numbers = itertools.count(1)
        self._members = organization.plan.accounts.members
        self._regions = (organization.plan.home_region, *organization.plan.regions)
        self._taken: set[str] = {entry["pipelineExecutionId"] for entry in self.executions()}

    # -- where things are ------------------------------------------------------------------------------------

    @property
    def home(self) -> Place:
        plan = self.organization.plan
        return Place(plan.accounts.home, plan.home_region)

    @property
    def home_places(self) -> list[Place]:
        """The home account in the home Region, as a list of one place."""
        return [self.home]

    @property
    def members(self) -> tuple[str, ...]:
        return self.organization.plan.accounts.members

    @property
    def regions(self) -> tuple[str, ...]:
        return self.organization.plan.regions

    @property
    def member_places(self) -> list[Place]:
        """Every member account in every target Region."""
        return [Place(account, region) for account in self.members for region in self.regions]

    @property
    def package_places(self) -> list[Place]:
        """The home account in every Region that has a bucket for packages."""
        regions = dict.fromkeys([self.home.region, *self.regions])
        return [Place(self.home.account, region) for region in regions]

    def parameters(self, path: str) -> dict[str, str]:
        """The values of the home account's SSM parameters below a path, by name."""
        pages = self.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
        return {each["Name"]: each["Value"] for page in pages for each in page["Parameters"]}

    def package_bucket(self, region: str) -> str:
        """The bucket for packages in a Region."""
        prefix = self.client("ssm").get_parameter(Name=PREFIX_PATH)["Parameter"]["Value"]
        return f"{prefix}-{self.home.account}-{region}"

    def client(self, service: str, place: Place | None = None) -> Any:
        """A client of an account's root user; by default of the home account, in the home Region."""
        place = place or self.home
        return self.emulator.session(place.account, place.region).client(service)

    @property
    def organizations(self) -> Any:
        """AWS Organizations, for the management account."""
        management = Place(self.organization.plan.accounts.management, self.home.region)
        return self.client("organizations", management)

    # -- changes of the organization -------------------------------------------------------------------------

    def set_members(self, *accounts: str) -> None:
        """The protected accounts from now on."""
        plan = self.organization.plan
        self.organization = replace(
            self.organization, plan=replace(plan, accounts=replace(plan.accounts, members=accounts))
        )
        self._members = tuple(dict.fromkeys([*self._members, *accounts]))

    def set_regions(self, *regions: str) -> None:
        """The target Regions from now on."""
        self.organization = replace(self.organization, plan=replace(self.organization.plan, regions=regions))
        self._regions = tuple(dict.fromkeys([*self._regions, *regions]))

    def set_units(self, *further: str) -> None:
        """The protected OUs from now on, in addition to the first one."""
        self.organization = replace(self.organization, further_units=further)

    def new_account(self, unit: str | None = None) -> str:
        """Create an account and move it into an OU, by default the first one; returns its ID."""
        name = f"joined-{next(self._numbers)}"
        with self.journal.step(f"account {name} is created and moved into the OU") as step:
            made = self.organizations.create_account(Email=f"{name}@example.com", AccountName=name)
            account = str(made["CreateAccountStatus"]["AccountId"])
            self.organizations.move_account(
                AccountId=account,
                SourceParentId=self.organization.root,
                DestinationParentId=unit or self.organization.unit,
            )
            step.summary = account
        return account

    # -- the pipeline ----------------------------------------------------------------------------------------

    def commit(self, message: str) -> None:
        """Commit the working copy. Raises OutcomeError unless EventBridge starts the pipeline, once."""
        before, sent = len(self.executions()), rules.sent_by_rule(self.emulator, self.home)
        with self.journal.step(f"commit: {message}") as step:
            commit = self.files.commit(message)[:8]
            started = self.eventually(
                lambda: self.executions()[before:],
                f"the commit {commit} to main did not start the pipeline {PIPELINE}.",
                lambda: rules.why_not_started(self.emulator, self.home, f":{PIPELINE}", sent),
            )
            trigger = started[0].get("trigger", {})
            if len(started) > 1 or trigger.get("triggerType") != "CloudWatchEvent":
                raise OutcomeError(
                    f"the commit {commit} to main started {started}, not one execution through a rule."
                )
            rule = trigger["triggerDetail"].rpartition(":")[2]
            step.summary = f"{commit} started the pipeline through {rule}"

    def start_again(self) -> None:
        """Start the pipeline again on the last commit."""
        with self.journal.step("aws codepipeline start-pipeline-execution") as step:
            started = self.client("codepipeline").start_pipeline_execution(name=PIPELINE)
            step.summary = started["pipelineExecutionId"]

    def run(self, expected: ExpectedFailure | None = None, *, analysed: bool = False) -> Execution:
        """Run the next execution; `analysed`: with all gates and tests.

        Raises StepError unless it ends as expected.
        """
        execution = self.next_execution(analysed=analysed)
        execution.run(expected)
        self._taken.add(execution.identifier)  # a further one if the pipeline has updated itself
        return execution

    def run_source(self) -> None:
        """Run the source stage of the next execution, and stop there."""
        next(self.next_execution().steps())
        self.journal.note(
            "the other actions of this execution", Status.NOT_RUN, "SCENARIO=readme-only runs them"
        )

    def next_execution(self, *, analysed: bool = False) -> Execution:
        """The oldest execution that was started and has not been run yet."""
        waiting = self._waiting()
        if not waiting:
            raise OutcomeError(f"no execution of the pipeline {PIPELINE} has been started.")
        number = len(self._taken)
        self._taken.add(waiting[0])
        return Execution(
            self.emulator,
            self.home,
            PIPELINE,
            self._scratch / f"execution-{number:02d}",
            self.journal,
            after_builds=lambda: None,  # packages are compared at the end of each scenario
            identifier=waiting[0],
            differences=AS_ON_AWS if analysed else NO_ANALYSIS,
        )

    def executions(self) -> list[dict[str, Any]]:
        """Summaries of the pipeline's executions, oldest first."""
        pages = (
            self.client("codepipeline")
            .get_paginator("list_pipeline_executions")
            .paginate(pipelineName=PIPELINE)
        )
        return [entry for page in pages for entry in page["pipelineExecutionSummaries"]][::-1]

    def _waiting(self) -> list[str]:
        started = [entry["pipelineExecutionId"] for entry in self.executions()]
        return [identifier for identifier in started if identifier not in self._taken]

    # -- what it holds ---------------------------------------------------------------------------------------

    def snapshot(self) -> Facts:
        """What is in every account and Region that was ever in use."""
        accounts = self.organization.plan.accounts
        regions = tuple(dict.fromkeys(self._regions))
        return snapshot.take(
            self.emulator,
            Scope(
                accounts.management, accounts.home, self.home.region, accounts.central, self._members, regions
            ),
        )

    def expect_only(self, title: str, before: Facts, wanted: set[Change]) -> None:
        """A step that fails unless exactly these changes have happened since `before`."""
        with self.journal.step(title) as step:
            found = snapshot.difference(before, self.snapshot())
            snapshot.expect(found, wanted)
            step.summary = f"{len(found)} changes" if found else ""

    def check(self, title: str, fault: Callable[[], str | None]) -> None:
        """A step that fails with what `fault` returns."""
        with self.journal.step(title):
            if found := fault():
                raise OutcomeError(found)

    def check_outcomes(self) -> None:
        """A step that fails unless every account has the resources that it should."""
        with self.journal.step("every account has the resources that it should") as step:
            found = [
                holding
                for check in Outcomes(self.emulator, self.organization).all().values()
                for holding in check()
            ]
            self.journal.holdings[:] = found
            step.summary = f"{len(found)} found"

    def instances(self) -> Iterator[Mapping[str, Any]]:
        """Every stack instance of every StackSet for the organization, with StackSetName."""
        cloudformation = self.client("cloudformation")
        for name in self.stack_sets():
            pages = cloudformation.get_paginator("list_stack_instances").paginate(
                StackSetName=name, CallAs="DELEGATED_ADMIN"
            )
            yield from ({**each, "StackSetName": name} for page in pages for each in page["Summaries"])

    def stack_sets(self) -> list[str]:
        """The names of the StackSets for the organization."""
        pages = (
            self.client("cloudformation")
            .get_paginator("list_stack_sets")
            .paginate(Status="ACTIVE", CallAs="DELEGATED_ADMIN")
        )
        return [each["StackSetName"] for page in pages for each in page["Summaries"]]

    def eventually(
        self, look: Callable[[], T], otherwise: str, details: Callable[[], Sequence[str]] = tuple
    ) -> T:
        """What `look` returns, as soon as that is something. Raises OutcomeError with `otherwise`."""
        if found := waiting.until(look, _WAIT_SECONDS):
            return found
        raise OutcomeError(otherwise, *details())

    @contextmanager
    def expect_no_change(self, title: str) -> Iterator[None]:
        """After the block, a step that fails if anything has changed meanwhile."""
        before = self.snapshot()
        yield
        self.expect_only(title, before, set())
