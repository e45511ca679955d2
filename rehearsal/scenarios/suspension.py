"""An account that is closed: it is skipped and named, and all others are updated."""

from __future__ import annotations

from buildspecs import names
from buildspecs.rollout_report import SUSPENDED
from rehearsal.errors import OutcomeError
from rehearsal.scenarios import edits
from rehearsal.scenarios.deployed_organization import DeployedOrganization
from rehearsal.scenarios.snapshot import changes
from rehearsal.scenarios.targets import check_automatic_deployment, instances


def account_suspended(deployed: DeployedOrganization) -> None:
    active = deployed.members
    account = deployed.new_account()
    deployed.set_members(*active, account)
    check_automatic_deployment(deployed, account)
    deployed.check_outcomes()
    deployed.set_members(*active)
    _close(deployed, account)
    before, known = deployed.snapshot(), len(deployed.journal.steps)
    edits.edit_member_template(deployed)
    deployed.commit("Another description of the member vault's key")
    deployed.run()
    deployed.expect_only(
        "every other account was updated, and the stacks of the suspended one have not changed",
        before,
        edits.member_update(deployed) | edits.new_template(deployed, before),
    )
    deployed.check("the execution has succeeded", lambda: _failure(deployed))
    with deployed.journal.step(
        f"its last action, {names.REPORT_PROJECT}, names the account as suspended"
    ) as step:
        step.summary = _named(deployed, known, account)
    _move_out(deployed, account)
    deployed.check_outcomes()


def _close(deployed: DeployedOrganization, account: str) -> None:
    with deployed.journal.step(f"account {account} is closed, and so suspended"):
        deployed.organizations.close_account(AccountId=account)
        deployed.eventually(
            lambda: (
                deployed.organizations.describe_account(AccountId=account)["Account"]["Status"] == "SUSPENDED"
            ),
            f"account {account} is not suspended.",
        )


def _failure(deployed: DeployedOrganization) -> str | None:
    status = deployed.executions()[-1]["status"]
    return None if status == "Succeeded" else f"it ended as {status}."


def _named(deployed: DeployedOrganization, known: int, account: str) -> str:
    """What the last action has printed about the account, in one line."""
    printed = [
        line
        for step in deployed.journal.steps[known:]
        if step.title.endswith(f" · {names.REPORT_PROJECT}")
        for line in step.lines
    ]
    places = [f"suspended  account {account}, {region}: {names.MEMBER_SET}: " for region in deployed.regions]
    for wanted in (*places, f"account {account} is suspended: "):
        if not any(line.startswith(wanted) for line in printed):
            raise OutcomeError(f"no line of {names.REPORT_PROJECT} begins with {wanted!r}.", *printed)
    if others := [line for line in printed if "FAILED" in line]:
        raise OutcomeError(f"{names.REPORT_PROJECT} names failures.", *others)
    return next(line for line in printed if line.startswith(f"account {account} is suspended: "))


def _move_out(deployed: DeployedOrganization, account: str) -> None:
    """The account leaves the OU; the stack instances that would be deleted stay in their StackSets."""
    before = deployed.snapshot()
    with deployed.journal.step(f"account {account} leaves its OU") as step:
        deployed.organizations.move_account(
            AccountId=account,
            SourceParentId=deployed.organization.unit,
            DestinationParentId=deployed.organization.root,
        )
        left = {(name, SUSPENDED) for name in (names.TAG_ROLE_SET, names.TAG_SET)}
        deployed.eventually(
            lambda: (
                {
                    (each["StackSetName"], each["StackInstanceStatus"]["DetailedStatus"])
                    for each in instances(deployed, account)
                }
                == left
            ),
            f"StackSets has not noticed that account {account} has left its OU.",
        )
        step.summary = f"{SUSPENDED} in {names.TAG_ROLE_SET}, {names.TAG_SET}"
    deployed.expect_only(
        "its stacks have not changed, nor has any other account",
        before,
        changes(
            "changed", "StackSet operation", deployed.home_places, *names.ROLE_SETS, *names.REGIONAL_SETS
        ),
    )
