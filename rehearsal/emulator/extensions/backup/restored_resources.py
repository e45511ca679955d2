"""The services of restored resources, where ministack is more lenient than AWS.

For a tag call about a database, snapshot or bucket that does not exist, AWS returns DBInstanceNotFound,
DBClusterNotFoundFault, DBSnapshotNotFound, DBClusterSnapshotNotFoundFault or NoSuchBucket; ministack lists no
tags and accepts new ones. DescribeInstances knows the filter `instance-id`, which ministack ignores.
"""

import urllib.parse
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions.base import Response

_S3_CONTROL_TAGS: Final = "/v20180820/tags/"
_TAG_CALLS: Final = ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource")


def install() -> None:
    _refuse_missing_databases()
    _refuse_missing_buckets()
    _filter_instances_by_id()


def _refuse_missing_databases() -> None:
    rds = hooks.rds
    # type in the ARN → where ministack keeps it, the field with its ARN, AWS's error code, what it is
    types = {
        "db": (rds._instances, "DBInstanceArn", "DBInstanceNotFound", "DBInstance"),
        "cluster": (rds._clusters, "DBClusterArn", "DBClusterNotFoundFault", "DBCluster"),
        "snapshot": (rds._snapshots, "DBSnapshotArn", "DBSnapshotNotFound", "DBSnapshot"),
        "cluster-snapshot": (
            rds._db_cluster_snapshots,
            "DBClusterSnapshotArn",
            "DBClusterSnapshotNotFoundFault",
            "DBClusterSnapshot",
        ),
    }

    def checked(operation: Callable[[Any], Response]) -> Callable[[Any], Response]:
        def handle(parameters: Any) -> Response:
            arn = rds._p(parameters, "ResourceName")
            _, _, identifier = arn.partition(":rds:")
            kept = types.get(identifier.split(":")[2]) if identifier.count(":") > 2 else None
            if kept is None:
                return operation(parameters)
            known, field, code, noun = kept
            if any(record.get(field) == arn for record in known.values()):
                return operation(parameters)
            refused: Response = rds._error(code, f"{noun} {identifier.split(':', 3)[3]} not found.", 404)
            return refused

        return handle

    for name in _TAG_CALLS:
        rds._ACTION_MAP[name] = checked(rds._ACTION_MAP[name])


def _refuse_missing_buckets() -> None:
    ministacks_own = hooks.app._handle_s3_control_request
    s3 = hooks.s3

    async def handle(
        path: str, method: str, body: bytes, query: Any, request_id: str, headers: Any = None
    ) -> Response | None:
        response: Response | None = await ministacks_own(path, method, body, query, request_id, headers)
        resource = urllib.parse.unquote(path.removeprefix(_S3_CONTROL_TAGS))
        if not path.startswith(_S3_CONTROL_TAGS) or response is None or response[0] >= HTTPStatus.BAD_REQUEST:
            return response
        bucket = resource.rpartition(":::")[2].partition("/")[0]
        if bucket in s3._buckets:
            return response
        s3._bucket_tags.pop(bucket, None)
        refused: Response = s3.s3control_error("NoSuchBucket", "The specified bucket does not exist", 404)
        return refused

    hooks.app._handle_s3_control_request = handle


def _filter_instances_by_id() -> None:
    others = hooks.ec2._matches_filters

    def matches(instance: dict[str, Any], filters: dict[str, list[str]]) -> bool:
        wanted = filters.get("instance-id")
        return (wanted is None or instance["InstanceId"] in wanted) and bool(others(instance, filters))

    hooks.ec2._matches_filters = matches
