"""Every role and every resource policy, request by request: what it allows, does not allow, and denies.

Longer tables for the keys, the vaults, the package bucket and the backup roles are in test_policies.py. A
role has two tables: who may assume it, and what it may do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from buildspecs.lint.templates import load, repository_templates
from buildspecs.names import (
    ADMINISTRATION_ROLE,
    CENTRAL,
    CLOUDFORMATION_ROLE,
    EXECUTION_ROLE,
    HOME,
    MANAGEMENT_ROLE,
    MEMBER,
    PIPELINE_STACK,
)
from buildspecs.paths import ROOT
from tests.templates.policies import Request, decide
from tests.templates.resolving import Resolver
from tests.templates.test_policies import CENTRAL_ID, HOME_ID, MEMBER_ID, NO_TLS, STRANGER, TLS, role

MANAGEMENT_ID = "777788889999"  # as /backup/org-management-account has it in the tests
ACCOUNTS = {"central": CENTRAL_ID, "home": HOME_ID, "management": MANAGEMENT_ID, "member": MEMBER_ID}
GIVEN = {
    "AdministratorAccountId": HOME_ID,
    "BackupAndRecoveryHomeAccountId": HOME_ID,
    "HomeAccountId": HOME_ID,
    "NotificationEmail": "somebody@example.com",
}
# Resource type → the property with its policy.
RESOURCE_POLICIES = {
    "AWS::Backup::BackupVault": "AccessPolicy",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
}
SELF = "arn:aws:iam::000000000000:role/self"  # the role itself: an identity policy names no principal

ASSUME = "sts:AssumeRole"
OURS, THEIRS = {"aws:SourceAccount": HOME_ID}, {"aws:SourceAccount": STRANGER}
PIPELINE = f"arn:aws:codepipeline:us-east-1:{HOME_ID}:backup-recovery-with-aws-backup"
KEY = "${ImportValue:aws-backup-codepipeline-kms-arn}"
BUCKET = "${ImportValue:aws-backup-s3-bucket-arn}"
PACKAGES = f"arn:aws:s3:::lambda-deployment-bucket-{HOME_ID}-us-east-2"
SSM = f"arn:aws:ssm:us-east-1:{HOME_ID}:parameter"
CODEPIPELINE = f"{HOME}/aws-backup-codepipeline.yaml"
UNDELIVERED = "${UndeliveredQueue.Arn}"


def source(arn: str, account: str = HOME_ID) -> dict[str, str]:
    return {"aws:SourceArn": arn, "aws:SourceAccount": account}


def iam(name: str, account: str = HOME_ID) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def stack_set(name: str) -> str:
    """A delegated administrator's StackSets belong to the management account."""
    return f"arn:aws:cloudformation:us-east-1:{MANAGEMENT_ID}:stackset/{name}:0a1b"


def stack(name: str) -> str:
    return f"arn:aws:cloudformation:us-east-2:{HOME_ID}:stack/{name}/0a1b"


def passed_to(service: str) -> dict[str, str]:
    return {"iam:PassedToService": f"{service}.amazonaws.com"}


def organizations(kind: str) -> str:
    return f"arn:aws:organizations::{MANAGEMENT_ID}:{kind}"


def build(project: str) -> list[tuple[str, str, str, Mapping[str, str], str]]:
    """CodeBuild may assume a build's role for one project of this account only."""
    arn = f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/AWSBackup-{project}"
    return [
        ("codebuild.amazonaws.com", ASSUME, "*", source(arn), "Allow"),
        ("codebuild.amazonaws.com", ASSUME, "*", source(arn + "2"), ""),
        ("codebuild.amazonaws.com", ASSUME, "*", source(arn, STRANGER), ""),
        ("codebuild.amazonaws.com", ASSUME, "*", {}, ""),
        (role(HOME_ID), ASSUME, "*", OURS, ""),
    ]


TAG, MANAGER = "aws-backup-tagonrestore", "aws-backup-backuporgpolicymanager"
ARTIFACTS = f"{BUCKET}/backup-recovery-with"  # CodePipeline's prefix: 20 characters, and 10 of the artifact
SOURCE_ARTIFACT, DEPLOYMENT_ARTIFACT = f"{ARTIFACTS}/SourceArti/1", f"{ARTIFACTS}/Deployment/1"
# Everything that a build could write and somebody deploys or reads.
WRITES: Mapping[str, tuple[str, str]] = {
    "the source artifact": ("s3:PutObject", SOURCE_ARTIFACT),
    "the deployment artifact": ("s3:PutObject", DEPLOYMENT_ARTIFACT),
    "the deployed templates": ("s3:PutObject", f"{BUCKET}/deployment/0123456789abcdef/x.yaml"),
    "the repository's archive": ("s3:PutObject", f"{BUCKET}/aws-backup-solution.zip"),
    f"packages of {TAG}": ("s3:PutObject", f"{PACKAGES}/{TAG}-0123456789abcdef.zip"),
    f"packages of {MANAGER}": ("s3:PutObject", f"{PACKAGES}/{MANAGER}-0123456789abcdef.zip"),
    f"parameters of {TAG}": ("ssm:PutParameter", f"{SSM}/backup/lambda/{TAG}/deployed-hash"),
    f"parameters of {MANAGER}": ("ssm:PutParameter", f"{SSM}/backup/lambda/{MANAGER}/deployed-package"),
    "the targets": ("ssm:PutParameter", f"{SSM}/backup/target/organizational-units"),
}


def building(log: str, *written: str) -> list[Any]:
    """What every build may do and what none may; it writes only what is named here."""
    assert set(written) <= set(WRITES)
    recorded = f"{SSM}/backup/lambda/{TAG}/deployed-hash"
    return [
        *(
            (SELF, action, resource, {}, "Allow" if name in written else "")
            for name, (action, resource) in WRITES.items()
        ),
        (SELF, "s3:GetObject", SOURCE_ARTIFACT, {}, "Allow"),
        (SELF, "s3:GetObject", DEPLOYMENT_ARTIFACT, {}, ""),
        (SELF, "s3:DeleteObject", SOURCE_ARTIFACT, {}, ""),
        (SELF, "s3:PutBucketPolicy", BUCKET, {}, ""),
        (SELF, "s3:PutBucketPolicy", PACKAGES, {}, ""),
        (SELF, "logs:PutLogEvents", f"${{{log}.Arn}}", {}, "Allow"),
        (SELF, "logs:PutLogEvents", f"arn:aws:logs:us-east-1:{HOME_ID}:log-group:another", {}, ""),
        (SELF, "logs:DeleteLogStream", f"${{{log}.Arn}}", {}, ""),
        (SELF, "kms:Decrypt", KEY, {}, "Allow"),
        (SELF, "kms:DescribeKey", KEY, {}, "Allow"),
        (SELF, "kms:Decrypt", f"arn:aws:kms:us-east-1:{HOME_ID}:key/another", {}, ""),
        (SELF, "kms:GenerateDataKey", KEY, {}, "Allow" if "the deployment artifact" in written else ""),
        (SELF, "ssm:GetParameters", f"{SSM}/application/password", {}, ""),
        (SELF, "ssm:GetParameters", recorded, {}, "Allow" if written else ""),
        (SELF, "ssm:DeleteParameter", recorded, {}, ""),
        (SELF, "iam:PassRole", iam(CLOUDFORMATION_ROLE), passed_to("cloudformation"), ""),
        (SELF, ASSUME, iam(CLOUDFORMATION_ROLE), {}, ""),
        (SELF, "cloudformation:UpdateStack", "*", {}, ""),
        (SELF, "codebuild:StartBuild", f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/AWSBackup-X", {}, ""),
        (SELF, "codepipeline:PutJobSuccessResult", "*", {}, ""),
    ]


def packaging(function: str) -> list[Any]:
    """A packaging build publishes only its own function."""
    return [
        *building("LogGroup", f"packages of {function}", f"parameters of {function}"),
        (SELF, "ssm:GetParameters", f"{SSM}/backup/target/regions", {}, "Allow"),
        (SELF, "s3:DeleteObject", f"{PACKAGES}/{function}-0123456789abcdef.zip", {}, ""),
    ]


def describing(name: str, other: str) -> list[Any]:
    """A build reads the ARN of one StackSet and of no other."""
    return [
        (SELF, "cloudformation:DescribeStackSet", stack_set(f"organizations-aws-backup-{name}"), {}, "Allow"),
        (SELF, "cloudformation:DescribeStackSet", stack_set(f"organizations-aws-backup-{other}"), {}, ""),
        (SELF, "cloudformation:UpdateStackSet", stack_set(f"organizations-aws-backup-{name}"), {}, ""),
        (SELF, "organizations:ListDelegatedAdministrators", "*", {}, "Allow"),
        (SELF, "organizations:DescribeOrganization", "*", {}, ""),
    ]


FILE_SYSTEM = f"arn:aws:elasticfilesystem:us-east-1:{MEMBER_ID}:file-system/fs-1"
POINT = f"arn:aws:backup:us-east-1:{MEMBER_ID}:recovery-point"
CODEBUILD = "codebuild/{0}/aws-backup-codebuild-{1}.yaml"
VALIDATE = CODEBUILD.format("ValidateTemplates", "validate-templates")
PACKAGE_TAG = CODEBUILD.format("TestAndPackageTagOnRestore", "test-package-tagonrestore")
PACKAGE_MANAGER = CODEBUILD.format("TestAndPackageBackupOrgPolicyManager", "test-package-orgpolicymanager")
QUEUE = "${FailureQueue.Arn}"
STACK_SETS = f"arn:aws:cloudformation:us-east-1:{HOME_ID}:stackset/account-aws-backup-lambda-s3-bucket:1"
LAMBDA = f"arn:aws:lambda:us-east-1:{HOME_ID}:function"

# (template, logical id, "trust" | "permissions" | "policy") → who, action, resource, context, decision
TABLES: Mapping[tuple[str, str, str], Sequence[tuple[str, str, str, Mapping[str, str], str]]] = {
    (f"{HOME}/CloudFormationRole.yaml", "Role", "trust"): [
        ("cloudformation.amazonaws.com", ASSUME, "*", OURS, "Allow"),
        ("cloudformation.amazonaws.com", ASSUME, "*", {}, "Allow"),
        ("cloudformation.amazonaws.com", ASSUME, "*", THEIRS, ""),
        ("codebuild.amazonaws.com", ASSUME, "*", OURS, ""),
        (role(HOME_ID), ASSUME, "*", OURS, ""),
        (f"arn:aws:iam::{HOME_ID}:root", ASSUME, "*", OURS, ""),
    ],
    (f"{HOME}/CloudFormationRole.yaml", "Role", "permissions"): [
        (SELF, "iam:CreateRole", iam("aws-backup-codepipeline-StartRole-1"), {}, "Allow"),
        (SELF, "iam:PutRolePolicy", iam("BackupOrgPolicyManager"), {}, "Allow"),
        (SELF, "iam:CreateRole", iam("Administrator"), {}, ""),
        (SELF, "iam:PutRolePolicy", iam(CLOUDFORMATION_ROLE), {}, ""),
        (SELF, "iam:UpdateAssumeRolePolicy", iam(CLOUDFORMATION_ROLE), {}, ""),
        (SELF, "iam:PutRolePolicy", iam(EXECUTION_ROLE), {}, ""),
        (SELF, "iam:CreateUser", "*", {}, ""),
        (SELF, "iam:PassRole", iam("BackupOrgPolicyManager"), passed_to("lambda"), "Allow"),
        (SELF, "iam:PassRole", iam("BackupOrgPolicyManager"), passed_to("ec2"), ""),
        (SELF, "iam:PassRole", iam("BackupOrgPolicyManager"), {}, ""),
        (SELF, "iam:PassRole", iam(CLOUDFORMATION_ROLE), passed_to("codepipeline"), "Allow"),
        (SELF, "iam:PassRole", iam(CLOUDFORMATION_ROLE), passed_to("cloudformation"), ""),
        (SELF, "lambda:UpdateFunctionCode", f"{LAMBDA}:BackupOrgPolicyManager", {}, "Allow"),
        (SELF, "lambda:UpdateFunctionCode", f"{LAMBDA}:Application", {}, ""),
        (SELF, "s3:GetObject", f"{BUCKET}/deployment/0123456789abcdef/x.yaml", {}, "Allow"),
        (SELF, "s3:GetObject", f"{BUCKET}/aws-backup-solution.zip", {}, ""),
        (SELF, "s3:PutObject", f"{PACKAGES}/{MANAGER}-0123456789abcdef.zip", {}, ""),
        (SELF, "ssm:PutParameter", f"{SSM}/backup/bucket", {}, "Allow"),
        (SELF, "ssm:PutParameter", f"{SSM}/application/password", {}, ""),
        (SELF, "ssm:GetParameters", f"{SSM}/application/password", {}, ""),
        (SELF, "kms:Decrypt", KEY, {}, ""),
        (SELF, "organizations:CreatePolicy", "*", {}, ""),
        (SELF, ASSUME, iam(MANAGEMENT_ROLE, MANAGEMENT_ID), {}, ""),
    ],
    (f"{HOME}/aws-cloudformation-stackset-admin-role.yaml", "Role", "trust"): [
        ("cloudformation.amazonaws.com", ASSUME, "*", source(STACK_SETS), "Allow"),
        # In a Region that is disabled by default, StackSets uses the principal of that Region.
        ("cloudformation.eu-south-2.amazonaws.com", ASSUME, "*", source(STACK_SETS), "Allow"),
        ("cloudformation.eu-south-2.amazonaws.com", ASSUME, "*", source(STACK_SETS, STRANGER), ""),
        ("cloudformation.amazonaws.com", ASSUME, "*", source(STACK_SETS, STRANGER), ""),
        (
            "cloudformation.amazonaws.com",
            ASSUME,
            "*",
            source(STACK_SETS.replace(HOME_ID, STRANGER)),
            "",
        ),
        ("cloudformation.amazonaws.com", ASSUME, "*", {}, ""),
        (role(HOME_ID), ASSUME, "*", source(STACK_SETS), ""),
    ],
    (f"{HOME}/aws-cloudformation-stackset-admin-role.yaml", "Role", "permissions"): [
        (SELF, ASSUME, iam(EXECUTION_ROLE), {}, "Allow"),
        (SELF, ASSUME, iam(EXECUTION_ROLE, MEMBER_ID), {}, ""),
        (SELF, ASSUME, iam(CLOUDFORMATION_ROLE), {}, ""),
    ],
    (f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", "Role", "trust"): [
        (role(HOME_ID, ADMINISTRATION_ROLE), ASSUME, "*", {}, "Allow"),
        (role(HOME_ID), ASSUME, "*", {}, ""),
        (f"arn:aws:iam::{HOME_ID}:root", ASSUME, "*", {}, ""),
        (role(STRANGER, ADMINISTRATION_ROLE), ASSUME, "*", {}, ""),
        ("cloudformation.amazonaws.com", ASSUME, "*", OURS, ""),
    ],
    (f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", "Role", "permissions"): [
        (
            SELF,
            "cloudformation:UpdateStack",
            stack("StackSet-account-aws-backup-lambda-s3-bucket-1"),
            {},
            "Allow",
        ),
        (
            SELF,
            "cloudformation:SetStackPolicy",
            stack("StackSet-account-aws-backup-lambda-s3-bucket-1"),
            {},
            "Allow",
        ),
        (SELF, "cloudformation:UpdateStack", stack("StackSet-account-application-1"), {}, ""),
        (SELF, "cloudformation:DeleteStack", stack(PIPELINE_STACK), {}, ""),
        (SELF, "cloudformation:CreateStackSet", "*", {}, ""),
        (SELF, "cloudformation:DeleteStackSet", STACK_SETS, {}, ""),
        (SELF, "s3:PutBucketPolicy", PACKAGES, {}, "Allow"),
        (SELF, "s3:PutBucketPolicy", "arn:aws:s3:::application", {}, ""),
        (SELF, "s3:PutObject", f"{PACKAGES}/{TAG}-0123456789abcdef.zip", {}, ""),
        (SELF, "s3:GetObject", "arn:aws:s3:::stackset/x", {"s3:ResourceAccount": STRANGER}, "Allow"),
        (SELF, "s3:GetObject", "arn:aws:s3:::application/x", {"s3:ResourceAccount": HOME_ID}, ""),
        (SELF, "iam:CreateRole", iam("Administrator"), {}, ""),
    ],
    (f"{HOME}/aws-backup-backuporgpolicymanager-role.yaml", "Role", "trust"): [
        ("lambda.amazonaws.com", ASSUME, "*", source(f"{LAMBDA}:BackupOrgPolicyManager"), "Allow"),
        ("lambda.amazonaws.com", ASSUME, "*", OURS, "Allow"),
        ("lambda.amazonaws.com", ASSUME, "*", source(f"{LAMBDA}:Another"), ""),
        ("lambda.amazonaws.com", ASSUME, "*", THEIRS, ""),
        ("lambda.amazonaws.com", ASSUME, "*", {}, "Allow"),
        (role(HOME_ID), ASSUME, "*", OURS, ""),
    ],
    (f"{HOME}/aws-backup-backuporgpolicymanager-role.yaml", "Role", "permissions"): [
        (SELF, ASSUME, iam(MANAGEMENT_ROLE, MANAGEMENT_ID), {}, "Allow"),
        (SELF, ASSUME, iam("OrganizationAccountAccessRole", MANAGEMENT_ID), {}, ""),
        (SELF, ASSUME, iam(MANAGEMENT_ROLE, STRANGER), {}, ""),
        (SELF, "s3:PutObject", "arn:aws:s3:::${ImportValue:aws-backup-s3-bucket-name}/x", {}, ""),
        (SELF, "organizations:CreatePolicy", "*", {}, ""),
    ],
    (
        "templates/management-account/aws-backup-backuporgpolicymanager-mangement-role.yaml",
        "Role",
        "trust",
    ): [
        (role(HOME_ID, "BackupOrgPolicyManager"), ASSUME, "*", {}, "Allow"),
        (role(HOME_ID), ASSUME, "*", {}, ""),
        (f"arn:aws:iam::{HOME_ID}:root", ASSUME, "*", {}, ""),
        (role(STRANGER, "BackupOrgPolicyManager"), ASSUME, "*", {}, ""),
        ("lambda.amazonaws.com", ASSUME, "*", OURS, ""),
    ],
    (
        "templates/management-account/aws-backup-backuporgpolicymanager-mangement-role.yaml",
        "Role",
        "permissions",
    ): [
        # The editions of the reference differ: a policy, or no resource.
        *(
            (
                SELF,
                "organizations:CreatePolicy",
                resource,
                {"organizations:PolicyType": "BACKUP_POLICY"},
                "Allow",
            )
            for resource in ("*", organizations("policy/o-1/backup_policy/p-1"))
        ),
        (
            SELF,
            "organizations:CreatePolicy",
            "*",
            {"organizations:PolicyType": "SERVICE_CONTROL_POLICY"},
            "",
        ),
        (
            SELF,
            "organizations:DetachPolicy",
            organizations("ou/o-1/ou-1"),
            {"organizations:PolicyType": "BACKUP_POLICY"},
            "Allow",
        ),
        (
            SELF,
            "organizations:DetachPolicy",
            organizations("ou/o-1/ou-1"),
            {"organizations:PolicyType": "SERVICE_CONTROL_POLICY"},
            "",
        ),
        (SELF, "organizations:DetachPolicy", organizations("ou/o-1/ou-1"), {}, ""),
        (SELF, "organizations:DisablePolicyType", organizations("root/o-1/r-1"), {}, ""),
        (SELF, "organizations:MoveAccount", organizations("account/o-1/1"), {}, ""),
        (SELF, "organizations:CloseAccount", organizations("account/o-1/1"), {}, ""),
        (SELF, "iam:CreateRole", "*", {}, ""),
    ],
    (CODEPIPELINE, "CodePipelineManageStepsRole", "trust"): [
        ("codepipeline.amazonaws.com", ASSUME, "*", source(PIPELINE), "Allow"),
        ("codepipeline.amazonaws.com", ASSUME, "*", {}, "Allow"),
        ("codepipeline.amazonaws.com", ASSUME, "*", source(PIPELINE, STRANGER), ""),
        ("codepipeline.amazonaws.com", ASSUME, "*", source(PIPELINE + "/Stage/Action"), "Allow"),
        ("codepipeline.amazonaws.com", ASSUME, "*", source(PIPELINE.replace(":backup", ":my-backup")), ""),
        (role(HOME_ID), ASSUME, "*", OURS, ""),
    ],
    (CODEPIPELINE, "CodePipelineManageStepsRole", "permissions"): [
        (SELF, "iam:PassRole", iam(CLOUDFORMATION_ROLE), passed_to("cloudformation"), "Allow"),
        (SELF, "iam:PassRole", iam(CLOUDFORMATION_ROLE), passed_to("ec2"), ""),
        (SELF, "iam:PassRole", iam("Administrator"), passed_to("cloudformation"), ""),
        # It would delete the backup policies.
        (
            SELF,
            "cloudformation:DeleteStack",
            f"arn:aws:cloudformation:us-east-1:{HOME_ID}:stack/aws-backup-org-policy/1",
            {},
            "",
        ),
        (
            SELF,
            "lambda:InvokeFunction",
            f"arn:aws:lambda:us-east-1:{HOME_ID}:function:BackupOrgPolicyManager",
            {},
            "Allow",
        ),
        (SELF, "lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{HOME_ID}:function:another", {}, ""),
        (
            SELF,
            "cloudformation:DeleteStack",
            f"arn:aws:cloudformation:us-east-1:{HOME_ID}:stack/stackset-aws-backup-member-accounts/1",
            {},
            "",
        ),
        (
            SELF,
            "cloudformation:UpdateStack",
            f"arn:aws:cloudformation:us-east-1:{HOME_ID}:stack/application/1",
            {},
            "",
        ),
        (SELF, "s3:PutObject", f"{BUCKET}/deployment/0123456789abcdef/x.yaml", {}, "Allow"),
        (SELF, "s3:DeleteObject", f"{BUCKET}/deployment/0123456789abcdef/x.yaml", {}, ""),
        (SELF, "s3:PutObjectTagging", f"{BUCKET}/backup-recovery-with/Source/1", {}, "Allow"),
        (SELF, "s3:PutObjectTagging", f"{BUCKET}/deployment/0123456789abcdef/x.yaml", {}, ""),
        (SELF, "s3:GetObject", "arn:aws:s3:::application/x", {}, ""),
        (SELF, "ssm:PutParameter", f"{SSM}/backup/bucket", {}, ""),
        (SELF, "codecommit:GitPush", "${ImportValue:aws-backup-codecommit-arn}", {}, ""),
    ],
    (CODEPIPELINE, "StartRole", "trust"): [
        (
            "events.amazonaws.com",
            ASSUME,
            "*",
            source(f"arn:aws:events:us-east-1:{HOME_ID}:rule/aws-backup-codepipeline-StartRule-1"),
            "Allow",
        ),
        (
            "events.amazonaws.com",
            ASSUME,
            "*",
            source(f"arn:aws:events:us-east-1:{HOME_ID}:rule/another"),
            "",
        ),
        ("events.amazonaws.com", ASSUME, "*", OURS, ""),
        ("events.amazonaws.com", ASSUME, "*", {}, ""),
        (role(HOME_ID), ASSUME, "*", OURS, ""),
    ],
    (CODEPIPELINE, "StartRole", "permissions"): [
        (
            SELF,
            "codepipeline:StartPipelineExecution",
            f"arn:aws:codepipeline:us-east-1:{HOME_ID}:${{Pipeline}}",
            {},
            "Allow",
        ),
        (SELF, "codepipeline:StartPipelineExecution", f"{PIPELINE}-of-another", {}, ""),
        (
            SELF,
            "codepipeline:UpdatePipeline",
            f"arn:aws:codepipeline:us-east-1:{HOME_ID}:${{Pipeline}}",
            {},
            "",
        ),
    ],
    (CODEPIPELINE, "FailureTopicPolicy", "policy"): [
        ("events.amazonaws.com", "sns:Publish", "${FailureTopic}", OURS, "Allow"),
        ("events.amazonaws.com", "sns:Publish", "${FailureTopic}", {}, "Allow"),
        ("events.amazonaws.com", "sns:Publish", "${FailureTopic}", THEIRS, ""),
        ("events.amazonaws.com", "sns:Subscribe", "${FailureTopic}", OURS, ""),
        ("cloudwatch.amazonaws.com", "sns:Publish", "${FailureTopic}", OURS, "Allow"),
        ("cloudwatch.amazonaws.com", "sns:Publish", "${FailureTopic}", THEIRS, ""),
        (role(STRANGER), "sns:Publish", "${FailureTopic}", {}, ""),
        (role(STRANGER), "sns:Subscribe", "${FailureTopic}", {}, ""),
    ],
    (CODEPIPELINE, "UndeliveredQueuePolicy", "policy"): [
        ("events.amazonaws.com", "sqs:SendMessage", UNDELIVERED, TLS | source("${StartRule.Arn}"), "Allow"),
        ("events.amazonaws.com", "sqs:SendMessage", UNDELIVERED, TLS | source("${FailureRule.Arn}"), "Allow"),
        ("events.amazonaws.com", "sqs:SendMessage", UNDELIVERED, NO_TLS | source("${StartRule.Arn}"), "Deny"),
        ("events.amazonaws.com", "sqs:SendMessage", UNDELIVERED, TLS | source("${OtherRule.Arn}"), ""),
        ("events.amazonaws.com", "sqs:SendMessage", UNDELIVERED, TLS, ""),
        ("events.amazonaws.com", "sqs:ReceiveMessage", UNDELIVERED, TLS | source("${StartRule.Arn}"), ""),
        (role(STRANGER), "sqs:SendMessage", UNDELIVERED, TLS, ""),
        (role(HOME_ID), "sqs:ReceiveMessage", UNDELIVERED, NO_TLS, "Deny"),
    ],
    (VALIDATE, "Role", "trust"): build("ValidateTemplates"),
    (VALIDATE, "Role", "permissions"): [
        *building("LogGroup", "the deployment artifact"),
        (SELF, "ssm:GetParameters", f"{SSM}/backup/target/regions", {}, ""),
        (
            SELF,
            "codebuild:BatchGetProjects",
            f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/AWSBackup-ScanTemplates",
            {},
            "Allow",
        ),
        (
            SELF,
            "codebuild:BatchGetProjects",
            f"arn:aws:codebuild:us-east-1:{HOME_ID}:project/application",
            {},
            "",
        ),
    ],
    # The dependencies of cfn-nag are not pinned: its build can only pass or fail.
    (VALIDATE, "ScanRole", "trust"): build("ScanTemplates"),
    (VALIDATE, "ScanRole", "permissions"): [
        *building("ScanLogGroup"),
        (
            SELF,
            "cloudformation:DescribeStacks",
            f"arn:aws:cloudformation:us-east-1:{HOME_ID}:stack/x/1",
            {},
            "",
        ),
        (SELF, "cloudformation:DescribeStackSet", stack_set("organizations-aws-backup-x"), {}, ""),
        (SELF, "organizations:ListDelegatedAdministrators", "*", {}, ""),
    ],
    (VALIDATE, "FindRole", "trust"): build("FindRoleStackSet"),
    (VALIDATE, "FindRole", "permissions"): [
        *building("FindLogGroup"),
        *describing("member-accounts-role", "tagonrestore-role"),
    ],
    (VALIDATE, "RolloutRole", "trust"): build("ReportRollout"),
    (VALIDATE, "RolloutRole", "permissions"): [
        *building("RolloutLogGroup"),
        (SELF, "cloudformation:ListStackInstances", stack_set("organizations-aws-backup-x"), {}, "Allow"),
        (SELF, "cloudformation:ListStackInstances", stack_set("guardrails"), {}, ""),
        (SELF, "cloudformation:UpdateStackSet", stack_set("organizations-aws-backup-x"), {}, ""),
    ],
    (PACKAGE_TAG, "Role", "trust"): build("TestAndPackageTagOnRestore"),
    (PACKAGE_TAG, "Role", "permissions"): [
        *packaging(TAG),
        *describing("tagonrestore-role", "member-accounts-role"),
    ],
    (PACKAGE_MANAGER, "Role", "trust"): build("TestAndPackageBackupOrgPolicyManager"),
    (PACKAGE_MANAGER, "Role", "permissions"): packaging(MANAGER),
    (f"{HOME}/aws-backup-s3-bucket.yaml", "BucketPolicy", "policy"): [
        (role(HOME_ID), "s3:GetObject", "${Bucket.Arn}/x", NO_TLS, "Deny"),
        (role(HOME_ID), "s3:ListBucket", "${Bucket.Arn}", NO_TLS, "Deny"),
        (role(HOME_ID), "s3:GetObject", "${Bucket.Arn}/x", TLS, ""),
        (
            role(MEMBER_ID),
            "s3:GetObject",
            "${Bucket.Arn}/x",
            TLS | {"aws:PrincipalOrgID": "o-exampleorgid"},
            "",
        ),
        (role(STRANGER), "s3:GetObject", "${Bucket.Arn}/x", TLS, ""),
        ("cloudformation.amazonaws.com", "s3:GetObject", "${Bucket.Arn}/x", TLS, ""),
    ],
    (f"{HOME}/aws-backup-codepipeline-kms.yaml", "Key", "policy"): [
        (role(HOME_ID), "kms:PutKeyPolicy", "*", {}, "Allow"),
        (role(HOME_ID), "kms:Decrypt", "*", {}, "Allow"),
        (role(HOME_ID), "kms:CreateGrant", "*", {}, ""),
        (role(MEMBER_ID), "kms:Decrypt", "*", {"aws:PrincipalOrgID": "o-exampleorgid"}, ""),
        (role(STRANGER), "kms:Decrypt", "*", {}, ""),
        ("events.amazonaws.com", "kms:GenerateDataKey", "*", OURS, "Allow"),
        ("events.amazonaws.com", "kms:GenerateDataKey", "*", THEIRS, ""),
        ("events.amazonaws.com", "kms:PutKeyPolicy", "*", OURS, ""),
        (
            "logs.us-east-1.amazonaws.com",
            "kms:Decrypt",
            "*",
            {
                "kms:EncryptionContext:aws:logs:arn": (
                    f"arn:aws:logs:us-east-1:{HOME_ID}:log-group:/aws/codebuild/AWSBackup-ValidateTemplates-1"
                )
            },
            "Allow",
        ),
        (
            "logs.us-east-1.amazonaws.com",
            "kms:Decrypt",
            "*",
            {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{STRANGER}:log-group:x"},
            "",
        ),
        ("logs.us-east-1.amazonaws.com", "kms:Decrypt", "*", {}, ""),
    ],
    (f"{MEMBER}/aws-backup-tagonrestore-role.yaml", "Role", "trust"): [
        (
            "lambda.amazonaws.com",
            ASSUME,
            "*",
            source(f"arn:aws:lambda:us-east-2:{MEMBER_ID}:function:TagOnRestore", MEMBER_ID),
            "Allow",
        ),
        (
            "lambda.amazonaws.com",
            ASSUME,
            "*",
            source(f"arn:aws:lambda:us-east-2:{MEMBER_ID}:function:Another", MEMBER_ID),
            "",
        ),
        ("lambda.amazonaws.com", ASSUME, "*", THEIRS, ""),
        ("lambda.amazonaws.com", ASSUME, "*", {}, "Allow"),
        (role(MEMBER_ID), ASSUME, "*", {"aws:SourceAccount": MEMBER_ID}, ""),
    ],
    (f"{MEMBER}/aws-backup-tagonrestore-role.yaml", "Role", "permissions"): [
        (SELF, "dynamodb:TagResource", f"arn:aws:dynamodb:us-east-1:{MEMBER_ID}:table/t", {}, "Allow"),
        (SELF, "dynamodb:UntagResource", f"arn:aws:dynamodb:us-east-1:{MEMBER_ID}:table/t", {}, ""),
        (SELF, "dynamodb:TagResource", f"arn:aws:dynamodb:us-east-1:{STRANGER}:table/t", {}, ""),
        (SELF, "dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{MEMBER_ID}:table/t", {}, ""),
        (SELF, "ec2:CreateTags", f"arn:aws:ec2:us-east-1:{MEMBER_ID}:volume/vol-1", {}, "Allow"),
        (SELF, "ec2:CreateTags", f"arn:aws:ec2:us-east-1:{MEMBER_ID}:security-group/sg-1", {}, ""),
        (SELF, "ec2:DeleteTags", f"arn:aws:ec2:us-east-1:{MEMBER_ID}:volume/vol-1", {}, ""),
        (SELF, "s3:PutBucketTagging", "arn:aws:s3:::bucket", {}, ""),
        (SELF, "s3:GetObject", "arn:aws:s3:::bucket/x", {}, ""),
        (SELF, "s3:ListAllMyBuckets", "*", {}, "Allow"),
        (SELF, "s3:ListBucket", "arn:aws:s3:::bucket", {}, ""),
        (SELF, "eks:DescribeCluster", f"arn:aws:eks:us-east-1:{MEMBER_ID}:cluster/shop", {}, "Allow"),
        (SELF, "eks:DescribeCluster", f"arn:aws:eks:us-east-1:{STRANGER}:cluster/shop", {}, ""),
        (SELF, "elasticfilesystem:DescribeFileSystems", FILE_SYSTEM, {}, "Allow"),
        (SELF, "elasticfilesystem:DescribeFileSystems", "*", {}, ""),
        (SELF, "backup:ListTags", f"{POINT}:composite:eks/shop-20260207", {}, "Allow"),
        (SELF, "backup:DescribeRestoreJob", "*", {}, "Allow"),
        (SELF, "backup:GetRestoreJobMetadata", "*", {}, ""),
        (SELF, "backup:StartRestoreJob", "*", {}, ""),
        (SELF, "backup:DeleteRecoveryPoint", "*", {}, ""),
        (SELF, "iam:TagRole", iam("Administrator", MEMBER_ID), {}, ""),
        (SELF, "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{MEMBER_ID}:TagOnRestoreFailures", {}, "Allow"),
        (SELF, "sqs:SendMessage", f"arn:aws:sqs:us-east-1:{STRANGER}:TagOnRestoreFailures", {}, ""),
        (SELF, "sqs:ReceiveMessage", f"arn:aws:sqs:us-east-1:{MEMBER_ID}:TagOnRestoreFailures", {}, ""),
    ],
    (f"{MEMBER}/aws-backup-tagonrestore.yaml", "FailureQueuePolicy", "policy"): [
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, TLS | source("${RestoreRule.Arn}"), "Allow"),
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, TLS | source("${SweepRule.Arn}"), "Allow"),
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, NO_TLS | source("${RestoreRule.Arn}"), "Deny"),
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, TLS | source("${OtherRule.Arn}"), ""),
        ("events.amazonaws.com", "sqs:SendMessage", QUEUE, TLS, ""),
        ("events.amazonaws.com", "sqs:ReceiveMessage", QUEUE, TLS | source("${RestoreRule.Arn}"), ""),
        (role(STRANGER), "sqs:SendMessage", QUEUE, TLS, ""),
        (role(MEMBER_ID), "sqs:ReceiveMessage", QUEUE, NO_TLS, "Deny"),
    ],
}
# Their tables are in test_policies.py.
ELSEWHERE = {
    (f"{CENTRAL}/aws-backup-central-backup-account-role.yaml", "Role", "trust"),
    (f"{MEMBER}/aws-backup-member-account-role.yaml", "Role", "trust"),
    (f"{CENTRAL}/aws-backup-central-backup-account.yaml", "Key", "policy"),
    (f"{CENTRAL}/aws-backup-central-backup-account.yaml", "Vault", "policy"),
    (f"{MEMBER}/aws-backup-member-account.yaml", "Key", "policy"),
    (f"{MEMBER}/aws-backup-member-account.yaml", "Vault", "policy"),
    (f"{HOME}/aws-backup-lambda-s3-bucket.yaml", "BucketPolicy", "policy"),
}
ROWS = [(*place, *row) for place, rows in TABLES.items() for row in rows]


@cache
def document(path: str, name: str, part: str) -> Any:
    """The policy as deployed in its account; a role's permissions are all its policies together."""
    template = load(ROOT / path)
    pseudo = {
        "AWS::AccountId": ACCOUNTS[template.account],
        "AWS::Partition": "aws",
        "AWS::Region": "us-east-1",
        "AWS::StackName": PIPELINE_STACK,
        "AWS::URLSuffix": "amazonaws.com",
    }
    properties = Resolver(template, GIVEN, pseudo).properties(name)
    if part == "policy":
        return properties[RESOURCE_POLICIES[template.resources[name]["Type"]]]
    if part == "trust":
        return properties["AssumeRolePolicyDocument"]
    statements = [one for policy in properties["Policies"] for one in policy["PolicyDocument"]["Statement"]]
    return {"Statement": statements}


@pytest.mark.parametrize(("path", "name", "part", "who", "action", "resource", "context", "decision"), ROWS)
def test_a_request_is_decided_as_the_table_says(
    path: str,
    name: str,
    part: str,
    who: str,
    action: str,
    resource: str,
    context: Mapping[str, str],
    decision: str,
) -> None:
    assert decide(document(path, name, part), Request(who, action, resource, context)) == decision


def test_every_role_and_every_resource_policy_has_a_table() -> None:
    needed = set()
    for template in repository_templates():
        for name, resource in template.resources.items():
            if resource["Type"] in RESOURCE_POLICIES:
                needed.add((template.path, name, "policy"))
            if resource["Type"] == "AWS::IAM::Role":
                needed.add((template.path, name, "trust"))
                if "Policies" in resource["Properties"]:
                    needed.add((template.path, name, "permissions"))
    assert needed == {*TABLES, *ELSEWHERE}


@pytest.mark.parametrize("place", TABLES, ids=lambda place: "-".join(place[1:]))
def test_every_table_has_requests_that_are_not_allowed(place: tuple[str, str, str]) -> None:
    decisions = {row[-1] for row in TABLES[place]}
    assert decisions & {"", "Deny"}
    # The deployment bucket's policy only denies; IAM policies of its account allow.
    assert "Allow" in decisions or place[1] == "BucketPolicy"
