"""How the tags of each resource type are read and written: one row each in TAGGERS.

A new type is one row here, its actions in templates/member-account/aws-backup-tagonrestore-role.yaml (a test
derives them from the rows) and one row in tests/lambdas/tag_on_restore/restored_types.py. The Resource
Groups Tagging API is not used: it does not distinguish a resource without tags from one that does not exist,
and does not support recovery points. The rows are named tuples: dataclasses would add a third of a
millisecond to every cold start.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .arn import Arn
from .aws import Aws
from .errors import CallFailedError
from .tags import Tags


class TagFormat(NamedTuple):
    """How a service represents tags."""

    from_response: Callable[[Any], dict[str, str]]
    to_request: Callable[[Tags], Any]


def _pairs(key: str, value: str) -> TagFormat:
    return TagFormat(
        from_response=lambda tags: {tag[key]: tag.get(value) or "" for tag in tags},
        to_request=lambda tags: [{key: name, value: text} for name, text in tags.items()],
    )


PAIRS = _pairs("Key", "Value")
LOWERCASE_PAIRS = _pairs("key", "value")
MAP = TagFormat(from_response=dict, to_request=dict)
# Redshift returns one entry per tag, with its resource.
REDSHIFT_PAIRS = PAIRS._replace(
    from_response=lambda entries: PAIRS.from_response(entry["Tag"] for entry in entries)
)


class ListCall(NamedTuple):
    """A call that lists the tags of one ARN; `token` is the page token's name in request and response."""

    operation: str = "list_tags_for_resource"
    parameter: str = "ResourceArn"
    response_field: str = "Tags"
    token: tuple[str, str] = ("NextToken", "NextToken")


class DescribeCall(NamedTuple):
    """A call of EC2 that describes resources with their tags, by the filter `by`.

    Not DescribeTags: it returns the same for a resource without tags and for one that does not exist.
    """

    operation: str
    response_field: str
    id_field: str
    by: str


class AddCall(NamedTuple):
    """A call that adds tags to one resource, or to `many`, and keeps their other tags."""

    operation: str = "tag_resource"
    parameter: str = "ResourceArn"
    tags_parameter: str = "Tags"
    many: bool = False


class DateCall(NamedTuple):
    """A call that returns the creation date of a resource. `parameters` takes its name; `date` the response
    and the name, and returns None if it is not there."""

    client: str
    operation: str
    parameters: Callable[[str], Mapping[str, Any]]
    action: str
    date: Callable[[Mapping[str, Any], str], datetime | None]


class Tagger(NamedTuple):
    """The tags of one resource type.

    service, resources: the ARN's service and the forms of its resource part (`*` is one path segment); also
      the scope of the role's permissions.
    adds: None for recovery points, whose tags are only read.
    identifier: how the calls name the resource.
    extra_actions: IAM actions other than those that follow from `service` and the operations.
    not_found, other_region: how the error codes end that say so.
    dates: for types that AWS Backup can also restore into an existing resource.
    """

    service: str
    resources: tuple[str, ...]
    client: str
    reads: ListCall | DescribeCall
    adds: AddCall | None = None
    format: TagFormat = PAIRS
    identifier: Callable[[Arn], str] = str
    with_account: bool = False
    extra_actions: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ("NotFound", "NotFoundFault", "NotFoundException")
    other_region: tuple[str, ...] = ()
    dates: DateCall | None = None


def _by_id(arn: Arn) -> str:
    return arn.name


# Of one filter of EC2 (AWSEC2/latest/UserGuide/Using_Filtering.html).
_MAX_FILTER_VALUES = 200

DESCRIBE_INSTANCES = DescribeCall("describe_instances", "Reservations", "InstanceId", "instance-id")
DESCRIBE_VOLUMES = DescribeCall("describe_volumes", "Volumes", "VolumeId", "volume-id")
DESCRIBE_SNAPSHOTS = DescribeCall("describe_snapshots", "Snapshots", "SnapshotId", "snapshot-id")
DESCRIBE_IMAGES = DescribeCall("describe_images", "Images", "ImageId", "image-id")
_CREATE_TAGS = AddCall("create_tags", "Resources", many=True)
_LIST_RDS = ListCall(parameter="ResourceName", response_field="TagList")
_LIST_FSX = ListCall(parameter="ResourceARN")
_LIST_REDSHIFT = ListCall("describe_tags", "ResourceName", "TaggedResources", ("Marker", "Marker"))
_LIST_LOWERCASE = ListCall(parameter="resourceArn", response_field="tags", token=("nextToken", "nextToken"))
_ADD_LOWERCASE = AddCall(parameter="resourceArn", tags_parameter="tags")

_EFS_DATE = DateCall(
    "efs",
    "describe_file_systems",
    lambda name: {"FileSystemId": name},
    "elasticfilesystem:DescribeFileSystems",
    lambda response, _: response["FileSystems"][0].get("CreationTime"),
)
_EKS_DATE = DateCall(
    "eks",
    "describe_cluster",
    lambda name: {"name": name},
    "eks:DescribeCluster",
    lambda response, _: response["cluster"].get("createdAt"),
)
# No call returns the date of one bucket. Of all names with this prefix, the name itself comes first, so one
# page is enough. Without MaxBuckets, S3 rejects the call in accounts with a quota above 10,000 buckets
# (AmazonS3/latest/userguide/BucketRestrictions.html).
_S3_DATE = DateCall(
    "s3",
    "list_buckets",
    lambda name: {"Prefix": name, "MaxBuckets": 1000},
    "s3:ListAllMyBuckets",
    lambda response, name: {
        bucket["Name"]: bucket.get("CreationDate") for bucket in response.get("Buckets", ())
    }.get(name),
)

INSTANCE = Tagger("ec2", ("instance/*",), "ec2", DESCRIBE_INSTANCES, _CREATE_TAGS, identifier=_by_id)

TAGGERS = (
    # What AWS Backup restores.
    INSTANCE,
    Tagger("ec2", ("volume/*",), "ec2", DESCRIBE_VOLUMES, _CREATE_TAGS, identifier=_by_id),
    # Clusters are Aurora, DocumentDB, Neptune and Multi-AZ RDS, which share the API of RDS.
    Tagger("rds", ("db:*", "cluster:*"), "rds", _LIST_RDS, AddCall("add_tags_to_resource", "ResourceName")),
    Tagger("dsql", ("cluster/*",), "dsql", _LIST_LOWERCASE, _ADD_LOWERCASE, MAP),
    Tagger("dynamodb", ("table/*",), "dynamodb", ListCall("list_tags_of_resource"), AddCall()),
    Tagger(
        "elasticfilesystem",
        ("file-system/*",),
        "efs",
        ListCall(parameter="ResourceId"),
        AddCall(parameter="ResourceId"),
        identifier=_by_id,
        dates=_EFS_DATE,
    ),
    Tagger("fsx", ("file-system/*", "volume/*/*"), "fsx", _LIST_FSX, AddCall(parameter="ResourceARN")),
    Tagger(
        "storagegateway",
        ("gateway/*", "gateway/*/volume/*"),
        "storagegateway",
        ListCall(parameter="ResourceARN", token=("Marker", "Marker")),
        AddCall("add_tags_to_resource", "ResourceARN"),
        # Some of its codes end in NotFound, but are not about the resource, such as EndpointNotFound.
        not_found=("GatewayNotFound", "VolumeNotFound"),
    ),
    # Not PutBucketTagging of S3: it replaces every tag of the bucket. For a bucket in another Region, Regions
    # launched since 2019 return an error, not a redirect (AmazonS3/latest/userguide/Redirects.html).
    # For a response without a body, botocore uses the status as the code.
    Tagger(
        "s3",
        ("*",),
        "s3control",
        ListCall(),
        AddCall(),
        with_account=True,
        not_found=("NoSuchBucket", "404"),
        other_region=("PermanentRedirect", "301", "IllegalLocationConstraintException"),
        dates=_S3_DATE,
    ),
    Tagger(
        "redshift",
        ("cluster:*",),
        "redshift",
        _LIST_REDSHIFT,
        AddCall("create_tags", "ResourceName"),
        REDSHIFT_PAIRS,
    ),
    Tagger(
        "redshift-serverless",
        ("namespace/*",),
        "redshift-serverless",
        _LIST_LOWERCASE,
        _ADD_LOWERCASE,
        LOWERCASE_PAIRS,
    ),
    # botocore calls DescribeEndpoints before the first call to Timestream.
    Tagger(
        "timestream",
        ("database/*", "database/*/table/*"),
        "timestream-write",
        ListCall(parameter="ResourceARN"),
        AddCall(parameter="ResourceARN"),
        extra_actions=("timestream:DescribeEndpoints",),
    ),
    Tagger("ssm-sap", ("HANA/*", "HANA/*/DB/*"), "ssm-sap", _LIST_LOWERCASE, _ADD_LOWERCASE, MAP),
    Tagger("backup-gateway", ("vm/*",), "backup-gateway", ListCall(), AddCall(parameter="ResourceARN")),
    Tagger("eks", ("cluster/*",), "eks", _LIST_LOWERCASE, _ADD_LOWERCASE, MAP, dates=_EKS_DATE),
    # Recovery points. Those of fully managed types have an ARN of AWS Backup (EKS: with a slash), the others
    # are the service's own snapshots. No row for backups of DynamoDB without advanced features
    # (table/*/backup/*): they have no tags.
    Tagger("backup", ("recovery-point:*", "recovery-point:*/*"), "backup", ListCall("list_tags"), format=MAP),
    Tagger("ec2", ("image/*",), "ec2", DESCRIBE_IMAGES),
    Tagger("ec2", ("snapshot/*",), "ec2", DESCRIBE_SNAPSHOTS),
    Tagger("rds", ("snapshot:*", "cluster-snapshot:*"), "rds", _LIST_RDS),
    Tagger("fsx", ("backup/*",), "fsx", _LIST_FSX),
    Tagger("redshift", ("snapshot:*/*",), "redshift", _LIST_REDSHIFT, format=REDSHIFT_PAIRS),
    # The second form is in the documentation of AWS Backup.
    Tagger(
        "redshift-serverless",
        ("snapshot/*", "snapshot:*/*"),
        "redshift-serverless",
        _LIST_LOWERCASE,
        format=LOWERCASE_PAIRS,
    ),
)


def tagger_for(arn: Arn) -> Tagger | None:
    """The row for `arn`; None if its type is not supported."""
    for tagger in TAGGERS:
        if tagger.service == arn.service and any(map(arn.fits, tagger.resources)):
            return tagger
    return None


def read_tags(aws: Aws, tagger: Tagger, arn: Arn, account: str) -> Tags | None:
    """All tags of `arn`, including reserved ones; None if it does not exist."""
    if isinstance(tagger.reads, DescribeCall):
        return read_described(aws, tagger.reads, [arn], arn)[arn]
    call = tagger.reads
    parameters: dict[str, Any] = {call.parameter: tagger.identifier(arn)} | _account(tagger, account)
    tags: dict[str, str] = {}
    try:
        for page in aws.pages(tagger.client, call.operation, arn, call.token, **parameters):
            tags |= tagger.format.from_response(page.get(call.response_field) or ())
    except CallFailedError as error:
        if error.code == "NoSuchTagSet":  # a bucket without tags
            return {}
        if error.code.endswith(tagger.not_found):
            return None
        raise
    return tags


def read_described(
    aws: Aws, call: DescribeCall, arns: Iterable[Arn], about: object
) -> dict[Arn, Tags | None]:
    """The tags of several EC2 resources, with one call; None for those that do not exist."""
    wanted = {arn.name: arn for arn in arns}
    found = described_tags(call, describe(aws, call, wanted, about)) if wanted else {}
    return {arn: found.get(name) for name, arn in wanted.items()}


def described_tags(call: DescribeCall, items: Iterable[Mapping[str, Any]]) -> dict[str, Tags]:
    """The tags of those `items` that exist, by ID."""
    return {
        item[call.id_field]: PAIRS.from_response(item.get("Tags", ())) for item in items if not _deleted(item)
    }


def creation_date(aws: Aws, call: DateCall, arn: Arn) -> datetime | None:
    """When `arn` was created; None if AWS does not return it."""
    return call.date(aws.call(call.client, call.operation, arn, **call.parameters(arn.name)), arn.name)


def add_tags(aws: Aws, tagger: Tagger, arns: Sequence[Arn], account: str, tags: Tags) -> None:
    """Add `tags` to each of `arns` and keep their other tags."""
    if tagger.adds is None:
        raise ValueError(f"The tags of recovery points are only read: {arns}")
    names = [tagger.identifier(arn) for arn in arns]
    parameters = {
        tagger.adds.parameter: names if tagger.adds.many else names[0],
        tagger.adds.tags_parameter: tagger.format.to_request(tags),
    }
    about = ", ".join(map(str, arns))
    aws.call(tagger.client, tagger.adds.operation, about, **parameters, **_account(tagger, account))


def _account(tagger: Tagger, account: str) -> dict[str, str]:
    return {"AccountId": account} if tagger.with_account else {}


def describe(
    aws: Aws, call: DescribeCall, values: Iterable[str], about: object, by: str = ""
) -> list[Mapping[str, Any]]:
    """The EC2 resources that match `values` of the filter `by` (their ID by default)."""
    wanted = sorted(set(values))
    items: list[Mapping[str, Any]] = []
    for start in range(0, len(wanted), _MAX_FILTER_VALUES):
        filters = [{"Name": by or call.by, "Values": wanted[start : start + _MAX_FILTER_VALUES]}]
        for page in aws.pages("ec2", call.operation, about, ("NextToken", "NextToken"), Filters=filters):
            for entry in page.get(call.response_field, ()):
                items += entry["Instances"] if call.response_field == "Reservations" else [entry]
    return [item for item in items if by or item[call.id_field] in wanted]


def _deleted(item: Mapping[str, Any]) -> bool:
    """Whether EC2 still lists a resource that was deleted."""
    state = item.get("State", "")
    name = state.get("Name", "") if isinstance(state, Mapping) else state
    return name in {"terminated", "shutting-down", "deleting", "deleted"}
