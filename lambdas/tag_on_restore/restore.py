"""One restore job: find out where its tags come from and bring them to what it created."""

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
from .event import COMPLETED, RestoreEvent, RestoreJob, from_api, made_by, why_skipped
from .outcome import Kind, Origin, Outcome
from .settings import Settings
from .tags import TagPlan, Tags, plan

# EC2 gives this id for the source of a snapshot that was copied from elsewhere.
_NO_VOLUME = "vol-ffffffff"
_WHY = {
    Origin.GONE: "no longer exists",
    Origin.ELSEWHERE: "is in another account or Region",
    Origin.UNREADABLE: "may not be read",
    Origin.UNKNOWN: "has no tags that can be read",
}


class Target(NamedTuple):
    """A resource that the job created, what it is a copy of, and the backup it was made from."""

    created: Arn
    source: Arn | None
    recovery_point: Arn | None


def handle(aws: Aws, settings: Settings, event: RestoreEvent) -> Outcome:
    """Do what `apply` does for the job that an event names. The job's own answer decides, not the event."""
    if event.status != COMPLETED:
        return Outcome(Kind.SKIPPED, event.job_id, f"the job is {event.status}, not {COMPLETED}")
    return apply(aws, settings, _look_up(aws, event))


def apply(aws: Aws, settings: Settings, job: RestoreJob) -> Outcome:
    """Give what a completed `job` created its tags. Any TagOnRestoreError means that tags may be missing and
    a retry is due."""
    reason = why_skipped(job)
    if reason is None and job.source is None:
        job = replace(job, source=_source(aws, job))
        reason = why_skipped(job)
    if reason is not None:
        return Outcome(Kind.SKIPPED, job.job_id, reason)
    created = _created(aws, job)
    if taggers.tagger_for(created) is None:
        return Outcome(
            Kind.UNSUPPORTED,
            job.job_id,
            f"{job.resource_type or 'unknown type'}: {created} is of no kind that this function tags.",
        )
    return _Restore(aws, settings, job).outcome(created)


def _look_up(aws: Aws, event: RestoreEvent) -> RestoreJob:
    about = f"restore job {event.job_id}"
    try:
        job = from_api(aws.call("backup", "describe_restore_job", about, RestoreJobId=event.job_id))
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


def _source(aws: Aws, job: RestoreJob) -> Arn | None:
    """What an old job does not name, its recovery point does; None if that has expired."""
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


def _created(aws: Aws, job: RestoreJob) -> Arn:
    if job.created is None:
        raise MalformedEventError(
            f"Restore job {job.job_id} is COMPLETED, but says nothing about what it created."
        )
    if job.created.account not in ("", job.account) or job.created.region not in ("", aws.region):
        raise MalformedEventError(
            f"{job.created} is not in account {job.account} and Region {aws.region}: nothing was tagged."
        )
    return job.created


class _Restore:
    """The work on one job. `known` are tags that are read together, by ARN; None for what does not exist."""

    def __init__(self, aws: Aws, settings: Settings, job: RestoreJob) -> None:
        self._aws = aws
        self._settings = settings
        self._job = job
        self._known: dict[Arn, Tags | None] = {}

    def outcome(self, created: Arn) -> Outcome:
        """Read all tags first, then write each set of tags once, to all that it is for."""
        plans: dict[Arn, TagPlan] = {}
        origins: dict[Arn, Origin] = {}
        errors: list[TagOnRestoreError] = []
        for target in self._targets(created):
            try:
                plans[target.created], origins[target.created] = self._plan(target)
            except TagOnRestoreError as error:
                errors.append(error)  # the other resources of the job get their tags all the same
        groups: defaultdict[frozenset[tuple[str, str]], list[Arn]] = defaultdict(list)
        for arn, todo in plans.items():
            groups[frozenset(todo.write.items())].append(arn)
        for tags, arns in groups.items():
            try:
                if tags:
                    taggers.add_tags(self._aws, _tagger(arns[0]), arns, self._job.account, dict(sorted(tags)))
            except TagOnRestoreError as error:
                errors.append(error)
        if errors:
            raise errors[0] if len(errors) == 1 else TagOnRestoreError("; ".join(map(str, errors)))
        wrote = any(todo.write for todo in plans.values())
        told = " and ".join(dict.fromkeys(origins.values()))
        reason = f"tags copied {told}" if wrote else f"nothing to add {told}"
        if any(todo.withheld for todo in plans.values()):
            reason += (
                "; what selects for backup is withheld: the resource is not known to be newer than its job"
            )
        return Outcome(
            Kind.TAGGED if wrote else Kind.UNCHANGED,
            self._job.job_id,
            reason,
            {str(arn): todo for arn, todo in plans.items()},
            {str(arn): origin for arn, origin in origins.items()},
        )

    def _targets(self, created: Arn) -> list[Target]:
        source = self._job.source
        first = Target(created, source, self._job.recovery_point)
        if taggers.tagger_for(created) is not taggers.INSTANCE:
            return [first]
        instances = [created]
        if source and taggers.tagger_for(source) is taggers.INSTANCE and not self._elsewhere(source):
            instances.append(source)
        self._known |= taggers.read_described(self._aws, taggers.DESCRIBE_INSTANCES, instances, created)
        return [first, *self._volumes(created)]

    def _volumes(self, instance: Arn) -> list[Target]:
        """The volumes restored with an instance. Each was made from a snapshot, which knows the volume it was
        taken of. One call each reads the volumes, the snapshots and the sources."""
        by_volume, by_snapshot = taggers.DESCRIBE_VOLUMES, taggers.DESCRIBE_SNAPSHOTS
        volumes = {
            volume["VolumeId"]: volume
            for volume in taggers.describe(
                self._aws, by_volume, [instance.name], instance, by="attachment.instance-id"
            )
            if volume.get("SnapshotId") and not self._made_afterwards(volume)
        }
        if not volumes:
            return []
        made_from = {name: volume["SnapshotId"] for name, volume in volumes.items()}
        snapshots = {
            snapshot["SnapshotId"]: snapshot
            for snapshot in taggers.describe(self._aws, by_snapshot, made_from.values(), instance)
        }
        tags = taggers.described_tags(by_volume, volumes.values())
        tags |= taggers.described_tags(by_snapshot, snapshots.values())
        targets = []
        for name, snapshot in sorted(made_from.items()):
            original = snapshots.get(snapshot, {}).get("VolumeId", _NO_VOLUME)
            target = Target(
                created=instance.sibling(f"volume/{name}"),
                source=None if original == _NO_VOLUME else instance.sibling(f"volume/{original}"),
                recovery_point=instance.sibling(f"snapshot/{snapshot}"),
            )
            self._known |= {arn: tags.get(arn.name) for arn in (target.created, target.recovery_point) if arn}
            targets.append(target)
        sources = [target.source for target in targets if target.source]
        self._known |= taggers.read_described(self._aws, by_volume, sources, instance)
        return targets

    def _made_afterwards(self, volume: Mapping[str, Any]) -> bool:
        """Whether somebody attached another volume after the restore; the sweep looks at jobs days later."""
        return self._job.completed_at is not None and volume["CreateTime"] > self._job.completed_at

    def _plan(self, target: Target) -> tuple[TagPlan, Origin]:
        # The restored resource comes first: if the role may not read its kind, this is where it shows.
        present = self._read(target.created)
        if present is None:
            raise RestoredResourceMissingError(f"{target.created} does not exist (yet, or any more).")
        wanted, origin = self._original(target)
        exclusions, overwrite = self._settings.exclusions, self._settings.overwrite
        todo = plan(wanted, present, exclusions, overwrite)
        if self._settings.selection_keys & todo.write.keys() and self._not_new(target.created):
            todo = plan(wanted, present, exclusions, overwrite, self._settings.selection_keys)
        return todo, origin

    def _not_new(self, created: Arn) -> bool:
        """Whether the job may have restored into something that was there before."""
        tagger = _tagger(created)
        if tagger.age is None:
            return False
        try:
            created_at = taggers.created_at(self._aws, tagger.age, created)
        except CallFailedError as error:
            if not error.denied:
                raise
            created_at = None
        return not made_by(self._job, created_at)

    def _original(self, target: Target) -> tuple[Tags, Origin]:
        """The tags of the source if it can be read, else those that the recovery point kept."""
        tags, origin = self._of_source(target.source)
        point = target.recovery_point
        readable = point is not None and taggers.tagger_for(point) is not None
        if tags is None and point is not None and readable:
            tags = self._read(point)
        if tags is None:
            why_not = _WHY[Origin.GONE if readable else Origin.UNKNOWN]
            raise TagsUnavailableError(
                f"The tags for {target.created} are unknown; tag it by hand. "
                f"Source: {f'{target.source} {_WHY[origin]}' if target.source else 'unknown'}. "
                f"Recovery point: {f'{point} {why_not}' if point else 'unknown'}."
            )
        return tags, origin

    def _of_source(self, source: Arn | None) -> tuple[Tags | None, Origin]:
        """The tags of the source, or why there are none."""
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
            if error.code in tagger.moved:
                return None, Origin.ELSEWHERE
            raise
        return tags, Origin.GONE if tags is None else Origin.SOURCE

    def _elsewhere(self, arn: Arn) -> bool:
        """Out of reach by design: a restore must not depend on another account or on a Region that may be
        down. The ARN of a bucket does not say whose and where it is: S3 has to be asked."""
        return arn.account not in ("", self._job.account) or arn.region not in ("", self._aws.region)

    def _read(self, arn: Arn) -> Tags | None:
        if arn not in self._known:
            self._known[arn] = taggers.read_tags(self._aws, _tagger(arn), arn, self._job.account)
        return self._known[arn]


def _tagger(arn: Arn) -> taggers.Tagger:
    tagger = taggers.tagger_for(arn)
    if tagger is None:
        raise ValueError(f"no row for {arn}")
    return tagger
