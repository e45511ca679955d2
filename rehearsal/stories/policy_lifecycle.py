"""The lifecycle of the backup policies: changed, attached elsewhere, refused, deleted and created again.

The deployed stack and the deployed function do it; what AWS Organizations returns afterwards is checked.
During every change a watch checks that the policies are in effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from buildspecs.names import BACKUP_POLICIES, POLICY_STACK, POLICY_STAGE, UNITS_PATH
from rehearsal.checks import backup_policies
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError, StackError
from rehearsal.organization import stacks
from rehearsal.organization.plan import Organization
from rehearsal.pipeline.execution import Execution
from rehearsal.report.journal import Journal, OpenStep
from rehearsal.stories import sandbox
from rehearsal.stories.policies_in_effect import PLANS, Policies, Policy, compact
from rehearsal.stories.sandbox import Sandbox

_DAILY: Final = BACKUP_POLICIES[0]
_EARLIER: Final = "cron(30 3 ? * * *)"
_REFUSED_SCHEDULE: Final = "cron(45 4 ? * * *)"
_UNKNOWN_REGION: Final = "us-esat-2"
# Parameters of the stack hold names of SSM parameters: the published ones, and those used instead.
_PUBLISHED_UNITS: Final = {"pOrgBackupTargetOUs": UNITS_PATH}
_OTHER_UNITS: Final = {"pOrgBackupTargetOUs": "/rehearsal/organizational-units"}
_OTHER_REGIONS: Final = {"pRegions": "/rehearsal/regions"}


def rehearse(
    emulator: Emulator,
    organization: Organization,
    outside: Sandbox,
    pipeline: Execution,
    journal: Journal,
) -> None:
    """The lifecycle, step by step. Raises OutcomeError at the first fault."""
    lifecycle = PolicyLifecycle(emulator, organization, outside)
    policies = lifecycle.policies
    with journal.step("the policies that the pipeline created") as step:
        created = policies.ours()
        step.summary = _listed(created)
    with journal.step("a change of content: the daily backup starts earlier") as step:
        with policies.watched() as watch:
            lifecycle.change({"DailyBackupSchedule": _EARLIER})
        step.summary = f"{lifecycle.check_schedule(created)}; {watch()}"
    before = policies.ours()
    with journal.step("a change of targets: the sandbox OU is added") as step:
        with policies.watched() as watch, lifecycle.parameter(_OTHER_UNITS, organization.unit, outside.unit):
            lifecycle.change(_OTHER_UNITS)
        done = lifecycle.check_targets(before, {organization.unit, outside.unit})
        policies.expect_in_effect(outside.account, {sandbox.PLAN, *PLANS})
        step.summary = f"{done}; {watch()}"
    with journal.step("a change of targets: the sandbox OU is removed") as step:
        with policies.watched() as watch:
            lifecycle.change(_PUBLISHED_UNITS)
        done = lifecycle.check_targets(before, {organization.unit})
        policies.expect_in_effect(outside.account, {sandbox.PLAN})
        step.summary = f"{done}; {watch()}"
    with journal.step("a change that the function refuses is rolled back") as step:
        regions = (*organization.plan.regions, _UNKNOWN_REGION)
        with policies.watched(_EARLIER) as watch, lifecycle.parameter(_OTHER_REGIONS, *regions):
            lifecycle.expect_rollback(_OTHER_REGIONS, _UNKNOWN_REGION, step)
        step.summary = f"{lifecycle.check_unchanged(before)}; {watch()}"
    with journal.step("a change that AWS Organizations refuses is rolled back") as step:
        unit = nonexistent_unit(organization.unit)
        with policies.watched() as watch, lifecycle.parameter(_OTHER_UNITS, organization.unit, unit):
            changed = {**_OTHER_UNITS, "DailyBackupSchedule": _REFUSED_SCHEDULE}
            lifecycle.expect_rollback(changed, unit, step)
        step.summary = f"{lifecycle.check_unchanged(before)}; {watch()}"
    with journal.step(f"the stack {POLICY_STACK} is deleted") as step:
        step.summary = lifecycle.delete()
    journal.section(f"The pipeline's stage {POLICY_STAGE}, run again")
    pipeline.run_stage_again(POLICY_STAGE)
    with journal.step("the policies that the pipeline created again") as step:
        found = backup_policies.check(emulator, organization)
        lifecycle.check_sandbox()
        again = policies.ours()
        if {policy.identifier for policy in again.values()} & {each.identifier for each in created.values()}:
            raise OutcomeError("the policies have the IDs of those that were deleted.")
        journal.holdings = [held for held in journal.holdings if held.kind != "backup policy"] + found
        step.summary = _listed(again)


def _listed(policies: Mapping[str, Policy]) -> str:
    return ", ".join(f"{name} {policy.identifier}" for name, policy in policies.items())


class PolicyLifecycle:
    """What the steps do and check."""

    def __init__(self, emulator: Emulator, organization: Organization, outside: Sandbox) -> None:
        plan = organization.plan
        management = emulator.session(plan.accounts.management, plan.home_region)
        home = emulator.session(plan.accounts.home, plan.home_region)
        self.policies = Policies(management.client("organizations"), plan.accounts.members)
        self._cloudformation = home.client("cloudformation")
        self._ssm = home.client("ssm")
        self._where = f"the home account, {plan.home_region}"
        self._outside = outside
        accounts = plan.accounts.ids_by_name().values()
        self._other_targets = [organization.root, organization.unit, *accounts, outside.account]

    def change(self, changed: Mapping[str, str]) -> None:
        stacks.change(self._cloudformation, POLICY_STACK, changed, self._where)

    def expect_rollback(self, changed: Mapping[str, str], named: str, step: OpenStep) -> None:
        """A change that should fail, with a reason that names what is wrong, and be rolled back."""
        try:
            self.change(changed)
        except StackError as error:
            reason = [str(error), *error.details]
        else:
            raise OutcomeError(f"the stack {POLICY_STACK} accepted the change {dict(changed)}.")
        ended = stacks.status(self._cloudformation, POLICY_STACK)
        if ended != "UPDATE_ROLLBACK_COMPLETE" or not any(named in line for line in reason):
            raise OutcomeError(
                f"the stack {POLICY_STACK} ended in {ended} instead of UPDATE_ROLLBACK_COMPLETE with a "
                f"reason that names {named}.",
                *reason,
            )
        for line in reason:
            step.say(line)

    @contextmanager
    def parameter(self, parameter: Mapping[str, str], *values: str) -> Iterator[None]:
        """During the block, the SSM parameter exists that a parameter of the stack is to name."""
        (name,) = parameter.values()
        self._ssm.put_parameter(Name=name, Type="StringList", Value=",".join(values), Overwrite=True)
        try:
            yield
        finally:
            self._ssm.delete_parameter(Name=name)

    def delete(self) -> str:
        """Delete the stack: both policies are deleted, and only the sandbox's is attached anywhere."""
        self._cloudformation.delete_stack(StackName=POLICY_STACK)
        stacks.wait(self._cloudformation, POLICY_STACK, self._where)
        self.policies.expect_no_ours()
        for target in self._other_targets:
            self.policies.expect_attached(target, [])
        self.policies.expect_attached(self._outside.unit, [self._outside.policy.identifier])
        self.policies.expect_in_members(set())
        self.check_sandbox()
        return f"both policies are detached and deleted; {sandbox.POLICY} has not changed"

    def check_schedule(self, before: Mapping[str, Policy]) -> str:
        """Only the schedule of the daily policy has changed, in every member account too."""
        daily = before[_DAILY.name]
        content = json.loads(daily.content)
        rule = content["plans"][_DAILY.plan]["rules"][_DAILY.rule]
        old, rule["schedule_expression"] = rule["schedule_expression"]["@@assign"], {"@@assign": _EARLIER}
        self.policies.expect_ours({**before, _DAILY.name: replace(daily, content=compact(content))})
        self.policies.expect_schedule_in_members(_EARLIER)
        return f"{old} is now {_EARLIER}; {_DAILY.name} is still {daily.identifier}"

    def check_targets(self, before: Mapping[str, Policy], targets: set[str]) -> str:
        """Both policies have these targets, and are otherwise what they were."""
        changed = {name: replace(policy, targets=frozenset(targets)) for name, policy in before.items()}
        self.policies.expect_ours(changed)
        self.policies.expect_in_members(PLANS)
        return f"both policies, their IDs unchanged, are attached to {', '.join(sorted(targets))}"

    def check_unchanged(self, before: Mapping[str, Policy]) -> str:
        """Both policies are what they were, and in effect."""
        self.policies.expect_ours(before)
        self.policies.expect_in_members(PLANS)
        return "IDs, content and targets are what they were"

    def check_sandbox(self) -> None:
        """The sandbox's policy is what it was, and in effect there."""
        self.policies.expect_unchanged(sandbox.POLICY, self._outside.policy)
        self.policies.expect_in_effect(self._outside.account, {sandbox.PLAN})


def nonexistent_unit(unit: str) -> str:
    """The ID of an OU that does not exist but could, in the same root."""
    root = unit.split("-")[1]
    return f"ou-{root}-{'0' * 8}"
