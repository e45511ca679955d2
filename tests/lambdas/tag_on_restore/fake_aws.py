"""An account in memory, for what moto cannot raise or does not have.

moto lacks restore jobs, DocumentDB, FSx volumes, Storage Gateway, Redshift Serverless, SAP HANA and virtual
machines. For what does not exist in RDS, EFS, FSx, S3 and Timestream, it returns no tags instead of an error.
It does not throttle, deny access, fail at the nth call, or page lists of tags.

Parameters are checked against botocore's models. What AWS returns is taken from its documentation, not from
the code under test.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NoReturn

from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from rehearsal.machine import environment

REGION = "us-west-2"
ACCOUNT = "444455556666"
# When the jobs of the events started and ended, and a moment between.
STARTED = datetime(2026, 11, 2, 3, 10, 1, 742000, tzinfo=UTC)
CREATED = datetime(2026, 11, 2, 3, 12, tzinfo=UTC)
COMPLETED = datetime(2026, 11, 2, 3, 14, 53, 128000, tzinfo=UTC)
EVERY_PAGE = 1000


class Killed(BaseException):
    """The execution environment was stopped in the middle of a call."""


@dataclass(frozen=True)
class Fault:
    """The error code that AWS returns ("" = the function is killed); `late`: after the call took effect."""

    code: str
    late: bool = False

    def strike(self) -> NoReturn:
        if not self.code:
            raise Killed
        raise Refused(self.code)


DENIED = Fault("AccessDeniedException")
NOT_FOUND = Fault("ResourceNotFoundException")
THROTTLED = Fault("ThrottlingException")
SERVER_ERROR = Fault("InternalServerError")
LATE_SERVER_ERROR = Fault("InternalServerError", late=True)
KILLED = Fault("")
KILLED_LATE = Fault("", late=True)


class Refused(Exception):  # noqa: N818 - carries a response of AWS
    """A response that is an error."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        error = {"Code": code, "Message": f"{code} by the fake"}
        self.response: Any = {"Error": error, **more}


@dataclass
class FakeAws:
    """One account and Region. `tags` has a key (an ARN) for everything that exists; `created_at`, one of its
    attributes, is CREATED by default.

    ListRestoreJobs omits the fields `unlisted`. AWS does not document whether it lists child jobs without
    ByParentJobId (`lists_children`).
    """

    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    recovery_points: dict[str, dict[str, Any]] = field(default_factory=dict)
    page_size: int = EVERY_PAGE
    lists_children: bool = False
    unlisted: tuple[str, ...] = ()
    faults: dict[int, Fault] = field(default_factory=dict)
    denied: set[tuple[str, str]] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)

    def add(self, arn: str, tags: dict[str, str] | None = None, **attributes: Any) -> None:
        """Create `arn`."""
        self.tags[arn] = dict(tags or {})
        self.attributes[arn] = attributes

    @property
    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if re.search(":(Tag|Add|Create)", call)]

    @contextmanager
    def fault(self, position: int, fault: Fault) -> Iterator[None]:
        """The call at `position` (from 0, counted from here) fails."""
        self.faults = {len(self.calls) + position: fault}
        try:
            yield
        finally:
            self.faults = {}

    # The protocol tag_on_restore.aws.Session

    def get_config_variable(self, logical_name: str) -> str | None:
        """The Region, as the environment of a Lambda function sets it."""
        return {"region": REGION}.get(logical_name)

    def create_client(self, service_name: str, *, config: Any) -> "Client":
        """A client that calls this account."""
        self.clients.append(service_name)
        return Client(self, service_name)

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """The response to one call; Refused for an error."""
        action = iam_action(service, operation)
        fault = self.faults.get(len(self.calls))
        self.calls.append(action)
        if fault and not fault.late:
            fault.strike()
        if any(action == denied and arn in str(parameters) for denied, arn in self.denied):
            raise Refused("AccessDeniedException")
        response = _OPERATIONS[action](self, parameters)
        if fault:
            fault.strike()
        return response

    # Parts of responses

    def paged(self, items: list[Any], token: str | None) -> tuple[list[Any], str | None]:
        """One page of `items` and the token of the next."""
        start = int(token or 0)
        end = start + self.page_size
        return items[start:end], str(end) if end < len(items) else None

    def of(self, arn: str, missing: Refused) -> dict[str, str]:
        """The tags of `arn`."""
        if arn not in self.tags:
            raise missing
        return self.tags[arn]

    def put(self, arn: str, tags: dict[str, str], missing: Refused) -> dict[str, Any]:
        """Add tags as AWS does: no reserved keys, at most fifty tags."""
        present = self.of(arn, missing)
        if any(key.lower().startswith("aws:") for key in tags):
            raise Refused("ValidationException")
        merged = present | tags
        if sum(not key.startswith("aws:") for key in merged) > 50:
            raise Refused("TooManyTagsException")
        self.tags[arn] = merged
        return {}


class Client:
    """Checks every call against botocore's model of the service, as botocore's clients do."""

    def __init__(self, aws: FakeAws, service: str) -> None:
        self._aws = aws
        self._service = service

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        operation, shape = _operation(self._service, method)

        def call(**parameters: Any) -> dict[str, Any]:
            report = _VALIDATOR.validate(parameters, shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
            try:
                return self._aws.call(self._service, operation, parameters)
            except Refused as refused:
                raise ClientError(refused.response, operation) from None

        return call


# Created at import: tests replace what creates botocore's sessions.
_SESSION = environment.session()
_VALIDATOR = ParamValidator()


def new_client(service: str, config: Config) -> Any:
    """A client of botocore, with no account behind it."""
    return _SESSION.client(service, region_name=REGION, config=config)


@cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service."""
    return _SESSION._session.get_service_model(service)


@cache
def _operation(service: str, method: str) -> tuple[str, Any]:
    name = api_name(method)
    return name, service_model(service).operation_model(name).input_shape


def api_name(method: str) -> str:
    """AWS's name of botocore's method: list_tags_for_resource is ListTagsForResource."""
    return "".join(part.capitalize() for part in method.split("_"))


def iam_action(service: str, operation: str) -> str:
    """The IAM action of a call."""
    prefixes = {"efs": "elasticfilesystem", "s3control": "s3", "timestream-write": "timestream"}
    return f"{prefixes.get(service, service)}:{operation}".replace("s3:ListBuckets", "s3:ListAllMyBuckets")


# One function per operation

Operation = Callable[[FakeAws, dict[str, Any]], dict[str, Any]]


def _pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


def _map(pairs: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    assert len({pair[key] for pair in pairs}) == len(pairs), "AWS rejects duplicate keys"
    return {pair[key]: pair[value] for pair in pairs}


def _lister(arn: str, token: str = "", code: str = "ResourceNotFoundException") -> Operation:
    """Lists {Key, Value} pairs; with `token`, in pages."""

    def operation(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        tags = _pairs(aws.of(p[arn], Refused(code)))
        if not token:
            return {"Tags": tags}
        page, following = aws.paged(tags, p.get(token))
        return {"Tags": page} | ({token: following} if following else {})

    return operation


def _adder(arn: str, code: str = "ResourceNotFoundException") -> Operation:
    return lambda aws, p: aws.put(p[arn], _map(p["Tags"]), Refused(code))


def _map_lister(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    return {"tags": dict(aws.of(p["resourceArn"], Refused("ResourceNotFoundException")))}


def _map_adder(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    return aws.put(p["resourceArn"], p["tags"], Refused("ResourceNotFoundException"))


def _rds_missing(p: dict[str, Any]) -> Refused:
    resource_type = p["ResourceName"].split(":")[5]
    code = {
        "db": "DBInstanceNotFound",
        "cluster": "DBClusterNotFoundFault",
        "snapshot": "DBSnapshotNotFound",
        "cluster-snapshot": "DBClusterSnapshotNotFoundFault",
    }[resource_type]
    return Refused(code)


def _gateway_missing() -> Refused:
    return Refused("InvalidGatewayRequestException", error={"errorCode": "VolumeNotFound"})


def _storage_gateway_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    page, following = aws.paged(_pairs(aws.of(p["ResourceARN"], _gateway_missing())), p.get("Marker"))
    return {"ResourceARN": p["ResourceARN"], "Tags": page} | ({"Marker": following} if following else {})


def _redshift_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = p["ResourceName"]
    page, following = aws.paged(_pairs(aws.of(arn, Refused("ResourceNotFoundFault"))), p.get("Marker"))
    entries = [{"Tag": tag, "ResourceName": arn, "ResourceType": "cluster"} for tag in page]
    return {"TaggedResources": entries} | ({"Marker": following} if following else {})


def _s3(operation: Operation) -> Operation:
    def checked(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        assert p["AccountId"] == ACCOUNT
        if aws.attributes.get(p["ResourceArn"], {}).get("owner", ACCOUNT) != ACCOUNT:
            raise Refused("AccessDenied")
        return operation(aws, p)

    return checked


def _s3_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    tags = aws.of(p["ResourceArn"], Refused("NoSuchBucket"))
    if not tags:
        raise Refused("NoSuchTagSet")
    return {"Tags": _pairs(tags)}


def _backup_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    tags = aws.of(p["ResourceArn"], Refused("ResourceNotFoundException"))
    page, following = aws.paged(list(tags.items()), p.get("NextToken"))
    return {"Tags": dict(page)} | ({"NextToken": following} if following else {})


def _describe_job(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    if p["RestoreJobId"] not in aws.jobs:
        raise Refused("ResourceNotFoundException")
    return aws.jobs[p["RestoreJobId"]]


def _list_jobs(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    parent = p.get("ByParentJobId")
    jobs = [
        job
        for job in aws.jobs.values()
        if job["Status"] == p.get("ByStatus", job["Status"])
        and (job.get("ParentJobId") == parent or (aws.lists_children and parent is None))
        and not ("ByCompleteAfter" in p and job["CompletionDate"] <= p["ByCompleteAfter"])
        and not ("ByCompleteBefore" in p and job["CompletionDate"] >= p["ByCompleteBefore"])
    ]
    page, following = aws.paged(jobs, p.get("NextToken"))
    page = [{key: value for key, value in job.items() if key not in aws.unlisted} for job in page]
    return {"RestoreJobs": page} | ({"NextToken": following} if following else {})


def _describe_point(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    point = aws.recovery_points.get(p["RecoveryPointArn"])
    if point is None or point["BackupVaultName"] != p["BackupVaultName"]:
        raise Refused("ResourceNotFoundException")
    return point


def _ec2_describe(resource_type: str, field_name: str, identifier: str, account: str = ACCOUNT) -> Operation:
    prefix = f"arn:aws:ec2:{REGION}:{account}:{resource_type}/"

    def operation(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        (wanted,) = p["Filters"]
        if len(wanted["Values"]) > 200:
            raise Refused("FilterLimitExceeded")
        items = []
        for arn, tags in aws.tags.items():
            name = arn.removeprefix(prefix)
            attributes = aws.attributes[arn]
            values = {
                f"{resource_type}-id": name,
                "attachment.instance-id": attributes.get("attached_to", ""),
            }
            if arn.startswith(prefix) and values[wanted["Name"]] in wanted["Values"]:
                public = {key: value for key, value in attributes.items() if key[0].isupper()}
                items.append({identifier: name, "Tags": _pairs(tags), **public})
        page, following = aws.paged(items, p.get("NextToken"))
        body = {field_name: [{"Instances": [item]} for item in page] if identifier == "InstanceId" else page}
        return body | ({"NextToken": following} if following else {})

    return operation


def _ec2_tag(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    """All resources or none."""
    types = {name: {"i": "instance", "vol": "volume"}[name.split("-")[0]] for name in p["Resources"]}
    arns = {
        f"arn:aws:ec2:{REGION}:{ACCOUNT}:{resource_type}/{name}": resource_type
        for name, resource_type in types.items()
    }
    before = dict(aws.tags)
    try:
        for arn, resource_type in arns.items():
            aws.put(arn, _map(p["Tags"]), Refused(f"Invalid{resource_type.capitalize()}ID.NotFound"))
    except Refused:
        aws.tags = before
        raise
    return {}


def _creation_date(aws: FakeAws, arn: str, missing: Refused) -> datetime:
    aws.of(arn, missing)
    created_at: datetime = aws.attributes[arn].get("created_at", CREATED)
    return created_at


def _describe_file_systems(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/{p['FileSystemId']}"
    return {"FileSystems": [{"CreationTime": _creation_date(aws, arn, Refused(_EFS))}]}


def _describe_cluster(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{p['name']}"
    return {"cluster": {"createdAt": _creation_date(aws, arn, Refused("ResourceNotFoundException"))}}


def _list_buckets(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    """In alphabetical order, with the date in whole seconds; S3 requires MaxBuckets in accounts with a quota
    above 10,000 buckets."""
    if "MaxBuckets" not in p:
        raise Refused("InvalidRequest")
    prefix = f"arn:aws:s3:::{p['Prefix']}"
    buckets = [arn for arn in sorted(aws.tags) if arn.startswith(prefix)][: p["MaxBuckets"]]
    return {
        "Buckets": [
            {
                "Name": arn.removeprefix("arn:aws:s3:::"),
                "CreationDate": _creation_date(aws, arn, Refused("")).replace(microsecond=0),
            }
            for arn in buckets
            if aws.attributes[arn].get("owner", ACCOUNT) == ACCOUNT and not aws.attributes[arn].get("hidden")
        ]
    }


def _efs(operation: Operation) -> Operation:
    """EFS takes the ID of a file system (or its ARN, which is not used here)."""
    prefix = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/"
    return lambda aws, p: operation(aws, p | {"ResourceId": prefix + p["ResourceId"]})


_EFS = "FileSystemNotFound"
_FSX = "ResourceNotFound"
_OPERATIONS: dict[str, Operation] = {
    "backup:DescribeRestoreJob": _describe_job,
    "backup:ListRestoreJobs": _list_jobs,
    "backup:DescribeRecoveryPoint": _describe_point,
    "backup:ListTags": _backup_list,
    "ec2:DescribeInstances": _ec2_describe("instance", "Reservations", "InstanceId"),
    "ec2:DescribeVolumes": _ec2_describe("volume", "Volumes", "VolumeId"),
    "ec2:DescribeSnapshots": _ec2_describe("snapshot", "Snapshots", "SnapshotId", account=""),
    "ec2:DescribeImages": _ec2_describe("image", "Images", "ImageId", account=""),
    "ec2:CreateTags": _ec2_tag,
    "rds:ListTagsForResource": lambda aws, p: {"TagList": _pairs(aws.of(p["ResourceName"], _rds_missing(p)))},
    "rds:AddTagsToResource": lambda aws, p: aws.put(p["ResourceName"], _map(p["Tags"]), _rds_missing(p)),
    "dsql:ListTagsForResource": _map_lister,
    "dsql:TagResource": _map_adder,
    "dynamodb:ListTagsOfResource": _lister("ResourceArn", token="NextToken"),
    "dynamodb:TagResource": _adder("ResourceArn"),
    "elasticfilesystem:ListTagsForResource": _efs(_lister("ResourceId", token="NextToken", code=_EFS)),
    "elasticfilesystem:TagResource": _efs(_adder("ResourceId", _EFS)),
    "fsx:ListTagsForResource": _lister("ResourceARN", token="NextToken", code=_FSX),
    "fsx:TagResource": _adder("ResourceARN", _FSX),
    "storagegateway:ListTagsForResource": _storage_gateway_list,
    "storagegateway:AddTagsToResource": lambda aws, p: aws.put(
        p["ResourceARN"], _map(p["Tags"]), _gateway_missing()
    ),
    "elasticfilesystem:DescribeFileSystems": _describe_file_systems,
    "eks:DescribeCluster": _describe_cluster,
    "s3:ListAllMyBuckets": _list_buckets,
    "s3:ListTagsForResource": _s3(_s3_list),
    "s3:TagResource": _s3(_adder("ResourceArn", "NoSuchBucket")),
    "redshift:DescribeTags": _redshift_list,
    "redshift:CreateTags": _adder("ResourceName", "ResourceNotFoundFault"),
    "redshift-serverless:ListTagsForResource": lambda aws, p: {
        "tags": _pairs(aws.of(p["resourceArn"], Refused("ResourceNotFoundException")), "key", "value")
    },
    "redshift-serverless:TagResource": lambda aws, p: aws.put(
        p["resourceArn"], _map(p["tags"], "key", "value"), Refused("ResourceNotFoundException")
    ),
    "timestream:ListTagsForResource": _lister("ResourceARN"),
    "timestream:TagResource": _adder("ResourceARN"),
    "ssm-sap:ListTagsForResource": _map_lister,
    "ssm-sap:TagResource": _map_adder,
    "backup-gateway:ListTagsForResource": _lister("ResourceArn"),
    "backup-gateway:TagResource": _adder("ResourceARN"),
    "eks:ListTagsForResource": _map_lister,
    "eks:TagResource": _map_adder,
}
