"""AWS Backup: recovery points, restore jobs and their events, vault policies and settings."""

import datetime
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.emulator.errors import ControlError
from tests.rehearsal.emulator.templates import role, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World, eventually

ACCOUNT = ACCOUNTS.members[0]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/restorer"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "backup:DeleteRecoveryPoint", "Resource": "*"}
    ],
}


@pytest.fixture(scope="session")
def backup(world: World) -> Any:
    """The member account's client; a vault, a role, and a queue that receives every restore event."""
    queue_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
            }
        ],
    }
    resources = {
        "Vault": {
            "Type": "AWS::Backup::BackupVault",
            "Properties": {"BackupVaultName": "vault", "AccessPolicy": POLICY},
        },
        "Role": role("restorer", {"Service": "backup.amazonaws.com"}),
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "events"}},
        "QueuePolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": queue_policy},
        },
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventPattern": {"source": ["aws.backup"], "detail-type": ["Restore Job State Change"]},
                "Targets": [{"Id": "Queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
            },
        },
    }
    made = world.create("backup", template(resources), ACCOUNT)
    assert made.status == "CREATE_COMPLETE", made.reason
    return world.client("backup", ACCOUNT)


def recovery_point(world: World, resource: str, kind: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = world.emulator.control(
        "create-recovery-point",
        account=ACCOUNT,
        region=HOME_REGION,
        vault="vault",
        resource=resource,
        resource_type=kind,
        **more,
    )
    return found


def finished(backup: Any, job: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        described: dict[str, Any] = backup.describe_restore_job(RestoreJobId=job)
        return described if described["Status"] in ("COMPLETED", "FAILED") else None

    found: dict[str, Any] = eventually(look)
    return found


def events_of(world: World, job: str) -> list[dict[str, Any]]:
    """The events of a finished restore job, in their order."""
    sqs = world.client("sqs", ACCOUNT)
    url = sqs.get_queue_url(QueueName="events")["QueueUrl"]
    received: list[dict[str, Any]] = []

    def look() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            if event["detail"]["restoreJobId"] == job:
                received.append(event)
        return len(received) == 2

    eventually(look)
    return received


@pytest.fixture(scope="session")
def table(world: World) -> str:
    described = world.client("dynamodb", ACCOUNT).create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return str(described["TableDescription"]["TableArn"])


def test_a_restored_table_is_created_and_announced_with_every_documented_field(
    world: World, backup: Any, table: str
) -> None:
    point = recovery_point(world, table, "DynamoDB")
    arn = point["RecoveryPointArn"]
    job = backup.start_restore_job(
        RecoveryPointArn=arn, Metadata={"targetTableName": "orders-restored"}, IamRoleArn=ROLE
    )["RestoreJobId"]
    done = finished(backup, job)
    restored = table.replace("orders", "orders-restored")
    assert (done["Status"], done["PercentDone"], done["CreatedResourceArn"]) == (
        "COMPLETED",
        "100.00%",
        restored,
    )
    assert done["SourceResourceArn"] == table
    keys = world.client("dynamodb", ACCOUNT).describe_table(TableName="orders-restored")["Table"]["KeySchema"]
    assert keys == [{"AttributeName": "id", "KeyType": "HASH"}]
    created, completed = events_of(world, job)
    assert created["detail"]["state"] == "CREATED"
    assert (completed["account"], completed["region"], completed["resources"]) == (
        ACCOUNT,
        HOME_REGION,
        [arn],
    )
    detail = completed["detail"]
    assert {key: detail[key] for key in sorted(detail) if key not in ("creationDate", "completionDate")} == {
        "backupSizeInBytes": "0",
        "backupVaultArn": f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:backup-vault:vault",
        "createdResourceArn": restored,
        "iamRoleArn": ROLE,
        "percentDone": 100.0,
        "recoveryPointArn": arn,
        "resourceType": "DynamoDB",
        "restoreJobId": job,
        "sourceResourceArn": table,
        "status": "COMPLETED",
    }
    assert detail["completionDate"] >= detail["creationDate"]


def volume_with(world: World, **tags: str) -> str:
    """The ARN of a new volume."""
    ec2 = world.client("ec2", ACCOUNT)
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    if tags:
        ec2.create_tags(Resources=[volume], Tags=[{"Key": key, "Value": tags[key]} for key in tags])
    return f"arn:aws:ec2:{HOME_REGION}:{ACCOUNT}:volume/{volume}"


@pytest.mark.parametrize(("copies", "tags"), [(False, []), (True, [{"Key": "team", "Value": "a"}])])
def test_a_restored_volume_has_tags_only_if_requested(
    world: World, backup: Any, copies: bool, tags: list[dict[str, str]]
) -> None:
    point = recovery_point(world, volume_with(world, team="a"), "EBS")
    job = backup.start_restore_job(
        RecoveryPointArn=point["RecoveryPointArn"],
        Metadata={"availabilityZone": "us-east-1a"},
        IamRoleArn=ROLE,
        CopySourceTagsToRestoredResource=copies,
    )["RestoreJobId"]
    volume = finished(backup, job)["CreatedResourceArn"].rpartition("/")[2]
    found = world.client("ec2", ACCOUNT).describe_volumes(VolumeIds=[volume])["Volumes"][0]
    assert found.get("Tags", []) == tags


def test_a_backup_keeps_the_tags_of_its_resource(world: World, backup: Any, table: str) -> None:
    dynamodb = world.client("dynamodb", ACCOUNT)
    dynamodb.tag_resource(ResourceArn=table, Tags=[{"Key": "team", "Value": "b"}])
    of_table = recovery_point(world, table, "DynamoDB")["RecoveryPointArn"]
    assert backup.list_tags(ResourceArn=of_table)["Tags"] == {"team": "b"}
    of_volume = recovery_point(world, volume_with(world, team="c"), "EBS")["RecoveryPointArn"]
    assert of_volume.startswith(f"arn:aws:ec2:{HOME_REGION}::snapshot/snap-")
    snapshot = of_volume.rpartition("/")[2]
    found = world.client("ec2", ACCOUNT).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert found["Tags"] == [{"Key": "team", "Value": "c"}]


def restored(world: World, backup: Any, resource_type: str, resource: str) -> str:
    """The ID of a job that has restored a resource which the caller has created."""
    point = recovery_point(world, resource, resource_type)
    job = backup.start_restore_job(
        RecoveryPointArn=point["RecoveryPointArn"],
        Metadata={"createdResourceArn": resource + "-restored"},
        IamRoleArn=ROLE,
    )["RestoreJobId"]
    assert finished(backup, job)["CreatedResourceArn"] == resource + "-restored"
    return str(job)


def test_for_any_other_type_the_metadata_name_what_was_restored(world: World, backup: Any) -> None:
    database = f"arn:aws:rds:{HOME_REGION}:{ACCOUNT}:db:one"
    job = restored(world, backup, "RDS", database)
    assert backup.get_restore_job_metadata(RestoreJobId=job)["Metadata"] == {
        "createdResourceArn": database + "-restored"
    }


def test_a_bucket_is_created_after_the_job_or_must_exist_before_it(world: World, backup: Any) -> None:
    s3 = world.client("s3", ACCOUNT)
    point = recovery_point(world, "arn:aws:s3:::receipts", "S3")

    def bucket_restored(name: str, new: str) -> dict[str, Any]:
        job = backup.start_restore_job(
            RecoveryPointArn=point["RecoveryPointArn"],
            Metadata={"DestinationBucketName": name, "NewBucket": new},
            IamRoleArn=ROLE,
        )["RestoreJobId"]
        done: dict[str, Any] = finished(backup, job)
        return done

    s3.create_bucket(Bucket="receipts-archive")
    for name, new in (("receipts-archive", "false"), ("receipts-restored", "true")):
        job = bucket_restored(name, new)
        assert job["CreatedResourceArn"] == f"arn:aws:s3:::{name}"
        (bucket,) = s3.list_buckets(Prefix=name)["Buckets"]
        assert (bucket["CreationDate"] > job["CreationDate"]) == (new == "true")
    assert bucket_restored("receipts-missing", "false")["Status"] == "FAILED"


def test_a_file_system_is_created(world: World, backup: Any) -> None:
    point = recovery_point(
        world, f"arn:aws:elasticfilesystem:{HOME_REGION}:{ACCOUNT}:file-system/fs-1", "EFS"
    )
    job = backup.start_restore_job(
        RecoveryPointArn=point["RecoveryPointArn"],
        Metadata={"newFileSystem": "true", "CreationToken": "restored"},
        IamRoleArn=ROLE,
    )["RestoreJobId"]
    created = finished(backup, job)["CreatedResourceArn"]
    (made,) = world.client("efs", ACCOUNT).describe_file_systems(CreationToken="restored")["FileSystems"]
    assert created == made["FileSystemArn"]


def test_a_restore_that_fails_says_why(world: World, backup: Any, table: str) -> None:
    point = recovery_point(world, table, "DynamoDB")
    job = backup.start_restore_job(
        RecoveryPointArn=point["RecoveryPointArn"], Metadata={"targetTableName": "orders"}, IamRoleArn=ROLE
    )["RestoreJobId"]
    done = finished(backup, job)
    assert done["Status"] == "FAILED"
    assert "orders" in done["StatusMessage"]
    assert events_of(world, job)[1]["detail"]["status"] == "FAILED"


def test_a_restore_test_names_its_plan(world: World, backup: Any, table: str) -> None:
    plan = f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:restore-testing-plan:p"
    point = recovery_point(world, table, "DynamoDB")
    request = {
        "RecoveryPointArn": point["RecoveryPointArn"],
        "Metadata": {"targetTableName": "orders-tested"},
        "IamRoleArn": ROLE,
    }
    job = world.emulator.control(
        "start-restore", account=ACCOUNT, region=HOME_REGION, request=request, testing_plan=plan
    )
    assert finished(backup, job)["CreatedBy"] == {"RestoreTestingPlanArn": plan}
    assert events_of(world, job)[1]["detail"]["restoreTestingPlanArn"] == plan
    listed = backup.list_restore_jobs(ByRestoreTestingPlanArn=plan)["RestoreJobs"]
    assert [each["RestoreJobId"] for each in listed] == [job]


def test_jobs_are_listed_by_what_they_are(world: World, backup: Any, table: str) -> None:
    point = recovery_point(world, table, "DynamoDB")
    for number in range(3):
        started = backup.start_restore_job(
            RecoveryPointArn=point["RecoveryPointArn"],
            Metadata={"targetTableName": f"listed-{number}"},
            IamRoleArn=ROLE,
        )
        finished(backup, started["RestoreJobId"])
    restored(world, backup, "RDS", f"arn:aws:rds:{HOME_REGION}:{ACCOUNT}:db:listed")
    every = backup.list_restore_jobs()["RestoreJobs"]
    tables = backup.list_restore_jobs(ByResourceType="DynamoDB", ByStatus="COMPLETED")["RestoreJobs"]
    assert 3 <= len(tables) < len(every)
    assert {each["ResourceType"] for each in tables} == {"DynamoDB"}
    tomorrow = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    assert backup.list_restore_jobs(ByCreatedAfter=tomorrow)["RestoreJobs"] == []
    assert backup.list_restore_jobs(ByCompleteBefore=tomorrow, ByAccountId=ACCOUNT)["RestoreJobs"] == every
    pages = backup.get_paginator("list_restore_jobs").paginate(PaginationConfig={"PageSize": 2})
    counts = [len(each["RestoreJobs"]) for each in pages]
    assert sum(counts) == len(every)
    assert max(counts) == 2


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RecoveryPointArn": "arn:aws:backup:us-east-1:1:recovery-point:no"}, "ResourceNotFoundException"),
        ({"IamRoleArn": f"{ROLE}-missing"}, "InvalidParameterValueException"),
        ({"ResourceType": "EBS"}, "InvalidParameterValueException"),
        ({"CopySourceTagsToRestoredResource": True}, "InvalidRequestException"),
    ],
)
def test_a_restore_that_aws_would_refuse_is_refused(
    world: World, backup: Any, table: str, change: dict[str, Any], code: str
) -> None:
    point = recovery_point(world, table, "DynamoDB")
    request = {
        "RecoveryPointArn": point["RecoveryPointArn"],
        "Metadata": {"targetTableName": "refused"},
        "IamRoleArn": ROLE,
    }
    with pytest.raises(ClientError) as error:
        backup.start_restore_job(**{**request, **change})
    assert error.value.response["Error"]["Code"] == code


def test_recovery_points_are_described_listed_tagged_and_deleted(
    world: World, backup: Any, table: str
) -> None:
    point = recovery_point(world, table, "DynamoDB", tags={"team": "a"})
    arn = point["RecoveryPointArn"]
    where = {"BackupVaultName": "vault", "RecoveryPointArn": arn}
    assert backup.describe_recovery_point(**where)["ResourceArn"] == table
    metadata = backup.get_recovery_point_restore_metadata(**where)["RestoreMetadata"]
    assert metadata["originalTableName"] == "orders"
    listed = backup.list_recovery_points_by_backup_vault(BackupVaultName="vault")["RecoveryPoints"]
    assert arn in {each["RecoveryPointArn"] for each in listed}
    backup.tag_resource(ResourceArn=arn, Tags={"more": "1"})
    backup.untag_resource(ResourceArn=arn, TagKeyList=["team"])
    assert backup.list_tags(ResourceArn=arn)["Tags"] == {"more": "1"}
    backup.delete_recovery_point(**where)
    with pytest.raises(ClientError):
        backup.describe_recovery_point(**where)


def test_tags_are_listed_for_recovery_points_of_the_backup_service_only(world: World, backup: Any) -> None:
    point = recovery_point(world, volume_with(world), "EBS")
    with pytest.raises(ClientError) as error:
        backup.list_tags(ResourceArn=point["RecoveryPointArn"])
    assert error.value.response["Error"]["Code"] == "InvalidParameterValueException"


def test_a_recovery_point_needs_its_vault_and_its_table(world: World, backup: Any) -> None:
    with pytest.raises(ControlError, match="no backup vault nowhere"):
        world.emulator.control(
            "create-recovery-point",
            account=ACCOUNT,
            region=HOME_REGION,
            vault="nowhere",
            resource="arn:aws:dynamodb:us-east-1:1:table/t",
            resource_type="DynamoDB",
        )
    with pytest.raises(ControlError, match="ResourceNotFoundException"):
        recovery_point(world, f"arn:aws:dynamodb:{HOME_REGION}:{ACCOUNT}:table/none", "DynamoDB")


def test_access_policies_are_kept(backup: Any) -> None:
    found = backup.get_backup_vault_access_policy(BackupVaultName="vault")
    assert json.loads(found["Policy"]) == POLICY
    backup.create_backup_vault(BackupVaultName="plain")
    with pytest.raises(ClientError) as error:
        backup.get_backup_vault_access_policy(BackupVaultName="plain")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    backup.put_backup_vault_access_policy(BackupVaultName="plain", Policy=json.dumps(POLICY))
    assert json.loads(backup.get_backup_vault_access_policy(BackupVaultName="plain")["Policy"]) == POLICY
    backup.delete_backup_vault_access_policy(BackupVaultName="plain")
    with pytest.raises(ClientError):
        backup.get_backup_vault_access_policy(BackupVaultName="plain")


def test_a_vault_with_recovery_points_cannot_be_deleted(world: World, backup: Any, table: str) -> None:
    recovery_point(world, table, "DynamoDB")
    with pytest.raises(ClientError, match="contains recovery points"):
        backup.delete_backup_vault(BackupVaultName="vault")
    backup.create_backup_vault(BackupVaultName="empty")
    backup.delete_backup_vault(BackupVaultName="empty")


def test_only_the_management_account_changes_global_settings(world: World, backup: Any) -> None:
    on = {"isCrossAccountBackupEnabled": "true"}
    with pytest.raises(ClientError, match="management account"):
        backup.update_global_settings(GlobalSettings=on)
    assert backup.describe_global_settings()["GlobalSettings"]["isCrossAccountBackupEnabled"] == "false"
    world.client("backup", ACCOUNTS.management).update_global_settings(GlobalSettings=on)
    assert backup.describe_global_settings()["GlobalSettings"]["isCrossAccountBackupEnabled"] == "true"
    with pytest.raises(ClientError):
        world.client("backup", "999999999999").describe_global_settings()


def test_resource_types_are_opted_into_by_account_and_region(world: World, backup: Any) -> None:
    assert not any(backup.describe_region_settings()["ResourceTypeOptInPreference"].values())
    backup.update_region_settings(ResourceTypeOptInPreference={"DynamoDB": True})
    assert backup.describe_region_settings()["ResourceTypeOptInPreference"]["DynamoDB"] is True
    elsewhere = world.client("backup", ACCOUNT, "us-east-2").describe_region_settings()
    assert elsewhere["ResourceTypeOptInPreference"]["DynamoDB"] is False
    with pytest.raises(ClientError, match="Nonsense"):
        backup.update_region_settings(ResourceTypeOptInPreference={"Nonsense": True})
