"""What restored resources' own services answer where ministack is more lenient than AWS.

AWS answers a tag call for a database, snapshot or bucket that does not exist with DBInstanceNotFound,
DBClusterNotFoundFault, DBSnapshotNotFound, DBClusterSnapshotNotFoundFault or NoSuchBucket; ministack lists no
tags and takes new ones. DescribeInstances knows the filter `instance-id`; ministack ignores it. S3 Control is
called at https://<account>.<endpoint>, which SDKs can't be told to leave out and which no name server knows
for 127.0.0.1.

Emulated: those answers and that filter; inside functions every name that ends in .127.0.0.1 is 127.0.0.1 (the
certificate holds it too).
"""

import urllib.parse
from collections.abc import Callable
from typing import Any, Final

from rehearsal.emulator import hooks
from rehearsal.emulator.extensions.base import Answer

# Put in front of the functions' runtime (functions.py).
RESOLVER: Final = """
import socket as _socket
_getaddrinfo = _socket.getaddrinfo
def _resolve(host, *arguments, **options):
    if isinstance(host, str) and host.endswith(".127.0.0.1"):
        host = "127.0.0.1"
    return _getaddrinfo(host, *arguments, **options)
_socket.getaddrinfo = _resolve
"""

_S3_CONTROL_TAGS: Final = "/v20180820/tags/"
_TAG_CALLS: Final = ("ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource")


def install() -> None:
    _answer_for_missing_databases()
    _answer_for_missing_buckets()
    _filter_instances_by_id()


def _answer_for_missing_databases() -> None:
    rds = hooks.rds
    # kind in the ARN → where ministack keeps it, the field with its ARN, AWS's code, what it is
    kinds = {
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

    def checked(answer: Callable[[Any], Answer]) -> Callable[[Any], Answer]:
        def handle(parameters: Any) -> Answer:
            arn = rds._p(parameters, "ResourceName")
            _, _, identifier = arn.partition(":rds:")
            kind = kinds.get(identifier.split(":")[2]) if identifier.count(":") > 2 else None
            if kind is None:
                return answer(parameters)
            known, field, code, noun = kind
            if any(record.get(field) == arn for record in known.values()):
                return answer(parameters)
            refused: Answer = rds._error(code, f"{noun} {identifier.split(':', 3)[3]} not found.", 404)
            return refused

        return handle

    for name in _TAG_CALLS:
        rds._ACTION_MAP[name] = checked(rds._ACTION_MAP[name])


def _answer_for_missing_buckets() -> None:
    ministacks_own = hooks.app._handle_s3_control_request
    s3 = hooks.s3

    async def handle(
        path: str, method: str, body: bytes, query: Any, request_id: str, headers: Any = None
    ) -> Answer | None:
        answer: Answer | None = await ministacks_own(path, method, body, query, request_id, headers)
        resource = urllib.parse.unquote(path.removeprefix(_S3_CONTROL_TAGS))
        if not path.startswith(_S3_CONTROL_TAGS) or answer is None or answer[0] >= 400:
            return answer
        bucket = resource.rpartition(":::")[2].partition("/")[0]
        if bucket in s3._buckets:
            return answer
        s3._bucket_tags.pop(bucket, None)
        refused: Answer = s3.s3control_error("NoSuchBucket", "The specified bucket does not exist", 404)
        return refused

    hooks.app._handle_s3_control_request = handle


def _filter_instances_by_id() -> None:
    others = hooks.ec2._matches_filters

    def matches(instance: dict[str, Any], filters: dict[str, list[str]]) -> bool:
        wanted = filters.get("instance-id")
        return (wanted is None or instance["InstanceId"] in wanted) and bool(others(instance, filters))

    hooks.ec2._matches_filters = matches
