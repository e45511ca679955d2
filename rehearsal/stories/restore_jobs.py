"""Backups and restore jobs in a member account, and the tags of what they restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from buildspecs.names import MEMBER_ROLE, MEMBER_VAULT, TAG_FUNCTION
from rehearsal.errors import OutcomeError
from rehearsal.machine import waiting
from rehearsal.organization import logs, rules
from rehearsal.stories.member import Member
from rehearsal.stories.resources import ITSELF, NOT_COPIED, TAGS, Tags
from rehearsal.stories.restore_cases import RestoreCase

_WAIT_SECONDS: Final = 20.0
_LOG_LINES: Final = 15


@dataclass(frozen=True)
class Backup:
    """A backup of a resource; `arn` is that of the recovery point."""

    case: RestoreCase
    source: str
    arn: str


def back_up(member: Member, case: RestoreCase) -> Backup:
    """Create a resource and a backup of it, then delete the source if the case says so."""
    source = case.create(member)
    snapshot = {"recovery_point": case.snapshot(member, source)} if case.snapshot else {}
    point = member.emulator.control(
        "create-recovery-point",
        account=member.account,
        region=member.region,
        vault=MEMBER_VAULT,
        resource=source,
        resource_type=case.resource_type,
        tags={**TAGS, **NOT_COPIED, "aws:backup:source-resource": source},
        **snapshot,
    )["RecoveryPointArn"]
    if case.delete:
        case.delete(member, source)
    return Backup(case, source, point)


def restore(member: Member, backup: Backup, name: str, testing_plan: str | None = None) -> tuple[str, str]:
    """Restore under a name, and wait for the job. Returns its ID and the ARN of the restored resource.

    testing_plan: the ARN of the restore testing plan for which AWS Backup restores.
    """
    request = {
        "RecoveryPointArn": backup.arn,
        "IamRoleArn": f"arn:aws:iam::{member.account}:role/{MEMBER_ROLE}",
        "ResourceType": backup.case.resource_type,
        "Metadata": dict(backup.case.metadata(member, backup.source, name)),
    }
    client = member.client("backup")
    if testing_plan is None:
        job = client.start_restore_job(**request)["RestoreJobId"]
    else:
        job = member.emulator.control(
            "start-restore",
            account=member.account,
            region=member.region,
            request=request,
            testing_plan=testing_plan,
        )

    def ended() -> Any:
        found = client.describe_restore_job(RestoreJobId=job)
        return found if found["Status"] in ("COMPLETED", "FAILED", "ABORTED") else None

    found = eventually(ended, lambda: OutcomeError(f"restore job {job} has not ended in time."))
    if found["Status"] != "COMPLETED":
        raise OutcomeError(f"restore job {job} {found['Status']}: {found.get('StatusMessage', '')}")
    return str(job), str(found["CreatedResourceArn"])


def wait_for_tags(member: Member, case: RestoreCase, restored: str) -> None:
    """Until the restored resource and its parts have the tags of the source, and no others.

    Raises OutcomeError with the end of the function's log.
    """

    def differing() -> Iterator[str]:
        found = case.tags(member, restored)
        for part, expected in case.expected.items():
            if (tags := found.get(part, {})) != expected:
                what = restored if part == ITSELF else f"{part} of {restored}"
                has = f"has the tags {dict(tags)}" if tags else "has no tags"
                yield f"{what} was restored, but {has} instead of {expected}."

    eventually(
        lambda: not list(differing()),
        lambda: OutcomeError(*differing(), *end_of_log(member)),
    )


def run_restore_test(member: Member, backup: Backup, name: str) -> str:
    """A restore that tests a backup gets no tags: they would select the copy for backup. Returns its ARN."""
    plan = member.arn("backup", "restore-testing-plan:monthly-test")
    untagged: dict[str, Tags] = {ITSELF: {}}
    job, restored = restore(member, backup, name, testing_plan=plan)

    def skipped() -> bool:
        log = logs.of_function(member.emulator, member, TAG_FUNCTION)
        return any(job in line and '"skipped"' in line for line in log)

    eventually(
        skipped,
        lambda: OutcomeError(
            f"the log of {TAG_FUNCTION} does not say that it skips restore job {job}, a restore test.",
            *end_of_log(member),
        ),
    )
    if (tags := backup.case.tags(member, restored)) != untagged:
        raise OutcomeError(f"{restored} is a restore test, but {TAG_FUNCTION} gave it the tags {tags}.")
    return restored


def eventually(look: Callable[[], Any], failed: Callable[[], OutcomeError]) -> Any:
    """What `look` returns once it is true. Raises what `failed` returns if that takes too long."""
    if found := waiting.until(look, _WAIT_SECONDS):
        return found
    raise failed()


def end_of_log(member: Member) -> list[str]:
    """The last lines that the function has written, or why it was not started."""
    if log := logs.of_function(member.emulator, member, TAG_FUNCTION):
        return [f"the end of the log of {TAG_FUNCTION} in {member}:", *log[-_LOG_LINES:]]
    target = f":function:{TAG_FUNCTION}"
    why, *started = rules.why_not_started(member.emulator, member, target)
    return [f"the function {TAG_FUNCTION} was not started: {why}", *started]
