"""One restore job: find out where its tags come from and bring them to what it created."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from . import taggers
from .arn import Arn
from .aws import Aws
from .errors import (
    CallFailedError,
    MalformedEventError,
    RestoredResourceMissingError,
    TagOnRestoreError,
    TagsUnavailableError,
)
from .event import RestoreJob, from_api, why_skipped
from .outcome import Kind, Outcome
from .settings import Settings
from .tags import TagPlan, Tags, plan

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


class Target(NamedTuple):
    """A resource that the job created, what it is a copy of, and the backup it was made from."""

    created: Arn
    source: Arn | None
    recovery_point: Arn | None


def apply(aws: Aws, settings: Settings, job: RestoreJob) -> Outcome:
    """Give what `job` created its tags. Any TagOnRestoreError means that tags may be missing and a retry
    is due."""
    reason = why_skipped(job)
    if reason is None and not job.complete:
        job = _look_up(aws, job)
        reason = why_skipped(job)
    if reason is None and job.created is None and job.is_parent:
        reason = "parent job without a resource of its own; its child jobs are handled"
    if reason is not None:
        return Outcome(Kind.SKIPPED, job.job_id, reason)
    created = _created(aws, job)
    if taggers.tagger_for(created) is None:
        return Outcome(
            Kind.UNSUPPORTED,
            job.job_id,
            f"{job.resource_type or 'unknown type'}: {created} is of no kind that this function tags.",
        )
    plans, errors = {}, []
    for target in _targets(aws, job, created):
        try:
            plans[str(target.created)] = _tag(aws, settings, job, target)
        except TagOnRestoreError as error:
            errors.append(error)  # the other resources of the job get their tags all the same
    if errors:
        raise errors[0] if len(errors) == 1 else TagOnRestoreError("; ".join(map(str, errors)))
    if any(done.write for done in plans.values()):
        return Outcome(Kind.TAGGED, job.job_id, "tags copied", plans)
    return Outcome(Kind.UNCHANGED, job.job_id, "nothing to add: all tags are there", plans)


def _look_up(aws: Aws, job: RestoreJob) -> RestoreJob:
    """Fill what the event does not say from the job itself, or from its recovery point: no search through
    vaults."""
    if not job.job_id:
        raise MalformedEventError(
            "The event has no restoreJobId and lacks fields that only the job could tell."
        )
    about = f"restore job {job.job_id}"
    job = job.completed_by(
        from_api(aws.call("backup", "describe_restore_job", about, RestoreJobId=job.job_id))
    )
    if job.source or not (job.vault and job.recovery_point):
        return job
    try:
        point = aws.call(
            "backup",
            "describe_recovery_point",
            job.recovery_point,
            BackupVaultName=job.vault.resource.removeprefix("backup-vault:"),
            RecoveryPointArn=str(job.recovery_point),
        )
    except CallFailedError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return job  # the backup has expired since
    return replace(job, source=Arn.parse(point.get("ResourceArn"), "ResourceArn"))


def _created(aws: Aws, job: RestoreJob) -> Arn:
    if job.created is None:
        raise MalformedEventError(
            f"Restore job {job.job_id} is COMPLETED, but says nothing about what it created."
        )
    if job.created.account not in ("", job.account) or job.created.region not in ("", aws.region):
        raise MalformedEventError(
            f"{job.created} is not in account {job.account} and region {aws.region}: nothing was tagged."
        )
    return job.created


def _targets(aws: Aws, job: RestoreJob, created: Arn) -> Iterator[Target]:
    yield Target(created, job.source, job.recovery_point)
    if taggers.tagger_for(created) is taggers.INSTANCE:
        yield from _volumes(aws, job, created)


def _volumes(aws: Aws, job: RestoreJob, instance: Arn) -> Iterator[Target]:
    """The volumes restored with an instance. Each was made from a snapshot, which knows the volume it was
    taken of."""
    attached = taggers.describe(
        aws, taggers.DESCRIBE_VOLUMES, [instance.name], instance, by="attachment.instance-id"
    )
    restored = {
        volume["VolumeId"]: volume["SnapshotId"]
        for volume in attached
        if volume.get("SnapshotId") and not _made_afterwards(volume, job)
    }
    if not restored:
        return
    snapshots = taggers.describe(aws, taggers.DESCRIBE_SNAPSHOTS, restored.values(), instance)
    originals = {snapshot["SnapshotId"]: snapshot.get("VolumeId") for snapshot in snapshots}
    for volume, snapshot in sorted(restored.items()):
        original = originals.get(snapshot)
        yield Target(
            created=instance.sibling(f"volume/{volume}"),
            source=instance.sibling(f"volume/{original}") if original else None,
            recovery_point=instance.sibling(f"snapshot/{snapshot}"),
        )


def _made_afterwards(volume: Mapping[str, Any], job: RestoreJob) -> bool:
    """Whether somebody attached another volume after the restore; the sweep looks at jobs days later."""
    return job.completed_at is not None and volume["CreateTime"] > job.completed_at


def _tag(aws: Aws, settings: Settings, job: RestoreJob, target: Target) -> TagPlan:
    tagger = taggers.tagger_for(target.created)
    if tagger is None:
        raise ValueError(f"no row for {target.created}")
    # The restored resource comes first: if the role may not read its kind, this is where it shows.
    present = taggers.read_tags(aws, tagger, target.created, job.account)
    if present is None:
        raise RestoredResourceMissingError(f"{target.created} does not exist (yet, or any more).")
    wanted = _original_tags(aws, job, target)
    todo = plan(wanted, present, settings.exclusions, settings.overwrite)
    if todo.write:
        taggers.add_tags(aws, tagger, target.created, job.account, todo.write)
    return todo


def _original_tags(aws: Aws, job: RestoreJob, target: Target) -> Tags:
    """The tags of the source if it can be read, else those that the recovery point kept."""
    tried = []
    for arn, is_source in ((target.source, True), (target.recovery_point, False)):
        tagger = taggers.tagger_for(arn) if arn else None
        if arn is None or tagger is None:
            tried.append(f"{arn} has no tags that can be read" if arn else "unknown")
        elif is_source and _elsewhere(aws, job, arn):
            tried.append(f"{arn} is in another account or region")
        else:
            try:
                tags = taggers.read_tags(aws, tagger, arn, job.account)
            except CallFailedError as error:
                if not (is_source and _out_of_reach(arn, error)):
                    raise
                tried.append(f"{arn} may not be read")
            else:
                if tags is not None:
                    return tags
                tried.append(f"{arn} no longer exists")
    raise TagsUnavailableError(
        f"The tags for {target.created} are unknown; tag it by hand. "
        f"Source: {tried[0]}. Recovery point: {tried[1]}."
    )


def _out_of_reach(source: Arn, error: CallFailedError) -> bool:
    """Whether a refusal means that the source is not here. AWS also says "denied" for what does not exist.

    The ARN of a bucket does not say whose and where it is: S3 refuses one of another account, redirects to
    another region.
    """
    return error.code in _DENIED or (not source.account and 300 <= error.status < 500)


def _elsewhere(aws: Aws, job: RestoreJob, arn: Arn) -> bool:
    """Out of reach by design: a restore must not depend on another account or on a region that may be
    down."""
    return arn.account not in ("", job.account) or arn.region not in ("", aws.region)
