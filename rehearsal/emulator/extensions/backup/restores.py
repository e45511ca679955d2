"""AWS Backup restore jobs: started, followed, listed, and announced through EventBridge.

AWS makes the restored resource, then sends "Restore Job State Change" events (best effort) in the job's
account and region.

Emulated: StartRestoreJob makes the resource for DynamoDB (an empty table with the same
keys, named by Metadata targetTableName), EBS (a volume in Metadata availabilityZone), EFS (a new file system
with Metadata CreationToken) and S3 (the bucket of Metadata DestinationBucketName if NewBucket is true; else
that bucket has to exist); for other types Metadata createdResourceArn says what was restored, because the
caller has made it with public APIs. The role must exist and trust backup.amazonaws.com.
CopySourceTagsToRestoredResource is off by default, copies for EBS, and is refused for the types that AWS
lists. Describe, List (filters, paging), GetRestoreJobMetadata. The control operation `start-restore` also
takes the ARN of a restore testing plan, whose jobs AWS starts by itself.

Not emulated: data, the role's permissions during the restore, jobs that take hours.
"""

import datetime
import json
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import control, hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.emulator.extensions.identity import service_roles

_PAGE = 100
_RUNNING_SECONDS = 0.05
_NEVER_COPIES_TAGS = ("DynamoDB", "S3", "SAP HANA on Amazon EC2", "Timestream", "VirtualMachine")

recovery_points: Any = hooks.responses.AccountRegionScopedDict()
_jobs: Any = hooks.responses.AccountRegionScopedDict()


def install() -> None:
    control.register("start-restore", _start_by_control)


def public(record: dict[str, Any]) -> dict[str, Any]:
    """A stored record as the API shows it."""
    return {key: value for key, value in record.items() if not key.startswith("_")}


def page(entries: list[dict[str, Any]], query: dict[str, str], key: str) -> dict[str, Any]:
    """One page of entries; the token is the position of the next one."""
    start = int(query.get("nextToken") or 0)
    end = start + min(int(query.get("maxResults") or _PAGE), _PAGE)
    shown: dict[str, Any] = {key: entries[start:end]}
    if end < len(entries):
        shown["NextToken"] = str(end)
    return shown


@dataclass(frozen=True)
class Backup:
    """What a backup of a resource is: its ARN if its service gave one, what a restore needs, its tags."""

    content: dict[str, str]
    tags: dict[str, str]
    arn: str | None = None


def back_up(account: str, region: str, resource: str, kind: str, tags: dict[str, str] | None) -> Backup:
    """Back up a resource (ARN): its tags go with it unless others are given, as AWS Backup does it.

    EBS makes a real snapshot, so that its tags can be read from EC2. Raises RefusedError if a table or volume
    is not there.
    """
    try:
        match kind:
            case "DynamoDB":
                return _back_up_table(base.client("dynamodb", account, region), resource, tags)
            case "EBS":
                return _back_up_volume(base.client("ec2", account, region), resource, tags)
            case _:
                return Backup({"originalResource": resource}, tags or {})
    except ClientError as missing:
        raise control.RefusedError(str(missing)) from None


def _back_up_table(dynamodb: Any, resource: str, tags: dict[str, str] | None) -> Backup:
    name = resource.rpartition("/")[2]
    table = dynamodb.describe_table(TableName=name)["Table"]
    own = dynamodb.list_tags_of_resource(ResourceArn=resource)["Tags"]
    content = {
        "originalTableName": name,
        "keySchema": json.dumps(table["KeySchema"]),
        "attributeDefinitions": json.dumps(table["AttributeDefinitions"]),
    }
    return Backup(content, _as_map(own) if tags is None else tags)


def _back_up_volume(ec2: Any, resource: str, tags: dict[str, str] | None) -> Backup:
    name = resource.rpartition("/")[2]
    own = ec2.describe_volumes(VolumeIds=[name])["Volumes"][0].get("Tags") or []
    kept = _as_map(own) if tags is None else tags
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    if kept:
        ec2.create_tags(Resources=[snapshot], Tags=_as_list(kept))
    content = {"volumeId": name, "snapshotId": snapshot}
    return Backup(content, kept, f"arn:{PARTITION}:ec2:{ec2.meta.region_name}::snapshot/{snapshot}")


def _as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags if not tag["Key"].startswith("aws:")}


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def route(
    method: str, parts: list[str], query: dict[str, str], body: dict[str, Any]
) -> dict[str, Any] | None:
    """The answer to a restore job request, None for any other."""
    match method, *parts:
        case "PUT", "restore-jobs":
            return {"RestoreJobId": _start(body)}
        case "GET", "restore-jobs":
            return page([public(job) for job in _jobs.values() if _matches(job, query)], query, "RestoreJobs")
        case "GET", "restore-jobs", identifier:
            return public(_job(identifier))
        case "GET", "restore-jobs", identifier, "metadata":
            return {"RestoreJobId": identifier, "Metadata": _job(identifier)["_metadata"]}
    return None


def _job(identifier: str) -> dict[str, Any]:
    found: dict[str, Any] | None = _jobs.get(identifier)
    if found is None:
        raise ApiError("ResourceNotFoundException", f"Restore job {identifier} was not found")
    return found


def _matches(job: dict[str, Any], query: dict[str, str]) -> bool:
    texts = {
        "accountId": "AccountId",
        "resourceType": "ResourceType",
        "status": "Status",
    }
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
            return _start(request, testing_plan)
        except ApiError as error:
            raise control.RefusedError(f"{error.code}: {error.message}") from None


def _start(request: dict[str, Any], testing_plan: str | None = None) -> str:
    point = recovery_points.get(request["RecoveryPointArn"])
    if point is None:
        raise ApiError(
            "ResourceNotFoundException", f"Recovery point {request['RecoveryPointArn']} was not found"
        )
    kind, copies = point["ResourceType"], bool(request.get("CopySourceTagsToRestoredResource"))
    if request.get("ResourceType", kind) != kind:
        raise ApiError("InvalidParameterValueException", f"the recovery point is of type {kind}")
    if copies and kind in _NEVER_COPIES_TAGS:
        raise ApiError(
            "InvalidRequestException", f"CopySourceTagsToRestoredResource is not supported for {kind}"
        )
    role = request.get("IamRoleArn")
    if not role:
        raise ApiError("MissingParameterValueException", "IamRoleArn is required")
    refusal = service_roles.trusts_service(role, "backup.amazonaws.com")
    if refusal is not None:
        raise ApiError("InvalidParameterValueException", f"AWS Backup cannot assume the role: {refusal}")
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
        "ResourceType": kind,
        "RecoveryPointCreationDate": point["CreationDate"],
        "_metadata": request.get("Metadata") or {},
    }
    if testing_plan is not None:
        job["CreatedBy"] = {"RestoreTestingPlanArn": testing_plan}
    _jobs[job["RestoreJobId"]] = job
    place = (base.account(), base.region())
    threading.Thread(target=_run, args=(place, job, point, copies), name="restore").start()
    return str(job["RestoreJobId"])


def _run(place: tuple[str, str], job: dict[str, Any], point: dict[str, Any], copies: bool) -> None:
    with base.scope(*place):
        _announce(job, {"state": "CREATED"})
        time.sleep(_RUNNING_SECONDS)
        try:
            job["CreatedResourceArn"] = _restore(place, job["_metadata"], point, copies)
            job["Status"] = "COMPLETED"
        except (ClientError, KeyError) as failure:
            job["Status"] = "FAILED"
            job["StatusMessage"] = f"{type(failure).__name__}: {failure}"
        job["PercentDone"], job["CompletionDate"] = "100.00%", time.time()
        _announce(job, {"status": job["Status"]})


def _restore(place: tuple[str, str], metadata: dict[str, str], point: dict[str, Any], copies: bool) -> str:
    """Make the restored resource and return its ARN; KeyError for missing metadata, ClientError for a
    refusal.
    """
    match point["ResourceType"]:
        case "DynamoDB":
            content = point["_content"]
            table = base.client("dynamodb", *place).create_table(
                TableName=metadata["targetTableName"],
                KeySchema=json.loads(content["keySchema"]),
                AttributeDefinitions=json.loads(content["attributeDefinitions"]),
                BillingMode="PAY_PER_REQUEST",
            )
            return str(table["TableDescription"]["TableArn"])
        case "EBS":
            ec2 = base.client("ec2", *place)
            volume = ec2.create_volume(
                AvailabilityZone=metadata["availabilityZone"], SnapshotId=point["_content"]["snapshotId"]
            )["VolumeId"]
            if copies and point["_tags"]:
                ec2.create_tags(Resources=[volume], Tags=_as_list(point["_tags"]))
            return f"arn:{PARTITION}:ec2:{place[1]}:{place[0]}:volume/{volume}"
        case "EFS":
            created = base.client("efs", *place).create_file_system(CreationToken=metadata["CreationToken"])
            return str(created["FileSystemArn"])
        case "S3":
            name, s3 = metadata["DestinationBucketName"], base.client("s3", *place)
            if metadata.get("NewBucket") == "true":
                elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": place[1]}}
                s3.create_bucket(Bucket=name, **({} if place[1] == "us-east-1" else elsewhere))
            s3.head_bucket(Bucket=name)
            return f"arn:{PARTITION}:s3:::{name}"
        case _:
            return metadata["createdResourceArn"]


def _announce(job: dict[str, Any], state: dict[str, str]) -> None:
    """The documented event; keys that AWS does not know yet are left out."""
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
