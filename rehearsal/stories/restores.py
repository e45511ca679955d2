"""Restores in a member account: TagOnRestore, started by the event, copies the tags to what is restored.

If its call is denied, the failure is kept and triggers an alarm, and the next sweep copies the tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from buildspecs.names import TAG_FAILURES
from rehearsal.emulator import Emulator
from rehearsal.errors import OutcomeError
from rehearsal.machine import parallel
from rehearsal.organization.plan import Organization
from rehearsal.report.journal import Holding, Journal, describe
from rehearsal.stories import failures, sweeps
from rehearsal.stories.member import Member
from rehearsal.stories.resources import EXCLUDED, ITSELF
from rehearsal.stories.restore_cases import RESTORE_CASES, TABLE, VOLUME, RestoreCase
from rehearsal.stories.restore_jobs import Backup, back_up, restore, run_restore_test, wait_for_tags

# An option for the operator's file: it reaches the function in each account through SSM and a StackSet.
OPTIONS: Final = {"TagsToExcludeInCopy": f"aws:backup:source-resource, {EXCLUDED}"}
DENIED_ACTION: Final = "dynamodb:TagResource"
_NAME: Final = "payroll-restored"


def rehearse(emulator: Emulator, organization: Organization, journal: Journal) -> None:
    """All restores, step by step. Raises OutcomeError at the first fault."""
    plan = organization.plan
    account = plan.accounts.members[0]
    home = Member(account, plan.home_region, emulator)
    other = next((Member(account, each, emulator) for each in plan.regions if each != plan.home_region), home)
    cases: dict[Member, Sequence[RestoreCase]] = {home: (TABLE, VOLUME), other: RESTORE_CASES}
    # Both Regions at the same time; and each resource is created while the tags of the one before are copied.
    restored = {member: parallel.ahead(_restored_with_tags(member, each)) for member, each in cases.items()}
    backups = {
        member: [_report(member, case, restored[member], journal) for case in each]
        for member, each in cases.items()
    }[other]
    table = next(backup for backup in backups if backup.case is TABLE)
    with journal.step(f"restore test in {other}: {TABLE.resource_type}") as step:
        step.summary = f"{_short(run_restore_test(other, table, 'payroll-tested'))} gets no tags"
    _failure_and_sweep(other, table, backups, journal)


Restored = tuple[Backup, str]  # with the ARN of the restored resource


def _restored_with_tags(member: Member, cases: Sequence[RestoreCase]) -> Iterator[Restored]:
    for backup in parallel.ahead(back_up(member, case) for case in cases):
        _, arn = restore(member, backup, _NAME)
        wait_for_tags(member, backup.case, arn)
        yield backup, arn


def _report(member: Member, case: RestoreCase, restored: Iterator[Restored], journal: Journal) -> Backup:
    with journal.step(f"restore in {member}: {case.title}") as step:
        backup, arn = next(restored)
        volumes = len(case.expected) - 1
        step.summary = (
            f"{_short(arn)} {f'and its {volumes} volumes have their' if volumes else 'has its'} tags"
        )
        accounts = member.emulator.accounts.ids_by_name()
        name = next(name for name, account in accounts.items() if account == member.account)
        journal.holdings.append(Holding(name, member.account, member.region, "restored, with its tags", arn))
    return backup


def _failure_and_sweep(member: Member, backup: Backup, tagged: Sequence[Backup], journal: Journal) -> None:
    """tagged: all backups whose restored resources have their tags; backup: one of them."""
    with (
        journal.announced(failures.expected_denial(member, DENIED_ACTION)) as refused,
        journal.step(f"restore in {member}: {DENIED_ACTION} is denied") as step,
    ):
        with failures.denied(member, DENIED_ACTION):
            job, arn = restore(member, backup, "payroll-untagged")
            reason = failures.reason(member, job)
        if not (calls := refused()):
            raise OutcomeError(f"{arn} has no tags, but {DENIED_ACTION} was not denied: {reason}")
        if arn not in reason or DENIED_ACTION not in reason:
            raise OutcomeError(f"the reason in {TAG_FAILURES} does not name resource and call: {reason}")
        if (tags := backup.case.tags(member, arn)) != {ITSELF: {}}:
            raise OutcomeError(f"{arn} has the tags {tags} although {DENIED_ACTION} was denied.")
        step.say(f"{describe(calls[0])}, {len(calls)} times")
        step.say(f"message in {TAG_FAILURES}: {reason}")
        step.say(failures.alarm(member))
        step.summary = "the event is in the dead-letter queue, with the reason"
    with journal.step(f"daily sweep in {member}, after the denial") as step:
        counts = {"Tagged": 1, "Unchanged": len(tagged), "Skipped": 1, **_tag_sources([*tagged, backup])}
        step.say(sweeps.scheduled(member, counts))
        wait_for_tags(member, backup.case, arn)
        failures.purge(member)
        step.summary = f"{_short(arn)} has its tags"
    with journal.step(f"sweep by hand in {member}") as step:
        step.summary = sweeps.by_hand(member, {"unchanged": len(tagged) + 1, "skipped": 1})


def _tag_sources(backups: Sequence[Backup]) -> Counter[str]:
    """Where the tags of the restored resources and their parts come from, as the metrics count it. Pure."""
    counts: Counter[str] = Counter()
    for case in (backup.case for backup in backups):
        counts["FromRecoveryPointSourceGone" if case.delete else "FromSource"] += len(case.expected)
        counts["TagsWithheld"] += len(case.withheld)
    return counts


def _short(arn: str) -> str:
    return arn.split(":", 5)[5]
