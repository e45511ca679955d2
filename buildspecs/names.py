"""The one home of every published name: what users type, read or depend on. Nothing here changes by accident.

Builds, rehearsal and tests read the names here. Functions and templates repeat them, because each is deployed
alone; tests/templates/test_contract.py compares the templates with these tables. Accounts: management, home,
central, member.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# The folders of the templates, by account.
MANAGEMENT = "templates/management-account"
HOME = "templates/home-account"
CENTRAL = "templates/central-account"
MEMBER = "templates/member-account"

# Physical names, by account.
MANAGEMENT_ROLE = "BackupOrgPolicyManagerOrgAdmin"
PIPELINE = "backup-recovery-with-aws-backup"  # and its repository, in the home account
PIPELINE_KEY_ALIAS = "alias/aws-backup-codepipeline-kms"
CLOUDFORMATION_ROLE = "CloudFormationRole"
ADMINISTRATION_ROLE = "AWSCloudFormationStackSetAdministrationRole"
EXECUTION_ROLE = "AWSCloudFormationStackSetExecutionRole"
POLICY_FUNCTION = "BackupOrgPolicyManager"  # and its role
PACKAGE_BUCKET_PREFIX = "lambda-deployment-bucket"
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

ARCHIVE = "aws-backup-solution.zip"  # of the repository, in the deployment bucket
# Function → the name of its package, in SSM and in the bucket.
PACKAGES = {TAG_FUNCTION: "aws-backup-tagonrestore", POLICY_FUNCTION: "aws-backup-backuporgpolicymanager"}

# CodeBuild projects of the home account, and the quota of builds that run at the same time.
VALIDATE_PROJECT = "AWSBackup-ValidateTemplates"
SCAN_PROJECT = "AWSBackup-ScanTemplates"
FIND_ROLE_PROJECT = "AWSBackup-FindRoleStackSet"
REPORT_PROJECT = "AWSBackup-ReportRollout"
PACKAGE_TAG_PROJECT = "AWSBackup-TestAndPackageTagOnRestore"
PACKAGE_POLICY_PROJECT = "AWSBackup-TestAndPackageBackupOrgPolicyManager"
BUILDS_QUOTA = "L-9D07B6EF"  # Linux/Small, which the projects use

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


# Stacks of the home account that the pipeline deploys; the others are the StackSets' wrappers.
PIPELINE_STACK = "aws-backup-codepipeline"
TARGETS_STACK = "aws-backup-ssm-targets"
POLICY_ROLE_STACK = "aws-backup-backuporgpolicymanager-role"
POLICY_FUNCTION_STACK = "aws-backup-backuporgpolicymanager"
POLICY_STACK = "aws-backup-org-policy"


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
    """A StackSet: its body, and its wrapper's parameter with the Regions."""

    name: str
    body: str
    regions: str

    @property
    def wrapper(self) -> str:
        """The template of the stack that owns it."""
        return f"{HOME}/{wrapper(self.name)}.yaml"


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
    UPDATE_STAGE,
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
TEMPLATE_KEY = frozenset({"TemplateKey"})
TESTED = frozenset({"TestedPackage"})
ROLE_STACK_SET = frozenset({"RoleStackSetArn"})
DEPLOYED = (
    Deployed(PIPELINE_STACK, UPDATE_STAGE),
    Deployed(TARGETS_STACK, TARGETS_STAGE, PACKAGE_PARAMETERS),
    Deployed(wrapper(PACKAGES_SET), BUCKET_STAGE, TEMPLATE_KEY | {"PackageRegions"}),
    Deployed(POLICY_ROLE_STACK, FUNCTIONS_STAGE),
    Deployed(wrapper(TAG_ROLE_SET), FUNCTIONS_STAGE, TEMPLATE_KEY),
    Deployed(POLICY_FUNCTION_STACK, FUNCTIONS_STAGE, TESTED),
    Deployed(wrapper(TAG_SET), FUNCTIONS_STAGE, TEMPLATE_KEY | TESTED | ROLE_STACK_SET),
    Deployed(wrapper(MEMBER_ROLE_SET), MEMBER_STAGE, TEMPLATE_KEY),
    Deployed(wrapper(MEMBER_SET), MEMBER_STAGE, TEMPLATE_KEY | ROLE_STACK_SET),
    Deployed(POLICY_STACK, POLICY_STAGE),
)
# Within a stage: what comes before what, by stack or CodeBuild project.
BEFORE = (
    (POLICY_ROLE_STACK, PACKAGE_POLICY_PROJECT),
    (PACKAGE_POLICY_PROJECT, POLICY_FUNCTION_STACK),
    (wrapper(TAG_ROLE_SET), PACKAGE_TAG_PROJECT),
    (PACKAGE_TAG_PROJECT, wrapper(TAG_SET)),
    (wrapper(MEMBER_ROLE_SET), FIND_ROLE_PROJECT),
    (FIND_ROLE_PROJECT, wrapper(MEMBER_SET)),
)

STACKSETS = (
    StackSet(PACKAGES_SET, f"{HOME}/aws-backup-lambda-s3-bucket.yaml", "PackageRegions"),
    StackSet(TAG_ROLE_SET, f"{MEMBER}/aws-backup-tagonrestore-role.yaml", "GlobalRegion"),
    StackSet(TAG_SET, f"{MEMBER}/aws-backup-tagonrestore.yaml", "pRegions"),
    StackSet(MEMBER_ROLE_SET, f"{MEMBER}/aws-backup-member-account-role.yaml", "GlobalRegion"),
    StackSet(MEMBER_SET, f"{MEMBER}/aws-backup-member-account.yaml", "pRegions"),
)

TEMPLATES = frozenset(
    [stack.template for stack in HAND_MADE]
    + [stack.template for stack in DEPLOYED]
    + [stack_set.body for stack_set in STACKSETS]
)

# (resource type, property) of a name.
ROLE = ("AWS::IAM::Role", "RoleName")
ALIAS = ("AWS::KMS::Alias", "AliasName")
VAULT = ("AWS::Backup::BackupVault", "BackupVaultName")
FUNCTION = ("AWS::Lambda::Function", "FunctionName")
PROJECT = ("AWS::CodeBuild::Project", "Name")
NAMES = (
    Name(f"{MANAGEMENT}/{MANAGEMENT_STACK}.yaml", *ROLE, MANAGEMENT_ROLE),
    Name(f"{HOME}/aws-backup-codecommit.yaml", "AWS::CodeCommit::Repository", "RepositoryName", PIPELINE),
    Name(f"{HOME}/aws-backup-codepipeline.yaml", "AWS::CodePipeline::Pipeline", "Name", PIPELINE),
    Name(f"{HOME}/aws-backup-codepipeline-kms.yaml", *ALIAS, PIPELINE_KEY_ALIAS),
    Name(f"{HOME}/CloudFormationRole.yaml", *ROLE, CLOUDFORMATION_ROLE),
    Name(f"{HOME}/aws-cloudformation-stackset-admin-role.yaml", *ROLE, ADMINISTRATION_ROLE),
    Name(f"{HOME}/aws-cloudformation-stackset-execution-role.yaml", *ROLE, EXECUTION_ROLE),
    Name(f"{HOME}/{POLICY_ROLE_STACK}.yaml", *ROLE, POLICY_FUNCTION),
    Name(f"{HOME}/{POLICY_FUNCTION_STACK}.yaml", *FUNCTION, POLICY_FUNCTION),
    Name(
        f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
        "AWS::S3::Bucket",
        "BucketName",
        f"{PACKAGE_BUCKET_PREFIX}-${{AWS::AccountId}}-${{AWS::Region}}",
    ),
    Name(VALIDATE, *PROJECT, VALIDATE_PROJECT),
    Name(VALIDATE, *PROJECT, SCAN_PROJECT),
    Name(VALIDATE, *PROJECT, FIND_ROLE_PROJECT),
    Name(VALIDATE, *PROJECT, REPORT_PROJECT),
    Name(PACKAGE_TAGONRESTORE, *PROJECT, PACKAGE_TAG_PROJECT),
    Name(PACKAGE_ORGPOLICYMANAGER, *PROJECT, PACKAGE_POLICY_PROJECT),
    Name(f"{CENTRAL}/aws-backup-central-backup-account-role.yaml", *ROLE, CENTRAL_ROLE),
    Name(f"{CENTRAL}/aws-backup-central-backup-account.yaml", *VAULT, CENTRAL_VAULT),
    Name(f"{CENTRAL}/aws-backup-central-backup-account.yaml", *ALIAS, CENTRAL_KEY_ALIAS),
    Name(f"{MEMBER}/aws-backup-member-account-role.yaml", *ROLE, MEMBER_ROLE),
    Name(f"{MEMBER}/aws-backup-member-account.yaml", *VAULT, MEMBER_VAULT),
    Name(f"{MEMBER}/aws-backup-member-account.yaml", *ALIAS, MEMBER_KEY_ALIAS),
    Name(f"{MEMBER}/aws-backup-tagonrestore-role.yaml", *ROLE, TAG_ROLE),
    Name(f"{MEMBER}/aws-backup-tagonrestore.yaml", *FUNCTION, TAG_FUNCTION),
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
    "aws-backup-backuporgpolicymanager-lambda-arn": f"{HOME}/{POLICY_FUNCTION_STACK}.yaml",
    "aws-backup-lambda-s3-bucket-name": f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
    "aws-backup-lambda-s3-bucket-arn": f"{HOME}/aws-backup-lambda-s3-bucket.yaml",
}
ORDERING_EXPORTS = {
    f"{wrapper(MEMBER_ROLE_SET)}-id": f"{HOME}/{wrapper(MEMBER_ROLE_SET)}.yaml",
    f"{wrapper(TAG_ROLE_SET)}-id": f"{HOME}/{wrapper(TAG_ROLE_SET)}.yaml",
}

# The operator's file. Each option is a further, optional key: buildspecs/targets.py has them.
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
# The values that the repository ships for keys whose values no two organizations share. Regions are not among
# them: those that are shipped may be right.
EXAMPLES = {
    "TargetHomeAccount": "111122223333",
    "TargetOUs": "ou-exam-ple11111",
    "CentralBackupVaultArn": f"arn:aws:backup:us-east-1:444455556666:backup-vault:{CENTRAL_VAULT}",
    "OrgManagementAccount": "777788889999",
    "OrganizationId": "o-exampleorgid",
}

SSM_TEMPLATE = f"{HOME}/{TARGETS_STACK}.yaml"
BUCKET_PATH = "/backup/bucket"
MANAGEMENT_PATH = "/backup/org-management-account"
HOME_PATH = "/backup/home-account"
VAULT_PATH = "/backup/central-vault-arn"
ORGANIZATION_PATH = "/backup/organization-id"
GLOBAL_REGION_PATH = "/backup/target/global-region"
REGIONS_PATH = "/backup/target/regions"
UNITS_PATH = "/backup/target/organizational-units"
PREFIX_PATH = "/backup/lambda/bucket-prefix"
OPTIONS_PATH = "/backup/options"  # each option is one level below


def package_path(package: str) -> str:
    """The SSM parameter with the key of a package in the buckets."""
    return f"/backup/lambda/{package}/deployed-package"


def hash_path(package: str) -> str:
    """The SSM parameter with the SHA-256 of a package."""
    return f"/backup/lambda/{package}/deployed-hash"


# What the repository's aws-backup-ssm-targets.json puts into SSM, without the options.
SSM_VALUES = {
    BUCKET_PATH: ("String", "${ImportValue:aws-backup-s3-bucket-name}"),
    MANAGEMENT_PATH: ("String", EXAMPLES["OrgManagementAccount"]),
    HOME_PATH: ("String", EXAMPLES["TargetHomeAccount"]),
    VAULT_PATH: ("String", EXAMPLES["CentralBackupVaultArn"]),
    ORGANIZATION_PATH: ("String", EXAMPLES["OrganizationId"]),
    GLOBAL_REGION_PATH: ("String", "us-east-1"),
    REGIONS_PATH: ("StringList", "us-east-1,us-east-2"),
    UNITS_PATH: ("StringList", EXAMPLES["TargetOUs"]),
    PREFIX_PATH: ("String", PACKAGE_BUCKET_PREFIX),
    **{
        path(package): ("String", "none")
        for package in PACKAGES.values()
        for path in (package_path, hash_path)
    },
}

TEXT, TEXTS = "AWS::SSM::Parameter::Value<String>", "AWS::SSM::Parameter::Value<List<String>>"
DELIVERY = {"Bucket": (TEXT, BUCKET_PATH), "TemplateKey": ("String", None)}
OUS = {"pOrgBackupTargetOUs": (TEXTS, UNITS_PATH)}
REGIONS = {"pRegions": (TEXTS, REGIONS_PATH)}
GLOBAL_REGION = {"GlobalRegion": (TEXT, GLOBAL_REGION_PATH)}
PREFERENCES = {"MaxConcurrentPercentage": ("Number", "100"), "FailureTolerancePercentage": ("Number", "100")}
ORG_POLICY = f"{HOME}/{POLICY_STACK}.yaml"
# Template → parameter → (type, default); None: no default.
PARAMETERS: dict[str, dict[str, tuple[str, str | None]]] = {
    f"{CENTRAL}/aws-backup-central-backup-account.yaml": {"pOrganizationId": ("String", None)},
    f"{HOME}/aws-cloudformation-stackset-execution-role.yaml": {"AdministratorAccountId": ("String", None)},
    f"{HOME}/aws-backup-codecommit.yaml": {"S3Key": ("String", ARCHIVE)},
    f"{MANAGEMENT}/{MANAGEMENT_STACK}.yaml": {"BackupAndRecoveryHomeAccountId": ("String", None)},
    SSM_TEMPLATE: {
        **dict.fromkeys(sorted(TARGETS_KEYS), ("String", None)),
        **dict.fromkeys(("TargetRegions", "TargetOUs"), ("CommaDelimitedList", None)),
        **dict.fromkeys(sorted(PACKAGE_PARAMETERS), ("String", "none")),
    },
    f"{HOME}/{wrapper(PACKAGES_SET)}.yaml": {
        **DELIVERY,
        "PackageRegions": ("CommaDelimitedList", None),
        "PackageBucketPrefix": (TEXT, PREFIX_PATH),
        "OrganizationId": (TEXT, ORGANIZATION_PATH),
    },
    f"{HOME}/{wrapper(TAG_ROLE_SET)}.yaml": {**DELIVERY, **OUS, **GLOBAL_REGION, **PREFERENCES},
    f"{HOME}/{wrapper(TAG_SET)}.yaml": {
        **DELIVERY,
        **OUS,
        **REGIONS,
        **PREFERENCES,
        "HomeAccount": (TEXT, HOME_PATH),
        "PackageBucketPrefix": (TEXT, PREFIX_PATH),
        "DeployedPackage": (TEXT, package_path(PACKAGES[TAG_FUNCTION])),
        "TestedPackage": ("String", ""),
        "RoleStackSetArn": ("String", None),
    },
    f"{HOME}/{wrapper(MEMBER_ROLE_SET)}.yaml": {
        **DELIVERY,
        **OUS,
        **GLOBAL_REGION,
        **PREFERENCES,
    },
    f"{HOME}/{wrapper(MEMBER_SET)}.yaml": {
        **DELIVERY,
        **OUS,
        **REGIONS,
        **PREFERENCES,
        "OrganizationId": (TEXT, ORGANIZATION_PATH),
        "pCentralBackupVaultArn": (TEXT, VAULT_PATH),
        "RoleStackSetArn": ("String", None),
    },
    f"{HOME}/{POLICY_FUNCTION_STACK}.yaml": {
        "PackageBucketPrefix": (TEXT, PREFIX_PATH),
        "DeployedPackage": (TEXT, package_path(PACKAGES[POLICY_FUNCTION])),
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
    ORG_POLICY: {
        **OUS,
        **REGIONS,
        "pCentralBackupVaultArn": (TEXT, VAULT_PATH),
        "OrgManagementAccount": (TEXT, MANAGEMENT_PATH),
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
