"""The services of restored resources, called by the account and by functions."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import function, role, statement, template, zipped
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

MEMBER = ACCOUNTS.members[0]
TAGS = [{"Key": "owner", "Value": "payroll"}]
# What TagOnRestore does with a bucket: read, add, read.
SOURCE = """
import botocore.session
from botocore.exceptions import ClientError
def handler(event, context):
    client = botocore.session.get_session().create_client("s3control")
    bucket = {"AccountId": event["account"], "ResourceArn": "arn:aws:s3:::" + event["bucket"]}
    try:
        client.tag_resource(**bucket, Tags=[{"Key": "cost", "Value": "1"}])
        return client.list_tags_for_resource(**bucket)["Tags"]
    except ClientError as error:
        return error.response["Error"]["Code"]
"""


def arn(resource: str) -> str:
    return f"arn:aws:rds:{HOME_REGION}:{MEMBER}:{resource}"


@pytest.fixture(scope="session")
def database(world: World) -> str:
    rds = world.client("rds", MEMBER)
    made = rds.create_db_instance(
        DBInstanceIdentifier="payroll",
        Engine="mysql",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="administrator",
        ManageMasterUserPassword=True,
    )
    rds.create_db_snapshot(DBSnapshotIdentifier="awsbackup:job-1", DBInstanceIdentifier="payroll")
    return str(made["DBInstance"]["DBInstanceArn"])


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("db:gone", "DBInstanceNotFound"),
        ("cluster:gone", "DBClusterNotFoundFault"),
        ("snapshot:awsbackup:job-gone", "DBSnapshotNotFound"),
        ("cluster-snapshot:awsbackup:job-gone", "DBClusterSnapshotNotFoundFault"),
    ],
)
def test_tags_of_a_missing_database_are_an_error(
    world: World, database: str, resource: str, code: str
) -> None:
    rds = world.client("rds", MEMBER)
    with pytest.raises(ClientError, match=code):
        rds.list_tags_for_resource(ResourceName=arn(resource))
    with pytest.raises(ClientError, match=code):
        rds.add_tags_to_resource(ResourceName=arn(resource), Tags=TAGS)


@pytest.mark.parametrize("resource", ["db:payroll", "snapshot:awsbackup:job-1"])
def test_a_database_and_its_snapshot_have_tags(world: World, database: str, resource: str) -> None:
    rds = world.client("rds", MEMBER)
    rds.add_tags_to_resource(ResourceName=arn(resource), Tags=TAGS)
    assert rds.list_tags_for_resource(ResourceName=arn(resource))["TagList"] == TAGS


def test_instances_are_found_by_the_filter_for_their_id(world: World) -> None:
    ec2 = world.client("ec2", MEMBER)
    image = {"ImageId": "ami-0abcdef1234567890", "MinCount": 1, "MaxCount": 1}
    first, second = (ec2.run_instances(**image)["Instances"][0]["InstanceId"] for _ in range(2))

    def found(*wanted: str) -> set[str]:
        filters = [{"Name": "instance-id", "Values": list(wanted)}]
        reservations = ec2.describe_instances(Filters=filters)["Reservations"]
        return {instance["InstanceId"] for one in reservations for instance in one["Instances"]}

    assert found(first) == {first}
    assert found(first, second) == {first, second}
    assert found("i-00000000000000000") == set()


@pytest.fixture(scope="session")
def tagger(world: World) -> str:
    """A function that may tag the bucket `payslips` and one that does not exist."""
    s3 = world.client("s3", MEMBER)
    for bucket in ("code-of-the-tagger", "payslips"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="code-of-the-tagger", Key="it.zip", Body=zipped({"index.py": SOURCE}))
    s3.put_bucket_tagging(Bucket="payslips", Tagging={"TagSet": TAGS})
    actions = ["s3:TagResource", "s3:ListTagsForResource"]
    resources = {
        "Role": role(
            "tagger",
            {"Service": "lambda.amazonaws.com"},
            statement("logs:*"),
            statement(actions, ["arn:aws:s3:::payslips", "arn:aws:s3:::gone"]),
        ),
        "Function": function("tagger", {"S3Bucket": "code-of-the-tagger", "S3Key": "it.zip"}),
    }
    made = world.create("tagger", template(resources), MEMBER)
    assert made.status == "CREATE_COMPLETE", made.reason
    return "tagger"


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        ("payslips", [*TAGS, {"Key": "cost", "Value": "1"}]),
        ("gone", "NoSuchBucket"),
        ("forbidden", "AccessDenied"),
    ],
)
def test_a_function_reaches_s3_control_under_its_role(
    world: World, tagger: str, bucket: str, expected: Any
) -> None:
    payload = json.dumps({"account": MEMBER, "bucket": bucket})
    invoked = world.client("lambda", MEMBER).invoke(FunctionName=tagger, Payload=payload)
    assert json.loads(invoked["Payload"].read()) == expected
