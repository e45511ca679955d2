"""The table of everything that AWS Backup restores: one row per type, with the calls that its tags take."""

import json
from dataclasses import dataclass
from typing import Any

from buildspecs.paths import ROOT

EVENTS = ROOT / "tests" / "events"


def event(name: str) -> dict[str, Any]:
    """The event in tests/events/restore-job-<name>.json."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"restore-job-{name}.json").read_text())
    return loaded


@dataclass(frozen=True)
class Row:
    """`read` and `write` are the actions on the restored resource; `source` and `point` read the other
    two, and `age` tells since when the resource exists where a job may restore into an old one."""

    name: str
    read: str
    write: str
    point: str = "backup:ListTags"
    source: str = ""
    age: str = ""
    pages: bool = False
    looks_for_volumes: bool = False

    @property
    def event(self) -> dict[str, Any]:
        return event(self.name)

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = self.event["detail"]
        return detail

    @property
    def created(self) -> str:
        return str(self.detail["createdResourceArn"])

    @property
    def original(self) -> str:
        return str(self.detail["sourceResourceArn"])

    @property
    def recovery_point(self) -> str:
        return str(self.detail["recoveryPointArn"])

    @property
    def read_source(self) -> str:
        return self.source or self.read


_EFS = "elasticfilesystem"
_RDS = ("rds:ListTagsForResource", "rds:AddTagsToResource", "rds:ListTagsForResource")
ROWS = (
    Row("ec2", "ec2:DescribeInstances", "ec2:CreateTags", "ec2:DescribeImages", looks_for_volumes=True),
    Row("ebs", "ec2:DescribeVolumes", "ec2:CreateTags", "ec2:DescribeSnapshots"),
    Row("rds", *_RDS),
    Row("rds-multi-az-cluster", *_RDS),
    Row("rds-continuous", "rds:ListTagsForResource", "rds:AddTagsToResource"),
    Row("aurora", *_RDS),
    Row("documentdb", *_RDS),
    Row("neptune", *_RDS),
    Row("aurora-dsql", "dsql:ListTagsForResource", "dsql:TagResource"),
    Row("dynamodb", "dynamodb:ListTagsOfResource", "dynamodb:TagResource", pages=True),
    Row(
        "efs",
        f"{_EFS}:ListTagsForResource",
        f"{_EFS}:TagResource",
        age=f"{_EFS}:DescribeFileSystems",
        pages=True,
    ),
    Row(
        "fsx-file-system", "fsx:ListTagsForResource", "fsx:TagResource", "fsx:ListTagsForResource", pages=True
    ),
    Row("fsx-volume", "fsx:ListTagsForResource", "fsx:TagResource", "fsx:ListTagsForResource", pages=True),
    Row(
        "storage-gateway",
        "storagegateway:ListTagsForResource",
        "storagegateway:AddTagsToResource",
        "ec2:DescribeSnapshots",
        pages=True,
    ),
    Row(
        "storage-gateway-to-ebs",
        "ec2:DescribeVolumes",
        "ec2:CreateTags",
        "ec2:DescribeSnapshots",
        source="storagegateway:ListTagsForResource",
        pages=True,
    ),
    Row("s3", "s3:ListTagsForResource", "s3:TagResource", age="s3:ListAllMyBuckets"),
    Row("redshift", "redshift:DescribeTags", "redshift:CreateTags", "redshift:DescribeTags", pages=True),
    Row(
        "redshift-serverless",
        "redshift-serverless:ListTagsForResource",
        "redshift-serverless:TagResource",
        "redshift-serverless:ListTagsForResource",
    ),
    Row("timestream-database", "timestream:ListTagsForResource", "timestream:TagResource"),
    Row("timestream-table", "timestream:ListTagsForResource", "timestream:TagResource"),
    Row("sap-hana", "ssm-sap:ListTagsForResource", "ssm-sap:TagResource"),
    Row("virtual-machine", "backup-gateway:ListTagsForResource", "backup-gateway:TagResource"),
    Row(
        "virtual-machine-to-ec2",
        "ec2:DescribeInstances",
        "ec2:CreateTags",
        source="backup-gateway:ListTagsForResource",
        looks_for_volumes=True,
    ),
    Row("eks", "eks:ListTagsForResource", "eks:TagResource", age="eks:DescribeCluster"),
    Row("eks-child-state", "eks:ListTagsForResource", "eks:TagResource", age="eks:DescribeCluster"),
)
