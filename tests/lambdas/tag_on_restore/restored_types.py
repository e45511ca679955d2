"""Every type that AWS Backup restores: one row per event file, with the calls that its tags take."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from buildspecs.paths import ROOT

EVENTS = ROOT / "tests" / "events"


def event(name: str) -> dict[str, Any]:
    """The event in tests/events/restore-job-<name>.json."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"restore-job-{name}.json").read_text())
    return loaded


@dataclass(frozen=True)
class RestoredType:
    """`reads` and `writes` are the IAM actions on the restored resource, `reads_recovery_point` and
    `reads_source` those on the other two; `reads_date` is for types that can be restored into an existing
    resource."""

    name: str
    reads: str
    writes: str
    reads_recovery_point: str = "backup:ListTags"
    reads_another_source: str = ""
    reads_date: str = ""
    pages: bool = False
    has_volumes: bool = False

    @cached_property
    def _text(self) -> str:
        return json.dumps(event(self.name))

    @property
    def event(self) -> dict[str, Any]:
        """A copy for the test to change."""
        copy: dict[str, Any] = json.loads(self._text)
        return copy

    @cached_property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = self.event["detail"]
        return detail

    @property
    def created(self) -> str:
        return str(self.detail["createdResourceArn"])

    @property
    def source(self) -> str:
        return str(self.detail["sourceResourceArn"])

    @property
    def recovery_point(self) -> str:
        return str(self.detail["recoveryPointArn"])

    @property
    def reads_source(self) -> str:
        return self.reads_another_source or self.reads


_EFS = "elasticfilesystem"
_FSX = ("fsx:ListTagsForResource", "fsx:TagResource", "fsx:ListTagsForResource")
_RDS = ("rds:ListTagsForResource", "rds:AddTagsToResource", "rds:ListTagsForResource")
RESTORED_TYPES = (
    RestoredType("ec2", "ec2:DescribeInstances", "ec2:CreateTags", "ec2:DescribeImages", has_volumes=True),
    RestoredType("ebs", "ec2:DescribeVolumes", "ec2:CreateTags", "ec2:DescribeSnapshots"),
    RestoredType("rds", *_RDS),
    RestoredType("rds-multi-az-cluster", *_RDS),
    RestoredType("rds-continuous", "rds:ListTagsForResource", "rds:AddTagsToResource"),
    RestoredType("aurora", *_RDS),
    RestoredType("documentdb", *_RDS),
    RestoredType("neptune", *_RDS),
    RestoredType("aurora-dsql", "dsql:ListTagsForResource", "dsql:TagResource"),
    RestoredType("dynamodb", "dynamodb:ListTagsOfResource", "dynamodb:TagResource", pages=True),
    RestoredType(
        "efs",
        f"{_EFS}:ListTagsForResource",
        f"{_EFS}:TagResource",
        reads_date=f"{_EFS}:DescribeFileSystems",
        pages=True,
    ),
    RestoredType("fsx-file-system", *_FSX, pages=True),
    RestoredType("fsx-volume", *_FSX, pages=True),
    RestoredType(
        "storage-gateway",
        "storagegateway:ListTagsForResource",
        "storagegateway:AddTagsToResource",
        "ec2:DescribeSnapshots",
        pages=True,
    ),
    RestoredType(
        "storage-gateway-to-ebs",
        "ec2:DescribeVolumes",
        "ec2:CreateTags",
        "ec2:DescribeSnapshots",
        reads_another_source="storagegateway:ListTagsForResource",
        pages=True,
    ),
    RestoredType("s3", "s3:ListTagsForResource", "s3:TagResource", reads_date="s3:ListAllMyBuckets"),
    RestoredType(
        "redshift", "redshift:DescribeTags", "redshift:CreateTags", "redshift:DescribeTags", pages=True
    ),
    RestoredType(
        "redshift-serverless",
        "redshift-serverless:ListTagsForResource",
        "redshift-serverless:TagResource",
        "redshift-serverless:ListTagsForResource",
    ),
    RestoredType("timestream-database", "timestream:ListTagsForResource", "timestream:TagResource"),
    RestoredType("timestream-table", "timestream:ListTagsForResource", "timestream:TagResource"),
    RestoredType("sap-hana", "ssm-sap:ListTagsForResource", "ssm-sap:TagResource"),
    RestoredType("virtual-machine", "backup-gateway:ListTagsForResource", "backup-gateway:TagResource"),
    RestoredType(
        "virtual-machine-to-ec2",
        "ec2:DescribeInstances",
        "ec2:CreateTags",
        reads_another_source="backup-gateway:ListTagsForResource",
        has_volumes=True,
    ),
    RestoredType("eks", "eks:ListTagsForResource", "eks:TagResource", reads_date="eks:DescribeCluster"),
    RestoredType(
        "eks-child-state", "eks:ListTagsForResource", "eks:TagResource", reads_date="eks:DescribeCluster"
    ),
)
BY_NAME = {each.name: each for each in RESTORED_TYPES}
