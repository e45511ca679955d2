"""What the rehearsal restores: one row for each case in RESTORE_CASES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rehearsal.stories import resources
from rehearsal.stories.member import Member
from rehearsal.stories.resources import DISKS, ITSELF, SELECTING, TAGS, Tags


@dataclass(frozen=True)
class RestoreCase:
    """A resource to back up and to restore.

    create: creates the source with TAGS and NOT_COPIED and returns its ARN. metadata: for StartRestoreJob, so
    that the new resource has a name. tags: those of the resource and of its parts. snapshot: makes the
    service's own backup and returns its ARN; without it AWS Backup stores the tags. delete: deletes the
    source before the restore. withheld: tags that select for backup, if the restore is into an existing
    resource.
    """

    resource_type: str  # as AWS Backup names it
    create: Callable[[Member], str]
    metadata: Callable[[Member, str, str], Mapping[str, str]]  # member, source, name
    tags: Callable[[Member, str], dict[str, Tags]]
    snapshot: Callable[[Member, str], str] | None = None
    delete: Callable[[Member, str], None] | None = None
    expected: Mapping[str, Tags] = field(default_factory=lambda: {ITSELF: TAGS})
    withheld: Tags = field(default_factory=dict)

    @property
    def title(self) -> str:
        if self.withheld:
            return f"{self.resource_type}, into an existing resource"
        return f"{self.resource_type}, its source deleted" if self.delete else self.resource_type


TABLE: Final = RestoreCase(
    resource_type="DynamoDB",
    create=resources.create_table,
    metadata=lambda _member, _source, name: {"targetTableName": name},
    tags=resources.table_tags,
)
VOLUME: Final = RestoreCase(
    resource_type="EBS",
    create=resources.create_volume,
    metadata=lambda member, _source, _name: {"availabilityZone": f"{member.region}a"},
    tags=resources.volume_tags,
)
RESTORE_CASES: Final = (
    TABLE,
    VOLUME,
    RestoreCase(
        resource_type="EC2",
        create=resources.create_instance,
        metadata=resources.restore_instance,
        tags=resources.instance_tags,
        expected={ITSELF: TAGS, **{device: {**TAGS, "disk": disk} for device, disk in DISKS.items()}},
    ),
    RestoreCase(
        resource_type="RDS",
        create=resources.create_database,
        metadata=resources.restore_database,
        tags=resources.database_tags,
        snapshot=resources.database_snapshot,
        delete=resources.delete_database,
    ),
    RestoreCase(
        resource_type="EFS",
        create=resources.create_file_system,
        metadata=lambda _member, _source, name: {"newFileSystem": "true", "CreationToken": name},
        tags=resources.file_system_tags,
        delete=resources.delete_file_system,
    ),
    RestoreCase(
        resource_type="S3",
        create=resources.create_bucket,
        metadata=resources.restore_bucket,
        tags=resources.bucket_tags,
    ),
    RestoreCase(
        resource_type="S3",
        create=lambda member: resources.create_bucket(member, "contracts"),
        metadata=resources.restore_into_bucket,
        tags=resources.bucket_tags,
        expected={ITSELF: {key: value for key, value in TAGS.items() if key not in SELECTING}},
        withheld=SELECTING,
    ),
)
