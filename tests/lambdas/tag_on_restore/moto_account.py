"""An account on moto, in which the function runs with botocore's own clients.

moto's AWS Backup has tags, but no restore jobs: `jobs` is what DescribeRestoreJob and ListRestoreJobs return.
It keeps the tags of any ARN, so that tagging a recovery point creates it.

moto lacks DocumentDB, FSx volumes, Storage Gateway, Redshift Serverless, SAP HANA and virtual machines; see
fake_aws.py.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT  # also adds moto to every session created from now on
from tag_on_restore import restore, sweep
from tag_on_restore.aws import Aws
from tag_on_restore.event import RestoreEvent, SweepRequest
from tag_on_restore.result import Result
from tag_on_restore.settings import Settings
from tag_on_restore.sweep import SweepResult

from rehearsal.machine import environment

REGION = "us-east-1"
Tags = dict[str, str]
_session = cache(environment.session)


@cache
def client(service: str) -> Any:
    return _session().client(service, region_name=REGION)


class MotoAccount:
    """The session of the function, and the restore jobs of the account."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}

    def get_config_variable(self, logical_name: str) -> str | None:
        return {"region": REGION}.get(logical_name)

    def create_client(self, service_name: str, *, config: Any) -> Any:
        return client(service_name)

    def add_job(self, created: str, source: str, recovery_point: str, **changed: Any) -> str:
        """A job that started an hour ago and completes in an hour: it created what is created now."""
        now = datetime.now(UTC)
        job_id = f"JOB-{len(self.jobs)}"
        self.jobs[job_id] = {
            "RestoreJobId": job_id,
            "AccountId": ACCOUNT,
            "Status": "COMPLETED",
            "CreatedResourceArn": created,
            "SourceResourceArn": source,
            "RecoveryPointArn": recovery_point,
            "CreationDate": now - timedelta(hours=1),
            "CompletionDate": now + timedelta(hours=1),
        } | changed
        return job_id

    def run(self, job_id: str, **environment: str) -> Result:
        """Handle the event of a job, with these environment variables of the function."""
        event = RestoreEvent(job_id, "COMPLETED", None)
        return restore.handle_event(Aws(self), Settings.from_environment(environment), event)

    def sweep(self) -> SweepResult:
        return sweep.run(Aws(self), Settings.from_environment({}), SweepRequest(), lambda: 900_000)

    def respond(self, model: Any, params: Any, **_: Any) -> tuple[Any, dict[str, Any]] | None:
        """Return restore jobs in place of moto."""
        match model.name:
            case "DescribeRestoreJob":
                return OK, self.jobs[params["url_path"].rpartition("/")[2]]
            case "ListRestoreJobs":
                return OK, {"RestoreJobs": list(self.jobs.values())}
        return None


class OK:
    """The HTTP part of a response."""

    status_code = 200


@contextmanager
def restore_jobs() -> Iterator[MotoAccount]:
    """The account without restore jobs of earlier tests."""
    account = MotoAccount()
    events = client("backup").meta.events
    events.register("before-call.backup", account.respond)
    yield account
    events.unregister("before-call.backup", account.respond)


class MotoType(NamedTuple):
    """A resource type in moto: create a resource with tags, read its tags, back it up with tags.

    `delete` is None if moto then returns no tags instead of an error.
    """

    create: Callable[[Tags], str]
    tags: Callable[[str], Tags]
    back_up: Callable[[str, Tags], str]
    delete: Callable[[str], object] | None = None


_numbers = count()


def new_name() -> str:
    return f"resource-{next(_numbers)}"


def pairs(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def as_map(tags: list[dict[str, str]]) -> Tags:
    return {tag["Key"]: tag["Value"] for tag in tags}


def new_arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def resource_id(arn: str) -> str:
    return arn.replace("/", ":").rpartition(":")[2]


def recovery_point(source: str, tags: Tags) -> str:
    """A recovery point of AWS Backup."""
    point = new_arn("backup", f"recovery-point:{resource_id(source)}")
    client("backup").tag_resource(ResourceArn=point, Tags=tags)
    return point


def tag_specifications(resource_type: str, tags: Tags) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": pairs(tags)}] if tags else []


def instance(tags: Tags, **more: Any) -> str:
    response = client("ec2").run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tag_specifications("instance", tags),
        **more,
    )
    return new_arn("ec2", f"instance/{response['Instances'][0]['InstanceId']}")


def image(source: str, tags: Tags) -> str:
    image_id = client("ec2").create_image(InstanceId=resource_id(source), Name=new_name())["ImageId"]
    client("ec2").create_tags(Resources=[image_id], Tags=pairs(tags))
    return f"arn:aws:ec2:{REGION}::image/{image_id}"


def ec2_tags(arn: str) -> Tags:
    filters = [{"Name": "resource-id", "Values": [resource_id(arn)]}]
    return as_map(client("ec2").describe_tags(Filters=filters)["Tags"])


def volume(tags: Tags) -> str:
    response = client("ec2").create_volume(
        AvailabilityZone=f"{REGION}a", Size=1, TagSpecifications=tag_specifications("volume", tags)
    )
    return new_arn("ec2", f"volume/{response['VolumeId']}")


def snapshot(source: str, tags: Tags) -> str:
    response = client("ec2").create_snapshot(
        VolumeId=resource_id(source), TagSpecifications=tag_specifications("snapshot", tags)
    )
    return f"arn:aws:ec2:{REGION}::snapshot/{response['SnapshotId']}"


def rds_instance(tags: Tags) -> str:
    response = client("rds").create_db_instance(
        DBInstanceIdentifier=new_name(), DBInstanceClass="db.m5.large", Engine="mysql", Tags=pairs(tags)
    )
    return str(response["DBInstance"]["DBInstanceArn"])


def rds_snapshot(source: str, tags: Tags) -> str:
    response = client("rds").create_db_snapshot(
        DBSnapshotIdentifier=new_name(), DBInstanceIdentifier=resource_id(source), Tags=pairs(tags)
    )
    return str(response["DBSnapshot"]["DBSnapshotArn"])


def rds_tags(arn: str) -> Tags:
    (found,) = client("rds").describe_db_instances(DBInstanceIdentifier=resource_id(arn))["DBInstances"]
    return as_map(found["TagList"])


def rds_cluster(engine: str) -> MotoType:
    def create(tags: Tags) -> str:
        response = client("rds").create_db_cluster(
            DBClusterIdentifier=new_name(),
            Engine=engine,
            MasterUsername="admin",
            MasterUserPassword="none-at-all",
            Tags=pairs(tags),
        )
        return str(response["DBCluster"]["DBClusterArn"])

    def tags(arn: str) -> Tags:
        (found,) = client("rds").describe_db_clusters(DBClusterIdentifier=resource_id(arn))["DBClusters"]
        return as_map(found["TagList"])

    def back_up(source: str, tags: Tags) -> str:
        response = client("rds").create_db_cluster_snapshot(
            DBClusterSnapshotIdentifier=new_name(), DBClusterIdentifier=resource_id(source), Tags=pairs(tags)
        )
        return str(response["DBClusterSnapshot"]["DBClusterSnapshotArn"])

    return MotoType(create, tags, back_up)


def dynamodb_table(tags: Tags) -> str:
    response = client("dynamodb").create_table(
        TableName=new_name(),
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=pairs(tags),
    )
    return str(response["TableDescription"]["TableArn"])


def redshift_cluster(tags: Tags) -> str:
    name = new_name()
    client("redshift").create_cluster(
        ClusterIdentifier=name,
        NodeType="ra3.large",
        MasterUsername="admin",
        MasterUserPassword="None-At-All-1",
        Tags=pairs(tags),
    )
    return new_arn("redshift", f"cluster:{name}")


def redshift_snapshot(source: str, tags: Tags) -> str:
    client("redshift").create_cluster_snapshot(
        SnapshotIdentifier=f"{resource_id(source)}-backup",
        ClusterIdentifier=resource_id(source),
        Tags=pairs(tags),
    )
    return new_arn("redshift", f"snapshot:{resource_id(source)}/{resource_id(source)}-backup")


def redshift_tags(arn: str) -> Tags:
    (found,) = client("redshift").describe_clusters(ClusterIdentifier=resource_id(arn))["Clusters"]
    return as_map(found["Tags"])


def fsx_file_system(tags: Tags) -> str:
    response = client("fsx").create_file_system(
        FileSystemType="LUSTRE",
        StorageCapacity=1200,
        SubnetIds=["subnet-12345678"],
        **({"Tags": pairs(tags)} if tags else {}),
    )
    return str(response["FileSystem"]["ResourceARN"])


def fsx_backup(source: str, tags: Tags) -> str:
    response = client("fsx").create_backup(FileSystemId=resource_id(source), Tags=pairs(tags))
    return str(response["Backup"]["ResourceARN"])


def bucket(tags: Tags) -> str:
    name = new_name()
    client("s3").create_bucket(Bucket=name)
    if tags:
        client("s3control").tag_resource(
            AccountId=ACCOUNT, ResourceArn=f"arn:aws:s3:::{name}", Tags=pairs(tags)
        )
    return f"arn:aws:s3:::{name}"


def bucket_tags(arn: str) -> Tags:
    return as_map(client("s3control").list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=arn)["Tags"])


def eks_cluster(tags: Tags) -> str:
    response = client("eks").create_cluster(
        name=new_name(), roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig={}, tags=tags
    )
    return str(response["cluster"]["arn"])


MOTO_TYPES = {
    "EC2": MotoType(
        instance,
        ec2_tags,
        image,
        lambda arn: client("ec2").terminate_instances(InstanceIds=[resource_id(arn)]),
    ),
    "EBS": MotoType(
        volume, ec2_tags, snapshot, lambda arn: client("ec2").delete_volume(VolumeId=resource_id(arn))
    ),
    "RDS": MotoType(rds_instance, rds_tags, rds_snapshot),
    "Aurora": rds_cluster("aurora-mysql"),
    "Neptune": rds_cluster("neptune"),
    "Aurora DSQL": MotoType(
        lambda tags: str(client("dsql").create_cluster(tags=tags, deletionProtectionEnabled=False)["arn"]),
        lambda arn: dict(client("dsql").get_cluster(identifier=resource_id(arn))["tags"]),
        recovery_point,
        lambda arn: client("dsql").delete_cluster(identifier=resource_id(arn)),
    ),
    "DynamoDB": MotoType(
        dynamodb_table,
        lambda arn: as_map(client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"]),
        recovery_point,
        lambda arn: client("dynamodb").delete_table(TableName=resource_id(arn)),
    ),
    "EFS": MotoType(
        lambda tags: str(
            client("efs").create_file_system(CreationToken=new_name(), Tags=pairs(tags))["FileSystemArn"]
        ),
        lambda arn: as_map(
            client("efs").describe_file_systems(FileSystemId=resource_id(arn))["FileSystems"][0]["Tags"]
        ),
        recovery_point,
    ),
    "FSx": MotoType(
        fsx_file_system,
        lambda arn: as_map(client("fsx").list_tags_for_resource(ResourceARN=arn)["Tags"]),
        fsx_backup,
    ),
    "S3": MotoType(bucket, bucket_tags, recovery_point),
    "Redshift": MotoType(
        redshift_cluster,
        redshift_tags,
        redshift_snapshot,
        lambda arn: client("redshift").delete_cluster(
            ClusterIdentifier=resource_id(arn), SkipFinalClusterSnapshot=True
        ),
    ),
    "Timestream": MotoType(
        lambda tags: str(
            client("timestream-write").create_database(DatabaseName=new_name(), Tags=pairs(tags))["Database"][
                "Arn"
            ]
        ),
        lambda arn: as_map(client("timestream-write").list_tags_for_resource(ResourceARN=arn)["Tags"]),
        recovery_point,
    ),
    "EKS": MotoType(
        eks_cluster,
        lambda arn: dict(client("eks").describe_cluster(name=resource_id(arn))["cluster"]["tags"]),
        recovery_point,
        lambda arn: client("eks").delete_cluster(name=resource_id(arn)),
    ),
}
