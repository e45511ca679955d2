"""What the key, vault, bucket and trust policies allow and deny, request by request."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from buildspecs.lint.templates import Template, load, repository_templates
from buildspecs.names import CENTRAL, HOME, MEMBER, MEMBER_ROLE, PACKAGE_BUCKET_PREFIX
from buildspecs.paths import ROOT
from tests.templates.policies import Request, decide
from tests.templates.resolving import Resolver

ORGANIZATION = "o-exampleorgid"
CENTRAL_ID, HOME_ID, MEMBER_ID, OTHER_ID, STRANGER = (str(digit) * 12 for digit in (3, 2, 4, 5, 9))
CENTRAL_VAULT = f"arn:aws:backup:us-east-1:{CENTRAL_ID}:backup-vault:AWSBackupSolutionCentralVault"
MEMBER_VAULT = f"arn:aws:backup:us-east-1:{MEMBER_ID}:backup-vault:AWSBackupSolutionVault"
INSIDE = {"aws:PrincipalOrgID": ORGANIZATION}
VIA_BACKUP = {"kms:ViaService": "backup.us-east-1.amazonaws.com"}
VIA_EC2 = {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}
FOR_AWS = {"kms:GrantIsForAWSResource": "true"}
NOT_FOR_AWS = {"kms:GrantIsForAWSResource": "false"}


def role(account: str, name: str = "Engineer") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def service_linked(account: str) -> str:
    return role(account, "aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup")


@cache
def resolved(path: str, account: str, kind: str, key: str, **given: str) -> Any:
    """The policy of the only resource of a type in a template, as deployed in an account."""
    template = load(ROOT / path)
    return Resolver(template, given, pseudo(account)).properties(template.only(kind))[key]


def pseudo(account: str) -> dict[str, str]:
    return {
        "AWS::Partition": "aws",
        "AWS::AccountId": account,
        "AWS::Region": "us-east-1",
        "AWS::URLSuffix": "amazonaws.com",
    }


def central_key(**given: str) -> Any:
    path = f"{CENTRAL}/aws-backup-central-backup-account.yaml"
    return resolved(path, CENTRAL_ID, "AWS::KMS::Key", "KeyPolicy", pOrganizationId=ORGANIZATION, **given)


def member_key(**given: str) -> Any:
    path = f"{MEMBER}/aws-backup-member-account.yaml"
    given = {"pOrganizationId": ORGANIZATION, "CentralBackupVaultArn": CENTRAL_VAULT, **given}
    return resolved(path, MEMBER_ID, "AWS::KMS::Key", "KeyPolicy", **given)


def central_vault(**given: str) -> Any:
    path = f"{CENTRAL}/aws-backup-central-backup-account.yaml"
    given = {"pOrganizationId": ORGANIZATION, **given}
    return resolved(path, CENTRAL_ID, "AWS::Backup::BackupVault", "AccessPolicy", **given)


def member_vault(**given: str) -> Any:
    path = f"{MEMBER}/aws-backup-member-account.yaml"
    given = {"pOrganizationId": ORGANIZATION, "CentralBackupVaultArn": CENTRAL_VAULT, **given}
    return resolved(path, MEMBER_ID, "AWS::Backup::BackupVault", "AccessPolicy", **given)


BACKUP_ROLE = role(MEMBER_ID, MEMBER_ROLE)
CENTRAL_ROLE = role(CENTRAL_ID, "AWSBackupSolutionCentralAccountRole")

CENTRAL_KEY = [
    # who, action, conditions, decision
    (role(MEMBER_ID), "kms:GenerateDataKey", INSIDE | VIA_BACKUP, "Allow"),
    (role(MEMBER_ID), "kms:DescribeKey", INSIDE | VIA_BACKUP, "Allow"),
    (BACKUP_ROLE, "kms:CreateGrant", INSIDE | VIA_BACKUP | FOR_AWS, "Allow"),
    (BACKUP_ROLE, "kms:CreateGrant", INSIDE | VIA_BACKUP | NOT_FOR_AWS, ""),
    (BACKUP_ROLE, "kms:CreateGrant", INSIDE | VIA_BACKUP, ""),
    (BACKUP_ROLE, "kms:CreateGrant", INSIDE | FOR_AWS, ""),
    (BACKUP_ROLE, "kms:CreateGrant", INSIDE | VIA_EC2 | FOR_AWS, ""),
    (role(MEMBER_ID), "kms:GenerateDataKey", INSIDE, ""),
    (role(MEMBER_ID), "kms:GenerateDataKey", INSIDE | VIA_EC2, ""),
    (role(MEMBER_ID), "kms:Decrypt", INSIDE | VIA_BACKUP, ""),
    (role(MEMBER_ID), "kms:Decrypt", INSIDE, ""),
    (role(MEMBER_ID), "kms:ReEncryptFrom", INSIDE | VIA_BACKUP, ""),
    (role(MEMBER_ID), "kms:ScheduleKeyDeletion", INSIDE | VIA_BACKUP, ""),
    (role(MEMBER_ID), "kms:PutKeyPolicy", INSIDE | VIA_BACKUP, ""),
    (role(STRANGER), "kms:GenerateDataKey", VIA_BACKUP, ""),
    (role(STRANGER), "kms:GenerateDataKey", VIA_BACKUP | {"aws:PrincipalOrgID": "o-otherotherot"}, ""),
    (role(STRANGER), "kms:CreateGrant", VIA_BACKUP | FOR_AWS, ""),
    # a copy back for a restore
    (service_linked(MEMBER_ID), "kms:ReEncryptFrom", INSIDE | VIA_EC2, "Allow"),
    (service_linked(MEMBER_ID), "kms:DescribeKey", INSIDE, "Allow"),
    (service_linked(MEMBER_ID), "kms:CreateGrant", INSIDE | VIA_EC2 | FOR_AWS, "Allow"),
    (service_linked(MEMBER_ID), "kms:CreateGrant", INSIDE | VIA_EC2 | NOT_FOR_AWS, ""),
    (service_linked(MEMBER_ID), "kms:ListGrants", INSIDE | VIA_EC2, "Allow"),
    (service_linked(MEMBER_ID), "kms:RevokeGrant", INSIDE | VIA_EC2, ""),
    (service_linked(STRANGER), "kms:ListGrants", VIA_EC2, ""),
    (role(MEMBER_ID), "kms:ListGrants", INSIDE | VIA_BACKUP, ""),
    (service_linked(MEMBER_ID), "kms:Decrypt", INSIDE | VIA_EC2, ""),
    (service_linked(STRANGER), "kms:ReEncryptFrom", VIA_EC2, ""),
    (role(MEMBER_ID, "AWSServiceRoleForBackup"), "kms:ReEncryptFrom", INSIDE | VIA_EC2, ""),
    # the central account itself
    (service_linked(CENTRAL_ID), "kms:GenerateDataKeyWithoutPlaintext", INSIDE | VIA_EC2, "Allow"),
    (service_linked(CENTRAL_ID), "kms:CreateGrant", INSIDE | VIA_EC2 | FOR_AWS, "Allow"),
    (service_linked(CENTRAL_ID), "kms:ListGrants", INSIDE | VIA_EC2, "Allow"),
    (CENTRAL_ROLE, "kms:ListGrants", INSIDE, "Allow"),
    (CENTRAL_ROLE, "kms:Decrypt", INSIDE | VIA_EC2, "Allow"),
    (role(CENTRAL_ID), "kms:Decrypt", INSIDE | VIA_BACKUP, "Allow"),
    (role(CENTRAL_ID), "kms:Decrypt", INSIDE, ""),
    (role(CENTRAL_ID), "kms:Decrypt", INSIDE | VIA_EC2, ""),
    (role(CENTRAL_ID), "kms:PutKeyPolicy", INSIDE, "Allow"),
]

MEMBER_KEY = [
    (BACKUP_ROLE, "kms:Decrypt", VIA_EC2, "Allow"),
    (BACKUP_ROLE, "kms:GenerateDataKey", {}, "Allow"),
    (BACKUP_ROLE, "kms:CreateGrant", FOR_AWS, "Allow"),
    (BACKUP_ROLE, "kms:CreateGrant", NOT_FOR_AWS, ""),
    (service_linked(MEMBER_ID), "kms:GenerateDataKeyWithoutPlaintext", VIA_EC2, "Allow"),
    (service_linked(MEMBER_ID), "kms:CreateGrant", VIA_EC2 | FOR_AWS, "Allow"),
    (service_linked(MEMBER_ID), "kms:ListGrants", VIA_EC2, "Allow"),
    (BACKUP_ROLE, "kms:ListGrants", {}, "Allow"),
    (role(MEMBER_ID), "kms:Decrypt", VIA_BACKUP, "Allow"),
    (role(MEMBER_ID, "stacksets-exec-0a1b"), "kms:CreateGrant", VIA_BACKUP | FOR_AWS, "Allow"),
    (role(MEMBER_ID, "stacksets-exec-0a1b"), "kms:RetireGrant", VIA_BACKUP, "Allow"),
    (role(MEMBER_ID), "kms:Decrypt", {}, ""),
    (role(MEMBER_ID), "kms:Decrypt", VIA_EC2, ""),
    (role(MEMBER_ID), "kms:CreateGrant", VIA_EC2 | FOR_AWS, ""),
    (role(MEMBER_ID), "kms:GenerateDataKey", VIA_EC2, ""),
    (role(MEMBER_ID), "kms:PutKeyPolicy", {}, "Allow"),
    # on the way to the central vault and back
    (service_linked(CENTRAL_ID), "kms:ReEncryptFrom", INSIDE | VIA_EC2, "Allow"),
    (service_linked(CENTRAL_ID), "kms:CreateGrant", INSIDE | VIA_EC2 | FOR_AWS, "Allow"),
    (service_linked(CENTRAL_ID), "kms:ListGrants", INSIDE | VIA_EC2, "Allow"),
    (service_linked(CENTRAL_ID), "kms:RevokeGrant", INSIDE | VIA_EC2, ""),
    (CENTRAL_ROLE, "kms:ListGrants", INSIDE | VIA_BACKUP, ""),
    (service_linked(OTHER_ID), "kms:ListGrants", INSIDE | VIA_EC2, ""),
    (service_linked(CENTRAL_ID), "kms:Decrypt", INSIDE | VIA_EC2, ""),
    (CENTRAL_ROLE, "kms:GenerateDataKey", INSIDE | VIA_BACKUP, "Allow"),
    (CENTRAL_ROLE, "kms:CreateGrant", INSIDE | VIA_BACKUP | FOR_AWS, "Allow"),
    (CENTRAL_ROLE, "kms:CreateGrant", INSIDE | FOR_AWS, ""),
    (CENTRAL_ROLE, "kms:Decrypt", INSIDE | VIA_BACKUP, ""),
    (CENTRAL_ROLE, "kms:ReEncryptFrom", INSIDE, ""),
    # no other principal, not even in the organization
    (service_linked(OTHER_ID), "kms:ReEncryptFrom", INSIDE | VIA_EC2, ""),
    (role(OTHER_ID), "kms:GenerateDataKey", INSIDE | VIA_BACKUP, ""),
    (role(STRANGER), "kms:GenerateDataKey", VIA_BACKUP, ""),
]


@pytest.mark.parametrize(("who", "action", "context", "decision"), CENTRAL_KEY)
def test_the_central_key(who: str, action: str, context: dict[str, str], decision: str) -> None:
    assert decide(central_key(), Request(who, action, context=context)) == decision


@pytest.mark.parametrize(("who", "action", "context", "decision"), MEMBER_KEY)
def test_the_member_key(who: str, action: str, context: dict[str, str], decision: str) -> None:
    assert decide(member_key(), Request(who, action, context=context)) == decision


KEYS = [
    (template, name) for template in repository_templates() for name, _ in template.of_type("AWS::KMS::Key")
]
ACCOUNTS = {"central": CENTRAL_ID, "home": HOME_ID, "member": MEMBER_ID}


@pytest.mark.parametrize(("template", "name"), KEYS, ids=[template.path for template, _ in KEYS])
@pytest.mark.parametrize("administrator", ["", "security/key-administrator"])
def test_no_key_is_deleted_in_less_than_30_days(template: Template, name: str, administrator: str) -> None:
    """Without a waiting period KMS uses 30 days, and need not send its condition key."""
    account = ACCOUNTS[template.account]
    given = {
        "pOrganizationId": ORGANIZATION,
        "CentralBackupVaultArn": CENTRAL_VAULT,
        "KeyAdministratorRoleName": administrator,
    }
    key = Resolver(template, given, pseudo(account)).properties(name)
    assert key["PendingWindowInDays"] == 30, "CloudFormation uses it when it rolls back a failed creation"
    policy = key["KeyPolicy"]
    for who in (role(account, administrator or "Engineer"), f"arn:aws:iam::{account}:root"):
        for days, decision in (("7", "Deny"), ("29", "Deny"), ("30", "Allow"), (None, "Allow")):
            chosen = {} if days is None else {"kms:ScheduleKeyDeletionPendingWindowInDays": days}
            assert decide(policy, Request(who, "kms:ScheduleKeyDeletion", context=chosen)) == decision


@pytest.mark.parametrize("key", [central_key, member_key], ids=["central", "member"])
def test_only_a_named_administrator_and_the_root_user_administer_the_key(key: Any) -> None:
    account = CENTRAL_ID if key is central_key else MEMBER_ID
    policy = key(KeyAdministratorRoleName="security/key-administrator")
    for who, decision in (
        (role(account, "security/key-administrator"), "Allow"),
        (f"arn:aws:iam::{account}:root", "Allow"),
        (role(account), ""),
        (role(STRANGER, "security/key-administrator"), ""),
    ):
        assert decide(policy, Request(who, "kms:ScheduleKeyDeletion")) == decision


def test_the_stack_set_updates_the_member_key_despite_a_named_administrator() -> None:
    policy = member_key(KeyAdministratorRoleName="key-administrator")
    assert decide(policy, Request(role(MEMBER_ID, "stacksets-exec-0a1b"), "kms:PutKeyPolicy")) == "Allow"


DELETIONS = (
    "backup:DeleteBackupVault",
    "backup:DeleteRecoveryPoint",
    "backup:DisassociateRecoveryPoint",
    "backup:UpdateRecoveryPointLifecycle",
)
POLICY_CHANGES = ("backup:DeleteBackupVaultAccessPolicy", "backup:PutBackupVaultAccessPolicy")
SNAPSHOT = "arn:aws:ec2:us-east-1::snapshot/snap-0a1b2c3d"


@pytest.mark.parametrize(
    ("policy", "vault"),
    [(central_vault, CENTRAL_VAULT), (member_vault, MEMBER_VAULT)],
    ids=["central", "member"],
)
@pytest.mark.parametrize(
    ("who", "context", "decision"),
    [
        (BACKUP_ROLE, INSIDE, "Allow"),
        (CENTRAL_ROLE, INSIDE, "Allow"),
        (role(STRANGER), {}, ""),
        (role(STRANGER), {"aws:PrincipalOrgID": "o-otherotherot"}, ""),
    ],
)
def test_copies_come_from_the_organization_only(
    policy: Any, vault: str, who: str, context: dict[str, str], decision: str
) -> None:
    assert decide(policy(), Request(who, "backup:CopyIntoBackupVault", vault, context)) == decision
    another = vault.rsplit(":", 1)[0] + ":Another"
    assert decide(policy(), Request(who, "backup:CopyIntoBackupVault", another, context)) == ""


@pytest.mark.parametrize("action", DELETIONS)
@pytest.mark.parametrize(
    ("vault", "account"), [(central_vault, CENTRAL_ID), (member_vault, MEMBER_ID)], ids=["central", "member"]
)
def test_recovery_points_are_deleted_by_the_break_glass_role_only(
    vault: Any, account: str, action: str
) -> None:
    for who in (role(account), f"arn:aws:iam::{account}:root", role(account, "stacksets-exec-0a1b")):
        assert decide(vault(), Request(who, action, SNAPSHOT, INSIDE)) == "Deny"
    policy = vault(BreakGlassRoleName="security/break-glass")
    assert decide(policy, Request(role(account, "security/break-glass"), action, SNAPSHOT, INSIDE)) == ""
    for who in (role(account), role(account, "break-glass"), role(OTHER_ID, "security/break-glass")):
        assert decide(policy, Request(who, action, SNAPSHOT, INSIDE)) == "Deny"


@pytest.mark.parametrize("action", POLICY_CHANGES)
def test_the_member_vault_s_policy_is_changed_by_the_stack_set_and_the_break_glass_role_only(
    action: str,
) -> None:
    stack_set, glass = role(MEMBER_ID, "stacksets-exec-0a1b"), role(MEMBER_ID, "break-glass")
    assert decide(member_vault(), Request(stack_set, action, MEMBER_VAULT)) == ""
    assert decide(member_vault(), Request(glass, action, MEMBER_VAULT)) == "Deny"
    policy = member_vault(BreakGlassRoleName="break-glass")
    assert decide(policy, Request(stack_set, action, MEMBER_VAULT)) == ""
    assert decide(policy, Request(glass, action, MEMBER_VAULT)) == ""
    assert decide(policy, Request(role(MEMBER_ID), action, MEMBER_VAULT)) == "Deny"


@pytest.mark.parametrize("action", POLICY_CHANGES)
def test_the_central_vault_s_policy_can_be_changed_until_a_break_glass_role_is_named(action: str) -> None:
    assert decide(central_vault(), Request(role(CENTRAL_ID), action, CENTRAL_VAULT)) == ""
    policy = central_vault(BreakGlassRoleName="break-glass")
    assert decide(policy, Request(role(CENTRAL_ID), action, CENTRAL_VAULT)) == "Deny"
    assert decide(policy, Request(role(CENTRAL_ID, "break-glass"), action, CENTRAL_VAULT)) == ""


TLS, NO_TLS = {"aws:SecureTransport": "true"}, {"aws:SecureTransport": "false"}
PACKAGE = "${Bucket.Arn}/aws-backup-tagonrestore-0123456789abcdef.zip"


@pytest.mark.parametrize(
    ("action", "resource", "context", "decision"),
    [
        ("s3:GetObject", PACKAGE, INSIDE | TLS, "Allow"),
        ("s3:GetObject", PACKAGE, INSIDE | NO_TLS, "Deny"),
        ("s3:ListBucket", "${Bucket.Arn}", INSIDE | NO_TLS, "Deny"),
        ("s3:GetObject", PACKAGE, TLS, ""),
        ("s3:GetObject", PACKAGE, TLS | {"aws:PrincipalOrgID": "o-otherotherot"}, ""),
        ("s3:PutObject", PACKAGE, INSIDE | TLS, ""),
        ("s3:DeleteObject", PACKAGE, INSIDE | TLS, ""),
        ("s3:ListBucket", "${Bucket.Arn}", INSIDE | TLS, ""),
    ],
)
def test_only_the_organization_reads_packages_and_only_over_tls(
    action: str, resource: str, context: dict[str, str], decision: str
) -> None:
    policy = resolved(
        f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
        HOME_ID,
        "AWS::S3::BucketPolicy",
        "PolicyDocument",
        pOrganizationId=ORGANIZATION,
        PackageBucketPrefix=PACKAGE_BUCKET_PREFIX,
    )
    assert (
        decide(policy, Request(role(MEMBER_ID, "stacksets-exec-0a1b"), action, resource, context)) == decision
    )


@pytest.mark.parametrize(
    ("path", "account"),
    [
        (f"{CENTRAL}/aws-backup-central-backup-account-role.yaml", CENTRAL_ID),
        (f"{MEMBER}/aws-backup-member-account-role.yaml", MEMBER_ID),
    ],
    ids=["central", "member"],
)
def test_a_backup_role_is_assumed_by_aws_backup_for_its_own_account_only(path: str, account: str) -> None:
    trust = resolved(path, account, "AWS::IAM::Role", "AssumeRolePolicyDocument")
    for who, context, decision in (
        ("backup.amazonaws.com", {"aws:SourceAccount": account}, "Allow"),
        ("backup.amazonaws.com", {"aws:SourceAccount": STRANGER}, ""),
        ("backup.amazonaws.com", {}, "Allow"),
        ("ec2.amazonaws.com", {"aws:SourceAccount": account}, ""),
        (role(account), {"aws:SourceAccount": account}, ""),
    ):
        assert decide(trust, Request(who, "sts:AssumeRole", context=context)) == decision
