"""Roles that deploy have the permissions that they need and no others.

The emulator does not enforce the permissions of CloudFormation, the pipeline and StackSets, so a missing one
would first fail in AWS. Here each role is compared with the calls made with it: the handler permissions of
the official schemas for the resources it deploys, the calls that AWS documents for a pipeline's actions, and
the calls in the builds' own code. The tables give a reason for everything beyond these or left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from buildspecs.lint.templates import Template, load
from buildspecs.names import (
    CLOUDFORMATION_ROLE,
    FIND_ROLE_PROJECT,
    MEMBER_SET,
    PACKAGE_BUCKET_PREFIX,
    PACKAGE_POLICY_PROJECT,
    PACKAGE_TAG_PROJECT,
    PACKAGES_SET,
    PIPELINE,
    PIPELINE_STACK,
    REPORT_PROJECT,
    SCAN_PROJECT,
    SSM_VALUES,
    VALIDATE_PROJECT,
)
from buildspecs.paths import ROOT
from rehearsal.machine import environment
from tests.templates.permissions import (
    Deployed,
    Need,
    Site,
    Statement,
    matches,
    missing,
    needs,
    policy_characters,
    statements,
    surplus,
)

HOME = "templates/home-account"
BUCKET = "arn:aws:s3:::aws-backup-s3-bucket-bucket-0a1b2c3d4e5f"
KEY = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555"
REPOSITORY = "arn:aws:codecommit:us-east-1:222222222222:backup-recovery-with-aws-backup"
FUNCTION = "arn:aws:lambda:us-east-1:222222222222:function:BackupOrgPolicyManager"
PACKAGES = "arn:aws:s3:::lambda-deployment-bucket-222222222222-us-east-1"
PARAMETERS = "arn:aws:ssm:us-east-1:222222222222:parameter"
ARTIFACT = f"{BUCKET}/backup-recovery-with/SourceArti/0a1b2c3"
STACK_ARNS = "arn:aws:cloudformation:us-east-1:222222222222:stack"
STACK_ROLE = "arn:aws:iam::222222222222:role/CloudFormationRole"
MANAGEMENT_ROLE = (
    f"arn:aws:iam::{SSM_VALUES['/backup/org-management-account'][1]}:role/BackupOrgPolicyManagerOrgAdmin"
)
IMPORTS = {
    "aws-backup-backuporgpolicymanager-lambda-arn": FUNCTION,
    "aws-backup-codecommit-arn": REPOSITORY,
    "aws-backup-codecommit-repo-name": PIPELINE,
    "aws-backup-codepipeline-kms-arn": KEY,
    "aws-backup-codepipeline-kms-id": KEY.rpartition("/")[2],
    "aws-backup-s3-bucket-arn": BUCKET,
    "aws-backup-s3-bucket-name": BUCKET.rpartition(":")[2],
}


def site(stack: str, **more: Any) -> Site:
    return Site(stack, imports=IMPORTS, **more)


def template(path: str) -> Template:
    return load(ROOT / path)


@cache
def pipeline_actions() -> Sequence[dict[str, Any]]:
    """Every action of the deployed pipeline."""
    pipeline = Deployed(template(f"{HOME}/aws-backup-codepipeline.yaml"), site(PIPELINE_STACK))
    return [action for stage in pipeline.properties("Pipeline")["Stages"] for action in stage["Actions"]]


def provider(action: dict[str, Any]) -> str:
    return action["ActionTypeId"]["Provider"]


@cache
def deployed_stacks() -> dict[str, str]:
    """Stack → template, for every stack that the pipeline deploys."""
    return {
        action["Configuration"]["StackName"]: action["Configuration"]["TemplatePath"].split("::")[1]
        for action in pipeline_actions()
        if provider(action) == "CloudFormation"
    }


# ---- CloudFormation's role and the StackSets' execution role -------------------------------------

# Permissions in the schemas for properties that no template uses; patterns as in a policy.
LEFT_OUT = {
    "codepipeline:DisableStageTransition": "no stage is created closed",
    "codepipeline:EnableStageTransition": "no stage is created closed",
    "codestar-connections:PassConnection": "the source is CodeCommit",
    "ec2:Describe*": "no function runs in a VPC",
    "elasticfilesystem:DescribeMountTargets": "no function mounts a file system",
    "firehose:TagDeliveryStream": "no log group delivers logs",
    "iam:*PermissionsBoundary": "no role has a permissions boundary",
    "kms:*": "the function's environment variables have Lambda's own key",
    "lambda:AssociateRuntimeAlias": "the function has a fixed runtime",
    "lambda:DeleteFunctionCodeSigningConfig": "no function is signed",
    "lambda:GetCodeSigningConfig": "no function is signed",
    "lambda:GetLayerVersion": "no function has layers",
    "lambda:*FunctionConcurrency": "no function has reserved concurrency",
    "lambda:PassCapacityProvider": "no function runs on managed instances",
    "lambda:PublishVersion": "no function has published versions",
    "lambda:Put*Config": "no function sets code signing, recursion, scaling or runtime updates",
    "logs:CreateLogDelivery": "no log group delivers logs",
    "logs:Delete*Policy": "retention is never removed, and no log group has another policy",
    "logs:Put*Authentication": "no log group accepts bearer tokens",
    "logs:PutDataProtectionPolicy": "no log group masks data",
    "logs:PutIndexPolicy": "no log group is indexed",
    "logs:PutLogGroupDeletionProtection": "DeletionPolicy retains the log group",
    "logs:PutResourcePolicy": "no log group has a resource policy",
    "s3:CreateBucketMetadata*": "no bucket has metadata tables",
    "s3:DeleteBucketMetadata*": "no bucket has metadata tables",
    "s3:UpdateBucketMetadata*": "no bucket has metadata tables",
    "s3:DeleteBucketAnalyticsConfiguration": "no bucket has analytics",
    "s3:DeleteBucketCors": "no bucket allows cross-origin requests",
    "s3:DeleteBucketEncryption": "encryption is never removed",
    "s3:DeleteBucketLifecycle": "the lifecycle is never removed",
    "s3:DeleteBucketMetricsConfiguration": "no bucket has request metrics",
    "s3:DeleteBucketReplication": "no bucket is replicated",
    "s3:DeleteBucketTagging": "is not an IAM action; s3:PutBucketTagging covers the call",
    "s3:DeleteBucketWebsite": "no bucket is a website",
    "s3:DeleteObject": "CloudFormation empties no bucket",
    "s3:Put*Acl": "the bucket's ownership setting disables ACLs",
    "s3:Put*LockConfiguration": "no bucket is locked",
    "s3:Put*Replication*": "no bucket is replicated",
    "s3:PutAccelerateConfiguration": "no bucket is accelerated",
    "s3:PutAnalyticsConfiguration": "no bucket has analytics",
    "s3:PutBucketAbac": "no bucket has attribute-based access",
    "s3:PutBucketCORS": "no bucket allows cross-origin requests",
    "s3:PutBucketNotification": "no bucket sends notifications",
    "s3:PutBucketWebsite": "no bucket is a website",
    "s3:PutIntelligentTieringConfiguration": "no bucket has intelligent tiering",
    "s3:PutInventoryConfiguration": "no bucket has an inventory",
    "s3:PutMetricsConfiguration": "no bucket has request metrics",
    "s3:REST.PUT.OBJECT": "is not an IAM action, and no log group delivers logs",
    "s3files:ListMountTargets": "no function mounts a file system",
    "s3tables:*": "no bucket has metadata tables",
    "sns:PutDataProtectionPolicy": "the topic masks no data",
}
# Calls beyond the schemas, each with its reason.
STACK_ROLE_EXTRAS = [
    Need(
        "organizations:ListDelegatedAdministrators",
        "*",
        "StackSets checks that the account is a delegated administrator (CallAs DELEGATED_ADMIN)",
    ),
    *(
        Need(
            "s3:GetObject",
            f"{BUCKET}/deployment/0123456789abcdef/{body}.yaml",
            "StackSets reads the TemplateURL",
        )
        for body in ("aws-backup-lambda-s3-bucket", "aws-backup-member-account")
    ),
    Need(
        "kms:Decrypt", KEY, "StackSets reads the TemplateURL, which may be encrypted with the pipeline's key"
    ),
    *(
        Need(
            action,
            arn,
            "the Service Authorization Reference lists these resources in addition to the StackSet",
        )
        for action in (
            "cloudformation:CreateStackInstances",
            "cloudformation:DeleteStackInstances",
            "cloudformation:UpdateStackInstances",
            "cloudformation:UpdateStackSet",
        )
        for arn in (
            "arn:aws:cloudformation:us-east-1:222222222222:stackset-target/account-aws-backup-lambda-s3-bucket:0a1b/222222222222",
            "arn:aws:cloudformation:us-east-1:111111111111:stackset-target/organizations-aws-backup-tagonrestore:0a1b/ou-abcd-12345678",
            # AWS documents these with and without Region and account.
            "arn:aws:cloudformation::111111111111:stackset-target/organizations-aws-backup-tagonrestore:0a1b",
            "arn:aws:cloudformation:us-east-1::type/resource/AWS-S3-Bucket",
            "arn:aws:cloudformation::222222222222:type/resource/AWS-S3-Bucket",
            "arn:aws:cloudformation:us-east-2:222222222222:type/resource/AWS-S3-Bucket",
        )
    ),
]
STACKS = "arn:aws:cloudformation:us-east-2:222222222222:stack"
INSTANCE = f"{STACKS}/StackSet-account-aws-backup-lambda-s3-bucket-0a1b/2c3d"
EXECUTION_ROLE_EXTRAS = [
    Need("cloudformation:*", INSTANCE, "AWS requires every call on the stacks (WHOLE_SERVICE has the page)"),
    Need(
        "s3:GetObject",
        "arn:aws:s3:::cloudformation-owned/template",
        "StackSets passes the template in S3",
    ),
]


def stack_role() -> list[Statement]:
    path = f"{HOME}/CloudFormationRole.yaml"
    return statements(template(path), "Role", site("aws-backup-codepipeline-cloudformation-role"))


@cache
def stack_role_needs() -> Sequence[Need]:
    return [need for stack, path in deployed_stacks().items() for need in needs(template(path), site(stack))]


def execution_role() -> list[Statement]:
    path = f"{HOME}/aws-cloudformation-stackset-execution-role.yaml"
    return statements(
        template(path),
        "Role",
        site(
            "aws-cloudformation-stackset-execution-role",
            parameters={"AdministratorAccountId": "222222222222"},
        ),
    )


@cache
def execution_role_needs() -> Sequence[Need]:
    given = {"PackageBucketPrefix": PACKAGE_BUCKET_PREFIX, "pOrganizationId": "o-exampleorgid"}
    body = template(f"{HOME}/aws-backup-lambda-s3-bucket.yaml")
    return [
        need
        for region in ("us-east-1", "us-east-2")
        for need in needs(
            body, site("StackSet-account-aws-backup-lambda-s3-bucket", region=region, parameters=given)
        )
    ]


def is_left_out(need: Need) -> bool:
    return any(matches(pattern, need.action) for pattern in LEFT_OUT)


Role, Needs = Callable[[], list[Statement]], Callable[[], Sequence[Need]]
DEPLOYERS = pytest.mark.parametrize(
    ("role", "wanted", "extras"),
    [
        pytest.param(stack_role, stack_role_needs, STACK_ROLE_EXTRAS, id=CLOUDFORMATION_ROLE),
        pytest.param(execution_role, execution_role_needs, EXECUTION_ROLE_EXTRAS, id="StackSetExecutionRole"),
    ],
)


@DEPLOYERS
def test_a_deploying_role_may_make_every_call_of_the_handlers(
    role: Role, wanted: Needs, extras: list[Need]
) -> None:
    kept = [need for need in wanted() if not is_left_out(need)]
    assert kept
    assert missing(role(), [*kept, *extras]) == []


@DEPLOYERS
def test_a_deploying_role_may_do_nothing_else(role: Role, wanted: Needs, extras: list[Need]) -> None:
    kept = [need for need in wanted() if not is_left_out(need)]
    assert surplus(role(), [*kept, *extras]) == []


@pytest.mark.parametrize("pattern", LEFT_OUT)
def test_every_permission_left_out_is_in_a_schema(pattern: str) -> None:
    listed = {need.action for need in [*stack_role_needs(), *execution_role_needs()]}
    assert any(matches(pattern, action) for action in listed)


def test_no_permission_of_a_read_handler_is_left_out() -> None:
    """A read handler makes all its calls, whichever properties are set."""
    wanted = [*stack_role_needs(), *execution_role_needs()]
    # The function's environment variables have no customer managed key; the other is not an IAM action.
    unused = {"kms:Decrypt", "s3:DeleteBucketTagging"}
    assert {need.action for need in wanted if need.reads and is_left_out(need)} == unused


# ---- The pipeline's role -------------------------------------------------------------------------

# The calls that CodePipeline makes with the pipeline's role, from the action reference of its user guide
# ("Service role permissions" of each provider).
REPOSITORY_CALLS = (
    "codecommit:CancelUploadArchive",
    "codecommit:GetBranch",
    "codecommit:GetCommit",
    "codecommit:GetRepository",
    "codecommit:GetUploadArchiveStatus",
    "codecommit:UploadArchive",
)
BUILD_CALLS = ("codebuild:BatchGetBuilds", "codebuild:StartBuild")
STACK_CALLS = (
    "cloudformation:CreateStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
    "cloudformation:UpdateStack",
)
ARTIFACT_CALLS = ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")
# According to AWS re:Post, the minimum includes the objects' tags ("Access Denied errors in CodePipeline",
# https://repost.aws/knowledge-center/codepipeline-access-denied-errors).
ARTIFACT_TAG_CALLS = ("s3:GetObjectTagging", "s3:GetObjectVersionTagging", "s3:PutObjectTagging")
BUCKET_CALLS = ("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning")
KEY_CALLS = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def calls(actions: Iterable[str], arn: str, why: str) -> list[Need]:
    return [Need(action, arn, why) for action in actions]


def pipeline_needs() -> Iterator[Need]:
    yield from calls((*ARTIFACT_CALLS, *ARTIFACT_TAG_CALLS), ARTIFACT, "artifacts")
    yield from calls(BUCKET_CALLS, BUCKET, "artifact store")
    yield from calls(KEY_CALLS, KEY, "artifact store")
    for action in pipeline_actions():
        configuration, name = action["Configuration"], action["Name"]
        if "RoleArn" in action:
            yield Need("sts:AssumeRole", action["RoleArn"], f"{name}, which has its own role")
        match provider(action):
            case "CodeCommit":
                yield from calls(REPOSITORY_CALLS, REPOSITORY, name)
            case "CodeBuild":
                project = configuration["ProjectName"]
                yield from calls(
                    BUILD_CALLS, f"arn:aws:codebuild:us-east-1:222222222222:project/{project}", name
                )
            case "Lambda":
                yield Need("lambda:InvokeFunction", FUNCTION, name)
                yield Need("lambda:ListFunctions", "*", f"{name}, with which CodePipeline finds the function")
            case "S3":
                target = (
                    f"{BUCKET}/{configuration['ObjectKey']}/0123456789abcdef/aws-backup-member-account.yaml"
                )
                yield Need("s3:PutObject", target, name)
            case "CloudFormation":
                yield from stack_action_needs(configuration, name)
            case unknown:
                raise AssertionError(f"{name}: no calls are known for provider {unknown}")


def stack_action_needs(configuration: dict[str, Any], name: str) -> Iterator[Need]:
    stack = f"{STACK_ARNS}/{configuration['StackName']}/0a1b2c3d"
    yield from calls(STACK_CALLS, stack, name)
    yield Need("iam:PassRole", configuration["RoleArn"], name, service="cloudformation.amazonaws.com")
    for definition in template(deployed_stacks()[configuration["StackName"]]).parameters.values():
        if definition["Type"].startswith("AWS::SSM::Parameter::Value<"):
            yield Need("ssm:GetParameters", PARAMETERS + definition["Default"], f"{name}, as its caller")


def pipeline_role() -> list[Statement]:
    path = f"{HOME}/aws-backup-codepipeline.yaml"
    return statements(template(path), "CodePipelineManageStepsRole", site(PIPELINE_STACK))


def test_the_pipelines_role_may_make_every_call_of_its_actions() -> None:
    assert missing(pipeline_role(), pipeline_needs()) == []


def test_the_pipelines_role_may_do_nothing_else() -> None:
    assert surplus(pipeline_role(), pipeline_needs()) == []


def test_every_stack_is_deployed_with_cloudformations_role() -> None:
    roles = {
        action["Configuration"]["RoleArn"]
        for action in pipeline_actions()
        if provider(action) == "CloudFormation"
    }
    assert roles == {STACK_ROLE}


def test_the_pipeline_deletes_no_stack() -> None:
    """Its stacks contain the backup policies and the StackSets, and so the roles in every account."""
    modes = {
        action["Configuration"]["ActionMode"]
        for action in pipeline_actions()
        if provider(action) == "CloudFormation"
    }
    assert modes == {"CREATE_UPDATE"}
    delete = Need("cloudformation:DeleteStack", f"{STACK_ARNS}/aws-backup-org-policy/0a1b2c3d", "never")
    assert missing(pipeline_role(), [delete]) != []


# ---- The builds' roles ---------------------------------------------------------------------------

BUILDS = {
    VALIDATE_PROJECT: (
        "codebuild/ValidateTemplates/aws-backup-codebuild-validate-templates.yaml",
        None,
    ),
    PACKAGE_TAG_PROJECT: (
        "codebuild/TestAndPackageTagOnRestore/aws-backup-codebuild-test-package-tagonrestore.yaml",
        "aws-backup-tagonrestore",
    ),
    PACKAGE_POLICY_PROJECT: (
        "codebuild/TestAndPackageBackupOrgPolicyManager/aws-backup-codebuild-test-package-orgpolicymanager.yaml",
        "aws-backup-backuporgpolicymanager",
    ),
}
# The builds without a published name share one template.
VALIDATE = "codebuild/ValidateTemplates/aws-backup-codebuild-validate-templates.yaml"
DEPLOYMENT_ARTIFACT = f"{BUCKET}/backup-recovery-with/Deployment/0a1b2c3"
# What the code of the builds calls: the client's method → the action that it needs.
METHODS = {
    "get_caller_identity": None,  # needs no permission
    "get_parameters": "ssm:GetParameters",
    "describe_stacks": "cloudformation:DescribeStacks",
    "get_template": "cloudformation:GetTemplate",
    "describe_stack_set": "cloudformation:DescribeStackSet",
    "batch_get_projects": "codebuild:BatchGetProjects",
    "put_parameter": "ssm:PutParameter",
    "head_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "list_stack_sets": "cloudformation:ListStackSets",
    "list_stack_instances": "cloudformation:ListStackInstances",
}


def report_needs(log_group: str) -> Iterator[Need]:
    """Needs of the build that reports failed accounts."""
    yield from common_needs(log_group)
    yield Need("cloudformation:ListStackSets", "*", "which StackSets there are")
    yield Need("organizations:ListDelegatedAdministrators", "*", "StackSets calls it (DELEGATED_ADMIN)")
    for account, name in (
        ("222222222222", PACKAGES_SET),
        ("111111111111", MEMBER_SET),
    ):
        arn = f"arn:aws:cloudformation:us-east-1:{account}:stackset/{name}:0a1b"
        yield Need("cloudformation:ListStackInstances", arn, "their instances")


def common_needs(log_group: str) -> list[Need]:
    """Needs of every build."""
    return [
        *calls(("logs:CreateLogStream", "logs:PutLogEvents"), log_group, "the build's log"),
        *calls(("s3:GetObject", "s3:GetObjectVersion"), ARTIFACT, "the source"),
        *calls(("s3:GetBucketAcl", "s3:GetBucketLocation"), BUCKET, "the source"),
        *calls(("kms:Decrypt", "kms:DescribeKey"), KEY, "the source"),
    ]


def role_stack_set_needs(name: str) -> list[Need]:
    """Needs of a build that finds the ARN of a role's StackSet."""
    found = [Need("organizations:ListDelegatedAdministrators", "*", "StackSets calls it (DELEGATED_ADMIN)")]
    for account in ("222222222222", "111111111111"):  # AWS does not document which account the ARN names
        arn = f"arn:aws:cloudformation:us-east-1:{account}:stackset/organizations-aws-backup-{name}:0a1b"
        found.append(Need("cloudformation:DescribeStackSet", arn, "its ARN"))
    return found


def build_needs(package: str | None, log_group: str) -> list[Need]:
    written = f"{PARAMETERS}/backup/lambda/aws-backup-tagonrestore/deployed-hash"
    found = [*common_needs(log_group), Need("ssm:GetParameters", written, "recorded")]
    if package:
        recorded = f"{PARAMETERS}/backup/lambda/{package}"
        for bucket in (PACKAGES, PACKAGES.replace("us-east-1", "us-east-2")):
            found += calls(
                ("s3:GetObject", "s3:PutObject"), f"{bucket}/{package}-0123456789abcdef.zip", "package"
            )
            found.append(Need("s3:ListBucket", bucket, "HeadObject returns 404 only to those who may list"))
        found += calls(("ssm:PutParameter",), f"{recorded}/deployed-package", "recorded last")
        found.append(Need("ssm:GetParameters", f"{PARAMETERS}/backup/target/regions", "where packages go"))
        if package == "aws-backup-tagonrestore":
            found += role_stack_set_needs("tagonrestore-role")
    else:
        found.append(Need("s3:PutObject", DEPLOYMENT_ARTIFACT, "what it exports"))
        found += calls(KEY_CALLS, KEY, "what it exports")
        for action in pipeline_actions():
            if provider(action) == "CodeBuild":
                project = action["Configuration"]["ProjectName"]
                arn = f"arn:aws:codebuild:us-east-1:222222222222:project/{project}"
                found.append(Need("codebuild:BatchGetProjects", arn, "whether it exists"))
        owner = f"{STACK_ARNS}/aws-backup-ssm-targets/0a1b2c3d"
        found += calls(
            ("cloudformation:DescribeStacks", "cloudformation:GetTemplate"), owner, "the stack's parameters"
        )
    return found


@pytest.mark.parametrize("project", BUILDS)
def test_a_builds_role_may_make_its_calls_and_no_others(project: str) -> None:
    path, package = BUILDS[project]
    body = template(path)
    stack = site("aws-backup-codebuild")
    log_group = Deployed(body, stack).arn("LogGroup")
    granted = statements(body, "Role", stack)
    assert missing(granted, build_needs(package, log_group)) == []
    assert surplus(granted, build_needs(package, log_group)) == []


def scan_needs(log_group: str) -> Iterable[Need]:
    """Needs of the build that runs cfn-nag, whose dependencies are not pinned."""
    return common_needs(log_group)


def find_needs(log_group: str) -> Iterable[Need]:
    """Needs of the build between the two StackSets of the member accounts."""
    return [*common_needs(log_group), *role_stack_set_needs("member-accounts-role")]


@pytest.mark.parametrize(
    ("role", "log_group", "needed"),
    [
        ("ScanRole", "ScanLogGroup", scan_needs),
        ("FindRole", "FindLogGroup", find_needs),
        ("RolloutRole", "RolloutLogGroup", report_needs),
    ],
)
def test_a_role_of_a_small_build_may_make_its_calls_and_no_others(
    role: str, log_group: str, needed: Callable[[str], Iterable[Need]]
) -> None:
    body, stack = template(VALIDATE), site("aws-backup-codebuild")
    granted = statements(body, role, stack)
    wanted = list(needed(Deployed(body, stack).arn(log_group)))
    assert (missing(granted, wanted), surplus(granted, wanted)) == ([], [])


def test_a_build_writes_only_below_the_prefix_of_its_own_artifact() -> None:
    """CodePipeline shortens names: artifacts whose names begin alike would share a prefix."""
    pipeline = Deployed(template(f"{HOME}/aws-backup-codepipeline.yaml"), site(PIPELINE_STACK))
    made = {
        artifact["Name"]: action["Name"]
        for action in pipeline_actions()
        for artifact in action.get("OutputArtifacts", [])
    }
    prefixes = {name[:10] for name in made}
    assert made == {"SourceArtifact": "Source", "DeploymentArtifact": "Static_Analysis"}
    assert len(prefixes) == len(made)
    beginning = f"{BUCKET}/{pipeline.properties('Pipeline')['Name'][:20]}"
    assert ARTIFACT.startswith(f"{beginning}/{'SourceArtifact'[:10]}/")
    assert DEPLOYMENT_ARTIFACT.startswith(f"{beginning}/{'DeploymentArtifact'[:10]}/")


def test_the_builds_code_makes_only_the_calls_of_the_table() -> None:
    """A call of these services' clients that is added to the builds needs a permission first."""
    session = environment.session("us-east-1")
    known = set()
    for service in ("s3", "ssm", "sts", "codebuild", "kms", "logs", "cloudformation"):
        known |= {
            re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
            for operation in session.client(service).meta.service_model.operation_names
        }
    called = {
        node.attr
        for path in sorted((ROOT / "buildspecs").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in known
    }
    assert called == METHODS.keys()


# ---- Every role of this account ------------------------------------------------------------------

ROLES = {
    CLOUDFORMATION_ROLE: (f"{HOME}/CloudFormationRole.yaml", "Role"),
    "StackSetAdministrationRole": (f"{HOME}/aws-cloudformation-stackset-admin-role.yaml", "Role"),
    "StackSetExecutionRole": (f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", "Role"),
    "CodePipelineManageStepsRole": (f"{HOME}/aws-backup-codepipeline.yaml", "CodePipelineManageStepsRole"),
    "StartRole": (f"{HOME}/aws-backup-codepipeline.yaml", "StartRole"),
    "BackupOrgPolicyManager": (f"{HOME}/aws-backup-backuporgpolicymanager-role.yaml", "Role"),
    **{project: (path, "Role") for project, (path, _) in BUILDS.items()},
    SCAN_PROJECT: (VALIDATE, "ScanRole"),
    FIND_ROLE_PROJECT: (VALIDATE, "FindRole"),
    REPORT_PROJECT: (VALIDATE, "RolloutRole"),
}
EVERY_ROLE = pytest.mark.parametrize(("path", "role"), ROLES.values(), ids=ROLES)


# Roles that make few calls.
POLICY = "arn:aws:s3:::${ImportValue:aws-backup-s3-bucket-name}/deployment/policy.json"
LOG = "arn:aws:logs:us-east-1:222222222222:log-group:/aws/lambda/BackupOrgPolicyManager-0a1b2c:log-stream:1"
CALLS = {
    "StartRole": calls(
        ["codepipeline:StartPipelineExecution"],
        "arn:aws:codepipeline:us-east-1:222222222222:backup-recovery-with-aws-backup",
        "a push to main",
    ),
    "StackSetAdministrationRole": calls(
        ["sts:AssumeRole"],
        "arn:aws:iam::222222222222:role/AWSCloudFormationStackSetExecutionRole",
        "StackSets",
    ),
    "BackupOrgPolicyManager": [
        *calls(["sts:AssumeRole"], MANAGEMENT_ROLE, "manages the organization's policies"),
        *calls(["s3:GetObject", "s3:GetObjectVersion"], POLICY, "reads a policy"),
        *calls(["logs:CreateLogStream", "logs:PutLogEvents"], LOG, "writes its log"),
        *calls(
            ["codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"],
            "*",
            "reports to the pipeline",
        ),
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_a_role_may_make_its_few_calls_and_no_others(name: str) -> None:
    path, role = ROLES[name]
    granted = statements(template(path), role, site(PIPELINE_STACK))
    assert (missing(granted, CALLS[name]), surplus(granted, CALLS[name])) == ([], [])


@EVERY_ROLE
def test_a_roles_policies_are_within_the_quota_of_iam(path: str, role: str) -> None:
    longest = site(PIPELINE_STACK, region="us-gov-east-1")
    assert policy_characters(template(path), role, longest) <= 10_240
