"""An account that the organization closes: it is left out and named, and all others are done."""

from __future__ import annotations

from buildspecs import names
from buildspecs.rollout_report import SUSPENDED
from rehearsal.errors import OutcomeError
from rehearsal.scenarios.changes import edit_member_template, member_update, new_body
from rehearsal.scenarios.deployed_organization import Rollout
from rehearsal.scenarios.snapshot import changes
from rehearsal.scenarios.targets import deployed_by_itself, instances


def account_suspended(rollout: Rollout) -> None:
    active = rollout.members
    account = rollout.new_account()
    rollout.use_members(*active, account)
    deployed_by_itself(rollout, account)
    rollout.is_consistent()
    rollout.use_members(*active)
    _close(rollout, account)
    before, known = rollout.snapshot(), len(rollout.journal.steps)
    edit_member_template(rollout)
    rollout.commit("Another description of the member vault's key")
    rollout.run()
    rollout.only(
        "every other account was updated, and the suspended one's stacks are as they were",
        before,
        member_update(rollout) | new_body(rollout, before),
    )
    rollout.check("the execution has succeeded", lambda: _failure(rollout))
    with rollout.journal.step(
        f"its last action, {names.REPORT_PROJECT}, names the account as suspended"
    ) as step:
        step.summary = _named(rollout, known, account)
    _take_out(rollout, account)
    rollout.is_consistent()


def _close(rollout: Rollout, account: str) -> None:
    organizations = rollout.client("organizations", rollout.organization.plan.accounts.management)
    with rollout.journal.step(f"account {account} is closed, and suspended from then on"):
        organizations.close_account(AccountId=account)
        rollout.eventually(
            lambda: organizations.describe_account(AccountId=account)["Account"]["Status"] == "SUSPENDED",
            f"account {account} is still not suspended",
        )


def _failure(rollout: Rollout) -> str | None:
    status = rollout.executions()[-1]["status"]
    return None if status == "Succeeded" else f"it has ended as {status}."


def _named(rollout: Rollout, known: int, account: str) -> str:
    """What the last action has printed of the account, in one line."""
    printed = [
        line
        for step in rollout.journal.steps[known:]
        if step.title.endswith(f" · {names.REPORT_PROJECT}")
        for line in step.lines
    ]
    places = [f"suspended  account {account}, {region}: {names.MEMBER_SET}: " for region in rollout.regions]
    for wanted in (*places, f"account {account} is suspended: "):
        if not any(line.startswith(wanted) for line in printed):
            raise OutcomeError(f"no line of {names.REPORT_PROJECT} begins with {wanted!r}", *printed)
    if others := [line for line in printed if "FAILED" in line]:
        raise OutcomeError(f"{names.REPORT_PROJECT} names failures", *others)
    return next(line for line in printed if line.startswith(f"account {account} is suspended: "))


def _take_out(rollout: Rollout, account: str) -> None:
    """The account leaves the unit; what would have to be deleted in it stays, and stays in its StackSet."""
    organizations = rollout.client("organizations", rollout.organization.plan.accounts.management)
    before = rollout.snapshot()
    with rollout.journal.step(f"account {account} leaves its unit") as step:
        organizations.move_account(
            AccountId=account,
            SourceParentId=rollout.organization.unit,
            DestinationParentId=rollout.organization.root,
        )
        left = {(name, SUSPENDED) for name in (names.TAG_ROLE_SET, names.TAG_SET)}
        rollout.eventually(
            lambda: (
                {
                    (each["StackSetName"], each["StackInstanceStatus"]["DetailedStatus"])
                    for each in instances(rollout, account)
                }
                == left
            ),
            f"StackSets have not taken note that account {account} has left",
        )
        step.summary = f"{SUSPENDED} in {names.TAG_ROLE_SET}, {names.TAG_SET}"
    rollout.only(
        "its stacks are still as they were, and no other account has changed",
        before,
        changes("changed", "StackSet operation", rollout.at_home, *names.ROLE_SETS, *names.REGIONAL_SETS),
    )
