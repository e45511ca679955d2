"""Handles one restore job: reads the tags of its source or recovery point, writes them to what it created."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from . import taggers
from .arn import Arn
from .aws import Aws
from .errors import (
    CallFailedError,
    MalformedEventError,
    RestoredResourceMissingError,
    RestoreJobRefusedError,
    TagOnRestoreError,
    TagsUnavailableError,
)
from .event import COMPLETED, RestoreEvent, RestoreJob, created_by, restore_job, skip_reason
from .result import Origin, Outcome, Result
from .settings import Settings
from .tags import TagPlan, Tags, plan

# EC2 returns this ID as the source of a snapshot that was copied.
_UNKNOWN_VOLUME = "vol-ffffffff"
_WHY_UNAVAILABLE = {
    Origin.GONE: "no longer exists",
    Origin.ELSEWHERE: "is in another account or Region",
    Origin.UNREADABLE: "may not be read",
    Origin.UNKNOWN: "has no tags that can be read",
}


class Target(NamedTuple):
    """A resource that the job created, the resource it is a copy of, and the backup it was created from."""

    created: Arn
    source: Arn | None
    recovery_point: Arn | None


def handle_event(aws: Aws, settings: Settings, event: RestoreEvent) -> Result:
    """Look up the job that an event names, and handle it as AWS Backup describes it."""
    if event.status != COMPLETED:
        return Result(Outcome.SKIPPED, event.job_id, f"the job is {event.status}, not {COMPLETED}")
    return handle_job(aws, settings, _look_up(aws, event))


def handle_job(aws: Aws, settings: Settings, job: RestoreJob) -> Result:
    """Tag what a completed `job` created. After a TagOnRestoreError tags may be missing: retry."""
    reason = skip_reason(job)
    if reason is None and job.source is None:
        job = replace(job, source=_source_of_recovery_point(aws, job))
        reason = skip_reason(job)
    if reason is not None:
        return Result(Outcome.SKIPPED, job.job_id, reason)
    created = _checked_created_resource(aws, job)
    if taggers.tagger_for(created) is None:
        reason = f"{job.resource_type or 'unknown type'}: the type of {created} is not supported."
        return Result(Outcome.UNSUPPORTED, job.job_id, reason)
    return _Tagging(aws, settings, job).run(created)


def _look_up(aws: Aws, event: RestoreEvent) -> RestoreJob:
    about = f"restore job {event.job_id}"
    try:
        job = restore_job(aws.call("backup", "describe_restore_job", about, RestoreJobId=event.job_id))
    except CallFailedError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise RestoreJobRefusedError(
            f"Restore job {event.job_id} of the event does not exist in Region {aws.region} of this account. "
            "Nothing was tagged."
        ) from error
    if job.status != COMPLETED:
        raise RestoreJobRefusedError(
            f"Restore job {event.job_id} is {job.status or 'without a status'}; the event says {COMPLETED}. "
            "Nothing was tagged."
        )
    return replace(job, vault=job.vault or event.vault)


def _source_of_recovery_point(aws: Aws, job: RestoreJob) -> Arn | None:
    """The source, for an old job that does not name it; None if the recovery point has expired."""
    if not (job.vault and job.recovery_point):
        return None
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
        return None
    return Arn.parse(point.get("ResourceArn"), "ResourceArn")


def _checked_created_resource(aws: Aws, job: RestoreJob) -> Arn:
    if job.created is None:
        raise MalformedEventError(
            f"Restore job {job.job_id} is COMPLETED, but does not name the resource that it created."
        )
    if job.created.account not in ("", job.account) or job.created.region not in ("", aws.region):
        raise MalformedEventError(
            f"{job.created} is not in account {job.account} and Region {aws.region}: nothing was tagged."
        )
    return job.created


class _Tagging:
    """The work on one job. `known` are tags that were read together, by ARN; None for what does not exist."""

    def __init__(self, aws: Aws, settings: Settings, job: RestoreJob) -> None:
        self._aws = aws
        self._settings = settings
        self._job = job
        self._known: dict[Arn, Tags | None] = {}

    def run(self, created: Arn) -> Result:
        """Read all tags first, then write each set of tags once, to all resources that get it."""
        plans: dict[Arn, TagPlan] = {}
        origins: dict[Arn, Origin] = {}
        errors: list[TagOnRestoreError] = []
        for target in self._targets(created):
            try:
                plans[target.created], origins[target.created] = self._plan(target)
            except TagOnRestoreError as error:
                errors.append(error)  # the other resources of the job still get their tags
        arns_by_tags: defaultdict[frozenset[tuple[str, str]], list[Arn]] = defaultdict(list)
        for arn, tag_plan in plans.items():
            arns_by_tags[frozenset(tag_plan.write.items())].append(arn)
        for tags, arns in arns_by_tags.items():
            try:
                if tags:
                    taggers.add_tags(self._aws, _tagger(arns[0]), arns, self._job.account, dict(sorted(tags)))
            except TagOnRestoreError as error:
                errors.append(error)
        if errors:
            raise errors[0] if len(errors) == 1 else TagOnRestoreError("; ".join(map(str, errors)))
        wrote = any(tag_plan.write for tag_plan in plans.values())
        reason = (
            f"{'tags copied' if wrote else 'nothing to add'} {' and '.join(dict.fromkeys(origins.values()))}"
        )
        if any(tag_plan.withheld for tag_plan in plans.values()):
            reason += "; tags that select for backup withheld: the resource may be older than its restore job"
        return Result(
            Outcome.TAGGED if wrote else Outcome.UNCHANGED,
            self._job.job_id,
            reason,
            {str(arn): tag_plan for arn, tag_plan in plans.items()},
            {str(arn): origin for arn, origin in origins.items()},
        )

    def _targets(self, created: Arn) -> list[Target]:
        source = self._job.source
        target = Target(created, source, self._job.recovery_point)
        if taggers.tagger_for(created) is not taggers.INSTANCE:
            return [target]
        instances = [created]
        if source and taggers.tagger_for(source) is taggers.INSTANCE and not self._elsewhere(source):
            instances.append(source)
        self._known |= taggers.read_described(self._aws, taggers.DESCRIBE_INSTANCES, instances, created)
        return [target, *self._volumes(created)]

    def _volumes(self, instance: Arn) -> list[Target]:
        """The volumes restored with an instance, each from a snapshot, which names its source volume. One
        call each reads the volumes, the snapshots and the sources.

        Device names are not used: the source instance may have other volumes by now.
        """
        describe_volumes, describe_snapshots = taggers.DESCRIBE_VOLUMES, taggers.DESCRIBE_SNAPSHOTS
        volumes = {
            volume["VolumeId"]: volume
            for volume in taggers.describe(
                self._aws, describe_volumes, [instance.name], instance, by="attachment.instance-id"
            )
            if volume.get("SnapshotId") and not self._created_after_job(volume)
        }
        if not volumes:
            return []
        snapshot_ids = {name: volume["SnapshotId"] for name, volume in volumes.items()}
        snapshots = {
            snapshot["SnapshotId"]: snapshot
            for snapshot in taggers.describe(self._aws, describe_snapshots, snapshot_ids.values(), instance)
        }
        tags = taggers.described_tags(describe_volumes, volumes.values())
        tags |= taggers.described_tags(describe_snapshots, snapshots.values())
        targets = []
        for name, snapshot in sorted(snapshot_ids.items()):
            source = snapshots.get(snapshot, {}).get("VolumeId", _UNKNOWN_VOLUME)
            target = Target(
                created=instance.sibling(f"volume/{name}"),
                source=None if source == _UNKNOWN_VOLUME else instance.sibling(f"volume/{source}"),
                recovery_point=instance.sibling(f"snapshot/{snapshot}"),
            )
            self._known |= {arn: tags.get(arn.name) for arn in (target.created, target.recovery_point) if arn}
            targets.append(target)
        sources = [target.source for target in targets if target.source]
        self._known |= taggers.read_described(self._aws, describe_volumes, sources, instance)
        return targets

    def _created_after_job(self, volume: Mapping[str, Any]) -> bool:
        """Whether the volume was created after the restore; a sweep may run days later."""
        return self._job.completed_at is not None and volume["CreateTime"] > self._job.completed_at

    def _plan(self, target: Target) -> tuple[TagPlan, Origin]:
        # The restored resource comes first: a permission that the role lacks for its type shows here.
        restored = self._read(target.created)
        if restored is None:
            raise RestoredResourceMissingError(f"{target.created} does not exist (yet, or no longer).")
        wanted, origin = self._wanted_tags(target)
        exclusions, overwrite = self._settings.exclusions, self._settings.overwrite
        tag_plan = plan(wanted, restored, exclusions, overwrite)
        if self._settings.selection_keys & tag_plan.write.keys() and self._may_be_older(target.created):
            tag_plan = plan(wanted, restored, exclusions, overwrite, self._settings.selection_keys)
        return tag_plan, origin

    def _may_be_older(self, created: Arn) -> bool:
        """Whether the job may have restored into a resource that existed before."""
        call = _tagger(created).dates
        if call is None:
            return False
        try:
            created_at = taggers.creation_date(self._aws, call, created)
        except CallFailedError as error:
            if not error.denied:
                raise
            created_at = None
        return not created_by(self._job, created_at)

    def _wanted_tags(self, target: Target) -> tuple[Tags, Origin]:
        """The tags of the source, or of the recovery point if the source cannot be read."""
        tags, origin = self._source_tags(target.source)
        point = target.recovery_point
        readable = point is not None and taggers.tagger_for(point) is not None
        if tags is None and point is not None and readable:
            tags = self._read(point)
        if tags is None:
            why_not = _WHY_UNAVAILABLE[Origin.GONE if readable else Origin.UNKNOWN]
            raise TagsUnavailableError(
                f"The tags for {target.created} are unknown; tag it by hand. "
                f"Source: {f'{target.source} {_WHY_UNAVAILABLE[origin]}' if target.source else 'unknown'}. "
                f"Recovery point: {f'{point} {why_not}' if point else 'unknown'}."
            )
        return tags, origin

    def _source_tags(self, source: Arn | None) -> tuple[Tags | None, Origin]:
        """The tags of the source; None, with the reason as origin, if it has none that can be read.

        Denied access is such a reason: S3 denies it for every bucket of another account, DynamoDB for tables
        that no longer exist. A permission that the role lacks shows when the restored resource is read.
        """
        tagger = taggers.tagger_for(source) if source else None
        if source is None or tagger is None:
            return None, Origin.UNKNOWN
        if self._elsewhere(source):
            return None, Origin.ELSEWHERE
        try:
            tags = self._read(source)
        except CallFailedError as error:
            if error.denied:
                return None, Origin.UNREADABLE
            if error.code in tagger.other_region:
                return None, Origin.ELSEWHERE
            raise
        return tags, Origin.GONE if tags is None else Origin.SOURCE

    def _elsewhere(self, arn: Arn) -> bool:
        """Out of reach by design: a restore must not depend on another account, or on a Region that may be
        down. The ARN of a bucket names neither account nor Region: S3 has to be called."""
        return arn.account not in ("", self._job.account) or arn.region not in ("", self._aws.region)

    def _read(self, arn: Arn) -> Tags | None:
        if arn not in self._known:
            self._known[arn] = taggers.read_tags(self._aws, _tagger(arn), arn, self._job.account)
        return self._known[arn]


def _tagger(arn: Arn) -> taggers.Tagger:
    tagger = taggers.tagger_for(arn)
    if tagger is None:
        raise ValueError(f"no row in TAGGERS for {arn}")
    return tagger
