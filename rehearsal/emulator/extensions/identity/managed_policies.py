"""AWS managed policies: those that AWS Backup's roles use exist, any other that ministack lacks does not.

ministack attaches any ARN. Here a policy that does not exist is refused, by CloudFormation and by the API.
"""

import json
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION
from rehearsal.emulator.extensions import base
from rehearsal.emulator.extensions.base import Handler, Request, Response

# From the AWS Managed Policy Reference, by service and action, without conditions.
_POLICIES: dict[str, list[str]] = {
    "AWSBackupOperatorAccess": ["backup:Get*", "backup:List*", "backup:Describe*", "backup:StartRestoreJob"],
    "service-role/AWSBackupServiceRolePolicyForBackup": [
        "backup:*",
        "dynamodb:*Backup*",
        "ec2:*Snapshot*",
        "ec2:*Image*",
        "ec2:CreateTags",
        "ec2:Describe*",
        "elasticfilesystem:*",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "kms:GenerateDataKey*",
        "kms:Decrypt",
        "rds:*Snapshot*",
        "rds:Describe*",
        "rds:*Tags*",
        "tag:GetResources",
    ],
    "service-role/AWSBackupServiceRolePolicyForRestores": [
        "backup:*",
        "dynamodb:Restore*",
        "dynamodb:Describe*",
        "ec2:*",
        "elasticfilesystem:*",
        "iam:PassRole",
        "kms:CreateGrant",
        "kms:DescribeKey",
        "kms:Decrypt",
        "kms:GenerateDataKey*",
        "rds:*",
    ],
    "AWSBackupServiceRolePolicyForS3Backup": [
        "s3:*",
        "kms:Decrypt",
        "kms:DescribeKey",
        "events:*",
        "cloudwatch:GetMetricData",
    ],
    "AWSBackupServiceRolePolicyForS3Restore": [
        "s3:*",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
    ],
}


class NoSuchPolicyError(ValueError):
    """A managed policy that does not exist cannot be attached."""


def install() -> None:
    _add_policies()
    _refuse_unknown_policies()


def _add_policies() -> None:
    for name, actions in _POLICIES.items():
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }
        short = name.rpartition("/")[2]
        record = hooks.iam._make_aws_managed_record(name, json.dumps(document), f"AWS managed policy {short}")
        hooks.iam._aws_managed_policies[f"arn:{PARTITION}:iam::aws:policy/{name}"] = record


def _refuse_unknown_policies() -> None:
    """CloudFormation and the API attach through the same function."""
    attach = hooks.iam.attach_managed_policy

    def attach_known(entity: dict[str, Any], policy: str) -> None:
        if not hooks.iam.policy_known(policy):
            raise NoSuchPolicyError(f"Policy {policy} does not exist or is not attachable.")
        attach(entity, policy)

    async def respond(request: Request, own: Handler) -> Response:
        try:
            return await own(request)
        except NoSuchPolicyError as error:
            refused: Response = hooks.iam._error(404, "NoSuchEntity", str(error), ns="iam")
            return refused

    hooks.iam.attach_managed_policy = attach_known
    base.wrap_requests(hooks.iam, respond)
