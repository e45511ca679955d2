"""The one home of every published name: what users type, read or depend on. Nothing here changes by accident.

Builds, rehearsal and tests read the names here. Functions and templates repeat them, because each is deployed
alone; tests/templates/test_contract.py compares the templates with these tables. Accounts: management, home,
central, member.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HOME = "templates/home-account"
MEMBER = "templates/member-account"
CENTRAL = "templates/central-account"
MANAGEMENT = "templates/management-account"
TEXT, TEXTS = "AWS::SSM::Parameter::Value<String>", "AWS::SSM::Parameter::Value<List<String>>"
# Physical names, by account.
MANAGEMENT_ROLE = "BackupOrgPolicyManagerOrgAdmin"
POLICY_FUNCTION = "BackupOrgPolicyManager"  # in the home account, and its role
PACKAGE_BUCKET_PREFIX = "lambda-deployment-bucket"
PACKAGE_BUCKET_PARAMETER = "/backup/lambda/bucket-prefix"
CENTRAL_VAULT = "AWSBackupSolutionCentralVault"
CENTRAL_KEY_ALIAS = "alias/AWSBackupSolutionCentralKey"
CENTRAL_ROLE = "AWSBackupSolutionCentralAccountRole"
MEMBER_VAULT = "AWSBackupSolutionVault"
MEMBER_KEY_ALIAS = "alias/AWSBackupSolutionKey"
MEMBER_ROLE = "AWSBackupSolutionRole"
TAG_FUNCTION = "TagOnRestore"
TAG_ROLE = "TagOnRestoreFunctionForAWSBackup"
TAG_FAILURES = "TagOnRestoreFailures"  # its dead-letter queue, and the alarm on that
TAG_SWEEP_ALARM = "TagOnRestoreSweep"
# Function → the name of its package, in SSM and in the bucket.
PACKAGES = {TAG_FUNCTION: "aws-backup-tagonrestore", POLICY_FUNCTION: "aws-backup-backuporgpolicymanager"}

# Stacks of the home account that the pipeline deploys, and CodeBuild projects.
PIPELINE_STACK = "aws-backup-codepipeline"
TARGETS_STACK = "aws-backup-ssm-targets"
POLICY_STACK = "aws-backup-org-policy"
VALIDATE_PROJECT = "AWSBackup-ValidateTemplates"
FIND_ROLE_PROJECT = "AWSBackup-FindRoleStackSet"
REPORT_PROJECT = "AWSBackup-ReportRollout"
PACKAGE_TAG_PROJECT = "AWSBackup-TestAndPackageTagOnRestore"
PACKAGE_POLICY_PROJECT = "AWSBackup-TestAndPackageBackupOrgPolicyManager"

# StackSets; "account-" are self-managed in the home account, "organizations-" service-managed.
PACKAGES_SET = "account-aws-backup-lambda-s3-bucket"
TAG_ROLE_SET = "organizations-aws-backup-tagonrestore-role"
TAG_SET = "organizations-aws-backup-tagonrestore"
MEMBER_ROLE_SET = "organizations-aws-backup-member-accounts-role"
MEMBER_SET = "organizations-aws-backup-member-accounts"
ROLE_SETS = (MEMBER_ROLE_SET, TAG_ROLE_SET)  # in the global Region only
REGIONAL_SETS = (MEMBER_SET, TAG_SET)


def wrapper(stack_set: str) -> str:
    """The home account's stack that owns a StackSet."""
    return f"stackset-{stack_set.partition('-')[2]}"


@dataclass(frozen=True)
class Stack:
    """A stack that a person creates, in the published order. `typed` are the parameters given by hand."""

    account: str
    name: str
    template: str
    typed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployed:
    """A stack that the pipeline deploys, its stage, and the parameters that the pipeline overrides."""

    name: str
    stage: str
    overrides: frozenset[str] = field(default_factory=frozenset)

    @property
    def template(self) -> str:
        return f"{HOME}/{self.name}.yaml"


@dataclass(frozen=True)
class StackSet:
    """A StackSet: its wrapper, its body and the wrapper's parameter with the Regions."""

    name: str
    wrapper: str
    body: str
    regions: str


@dataclass(frozen=True)
class Name:
    """A physical name: the template that owns it, the resource type and the property that has it."""

    template: str
    type: str
    property: str
    value: str


def _codebuild(project: str, template: str) -> str:
    return f"codebuild/{project}/aws-backup-codebuild-{template}.yaml"


VALIDATE = _codebuild("ValidateTemplates", "validate-templates")
PACKAGE_TAGONRESTORE = _codebuild("TestAndPackageTagOnRestore", "test-package-tagonrestore")
PACKAGE_ORGPOLICYMANAGER = _codebuild("TestAndPackageBackupOrgPolicyManager", "test-package-orgpolicymanager")
MANAGEMENT_STACK = "aws-backup-backuporgpolicymanager-mangement-role"  # the spelling is the published one

HAND_MADE = (
    Stack(
        "central",
        "aws-backup-solution-central-account-role",
        f"{CENTRAL}/aws-backup-central-backup-account-role.yaml",
    ),
    Stack(
        "central",
        "aws-backup-solution-central-account",
        f"{CENTRAL}/aws-backup-central-backup-account.yaml",
        ("pOrganizationId",),
    ),
    Stack(
        "home",
        "aws-cloudformation-stackset-admin-role",
        f"{HOME}/aws-cloudformation-stackset-admin-role.yaml",
    ),
    Stack(
        "home",
        "aws-cloudformation-stackset-execution-role",
        f"{HOME}/aws-cloudformation-stackset-execution-role.yaml",
        ("AdministratorAccountId",),
    ),
    Stack("home", "aws-backup-s3-bucket", f"{HOME}/aws-backup-s3-bucket.yaml"),
    Stack("home", "aws-backup-codepipeline-kms-key", f"{HOME}/aws-backup-codepipeline-kms.yaml"),
    Stack("home", "aws-backup-codepipeline-cloudformation-role", f"{HOME}/CloudFormationRole.yaml"),
    Stack("home", "aws-backup-codebuild-validate-templates", VALIDATE),
    Stack("home", "aws-backup-codebuild-test-package-tagonrestore", PACKAGE_TAGONRESTORE),
    Stack("home", "aws-backup-codebuild-test-package-orgpolicymanager", PACKAGE_ORGPOLICYMANAGER),
    Stack("home", "aws-backup-codecommit", f"{HOME}/aws-backup-codecommit.yaml"),
    Stack("home", PIPELINE_STACK, f"{HOME}/aws-backup-codepipeline.yaml"),
    Stack(
        "management",
        MANAGEMENT_STACK,
        f"{MANAGEMENT}/{MANAGEMENT_STACK}.yaml",
        ("BackupAndRecoveryHomeAccountId",),
    ),
)

PIPELINE = "backup-recovery-with-aws-backup"
STAGES = (
    "SourceStageCodeCommit",
    "TestBackupRecoveryWithAWSBackup",
    "UpdateBackupRecoveryWithAWSBackupPipeline",
    "DeployAWSBackupTargets",
    "DeployBackupRecoveryWithAWSBackupCode",
    "DeployLambdaS3Bucket",
    "DeployLambdaFunctions",
    "DeployBackupRecoveryMemberAccounts",
    "DeployBackupOrgPolicy",
)
(
    SOURCE_STAGE,
    ANALYSIS_STAGE,
    _,
    TARGETS_STAGE,
    _,
    BUCKET_STAGE,
    FUNCTIONS_STAGE,
    MEMBER_STAGE,
    POLICY_STAGE,
) = STAGES
PACKAGE_PARAMETERS = frozenset(
    {"BackupOrgPolicyManagerPackage", "BackupOrgPolicyManagerHash", "TagOnRestorePackage", "TagOnRestoreHash"}
)
BODY = frozenset({"TemplateKey"})
TESTED = frozenset({"TestedPackage"})
ROLE_STACK_SET = frozenset({"RoleStackSetArn"})
DEPLOYED = (
    Deployed(PIPELINE_STACK, "UpdateBackupRecoveryWithAWSBackupPipeline"),
    Deployed(TARGETS_STACK, "DeployAWSBackupTargets", PACKAGE_PARAMETERS),
    Deployed("stackset-aws-backup-lambda-s3-bucket", "DeployLambdaS3Bucket", BODY | {"PackageRegions"}),
    Deployed("aws-backup-backuporgpolicymanager-role", "DeployLambdaFunctions"),
    Deployed("stackset-aws-backup-tagonrestore-role", "DeployLambdaFunctions", BODY),
    Deployed("aws-backup-backuporgpolicymanager", "DeployLambdaFunctions", TESTED),
    Deployed("stackset-aws-backup-tagonrestore", "DeployLambdaFunctions", BODY | TESTED | ROLE_STACK_SET),
    Deployed("stackset-aws-backup-member-accounts-role", "DeployBackupRecoveryMemberAccounts", BODY),
    Deployed(
        "stackset-aws-backup-member-accounts", "DeployBackupRecoveryMemberAccounts", BODY | ROLE_STACK_SET
    ),
    Deployed(POLICY_STACK, "DeployBackupOrgPolicy"),
)
# Within a stage: what comes before what, by stack or CodeBuild project.
BEFORE = (
    ("aws-backup-backuporgpolicymanager-role", PACKAGE_POLICY_PROJECT),
    (PACKAGE_POLICY_PROJECT, "aws-backup-backuporgpolicymanager"),
    ("stackset-aws-backup-tagonrestore-role", PACKAGE_TAG_PROJECT),
    (PACKAGE_TAG_PROJECT, "stackset-aws-backup-tagonrestore"),
    ("stackset-aws-backup-member-accounts-role", FIND_ROLE_PROJECT),
    (FIND_ROLE_PROJECT, "stackset-aws-backup-member-accounts"),
)

STACKSETS = (
    StackSet(
        PACKAGES_SET,
        f"{HOME}/stackset-aws-backup-lambda-s3-bucket.yaml",
        f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
        "PackageRegions",
    ),
    StackSet(
        TAG_ROLE_SET,
        f"{HOME}/stackset-aws-backup-tagonrestore-role.yaml",
        f"{MEMBER}/aws-backup-tagonrestore-role.yaml",
        "GlobalRegion",
    ),
    StackSet(
        TAG_SET,
        f"{HOME}/stackset-aws-backup-tagonrestore.yaml",
        f"{MEMBER}/aws-backup-tagonrestore.yaml",
        "pRegions",
    ),
    StackSet(
        MEMBER_ROLE_SET,
        f"{HOME}/stackset-aws-backup-member-accounts-role.yaml",
        f"{MEMBER}/aws-backup-member-account-role.yaml",
        "GlobalRegion",
    ),
    StackSet(
        MEMBER_SET,
        f"{HOME}/stackset-aws-backup-member-accounts.yaml",
        f"{MEMBER}/aws-backup-member-account.yaml",
        "pRegions",
    ),
)

TEMPLATES = frozenset(
    [stack.template for stack in HAND_MADE]
    + [stack.template for stack in DEPLOYED]
    + [stack_set.body for stack_set in STACKSETS]
)

ROLE, ALIAS, VAULT = (
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::KMS::Alias", "AliasName"),
    "AWS::Backup::BackupVault",
)
PROJECT = ("AWS::CodeBuild::Project", "Name")
NAMES = (
    Name(f"{MANAGEMENT}/{MANAGEMENT_STACK}.yaml", *ROLE, MANAGEMENT_ROLE),
    Name(f"{HOME}/aws-backup-codecommit.yaml", "AWS::CodeCommit::Repository", "RepositoryName", PIPELINE),
    Name(f"{HOME}/aws-backup-codepipeline.yaml", "AWS::CodePipeline::Pipeline", "Name", PIPELINE),
    Name(f"{HOME}/aws-backup-codepipeline-kms.yaml", *ALIAS, "alias/aws-backup-codepipeline-kms"),
    Name(f"{HOME}/CloudFormationRole.yaml", *ROLE, "CloudFormationRole"),
    Name(
        f"{HOME}/aws-cloudformation-stackset-admin-role.yaml",
        *ROLE,
        "AWSCloudFormationStackSetAdministrationRole",
    ),
    Name(
        f"{HOME}/aws-cloudformation-stackset-execution-role.yaml",
        *ROLE,
        "AWSCloudFormationStackSetExecutionRole",
    ),
    Name(f"{HOME}/aws-backup-backuporgpolicymanager-role.yaml", *ROLE, POLICY_FUNCTION),
    Name(
        f"{HOME}/aws-backup-backuporgpolicymanager.yaml",
        "AWS::Lambda::Function",
        "FunctionName",
        POLICY_FUNCTION,
    ),
    Name(
        f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
        "AWS::S3::Bucket",
        "BucketName",
        f"{PACKAGE_BUCKET_PREFIX}-${{AWS::AccountId}}-${{AWS::Region}}",
    ),
    Name(VALIDATE, *PROJECT, VALIDATE_PROJECT),
    Name(PACKAGE_TAGONRESTORE, *PROJECT, PACKAGE_TAG_PROJECT),
    Name(PACKAGE_ORGPOLICYMANAGER, *PROJECT, PACKAGE_POLICY_PROJECT),
    Name(f"{CENTRAL}/aws-backup-central-backup-account-role.yaml", *ROLE, CENTRAL_ROLE),
    Name(
        f"{CENTRAL}/aws-backup-central-backup-account.yaml",
        VAULT,
        "BackupVaultName",
        CENTRAL_VAULT,
    ),
    Name(f"{CENTRAL}/aws-backup-central-backup-account.yaml", *ALIAS, CENTRAL_KEY_ALIAS),
    Name(f"{MEMBER}/aws-backup-member-account-role.yaml", *ROLE, MEMBER_ROLE),
    Name(f"{MEMBER}/aws-backup-member-account.yaml", VAULT, "BackupVaultName", MEMBER_VAULT),
    Name(f"{MEMBER}/aws-backup-member-account.yaml", *ALIAS, MEMBER_KEY_ALIAS),
    Name(f"{MEMBER}/aws-backup-tagonrestore-role.yaml", *ROLE, TAG_ROLE),
    Name(f"{MEMBER}/aws-backup-tagonrestore.yaml", "AWS::Lambda::Function", "FunctionName", TAG_FUNCTION),
    *(Name(s.wrapper, "AWS::CloudFormation::StackSet", "StackSetName", s.name) for s in STACKSETS),
)

# Published exports; the ordering exports are ours, kept for stacks that still import them.
EXPORTS = {
    "aws-backup-central-backup-vault-name": f"{CENTRAL}/aws-backup-central-backup-account.yaml",
    "aws-backup-central-backup-vault-arn": f"{CENTRAL}/aws-backup-central-backup-account.yaml",
    "aws-backup-s3-bucket-name": f"{HOME}/aws-backup-s3-bucket.yaml",
    "aws-backup-s3-bucket-arn": f"{HOME}/aws-backup-s3-bucket.yaml",
    "aws-backup-codepipeline-kms-arn": f"{HOME}/aws-backup-codepipeline-kms.yaml",
    "aws-backup-codepipeline-kms-id": f"{HOME}/aws-backup-codepipeline-kms.yaml",
    "aws-backup-codecommit-arn": f"{HOME}/aws-backup-codecommit.yaml",
    "aws-backup-codecommit-repo-name": f"{HOME}/aws-backup-codecommit.yaml",
    "aws-backup-codecommit-http-clone-url": f"{HOME}/aws-backup-codecommit.yaml",
    "aws-backup-backuporgpolicymanager-lambda-arn": f"{HOME}/aws-backup-backuporgpolicymanager.yaml",
    "aws-backup-lambda-s3-bucket-name": f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
    "aws-backup-lambda-s3-bucket-arn": f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
}
ORDERING_EXPORTS = {
    "stackset-aws-backup-member-accounts-role-id": f"{HOME}/stackset-aws-backup-member-accounts-role.yaml",
    "stackset-aws-backup-tagonrestore-role-id": f"{HOME}/stackset-aws-backup-tagonrestore-role.yaml",
}

SSM_TEMPLATE = f"{HOME}/aws-backup-ssm-targets.yaml"
# What the repository's aws-backup-ssm-targets.json puts into SSM. In addition, each option has a parameter:
# buildspecs/targets.py has the options with their defaults.
OPTIONS_PATH = "/backup/options"
SSM_VALUES = {
    "/backup/bucket": ("String", "${ImportValue:aws-backup-s3-bucket-name}"),
    "/backup/org-management-account": ("String", "777788889999"),
    "/backup/home-account": ("String", "111122223333"),
    "/backup/central-vault-arn": (
        "String",
        f"arn:aws:backup:us-east-1:444455556666:backup-vault:{CENTRAL_VAULT}",
    ),
    "/backup/organization-id": ("String", "o-exampleorgid"),
    "/backup/target/global-region": ("String", "us-east-1"),
    "/backup/target/regions": ("StringList", "us-east-1,us-east-2"),
    "/backup/target/organizational-units": ("StringList", "ou-exam-ple11111"),
    PACKAGE_BUCKET_PARAMETER: ("String", PACKAGE_BUCKET_PREFIX),
    "/backup/lambda/aws-backup-backuporgpolicymanager/deployed-package": ("String", "none"),
    "/backup/lambda/aws-backup-backuporgpolicymanager/deployed-hash": ("String", "none"),
    "/backup/lambda/aws-backup-tagonrestore/deployed-package": ("String", "none"),
    "/backup/lambda/aws-backup-tagonrestore/deployed-hash": ("String", "none"),
}
TARGETS_FILE = "aws-backup-ssm-targets.json"
TARGETS_KEYS = frozenset(
    {
        "TargetHomeAccount",
        "TargetRegions",
        "TargetGlobalRegion",
        "TargetOUs",
        "CentralBackupVaultArn",
        "OrgManagementAccount",
        "OrganizationId",
    }
)

TEMPLATE_KEY = {"TemplateKey": ("String", None)}
DELIVERY = {"Bucket": (TEXT, "/backup/bucket"), **TEMPLATE_KEY}
OUS = {"pOrgBackupTargetOUs": (TEXTS, "/backup/target/organizational-units")}
REGIONS = {"pRegions": (TEXTS, "/backup/target/regions")}
GLOBAL_REGION = {"GlobalRegion": (TEXT, "/backup/target/global-region")}
PREFERENCES = {"MaxConcurrentPercentage": ("Number", "100"), "FailureTolerancePercentage": ("Number", "100")}
# Template → parameter → (type, default); None: no default.
PARAMETERS: dict[str, dict[str, tuple[str, str | None]]] = {
    f"{CENTRAL}/aws-backup-central-backup-account.yaml": {"pOrganizationId": ("String", None)},
    f"{HOME}/aws-cloudformation-stackset-execution-role.yaml": {"AdministratorAccountId": ("String", None)},
    f"{HOME}/aws-backup-codecommit.yaml": {"S3Key": ("String", "aws-backup-solution.zip")},
    f"{MANAGEMENT}/{MANAGEMENT_STACK}.yaml": {"BackupAndRecoveryHomeAccountId": ("String", None)},
    SSM_TEMPLATE: {
        "TargetHomeAccount": ("String", None),
        "TargetRegions": ("CommaDelimitedList", None),
        "TargetGlobalRegion": ("String", None),
        "TargetOUs": ("CommaDelimitedList", None),
        "CentralBackupVaultArn": ("String", None),
        "OrgManagementAccount": ("String", None),
        "OrganizationId": ("String", None),
        **dict.fromkeys(sorted(PACKAGE_PARAMETERS), ("String", "none")),
    },
    f"{HOME}/stackset-aws-backup-lambda-s3-bucket.yaml": {
        **DELIVERY,
        "PackageRegions": ("CommaDelimitedList", None),
        "PackageBucketPrefix": (TEXT, PACKAGE_BUCKET_PARAMETER),
        "OrganizationId": (TEXT, "/backup/organization-id"),
    },
    f"{HOME}/stackset-aws-backup-tagonrestore-role.yaml": {**DELIVERY, **OUS, **GLOBAL_REGION, **PREFERENCES},
    f"{HOME}/stackset-aws-backup-tagonrestore.yaml": {
        **DELIVERY,
        **OUS,
        **REGIONS,
        **PREFERENCES,
        "HomeAccount": (TEXT, "/backup/home-account"),
        "PackageBucketPrefix": (TEXT, PACKAGE_BUCKET_PARAMETER),
        "DeployedPackage": (TEXT, "/backup/lambda/aws-backup-tagonrestore/deployed-package"),
        "TestedPackage": ("String", ""),
        "RoleStackSetArn": ("String", None),
    },
    f"{HOME}/stackset-aws-backup-member-accounts-role.yaml": {
        **DELIVERY,
        **OUS,
        **GLOBAL_REGION,
        **PREFERENCES,
    },
    f"{HOME}/stackset-aws-backup-member-accounts.yaml": {
        **DELIVERY,
        **OUS,
        **REGIONS,
        **PREFERENCES,
        "OrganizationId": (TEXT, "/backup/organization-id"),
        "pCentralBackupVaultArn": (TEXT, "/backup/central-vault-arn"),
        "RoleStackSetArn": ("String", None),
    },
    f"{HOME}/aws-backup-backuporgpolicymanager.yaml": {
        "PackageBucketPrefix": (TEXT, PACKAGE_BUCKET_PARAMETER),
        "DeployedPackage": (TEXT, "/backup/lambda/aws-backup-backuporgpolicymanager/deployed-package"),
        "TestedPackage": ("String", ""),
    },
    f"{MEMBER}/aws-backup-member-account.yaml": {
        "pOrganizationId": ("String", None),
        "CentralBackupVaultArn": ("String", None),
    },
    f"{MEMBER}/aws-backup-tagonrestore.yaml": {
        "HomeAccountId": ("String", None),
        "PackageBucketPrefix": ("String", None),
        "DeployedPackage": ("String", None),
        "pTagsToExcludeInCopy": ("String", "aws:backup:source-resource"),
        "pBackupTagKey1": ("String", "backup"),
        "pBackupTagKey2": ("String", "backup"),
    },
    f"{HOME}/aws-backup-org-policy.yaml": {
        **OUS,
        **REGIONS,
        "pCentralBackupVaultArn": (TEXT, "/backup/central-vault-arn"),
        "OrgManagementAccount": (TEXT, "/backup/org-management-account"),
        "pCrossAccountBackupRole": ("String", MEMBER_ROLE),
        "pMemberAccountBackupVault": ("String", MEMBER_VAULT),
        "DailyBackupSchedule": ("String", "cron(0 5 ? * * *)"),
        "MonthlyBackupSchedule": ("String", "cron(0 5 1 * ? *)"),
        "pBackupTagKey1": ("String", "backup"),
        "pBackupTagValue1": ("String", "daily"),
        "pBackupTagKey2": ("String", "backup"),
        "pBackupTagValue2": ("String", "monthly"),
        "pTagKey": ("String", "project"),
        "pTagValue": ("String", "aws-backup"),
    },
}
# Published parameters that begin with a type letter; new names do not.
LETTERED = frozenset(
    name for table in PARAMETERS.values() for name in table if name[:1] == "p" and name[1:2].isupper()
)


@dataclass(frozen=True)
class BackupPolicy:
    """One of the two published backup policies."""

    name: str
    plan: str
    rule: str
    schedule: str
    tag: tuple[str, str]
    days: str


ORG_POLICY = f"{HOME}/aws-backup-org-policy.yaml"
BACKUP_POLICIES = (
    BackupPolicy(
        "org-daily-backup-policy",
        "OrgBackupPlanDaily",
        "OrgDailyBackupRule",
        "cron(0 5 ? * * *)",
        ("backup", "daily"),
        "35",
    ),
    BackupPolicy(
        "org-monthly-backup-policy",
        "OrgBackupPlanMonthly",
        "OrgMonthlyBackupRule",
        "cron(0 5 1 * ? *)",
        ("backup", "monthly"),
        "366",
    ),
)
POLICY_NAMES = tuple(policy.name for policy in BACKUP_POLICIES)
START_WINDOW_MINUTES, COMPLETE_WINDOW_MINUTES = "60", "1200"
