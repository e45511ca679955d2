"""How the tags of each kind of resource are read and written: one row each in TAGGERS.

A new type is one row here, its actions in templates/member-account/aws-backup-tagonrestore-role.yaml (a test
derives them from the rows) and one row in tests/lambdas/tag_on_restore/resources.py. Why each service's own
calls and not the generic tagging API: docs/decisions/020-own-tagging-calls.md. The rows are named tuples: a
dataclass costs a third of a millisecond at every cold start.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .arn import Arn
from .aws import Aws
from .errors import CallFailedError
from .tags import Tags


class Shape(NamedTuple):
    """How a service writes tags down: `load` from its answer, `dump` for its request."""

    load: Callable[[Any], dict[str, str]]
    dump: Callable[[Tags], Any]


def _pairs(key: str, value: str) -> Shape:
    return Shape(
        load=lambda tags: {tag[key]: tag.get(value) or "" for tag in tags},
        dump=lambda tags: [{key: name, value: text} for name, text in tags.items()],
    )


PAIRS = _pairs("Key", "Value")
LOWER_CASE_PAIRS = _pairs("key", "value")
MAP = Shape(load=dict, dump=dict)
# Redshift lists one entry per tag, with the resource around it.
REDSHIFT_PAIRS = Shape(load=lambda entries: PAIRS.load(entry["Tag"] for entry in entries), dump=PAIRS.dump)


class Lists(NamedTuple):
    """A call that lists the tags of one ARN; `token` is what pages are asked for by: (in the request, in
    the answer)."""

    operation: str = "list_tags_for_resource"
    parameter: str = "ResourceArn"
    answer: str = "Tags"
    token: tuple[str, str] = ("NextToken", "NextToken")


class Describes(NamedTuple):
    """A call of EC2 that describes resources together with their tags, found by the filter `by`.

    DescribeTags is not used: it answers alike for a resource without tags and for one that does not exist.
    """

    operation: str
    answer: str
    identifier: str
    by: str


class Adds(NamedTuple):
    """A call that adds tags to a resource, or to `many` at once, and leaves their other tags alone."""

    operation: str = "tag_resource"
    parameter: str = "ResourceArn"
    tags: str = "Tags"
    many: bool = False


class Age(NamedTuple):
    """The call that says since when a resource exists: `asks` are its parameters for a name, `created_at`
    reads it from the answer, None if it is not there."""

    client: str
    operation: str
    asks: Callable[[str], Mapping[str, Any]]
    action: str
    created_at: Callable[[Mapping[str, Any], str], datetime | None]


class Tagger(NamedTuple):
    """The tags of one kind of resource.

    `resources` are the forms of the ARN's resource part (`*` is one path segment) and the scope of the role's
    permissions. The IAM actions follow from `service` and the operations; `also_needs` are further ones. A
    row without `adds` is a recovery point: its tags are only read. `named` is how the calls name the
    resource; `gone` is how the codes end by which the service says that it does not exist, and `moved` those
    by which it says that it is in another Region. `age` is for types that AWS Backup also restores into what
    exists.
    """

    service: str
    resources: tuple[str, ...]
    client: str
    reads: Lists | Describes
    adds: Adds | None = None
    shape: Shape = PAIRS
    named: Callable[[Arn], str] = str
    with_account: bool = False
    also_needs: tuple[str, ...] = ()
    gone: tuple[str, ...] = ("NotFound", "NotFoundFault", "NotFoundException")
    moved: tuple[str, ...] = ()
    age: Age | None = None


def _by_id(arn: Arn) -> str:
    return arn.name


# As many values has a filter of EC2 at most (AWSEC2/latest/UserGuide/Using_Filtering.html).
_FILTER_VALUES = 200

DESCRIBE_INSTANCES = Describes("describe_instances", "Reservations", "InstanceId", "instance-id")
DESCRIBE_VOLUMES = Describes("describe_volumes", "Volumes", "VolumeId", "volume-id")
DESCRIBE_SNAPSHOTS = Describes("describe_snapshots", "Snapshots", "SnapshotId", "snapshot-id")
DESCRIBE_IMAGES = Describes("describe_images", "Images", "ImageId", "image-id")
_CREATE_TAGS = Adds("create_tags", "Resources", many=True)
_LIST_RDS = Lists(parameter="ResourceName", answer="TagList")
_LIST_FSX = Lists(parameter="ResourceARN")
_LIST_REDSHIFT = Lists("describe_tags", "ResourceName", "TaggedResources", ("Marker", "Marker"))
_LIST_LOWER_CASE = Lists(parameter="resourceArn", answer="tags", token=("nextToken", "nextToken"))
_ADD_LOWER_CASE = Adds(parameter="resourceArn", tags="tags")

_EFS_AGE = Age(
    "efs",
    "describe_file_systems",
    lambda name: {"FileSystemId": name},
    "elasticfilesystem:DescribeFileSystems",
    lambda answer, _: answer["FileSystems"][0].get("CreationTime"),
)
_EKS_AGE = Age(
    "eks",
    "describe_cluster",
    lambda name: {"name": name},
    "eks:DescribeCluster",
    lambda answer, _: answer["cluster"].get("createdAt"),
)
# No call describes one bucket. A name is the first of all names that begin with it, so one page is enough.
# Without a size of the page, S3 refuses accounts that may have more than 10,000 buckets
# (AmazonS3/latest/userguide/BucketRestrictions.html).
_S3_AGE = Age(
    "s3",
    "list_buckets",
    lambda name: {"Prefix": name, "MaxBuckets": 1000},
    "s3:ListAllMyBuckets",
    lambda answer, name: {
        bucket["Name"]: bucket.get("CreationDate") for bucket in answer.get("Buckets", ())
    }.get(name),
)

INSTANCE = Tagger("ec2", ("instance/*",), "ec2", DESCRIBE_INSTANCES, _CREATE_TAGS, named=_by_id)

TAGGERS = (
    # What AWS Backup restores.
    INSTANCE,
    Tagger("ec2", ("volume/*",), "ec2", DESCRIBE_VOLUMES, _CREATE_TAGS, named=_by_id),
    # RDS instances; clusters are Aurora, DocumentDB, Neptune and Multi-AZ RDS, which all answer to the API of
    # RDS.
    Tagger("rds", ("db:*", "cluster:*"), "rds", _LIST_RDS, Adds("add_tags_to_resource", "ResourceName")),
    Tagger("dsql", ("cluster/*",), "dsql", _LIST_LOWER_CASE, _ADD_LOWER_CASE, MAP),
    Tagger("dynamodb", ("table/*",), "dynamodb", Lists("list_tags_of_resource"), Adds()),
    Tagger(
        "elasticfilesystem",
        ("file-system/*",),
        "efs",
        Lists(parameter="ResourceId"),
        Adds(parameter="ResourceId"),
        named=_by_id,
        age=_EFS_AGE,
    ),
    Tagger("fsx", ("file-system/*", "volume/*/*"), "fsx", _LIST_FSX, Adds(parameter="ResourceARN")),
    Tagger(
        "storagegateway",
        ("gateway/*", "gateway/*/volume/*"),
        "storagegateway",
        Lists(parameter="ResourceARN", token=("Marker", "Marker")),
        Adds("add_tags_to_resource", "ResourceARN"),
        # Others of its codes end so too: EndpointNotFound, for one, is no word about the resource.
        gone=("GatewayNotFound", "VolumeNotFound"),
    ),
    # Not PutBucketTagging of S3: it replaces every tag of the bucket. For a bucket of another Region, Regions
    # launched since 2019 do not redirect, but refuse (AmazonS3/latest/userguide/Redirects.html).
    # Of an answer without a body, botocore has no code but the status.
    Tagger(
        "s3",
        ("*",),
        "s3control",
        Lists(),
        Adds(),
        with_account=True,
        gone=("NoSuchBucket", "404"),
        moved=("PermanentRedirect", "301", "IllegalLocationConstraintException"),
        age=_S3_AGE,
    ),
    Tagger(
        "redshift",
        ("cluster:*",),
        "redshift",
        _LIST_REDSHIFT,
        Adds("create_tags", "ResourceName"),
        REDSHIFT_PAIRS,
    ),
    Tagger(
        "redshift-serverless",
        ("namespace/*",),
        "redshift-serverless",
        _LIST_LOWER_CASE,
        _ADD_LOWER_CASE,
        LOWER_CASE_PAIRS,
    ),
    # Every call to Timestream is preceded by one that asks for the endpoint (botocore does that by itself).
    Tagger(
        "timestream",
        ("database/*", "database/*/table/*"),
        "timestream-write",
        Lists(parameter="ResourceARN"),
        Adds(parameter="ResourceARN"),
        also_needs=("timestream:DescribeEndpoints",),
    ),
    Tagger("ssm-sap", ("HANA/*", "HANA/*/DB/*"), "ssm-sap", _LIST_LOWER_CASE, _ADD_LOWER_CASE, MAP),
    Tagger("backup-gateway", ("vm/*",), "backup-gateway", Lists(), Adds(parameter="ResourceARN")),
    Tagger("eks", ("cluster/*",), "eks", _LIST_LOWER_CASE, _ADD_LOWER_CASE, MAP, age=_EKS_AGE),
    # What it restores from. A backup of a fully managed type has an ARN of AWS Backup (EKS: with a slash),
    # any other is the service's own snapshot. Backups of DynamoDB without "advanced features"
    # (table/*/backup/*) cannot carry tags: no row.
    Tagger("backup", ("recovery-point:*", "recovery-point:*/*"), "backup", Lists("list_tags"), shape=MAP),
    Tagger("ec2", ("image/*",), "ec2", DESCRIBE_IMAGES),
    Tagger("ec2", ("snapshot/*",), "ec2", DESCRIBE_SNAPSHOTS),
    Tagger("rds", ("snapshot:*", "cluster-snapshot:*"), "rds", _LIST_RDS),
    Tagger("fsx", ("backup/*",), "fsx", _LIST_FSX),
    Tagger("redshift", ("snapshot:*/*",), "redshift", _LIST_REDSHIFT, shape=REDSHIFT_PAIRS),
    # The second form is the one that AWS Backup's documentation has.
    Tagger(
        "redshift-serverless",
        ("snapshot/*", "snapshot:*/*"),
        "redshift-serverless",
        _LIST_LOWER_CASE,
        shape=LOWER_CASE_PAIRS,
    ),
)


def tagger_for(arn: Arn) -> Tagger | None:
    """The row for `arn`; None if its tags cannot be handled."""
    for tagger in TAGGERS:
        if tagger.service == arn.service and any(map(arn.fits, tagger.resources)):
            return tagger
    return None


def read_tags(aws: Aws, tagger: Tagger, arn: Arn, account: str) -> Tags | None:
    """All tags of `arn`, AWS's own included; None if it does not exist. CallFailedError for anything else."""
    if isinstance(tagger.reads, Describes):
        return read_described(aws, tagger.reads, [arn], arn)[arn]
    lists = tagger.reads
    parameters: dict[str, Any] = {lists.parameter: tagger.named(arn)} | _account(tagger, account)
    tags: dict[str, str] = {}
    try:
        for page in aws.pages(tagger.client, lists.operation, arn, lists.token, **parameters):
            tags |= tagger.shape.load(page.get(lists.answer) or ())
    except CallFailedError as error:
        if error.code == "NoSuchTagSet":  # the way of S3 to say "no tags"
            return {}
        if error.code.endswith(tagger.gone):
            return None
        raise
    return tags


def read_described(aws: Aws, call: Describes, arns: Iterable[Arn], about: object) -> dict[Arn, Tags | None]:
    """The tags of several resources of EC2 by one call; None for those that do not exist."""
    wanted = {arn.name: arn for arn in arns}
    found = described_tags(call, describe(aws, call, wanted, about)) if wanted else {}
    return {arn: found.get(name) for name, arn in wanted.items()}


def described_tags(call: Describes, items: Iterable[Mapping[str, Any]]) -> dict[str, Tags]:
    """The tags in an answer of EC2 by id, of what exists."""
    return {item[call.identifier]: PAIRS.load(item.get("Tags", ())) for item in items if not _gone(item)}


def created_at(aws: Aws, age: Age, arn: Arn) -> datetime | None:
    """Since when `arn` exists, if AWS says so."""
    return age.created_at(aws.call(age.client, age.operation, arn, **age.asks(arn.name)), arn.name)


def add_tags(aws: Aws, tagger: Tagger, arns: Sequence[Arn], account: str, tags: Tags) -> None:
    """Add `tags` to each of `arns`; their other tags stay as they are."""
    if tagger.adds is None:
        raise ValueError(f"{arns} are recovery points, which are only read")
    names = [tagger.named(arn) for arn in arns]
    parameters = {
        tagger.adds.parameter: names if tagger.adds.many else names[0],
        tagger.adds.tags: tagger.shape.dump(tags),
    }
    about = ", ".join(map(str, arns))
    aws.call(tagger.client, tagger.adds.operation, about, **parameters, **_account(tagger, account))


def _account(tagger: Tagger, account: str) -> dict[str, str]:
    return {"AccountId": account} if tagger.with_account else {}


def describe(
    aws: Aws, call: Describes, values: Iterable[str], about: object, by: str = ""
) -> list[Mapping[str, Any]]:
    """The EC2 resources that the filter `by` (their id by default) finds for `values`."""
    wanted = sorted(set(values))
    items: list[Mapping[str, Any]] = []
    for start in range(0, len(wanted), _FILTER_VALUES):
        filters = [{"Name": by or call.by, "Values": wanted[start : start + _FILTER_VALUES]}]
        for page in aws.pages("ec2", call.operation, about, ("NextToken", "NextToken"), Filters=filters):
            for entry in page.get(call.answer, ()):
                items += entry["Instances"] if call.answer == "Reservations" else [entry]
    return [item for item in items if by or item[call.identifier] in wanted]


def _gone(item: Mapping[str, Any]) -> bool:
    """Whether EC2 still lists a resource that no longer exists."""
    state = item.get("State", "")
    name = state.get("Name", "") if isinstance(state, Mapping) else state
    return name in {"terminated", "shutting-down", "deleting", "deleted"}
