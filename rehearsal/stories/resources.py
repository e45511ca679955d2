"""The resources that the rehearsal restores: each service's calls to create them and to read their tags.

AWS Backup creates the restored resource itself. In the emulator it does so for DynamoDB, EBS, EFS and S3; for
other services a function `restore_…` creates what AWS Backup would have created.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from rehearsal.stories.member import Member

Tags = Mapping[str, str]

# The tag by which the backup policies of this repository select resources.
SELECTING: Final = {"backup": "daily"}
TAGS: Final = {**SELECTING, "owner": "payroll", "cost center": "4711/a"}
# Further tags of the sources: one that only AWS may write, and one that matches EXCLUDED.
EXCLUDED: Final = "scratch*"
NOT_COPIED: Final = {"aws:cloudformation:stack-name": "payroll", "scratch:until": "2026-12-31"}
ITSELF: Final = "itself"  # the resource, where its parts have tags too


def _listed(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _mapped(tags: list[dict[str, str]]) -> Tags:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _source_tags(**changed: str) -> list[dict[str, str]]:
    return _listed({**TAGS, **changed, **NOT_COPIED})


def _last(arn: str) -> str:
    """The ID at the end of an ARN."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def create_table(member: Member) -> str:
    table = member.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=_source_tags(),
    )
    return str(table["TableDescription"]["TableArn"])


def table_tags(member: Member, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(member.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"])}


def create_volume(member: Member) -> str:
    return member.arn("ec2", f"volume/{_volume(member, owner='payroll')}")


def _volume(member: Member, **changed: str) -> str:
    specification = {"ResourceType": "volume", "Tags": _source_tags(**changed)}
    volume = member.client("ec2").create_volume(
        AvailabilityZone=f"{member.region}a", Size=1, TagSpecifications=[specification]
    )
    return str(volume["VolumeId"])


def _ec2_tags(member: Member, identifier: str) -> Tags:
    filters = [{"Name": "resource-id", "Values": [identifier]}]
    return _mapped(member.client("ec2").describe_tags(Filters=filters)["Tags"])


def volume_tags(member: Member, arn: str) -> dict[str, Tags]:
    return {ITSELF: _ec2_tags(member, _last(arn))}


# The volumes of the instance: device → the value of the tag that only this volume has.
DISKS: Final = {"/dev/xvda": "system", "/dev/sdf": "ledger"}


def create_instance(member: Member) -> str:
    ec2 = member.client("ec2")
    instance = _instance(member, {device: _volume(member, disk=disk) for device, disk in DISKS.items()})
    ec2.create_tags(Resources=[instance], Tags=_source_tags())
    return member.arn("ec2", f"instance/{instance}")


def _instance(member: Member, volumes: Mapping[str, str]) -> str:
    """A new instance that has exactly these volumes, by device."""
    ec2 = member.client("ec2")
    launched = ec2.run_instances(ImageId="ami-0abcdef1234567890", MinCount=1, MaxCount=1)
    instance = str(launched["Instances"][0]["InstanceId"])
    for own in _attached(member, instance).values():
        ec2.detach_volume(VolumeId=own)
        ec2.delete_volume(VolumeId=own)
    for device, volume in volumes.items():
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
    return instance


def _attached(member: Member, instance: str) -> dict[str, str]:
    """The volumes of an instance by device."""
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    volumes = member.client("ec2").describe_volumes(Filters=filters)["Volumes"]
    return {volume["Attachments"][0]["Device"]: volume["VolumeId"] for volume in volumes}


def restore_instance(member: Member, source: str, _name: str) -> Mapping[str, str]:
    """The restored instance has volumes that are made from snapshots of the source's volumes."""
    ec2 = member.client("ec2")
    volumes = {}
    for device, volume in _attached(member, _last(source)).items():
        snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        restored = ec2.create_volume(AvailabilityZone=f"{member.region}a", SnapshotId=snapshot)
        volumes[device] = restored["VolumeId"]
    return _made(member.arn("ec2", f"instance/{_instance(member, volumes)}"))


def instance_tags(member: Member, arn: str) -> dict[str, Tags]:
    volumes = _attached(member, _last(arn))
    return {
        ITSELF: _ec2_tags(member, _last(arn)),
        **{device: _ec2_tags(member, volume) for device, volume in volumes.items()},
    }


def create_database(member: Member) -> str:
    database = member.client("rds").create_db_instance(
        DBInstanceIdentifier="payroll",
        Engine="mysql",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="administrator",
        ManageMasterUserPassword=True,
        Tags=_source_tags(),
    )
    return str(database["DBInstance"]["DBInstanceArn"])


def database_snapshot(member: Member, source: str) -> str:
    snapshot = member.client("rds").create_db_snapshot(
        DBSnapshotIdentifier=f"awsbackup:job-{uuid.uuid4()}",
        DBInstanceIdentifier=_last(source),
        Tags=_source_tags(),
    )
    return str(snapshot["DBSnapshot"]["DBSnapshotArn"])


def restore_database(member: Member, _source: str, name: str) -> Mapping[str, str]:
    rds = member.client("rds")
    (snapshot,) = rds.describe_db_snapshots(DBInstanceIdentifier="payroll")["DBSnapshots"]
    restored = rds.restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot["DBSnapshotIdentifier"]
    )
    return _made(restored["DBInstance"]["DBInstanceArn"])


def delete_database(member: Member, source: str) -> None:
    member.client("rds").delete_db_instance(DBInstanceIdentifier=_last(source), SkipFinalSnapshot=True)


def database_tags(member: Member, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(member.client("rds").list_tags_for_resource(ResourceName=arn)["TagList"])}


def create_file_system(member: Member) -> str:
    created = member.client("efs").create_file_system(CreationToken="payroll", Tags=_source_tags())
    return str(created["FileSystemArn"])


def delete_file_system(member: Member, source: str) -> None:
    member.client("efs").delete_file_system(FileSystemId=_last(source))


def file_system_tags(member: Member, arn: str) -> dict[str, Tags]:
    return {ITSELF: _mapped(member.client("efs").list_tags_for_resource(ResourceId=_last(arn))["Tags"])}


def create_bucket(member: Member, name: str = "payslips") -> str:
    bucket = _bucket(member, name)
    member.client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": _source_tags()})
    return f"arn:aws:s3:::{bucket}"


def _bucket(member: Member, name: str) -> str:
    bucket = f"{name}-{member.account}-{member.region}"
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": member.region}}
    member.client("s3").create_bucket(Bucket=bucket, **({} if member.region == "us-east-1" else elsewhere))
    return bucket


def restore_bucket(member: Member, _source: str, name: str) -> Mapping[str, str]:
    return {"DestinationBucketName": f"{name}-{member.account}-{member.region}", "NewBucket": "true"}


def restore_into_bucket(member: Member, _source: str, name: str) -> Mapping[str, str]:
    return {"DestinationBucketName": _bucket(member, f"{name}-archive"), "NewBucket": "false"}


def bucket_tags(member: Member, arn: str) -> dict[str, Tags]:
    # GetBucketTagging returns an error where there are no tags.
    tags = member.client("resourcegroupstaggingapi").get_resources(ResourceARNList=[arn])
    found = tags["ResourceTagMappingList"]
    return {ITSELF: _mapped(found[0]["Tags"]) if found else {}}


def _made(arn: str) -> Mapping[str, str]:
    """Metadata for the emulator: the resource that was restored."""
    return {"createdResourceArn": arn}
