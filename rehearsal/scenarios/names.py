"""The stacks and StackSets by the names that the contract gives them."""

from __future__ import annotations

from typing import Final

TARGETS_STACK: Final = "aws-backup-ssm-targets"
PIPELINE_STACK: Final = "aws-backup-codepipeline"
POLICY_STACK: Final = "aws-backup-org-policy"
POLICIES: Final = ("org-daily-backup-policy", "org-monthly-backup-policy")

PACKAGES_SET: Final = "account-aws-backup-lambda-s3-bucket"
MEMBER_ROLE_SET: Final = "organizations-aws-backup-member-accounts-role"
MEMBER_SET: Final = "organizations-aws-backup-member-accounts"
TAG_ROLE_SET: Final = "organizations-aws-backup-tagonrestore-role"
TAG_SET: Final = "organizations-aws-backup-tagonrestore"

ROLE_SETS: Final = (MEMBER_ROLE_SET, TAG_ROLE_SET)  # in the global region only
REGIONAL_SETS: Final = (MEMBER_SET, TAG_SET)


def wrapper(stack_set: str) -> str:
    """The home account's stack that owns a StackSet."""
    return f"stackset-{stack_set.partition('-')[2]}"


def stack(stack_set: str) -> str:
    """A StackSet's stack in its target accounts, without the part that is drawn by lot."""
    return f"StackSet-{stack_set}"
