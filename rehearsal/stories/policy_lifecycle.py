"""The life of the backup policies: changed, aimed elsewhere, refused, removed and made again.

The deployed stack and the deployed function do it; what AWS Organizations then says is what counts. During
every change a watch asks Organizations again and again whether the policies are in force.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import BACKUP_POLICIES, POLICY_NAMES, POLICY_STACK
from rehearsal.checks.outcomes import Outcomes, assigned
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError, StackError
from rehearsal.organization import stacks
from rehearsal.organization.plan import Organization
from rehearsal.pipeline.execution import Execution
from rehearsal.report.journal import Journal, OpenStep

STAGE: Final = "DeployBackupOrgPolicy"
# A policy of somebody else's, whose name begins with that of ours.
FOREIGN: Final = "org-daily-backup-policy-of-the-laboratory"
_FOREIGN_PLAN: Final = "Laboratory"
_DAILY: Final = "org-daily-backup-policy"
_EARLIER: Final = "cron(30 3 ? * * *)"
_REFUSED_SCHEDULE: Final = "cron(45 4 ? * * *)"
_UNKNOWN_REGION: Final = "us-esat-2"
# Parameters of the stack hold paths of SSM parameters: the published ones, and those put in their place.
_PUBLISHED_UNITS: Final = {"pOrgBackupTargetOUs": "/backup/target/organizational-units"}
_OTHER_UNITS: Final = {"pOrgBackupTargetOUs": "/rehearsal/organizational-units"}
_OTHER_REGIONS: Final = {"pRegions": "/rehearsal/regions"}
_POLL_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Policy:
    """A backup policy as AWS Organizations has it."""

    identifier: str
    content: str
    targets: frozenset[str]

    def value(self, *path: str) -> object:
        return assigned(json.loads(self.content), path)


@dataclass(frozen=True)
class Laboratory:
    """An organizational unit that is not protected, an account in it, and the policy that it has."""

    unit: str
    account: str
    policy: Policy


def plant(emulator: Emulator, organization: Organization) -> Laboratory:
    """What is there before anything is deployed, and has to be there unchanged after everything."""
    plan = organization.plan
    client = emulator.session(plan.accounts.management, plan.home_region).client("organizations")
    unit = client.create_organizational_unit(ParentId=organization.root, Name="laboratory")[
        "OrganizationalUnit"
    ]["Id"]
    made = client.create_account(Email="laboratory@example.com", AccountName="laboratory")
    account = made["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=account, SourceParentId=organization.root, DestinationParentId=unit)
    identifier = client.create_policy(
        Name=FOREIGN,
        Description="Made by hand",
        Type="BACKUP_POLICY",
        Content=json.dumps({"plans": {_FOREIGN_PLAN: _foreign_plan(plan.home_region)}}),
    )["Policy"]["PolicySummary"]["Id"]
    client.attach_policy(PolicyId=identifier, TargetId=unit)
    return Laboratory(unit, account, _read(client, identifier))


def _foreign_plan(region: str) -> dict[str, Any]:
    role = {"@@assign": "arn:aws:iam::$account:role/laboratory"}
    return {
        "regions": {"@@assign": [region]},
        "rules": {
            "weekly": {
                "schedule_expression": {"@@assign": "cron(0 1 ? * 1 *)"},
                "target_backup_vault_name": {"@@assign": "Default"},
            }
        },
        "selections": {
            "tags": {
                "all": {
                    "iam_role_arn": role,
                    "tag_key": {"@@assign": "laboratory"},
                    "tag_value": {"@@assign": ["yes"]},
                }
            }
        },
    }


def rehearse(
    emulator: Emulator,
    organization: Organization,
    laboratory: Laboratory,
    pipeline: Execution,
    journal: Journal,
) -> None:
    """The story of the policies, step by step. Raises OutcomeError at the first thing that is wrong."""
    story = Story(emulator, organization, laboratory)
    with journal.step("the policies as the pipeline made them") as step:
        made = story.policies()
        step.summary = ", ".join(f"{name} {policy.identifier}" for name, policy in made.items())
    with journal.step("a change of content: the daily backup starts earlier") as step:
        with story.watched() as watch:
            story.change({"DailyBackupSchedule": _EARLIER})
        step.summary = f"{story.content_changed(made)}; {watch()}"
    with journal.step("a change of targets: the laboratory is added") as step:
        before = story.policies()
        with story.watched() as watch, story.ssm(_OTHER_UNITS, f"{organization.unit},{laboratory.unit}"):
            story.change(_OTHER_UNITS)
        done = story.targets_changed(before, {organization.unit, laboratory.unit})
        story.in_force(laboratory.account, {_FOREIGN_PLAN, *_PLANS})
        step.summary = f"{done}; {watch()}"
    with journal.step("a change of targets: the laboratory is removed") as step:
        with story.watched() as watch:
            story.change(_PUBLISHED_UNITS)
        done = story.targets_changed(before, {organization.unit})
        story.in_force(laboratory.account, {_FOREIGN_PLAN})
        step.summary = f"{done}; {watch()}"
    with journal.step("a change that the function refuses is rolled back") as step:
        regions = ",".join((*organization.plan.regions, _UNKNOWN_REGION))
        with story.watched(_EARLIER) as watch, story.ssm(_OTHER_REGIONS, regions):
            story.refused(_OTHER_REGIONS, _UNKNOWN_REGION, step)
        step.summary = f"{story.unchanged(before)}; {watch()}"
    with journal.step("a change that AWS Organizations refuses is rolled back") as step:
        unit = no_unit(organization.unit)
        with story.watched() as watch, story.ssm(_OTHER_UNITS, f"{organization.unit},{unit}"):
            changed = {**_OTHER_UNITS, "DailyBackupSchedule": _REFUSED_SCHEDULE}
            story.refused(changed, unit, step)
        step.summary = f"{story.unchanged(before)}; {watch()}"
    with journal.step(f"the stack {POLICY_STACK} is deleted") as step:
        step.summary = story.removed()
    journal.section(f"The pipeline's stage {STAGE}, run again")
    pipeline.repeat(STAGE)
    with journal.step("the policies as the pipeline made them again") as step:
        found = Outcomes(emulator, organization).policies()
        story.foreign_unchanged()
        again = story.policies()
        if {policy.identifier for policy in again.values()} & {policy.identifier for policy in made.values()}:
            raise OutcomeError("the policies have the ids of those that were deleted.")
        journal.holdings = [held for held in journal.holdings if held.kind != "backup policy"]
        journal.holdings += [held for held in found if held.kind == "backup policy"]
        step.summary = ", ".join(f"{name} {policy.identifier}" for name, policy in again.items())


_PLANS: Final = frozenset(published.plan for published in BACKUP_POLICIES)


class Story:
    """What the steps do and check."""

    def __init__(self, emulator: Emulator, organization: Organization, laboratory: Laboratory) -> None:
        plan = organization.plan
        home = emulator.session(plan.accounts.home, plan.home_region)
        self._organizations = emulator.session(plan.accounts.management, plan.home_region).client(
            "organizations"
        )
        self._cloudformation = home.client("cloudformation")
        self._ssm = home.client("ssm")
        self._where = f"the home account, {plan.home_region}"
        self._unit = organization.unit
        self._root = organization.root
        self._members = plan.accounts.members
        self._accounts = [*plan.accounts.ids_by_name().values(), laboratory.account]
        self._laboratory = laboratory

    # -- doing -----------------------------------------------------------------------------------------------

    def change(self, changed: Mapping[str, str]) -> None:
        stacks.change(self._cloudformation, POLICY_STACK, changed, self._where)

    def refused(self, changed: Mapping[str, str], named: str, step: OpenStep) -> None:
        """A change that has to fail and to be rolled back, with a reason that names what is wrong."""
        try:
            self.change(changed)
        except StackError as error:
            reason = [str(error), *error.details]
        else:
            raise OutcomeError(f"the stack {POLICY_STACK} took the change {dict(changed)}.")
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
    def ssm(self, parameter: Mapping[str, str], value: str) -> Iterator[None]:
        """An SSM parameter of the home account for a parameter of the stack: {parameter: path}."""
        (name,) = parameter.values()
        self._ssm.put_parameter(Name=name, Type="StringList", Value=value, Overwrite=True)
        try:
            yield
        finally:
            self._ssm.delete_parameter(Name=name)

    def removed(self) -> str:
        """Delete the stack: both policies are gone everywhere, the foreign one is as it was."""
        self._cloudformation.delete_stack(StackName=POLICY_STACK)
        stacks.wait(self._cloudformation, POLICY_STACK, self._where)
        if left := set(self._identifiers()) & set(POLICY_NAMES):
            raise OutcomeError(f"the stack {POLICY_STACK} is deleted, but not {', '.join(sorted(left))}.")
        foreign = self._laboratory.policy.identifier
        for target in [self._root, self._unit, self._laboratory.unit, *self._accounts]:
            expected = [foreign] if target == self._laboratory.unit else []
            if (attached := self._attached(target)) != expected:
                raise OutcomeError(f"{target} has the backup policies {attached} instead of {expected}.")
        for member in self._members:
            self.in_force(member, set())
        self.foreign_unchanged()
        return f"both policies are gone from every target; {FOREIGN} is as it was"

    # -- checking --------------------------------------------------------------------------------------------

    def policies(self) -> dict[str, Policy]:
        """Our policies by name. Raises OutcomeError if one is missing."""
        identifiers = self._identifiers()
        if missing := set(POLICY_NAMES) - set(identifiers):
            raise OutcomeError(f"the backup policy {', '.join(sorted(missing))} does not exist.")
        return {name: _read(self._organizations, identifiers[name]) for name in POLICY_NAMES}

    def content_changed(self, before: Mapping[str, Policy]) -> str:
        """Only the daily policy's schedule has changed, for every member account too."""
        expected = dict(before)
        path = _schedule_path()
        document = json.loads(before[_DAILY].content)
        old = before[_DAILY].value(*path)
        _at(document, path)["@@assign"] = _EARLIER
        expected[_DAILY] = replace(before[_DAILY], content=_compact(document))
        self._are(expected)
        for member in self._members:
            if (found := _daily_schedule(self._effective(member))) != _EARLIER:
                raise OutcomeError(f"in account {member} the daily backup still starts at {found}.")
        return f"{old} is now {_EARLIER}, {before[_DAILY].identifier} is still {_DAILY}"

    def targets_changed(self, before: Mapping[str, Policy], targets: set[str]) -> str:
        """Both policies have these targets, and are otherwise what they were."""
        self._are({name: replace(policy, targets=frozenset(targets)) for name, policy in before.items()})
        for member in self._members:
            self.in_force(member, set(_PLANS))
        return f"both policies, their ids unchanged, are attached to {', '.join(sorted(targets))}"

    def unchanged(self, before: Mapping[str, Policy]) -> str:
        """Both policies are what they were, and in force."""
        self._are(before)
        for member in self._members:
            self.in_force(member, set(_PLANS))
        return "ids, content and targets are what they were"

    def foreign_unchanged(self) -> None:
        """The policy that is not ours is what it was, and in force where it was."""
        planted = self._laboratory.policy
        if (found := _read(self._organizations, planted.identifier)) != planted:
            raise OutcomeError(f"the policy {FOREIGN}, which is not ours, was {planted} and is {found}.")
        self.in_force(self._laboratory.account, {_FOREIGN_PLAN})

    def in_force(self, account: str, plans: set[str]) -> None:
        """Exactly these plans are in force for an account."""
        if (found := set(self._effective(account))) != plans:
            raise OutcomeError(
                f"account {account} has the backup plans {sorted(found) or 'none'} "
                f"instead of {sorted(plans) or 'none'}."
            )

    @contextmanager
    def watched(self, schedule: str | None = None) -> Iterator[Callable[[], str]]:
        """Ask Organizations all the time whether both policies are in force in every member account.

        schedule: what the daily backup's has to be. Raises OutcomeError if it ever was otherwise. Yields
        what tells how often was asked.
        """
        faults: list[str] = []
        asked, stop = [0], threading.Event()

        def look() -> None:
            for member in self._members:
                plans = self._effective(member)
                if missing := _PLANS - set(plans):
                    faults.append(f"account {member} was without {', '.join(sorted(missing))}")
                elif schedule and (found := _daily_schedule(plans)) != schedule:
                    faults.append(f"in account {member} the daily backup started at {found}")
            asked[0] += 1

        def watch() -> None:
            try:
                ended = False
                while not ended and not faults:
                    ended = stop.is_set()  # so that the last look comes after the change
                    look()
                    time.sleep(_POLL_SECONDS)
            except Exception as error:  # noqa: BLE001 - a watch that ended early has seen nothing
                faults.append(f"Organizations could not be asked: {error}")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield lambda: f"in force each of {asked[0]} times asked meanwhile"
        finally:
            stop.set()
            thread.join()
        if faults:
            raise OutcomeError(*faults)

    # -- asking ----------------------------------------------------------------------------------------------

    def _are(self, expected: Mapping[str, Policy]) -> None:
        found = self.policies()
        for name, policy in expected.items():
            if found[name] != policy:
                raise OutcomeError(f"the policy {name} is {found[name]} instead of {policy}.")

    def _identifiers(self) -> dict[str, str]:
        pages = self._organizations.get_paginator("list_policies").paginate(Filter="BACKUP_POLICY")
        return {policy["Name"]: policy["Id"] for page in pages for policy in page["Policies"]}

    def _attached(self, target: str) -> list[str]:
        pages = self._organizations.get_paginator("list_policies_for_target").paginate(
            TargetId=target, Filter="BACKUP_POLICY"
        )
        return [policy["Id"] for page in pages for policy in page["Policies"]]

    def _effective(self, account: str) -> dict[str, Any]:
        """The plans in force for an account, by name."""
        try:
            answer = self._organizations.describe_effective_policy(
                PolicyType="BACKUP_POLICY", TargetId=account
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "EffectivePolicyNotFoundException":
                return {}
            raise
        plans: dict[str, Any] = json.loads(answer["EffectivePolicy"]["PolicyContent"]).get("plans", {})
        return plans


def _daily_schedule(plans: Mapping[str, Any]) -> object:
    """When the daily backup starts, by effective plans, which have values without operators."""
    return _at({"plans": plans}, _schedule_path())


def _schedule_path() -> tuple[str, ...]:
    daily = BACKUP_POLICIES[0]
    return ("plans", daily.plan, "rules", daily.rule, "schedule_expression")


def _at(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _compact(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def _read(organizations: Any, identifier: str) -> Policy:
    """A policy; the order of its content's keys does not count."""
    content = organizations.describe_policy(PolicyId=identifier)["Policy"]["Content"]
    pages = organizations.get_paginator("list_targets_for_policy").paginate(PolicyId=identifier)
    targets = frozenset(target["TargetId"] for page in pages for target in page["Targets"])
    return Policy(identifier, _compact(json.loads(content)), targets)


def no_unit(unit: str) -> str:
    """The id of an organizational unit that could be one of the same root, but is none."""
    root = unit.split("-")[1]
    return f"ou-{root}-{'0' * 8}"
