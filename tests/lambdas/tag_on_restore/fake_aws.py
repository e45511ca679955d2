"""AWS as TagOnRestore sees it: resources with tags, AMIs with snapshots, restore jobs.

The clients are botocore's own, so every call's parameters are checked against the service's model; only the
wire is replaced, by a function per operation that works on the dictionaries below. What AWS answers is
written down here from its documentation, not from the code under test.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore.config import Config

from rehearsal.machine import environment

REGION = "us-west-2"
ACCOUNT = "444455556666"
# When the jobs of the events began and ended, and in between.
STARTED = datetime(2026, 11, 2, 3, 10, 1, 742000, tzinfo=UTC)
MADE = datetime(2026, 11, 2, 3, 12, tzinfo=UTC)
COMPLETED = datetime(2026, 11, 2, 3, 14, 53, 128000, tzinfo=UTC)
EVERY_PAGE = 1000


class Killed(BaseException):
    """The execution environment was stopped in the middle of a call."""


@dataclass(frozen=True)
class Fault:
    """`code` is what AWS answers ("" = the function is killed), `late` whether the call had its effect
    before that."""

    code: str
    late: bool = False
    status: int = 400


DENIED = Fault("AccessDeniedException")
NOT_FOUND = Fault("ResourceNotFoundException", status=404)
THROTTLED = Fault("ThrottlingException")
SERVER_ERROR = Fault("InternalServerError", status=500)
LATE_SERVER_ERROR = Fault("InternalServerError", late=True, status=500)
KILLED = Fault("")
KILLED_LATE = Fault("", late=True)


class Refused(Exception):  # noqa: N818 - carries an answer of AWS, is no error of the test
    """An answer that is an error."""

    def __init__(self, code: str, status: int = 400, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"Error": {"Code": code, "Message": f"{code} by the fake"}, **more}
        self.status = status


@dataclass
class FakeAws:
    """One account and region. `tags` has a key (an ARN) for everything that exists, since its attribute
    `created_at`, by default in the middle of the jobs.

    ListRestoreJobs leaves out the fields `unlisted`; AWS does not say whether it shows children without being
    asked for them (`lists_children`).
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
        """Let `arn` exist."""
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

    # What tag_on_restore.aws.Session asks for

    def get_config_variable(self, logical_name: str) -> str | None:
        """The region, as the environment of a Lambda function gives it."""
        return {"region": REGION}.get(logical_name)

    def create_client(self, service_name: str, *, config: Any) -> Any:
        """botocore's client, answered by this object."""
        self.clients.append(service_name)
        client = _real_client(service_name)

        class Client:
            def __getattr__(_, method: str) -> Callable[..., Any]:  # noqa: N805
                def call(**parameters: Any) -> Any:
                    _WIRE.aws = self
                    return getattr(client, method)(**parameters)

                return call

        return Client()

    def answer(self, service: str, operation: str, parameters: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and parsed body for one call."""
        position = len(self.calls)
        prefix = {"efs": "elasticfilesystem", "s3control": "s3", "timestream-write": "timestream"}.get(
            service, service
        )
        action = f"{prefix}:{operation}".replace("s3:ListBuckets", "s3:ListAllMyBuckets")
        self.calls.append(action)
        fault = self.faults.get(position)
        try:
            if fault and not fault.late:
                _happen(fault)
            self._authorize(action, parameters)
            body = _OPERATIONS[action](self, parameters)
            if fault:
                _happen(fault)
        except Refused as refused:
            return refused.status, refused.answer
        return 200, body

    def _authorize(self, action: str, parameters: dict[str, Any]) -> None:
        if any(action == denied and arn in str(parameters) for denied, arn in self.denied):
            raise Refused("AccessDeniedException", 403)

    # Pieces of the answers

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
        """Add tags as AWS does: none of its own, not more than fifty."""
        present = self.of(arn, missing)
        if any(key.lower().startswith("aws:") for key in tags):
            raise Refused("ValidationException")
        merged = present | tags
        if sum(not key.startswith("aws:") for key in merged) > 50:
            raise Refused("TooManyTagsException")
        self.tags[arn] = merged
        return {}


def _happen(fault: Fault) -> None:
    if not fault.code:
        raise Killed
    raise Refused(fault.code, fault.status)


_WIRE = SimpleNamespace(aws=None)


# Made at import: tests put the fake in the place of what makes botocore's sessions.
_SESSION = environment.session()


def new_client(service: str, config: Config | None = None) -> Any:
    """A client of botocore as it is, without anything behind it."""
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return _SESSION.client(service, region_name=REGION, config=config, **keys)


@cache
def _real_client(service: str) -> Any:
    # Putting together botocore's own name takes a quarter of a call.
    client = new_client(service, Config(user_agent="tests"))

    def remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["fake"] = params

    def respond(model: Any, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        status, body = _WIRE.aws.answer(service, model.name, context["fake"])
        return SimpleNamespace(status_code=status), {"ResponseMetadata": {"HTTPStatusCode": status}, **body}

    client.meta.events.register("provide-client-params.*.*", remember)
    client.meta.events.register("before-call.*.*", respond)
    return client


# One function per operation

Operation = Callable[[FakeAws, dict[str, Any]], dict[str, Any]]


def _pairs(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


def _plain(pairs: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    assert len({pair[key] for pair in pairs}) == len(pairs), "AWS refuses the same key twice"
    return {pair[key]: pair[value] for pair in pairs}


def _lister(
    arn: str, answer: str = "Tags", token: str = "", code: str = "ResourceNotFoundException"
) -> Operation:
    """Lists {Key, Value} pairs; with `token`, in pages."""

    def operation(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        tags = _pairs(aws.of(p[arn], Refused(code, 404)))
        if not token:
            return {answer: tags}
        page, following = aws.paged(tags, p.get(token))
        return {answer: page} | ({token: following} if following else {})

    return operation


def _adder(arn: str, code: str = "ResourceNotFoundException") -> Operation:
    return lambda aws, p: aws.put(p[arn], _plain(p["Tags"]), Refused(code, 404))


def _map_lister(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    return {"tags": dict(aws.of(p["resourceArn"], Refused("ResourceNotFoundException", 404)))}


def _map_adder(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    return aws.put(p["resourceArn"], p["tags"], Refused("ResourceNotFoundException", 404))


def _rds_missing(p: dict[str, Any]) -> Refused:
    kind = p["ResourceName"].split(":")[5]
    code = {
        "db": "DBInstanceNotFound",
        "cluster": "DBClusterNotFoundFault",
        "snapshot": "DBSnapshotNotFound",
        "cluster-snapshot": "DBClusterSnapshotNotFoundFault",
    }[kind]
    return Refused(code, 404)


def _gateway_missing() -> Refused:
    return Refused("InvalidGatewayRequestException", 400, error={"errorCode": "VolumeNotFound"})


def _storage_gateway_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    page, following = aws.paged(_pairs(aws.of(p["ResourceARN"], _gateway_missing())), p.get("Marker"))
    return {"ResourceARN": p["ResourceARN"], "Tags": page} | ({"Marker": following} if following else {})


def _redshift_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = p["ResourceName"]
    page, following = aws.paged(_pairs(aws.of(arn, Refused("ResourceNotFoundFault", 404))), p.get("Marker"))
    entries = [{"Tag": tag, "ResourceName": arn, "ResourceType": "cluster"} for tag in page]
    return {"TaggedResources": entries} | ({"Marker": following} if following else {})


def _s3(operation: Operation) -> Operation:
    def checked(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        assert p["AccountId"] == ACCOUNT
        if aws.attributes.get(p["ResourceArn"], {}).get("owner", ACCOUNT) != ACCOUNT:
            raise Refused("AccessDenied", 403)
        return operation(aws, p)

    return checked


def _s3_list(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    tags = aws.of(p["ResourceArn"], Refused("NoSuchBucket", 404))
    if not tags:
        raise Refused("NoSuchTagSet", 404)
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


def _ec2_describe(kind: str, answer: str, identifier: str, account: str = ACCOUNT) -> Operation:
    prefix = f"arn:aws:ec2:{REGION}:{account}:{kind}/"

    def operation(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
        (wanted,) = p["Filters"]
        if len(wanted["Values"]) > 200:
            raise Refused("FilterLimitExceeded")
        items = []
        for arn, tags in aws.tags.items():
            name = arn.removeprefix(prefix)
            attributes = aws.attributes[arn]
            values = {
                f"{kind}-id": name,
                "attachment.instance-id": attributes.get("attached_to", ""),
            }
            if arn.startswith(prefix) and values[wanted["Name"]] in wanted["Values"]:
                public = {key: value for key, value in attributes.items() if key[0].isupper()}
                items.append({identifier: name, "Tags": _pairs(tags), **public})
        page, following = aws.paged(items, p.get("NextToken"))
        body = {answer: [{"Instances": [item]} for item in page] if answer == "Reservations" else page}
        return body | ({"NextToken": following} if following else {})

    return operation


def _ec2_tag(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    """All resources or none."""
    kinds = {name: {"i": "instance", "vol": "volume"}[name.split("-")[0]] for name in p["Resources"]}
    arns = {f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{name}": kind for name, kind in kinds.items()}
    before = dict(aws.tags)
    try:
        for arn, kind in arns.items():
            aws.put(arn, _plain(p["Tags"]), Refused(f"Invalid{kind.capitalize()}ID.NotFound"))
    except Refused:
        aws.tags = before
        raise
    return {}


def _since(aws: FakeAws, arn: str, missing: Refused) -> datetime:
    aws.of(arn, missing)
    created_at: datetime = aws.attributes[arn].get("created_at", MADE)
    return created_at


def _describe_file_systems(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/{p['FileSystemId']}"
    return {"FileSystems": [{"CreationTime": _since(aws, arn, Refused(_EFS, 404))}]}


def _describe_cluster(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    arn = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{p['name']}"
    return {"cluster": {"createdAt": _since(aws, arn, Refused("ResourceNotFoundException", 404))}}


def _list_buckets(aws: FakeAws, p: dict[str, Any]) -> dict[str, Any]:
    """Those of the account, in alphabetical order and in pages, which S3 demands of an account with a quota
    above 10,000 buckets; the date is in full seconds."""
    if "MaxBuckets" not in p:
        raise Refused("InvalidRequest")
    prefix = f"arn:aws:s3:::{p['Prefix']}"
    own = [arn for arn in sorted(aws.tags) if arn.startswith(prefix)][: p["MaxBuckets"]]
    return {
        "Buckets": [
            {
                "Name": arn.removeprefix("arn:aws:s3:::"),
                "CreationDate": _since(aws, arn, Refused("")).replace(microsecond=0),
            }
            for arn in own
            if aws.attributes[arn].get("owner", ACCOUNT) == ACCOUNT and not aws.attributes[arn].get("hidden")
        ]
    }


def _efs(operation: Operation) -> Operation:
    """EFS takes the id of a file system (or its ARN, which is not used here)."""
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
    "rds:AddTagsToResource": lambda aws, p: aws.put(p["ResourceName"], _plain(p["Tags"]), _rds_missing(p)),
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
        p["ResourceARN"], _plain(p["Tags"]), _gateway_missing()
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
        p["resourceArn"], _plain(p["tags"], "key", "value"), Refused("ResourceNotFoundException")
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
