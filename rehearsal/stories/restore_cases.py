"""The kinds of resources that the rehearsal restores, one row each in RESTORES.

Everything happens through the services' public APIs. AWS Backup makes the restored resource by itself; the
emulator's does for DynamoDB, EBS, EFS and S3, and for the other kinds a row makes what AWS Backup would have
made.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rehearsal.emulator import Emulator

Tags = Mapping[str, str]

# The tag that the backup policies of this repository select by.
SELECTING: Final = {"backup": "daily"}
TAGS: Final = {**SELECTING, "owner": "payroll", "cost centre": "4711/a"}
# What sources have besides: a tag that only AWS may write, and one that matches EXCLUDED.
EXCLUDED: Final = "scratch*"
NOT_COPIED: Final = {"aws:cloudformation:stack-name": "payroll", "scratch:until": "2026-12-31"}
ITSELF: Final = "itself"


@dataclass(frozen=True)
class Place:
    """A member account and a region in it."""

    emulator: Emulator
    account: str
    region: str

    def client(self, service: str) -> Any:
        return self.emulator.session(self.account, self.region).client(service)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def __str__(self) -> str:
        return f"account {self.account}, {self.region}"


@dataclass(frozen=True)
class Restore:
    """One kind of resource.

    create: makes one with TAGS and NOT_COPIED and returns its ARN. metadata: for StartRestoreJob, so that
    the new resource has a name. tags: of every part of a resource. snapshot: makes the service's own backup
    and returns its ARN; without one AWS Backup keeps the tags. remove: deletes the source before the restore.
    withheld: tags of the source that select for backup, where the restore is into something that exists.
    """

    kind: str  # the resource type of AWS Backup
    create: Callable[[Place], str]
    metadata: Callable[[Place, str, str], Mapping[str, str]]  # place, source, name
    tags: Callable[[Place, str], dict[str, Tags]]
    snapshot: Callable[[Place, str], str] | None = None
    remove: Callable[[Place, str], None] | None = None
    expected: Mapping[str, Tags] = field(default_factory=lambda: {ITSELF: TAGS})
    withheld: Tags = field(default_factory=dict)

    @property
    def title(self) -> str:
        if self.withheld:
            return f"{self.kind}, into one that exists"
        return f"{self.kind}, its source deleted" if self.remove else self.kind


# -- the kinds of resources ----------------------------------------------------------------------------------


def _listed(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _mapped(tags: list[dict[str, str]]) -> Tags:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _source_tags(**changed: str) -> list[dict[str, str]]:
    return _listed({**TAGS, **changed, **NOT_COPIED})


def _last(arn: str) -> str:
    """The id at the end of an ARN."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def _create_table(place: Place) -> str:
    table = place.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=_source_tags(),
    )
    return str(table["TableDescription"]["TableArn"])


def _table_tags(place: Place, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(place.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"])}


def _create_volume(place: Place) -> str:
    return place.arn("ec2", f"volume/{_volume(place, owner='payroll')}")


def _volume(place: Place, **changed: str) -> str:
    specification = {"ResourceType": "volume", "Tags": _source_tags(**changed)}
    volume = place.client("ec2").create_volume(
        AvailabilityZone=f"{place.region}a", Size=1, TagSpecifications=[specification]
    )
    return str(volume["VolumeId"])


def _ec2_tags(place: Place, identifier: str) -> Tags:
    filters = [{"Name": "resource-id", "Values": [identifier]}]
    return _mapped(place.client("ec2").describe_tags(Filters=filters)["Tags"])


def _volume_tags(place: Place, arn: str) -> dict[str, Tags]:
    return {ITSELF: _ec2_tags(place, _last(arn))}


# The instance's disks: device → the tag that tells each volume from the other.
_DISKS: Final = {"/dev/xvda": "system", "/dev/sdf": "ledger"}


def _create_instance(place: Place) -> str:
    ec2 = place.client("ec2")
    instance = _instance(place, {device: _volume(place, disk=disk) for device, disk in _DISKS.items()})
    ec2.create_tags(Resources=[instance], Tags=_source_tags())
    return place.arn("ec2", f"instance/{instance}")


def _instance(place: Place, volumes: Mapping[str, str]) -> str:
    """An instance with these volumes (by device) and no others."""
    ec2 = place.client("ec2")
    instance = str(
        ec2.run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1)["Instances"][0][
            "InstanceId"
        ]
    )
    for own in _attached(place, instance).values():
        ec2.detach_volume(VolumeId=own)
        ec2.delete_volume(VolumeId=own)
    for device, volume in volumes.items():
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
    return instance


def _attached(place: Place, instance: str) -> dict[str, str]:
    """The volumes of an instance by device."""
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    volumes = place.client("ec2").describe_volumes(Filters=filters)["Volumes"]
    return {volume["Attachments"][0]["Device"]: volume["VolumeId"] for volume in volumes}


def _restore_instance(place: Place, source: str, _name: str) -> Mapping[str, str]:
    """A restored instance has volumes made from snapshots of the source's volumes."""
    ec2 = place.client("ec2")
    volumes = {}
    for device, volume in _attached(place, _last(source)).items():
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        volumes[device] = ec2.create_volume(AvailabilityZone=f"{place.region}a", SnapshotId=snapshot)[
            "VolumeId"
        ]
    return _made(place.arn("ec2", f"instance/{_instance(place, volumes)}"))


def _instance_tags(place: Place, arn: str) -> dict[str, Tags]:
    volumes = _attached(place, _last(arn))
    return {
        ITSELF: _ec2_tags(place, _last(arn)),
        **{device: _ec2_tags(place, volume) for device, volume in volumes.items()},
    }


def _create_database(place: Place) -> str:
    database = place.client("rds").create_db_instance(
        DBInstanceIdentifier="payroll",
        Engine="mysql",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="administrator",
        ManageMasterUserPassword=True,
        Tags=_source_tags(),
    )
    return str(database["DBInstance"]["DBInstanceArn"])


def _database_snapshot(place: Place, source: str) -> str:
    snapshot = place.client("rds").create_db_snapshot(
        DBSnapshotIdentifier=f"awsbackup:job-{uuid.uuid4()}",
        DBInstanceIdentifier=_last(source),
        Tags=_source_tags(),
    )
    return str(snapshot["DBSnapshot"]["DBSnapshotArn"])


def _restore_database(place: Place, _source: str, name: str) -> Mapping[str, str]:
    rds = place.client("rds")
    (snapshot,) = rds.describe_db_snapshots(DBInstanceIdentifier="payroll")["DBSnapshots"]
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"]
    )
    return _made(restored["DBInstance"]["DBInstanceArn"])


def _remove_database(place: Place, source: str) -> None:
    place.client("rds").delete_db_instance(DBInstanceIdentifier=_last(source), SkipFinalSnapshot=True)


def _database_tags(place: Place, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(place.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])}


def _create_file_system(place: Place) -> str:
    created = place.client("efs").create_file_system(CreationToken="payroll", Tags=_source_tags())
    return str(created["FileSystemArn"])


def _remove_file_system(place: Place, source: str) -> None:
    place.client("efs").delete_file_system(FileSystemId=_last(source))


def _file_system_tags(place: Place, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(place.client("efs").list_tags_for_resource(ResourceId=_last(arn))["Tags"])}


def _create_bucket(place: Place, name: str = "payslips") -> str:
    bucket = _bucket(place, name)
    place.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _source_tags()})
    return f"arn:aws:s3:::{bucket}"


def _bucket(place: Place, name: str) -> str:
    bucket = f"{name}-{place.account}-{place.region}"
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
    place.client("s3").create_bucket(Bucket=bucket, **({} if place.region == "us-east-1" else elsewhere))
    return bucket


def _restore_bucket(place: Place, _source: str, name: str) -> Mapping[str, str]:
    return {"DestinationBucketName": f"{name}-{place.account}-{place.region}", "NewBucket": "true"}


def _restore_into_bucket(place: Place, _source: str, name: str) -> Mapping[str, str]:
    return {"DestinationBucketName": _bucket(place, f"{name}-archive"), "NewBucket": "false"}


def _bucket_tags(place: Place, arn: str) -> dict[str, Tags]:
    # Not a call without tags, which S3 answers with an error.
    tags = place.client("resourcegroupstaggingapi").get_resources(ResourceARNList=[arn])
    found = tags["ResourceTagMappingList"]
    return {ITSELF: _mapped(found[0]["Tags"]) if found else {}}


def _made(arn: str) -> Mapping[str, str]:
    """Metadata for the emulator: what was restored."""
    return {"createdResourceArn": arn}


TABLE: Final = Restore(
    kind="DynamoDB",
    create=_create_table,
    metadata=lambda _place, _source, name: {"targetTableName": name},
    tags=_table_tags,
)
VOLUME: Final = Restore(
    kind="EBS",
    create=_create_volume,
    metadata=lambda place, _source, _name: {"availabilityZone": f"{place.region}a"},
    tags=_volume_tags,
)
RESTORES: Final = (
    TABLE,
    VOLUME,
    Restore(
        kind="EC2",
        create=_create_instance,
        metadata=_restore_instance,
        tags=_instance_tags,
        expected={
            ITSELF: TAGS,
            **{device: {**TAGS, "disk": disk} for device, disk in _DISKS.items()},
        },
    ),
    Restore(
        kind="RDS",
        create=_create_database,
        metadata=_restore_database,
        tags=_database_tags,
        snapshot=_database_snapshot,
        remove=_remove_database,
    ),
    Restore(
        kind="EFS",
        create=_create_file_system,
        metadata=lambda _place, _source, name: {"newFileSystem": "true", "CreationToken": name},
        tags=_file_system_tags,
        remove=_remove_file_system,
    ),
    Restore(
        kind="S3",
        create=_create_bucket,
        metadata=_restore_bucket,
        tags=_bucket_tags,
    ),
    Restore(
        kind="S3",
        create=lambda place: _create_bucket(place, "contracts"),
        metadata=_restore_into_bucket,
        tags=_bucket_tags,
        expected={ITSELF: {key: value for key, value in TAGS.items() if key not in SELECTING}},
        withheld=SELECTING,
    ),
)
