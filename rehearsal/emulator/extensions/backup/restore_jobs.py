"""Restore jobs: started, listed, and announced through EventBridge.

AWS creates the restored resource, then sends "Restore Job State Change" events (best effort) in the job's
account and Region.

Emulated: StartRestoreJob creates the resource for DynamoDB (an empty table with the same keys, named by
Metadata targetTableName), EBS (a volume in Metadata availabilityZone), EFS (a new file system with Metadata
CreationToken) and S3 (the bucket of Metadata DestinationBucketName if NewBucket is true; otherwise it must
exist). For other types Metadata createdResourceArn names what was restored, because the caller has created it
with public APIs. The role must exist and trust backup.amazonaws.com. CopySourceTagsToRestoredResource is off
by default, copies for EBS, and is refused for the types that AWS lists. Describe, List (filters, pages),
GetRestoreJobMetadata. The control operation `start-restore` also takes the ARN of a restore testing plan,
whose jobs AWS starts itself.

Not emulated: data, the role's permissions during the restore, jobs that take hours.
"""

import datetime
import json
import threading
import time
import uuid
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.backup import recovery_points
from rehearsal.emulator.extensions.base import Request
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.identity import service_roles
from rehearsal.place import Place

_RUNNING_SECONDS = 0.01
_NEVER_COPIES_TAGS = ("DynamoDB", "S3", "SAP HANA on Amazon EC2", "Timestream", "VirtualMachine")
_jobs: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    control.register("start-restore", _start_by_control)


def find(identifier: str) -> dict[str, Any]:
    """A restore job; ApiError if there is none with this ID."""
    found: dict[str, Any] | None = _jobs.get(identifier)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"Restore job {identifier} was not found")
    return found


def matching(request: Request) -> list[dict[str, Any]]:
    """The restore jobs that pass the filters of ListRestoreJobs."""
    query = {name: request.parameter(name) for name in request.query}
    return [job for job in _jobs.values() if _matches(job, query)]


def _matches(job: dict[str, Any], query: dict[str, str]) -> bool:
    texts = {"accountId": "AccountId", "resourceType": "ResourceType", "status": "Status"}
    if any(query[name] != job[key] for name, key in texts.items() if name in query):
        return False
    plan = query.get("restoreTestingPlanArn")
    if plan is not None and (job.get("CreatedBy") or {}).get("RestoreTestingPlanArn") != plan:
        return False
    created, completed = job["CreationDate"], job.get("CompletionDate")
    limits = [
        ("createdAfter", created, True),
        ("createdBefore", created, False),
        ("completeAfter", completed, True),
        ("completeBefore", completed, False),
    ]
    for name, moment, after in limits:
        if name in query:
            limit = _seconds(query[name])
            if moment is None or (moment < limit if after else moment > limit):
                return False
    return True


def _seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


# -- running -------------------------------------------------------------------------------------------------


def _start_by_control(
    account: str, region: str, request: dict[str, Any], testing_plan: str | None = None
) -> str:
    with base.scope(account, region):
        try:
            return start(request, testing_plan)
        except ApiError as error:
            raise control.RefusedError(f"{error.code}: {error.message}") from None


def start(request: dict[str, Any], testing_plan: str | None = None) -> str:
    """StartRestoreJob in the account and Region of the request; returns the job's ID, raises ApiError."""
    point = recovery_points.find(request["RecoveryPointArn"])
    resource_type, copies = point["ResourceType"], bool(request.get("CopySourceTagsToRestoredResource"))
    if request.get("ResourceType", resource_type) != resource_type:
        raise ApiError("InvalidParameterValueException", f"the recovery point is of type {resource_type}")
    if copies and resource_type in _NEVER_COPIES_TAGS:
        raise ApiError(
            "InvalidRequestException",
            f"CopySourceTagsToRestoredResource is not supported for {resource_type}",
        )
    role = request.get("IamRoleArn")
    if not role:
        raise ApiError("MissingParameterValueException", "IamRoleArn is required")
    if reason := service_roles.why_not_assumable(role, "backup.amazonaws.com"):
        raise ApiError("InvalidParameterValueException", f"AWS Backup cannot assume the role: {reason}")
    job = {
        "AccountId": base.account(),
        "RestoreJobId": str(uuid.uuid4()),
        "RecoveryPointArn": point["RecoveryPointArn"],
        "SourceResourceArn": point["ResourceArn"],
        "BackupVaultArn": point["BackupVaultArn"],
        "CreationDate": time.time(),
        "Status": "RUNNING",
        "PercentDone": "0.00%",
        "IamRoleArn": role,
        "ResourceType": resource_type,
        "RecoveryPointCreationDate": point["CreationDate"],
        "_metadata": request.get("Metadata") or {},
    }
    if testing_plan is not None:
        job["CreatedBy"] = {"RestoreTestingPlanArn": testing_plan}
    _jobs[job["RestoreJobId"]] = job
    threading.Thread(target=_run, args=(base.here(), job, point, copies), name="restore").start()
    return str(job["RestoreJobId"])


def _run(place: Place, job: dict[str, Any], point: dict[str, Any], copies: bool) -> None:
    with base.scope(place.account, place.region):
        _announce(job, {"state": "CREATED"})
        time.sleep(_RUNNING_SECONDS)
        try:
            job["CreatedResourceArn"] = _restore(place, job["_metadata"], point, copies)
            status = "COMPLETED"
        except (ClientError, KeyError) as failure:
            status = "FAILED"
            job["StatusMessage"] = f"{type(failure).__name__}: {failure}"
        job.update(PercentDone="100.00%", CompletionDate=time.time(), Status=status)
        _announce(job, {"status": status})


def _restore(place: Place, metadata: dict[str, str], point: dict[str, Any], copies: bool) -> str:
    """Create the restored resource and return its ARN; KeyError for missing metadata, or ClientError."""
    match point["ResourceType"]:
        case "DynamoDB":
            content = point["_content"]
            table = base.client("dynamodb", place).create_table(
                TableName=metadata["targetTableName"],
                KeySchema=json.loads(content["keySchema"]),
                AttributeDefinitions=json.loads(content["attributeDefinitions"]),
                BillingMode="PAY_PER_REQUEST",
            )
            return str(table["TableDescription"]["TableArn"])
        case "EBS":
            ec2 = base.client("ec2", place)
            volume = ec2.create_volume(
                AvailabilityZone=metadata["availabilityZone"], SnapshotId=point["_content"]["snapshotId"]
            )["VolumeId"]
            if copies and point["_tags"]:
                ec2.create_tags(Resources=[volume], Tags=recovery_points.as_list(point["_tags"]))
            return f"arn:{PARTITION}:ec2:{place.region}:{place.account}:volume/{volume}"
        case "EFS":
            created = base.client("efs", place).create_file_system(CreationToken=metadata["CreationToken"])
            return str(created["FileSystemArn"])
        case "S3":
            name, s3 = metadata["DestinationBucketName"], base.client("s3", place)
            if metadata.get("NewBucket") == "true":
                elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
                s3.create_bucket(Bucket=name, **({} if place.region == "us-east-1" else elsewhere))
            s3.head_bucket(Bucket=name)
            return f"arn:{PARTITION}:s3:::{name}"
        case _:
            return metadata["createdResourceArn"]


def _announce(job: dict[str, Any], state: dict[str, str]) -> None:
    """Send the documented event, without the keys that have no value yet."""
    detail = {
        "restoreJobId": job["RestoreJobId"],
        "backupSizeInBytes": "0",
        "creationDate": _moment(job["CreationDate"]),
        "iamRoleArn": job["IamRoleArn"],
        "percentDone": float(job["PercentDone"].rstrip("%")),
        "resourceType": job["ResourceType"],
        "recoveryPointArn": job["RecoveryPointArn"],
        "backupVaultArn": job["BackupVaultArn"],
        "sourceResourceArn": job["SourceResourceArn"],
        **state,
    }
    if "CompletionDate" in job:
        detail["completionDate"] = _moment(job["CompletionDate"])
    if "CreatedResourceArn" in job:
        detail["createdResourceArn"] = job["CreatedResourceArn"]
    if "StatusMessage" in job:
        detail["statusMessage"] = job["StatusMessage"]
    if "CreatedBy" in job:
        detail["restoreTestingPlanArn"] = job["CreatedBy"]["RestoreTestingPlanArn"]
    event = {
        "Source": "aws.backup",
        "DetailType": "Restore Job State Change",
        "Resources": [job["RecoveryPointArn"]],
        "Detail": json.dumps(detail),
    }
    hooks.eventbridge._put_events({"Entries": [event]}, allow_aws_source=True)


def _moment(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
