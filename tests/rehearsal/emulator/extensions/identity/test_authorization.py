"""IAM: who may do what on which ARN, as AWS evaluates it, and every denial is recorded."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.machine.environment import Caller
from tests.rehearsal.emulator.templates import role, statement, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

ACCOUNT = ACCOUNTS.members[0]
CODEBUILD = {"Service": "codebuild.amazonaws.com"}


def acting(world: World, name: str, *statements: dict[str, Any], account: str = ACCOUNT) -> Caller:
    """Create a role with the statements, and act with it."""
    made = world.create(f"role-{name}", template({"R": role(name, CODEBUILD, *statements)}), account)
    assert made.status == "CREATE_COMPLETE", made.reason
    return world.acting(f"arn:aws:iam::{account}:role/{name}")


def refused(world: World, call: Any) -> tuple[str, str]:
    """(action, resource) of a call's denial."""
    before = len(world.emulator.denied())
    with pytest.raises(ClientError, match=r"not authorized|AccessDenied|UnauthorizedOperation"):
        call()
    denied = world.emulator.denied()[before:]
    assert len(denied) == 1
    return denied[0].action, denied[0].resource


@pytest.fixture(scope="session")
def tables(world: World) -> dict[str, str]:
    """name → ARN of two tables in a member account."""
    dynamodb = world.client("dynamodb", ACCOUNT)
    return {
        name: dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]["TableArn"]
        for name in ("mine", "other")
    }


def test_tagging_a_table_is_checked_on_the_tables_arn(world: World, tables: dict[str, str]) -> None:
    allowed = statement(["dynamodb:TagResource", "dynamodb:ListTagsOfResource"], tables["mine"])
    dynamodb = acting(world, "table-tagger", allowed).client("dynamodb")
    dynamodb.tag_resource(ResourceArn=tables["mine"], Tags=[{"Key": "a", "Value": "1"}])
    assert dynamodb.list_tags_of_resource(ResourceArn=tables["mine"])["Tags"] == [{"Key": "a", "Value": "1"}]
    action, resource = refused(
        world, lambda: dynamodb.tag_resource(ResourceArn=tables["other"], Tags=[{"Key": "a", "Value": "1"}])
    )
    assert (action, resource) == ("dynamodb:TagResource", tables["other"])


def test_tagging_several_ec2_resources_needs_each_of_them(world: World) -> None:
    ec2 = world.client("ec2", ACCOUNT)
    volumes = [ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"] for _ in range(2)]
    arns = [f"arn:aws:ec2:{HOME_REGION}:{ACCOUNT}:volume/{volume}" for volume in volumes]
    tagger = acting(world, "volume-tagger", statement("ec2:CreateTags", arns[0])).client("ec2")
    tagger.create_tags(Resources=volumes[:1], Tags=[{"Key": "a", "Value": "1"}])
    call = lambda: tagger.create_tags(Resources=volumes, Tags=[{"Key": "a", "Value": "1"}])  # noqa: E731
    assert refused(world, call) == ("ec2:CreateTags", arns[1])


def test_a_snapshots_arn_has_no_account(world: World) -> None:
    tagger = acting(world, "snapshot-tagger", statement("ec2:Nothing")).client("ec2")
    call = lambda: tagger.create_tags(Resources=["snap-1"], Tags=[{"Key": "a", "Value": "1"}])  # noqa: E731
    assert refused(world, call) == ("ec2:CreateTags", f"arn:aws:ec2:{HOME_REGION}::snapshot/snap-1")


def test_describing_instances_has_no_resource(world: World) -> None:
    narrow = statement("ec2:DescribeInstances", f"arn:aws:ec2:{HOME_REGION}:{ACCOUNT}:instance/*")
    reader = acting(world, "instance-reader", narrow).client("ec2")
    assert refused(world, lambda: reader.describe_instances(InstanceIds=["i-1"])) == (
        "ec2:DescribeInstances",
        "*",
    )


def test_tagging_and_describing_a_file_system_is_checked_on_its_arn(world: World) -> None:
    file_system = world.client("efs", ACCOUNT).create_file_system(CreationToken="t")["FileSystemId"]
    arn = f"arn:aws:elasticfilesystem:{HOME_REGION}:{ACCOUNT}:file-system/{file_system}"
    efs = acting(world, "efs-tagger", statement("elasticfilesystem:TagResource", arn)).client("efs")
    efs.tag_resource(ResourceId=file_system, Tags=[{"Key": "a", "Value": "1"}])
    action, resource = refused(world, lambda: efs.list_tags_for_resource(ResourceId=file_system))
    assert (action, resource) == ("elasticfilesystem:ListTagsForResource", arn)
    assert refused(world, lambda: efs.describe_file_systems(FileSystemId=file_system)) == (
        "elasticfilesystem:DescribeFileSystems",
        arn,
    )
    assert refused(world, efs.describe_file_systems) == ("elasticfilesystem:DescribeFileSystems", "*")


def test_reading_the_tags_of_a_database_is_checked_on_its_arn(world: World) -> None:
    arn = f"arn:aws:rds:{HOME_REGION}:{ACCOUNT}:db:one"
    rds = acting(world, "rds-reader", statement("rds:ListTagsForResource", arn + "x")).client("rds")
    assert refused(world, lambda: rds.list_tags_for_resource(ResourceName=arn)) == (
        "rds:ListTagsForResource",
        arn,
    )


@pytest.mark.parametrize(
    ("operation", "arguments", "action", "resource"),
    [
        ("describe_backup_vault", {"BackupVaultName": "v"}, "DescribeBackupVault", "backup-vault:v"),
        (
            "get_backup_vault_access_policy",
            {"BackupVaultName": "v"},
            "GetBackupVaultAccessPolicy",
            "backup-vault:v",
        ),
        (
            "describe_recovery_point",
            {
                "BackupVaultName": "v",
                "RecoveryPointArn": f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:recovery-point:r",
            },
            "DescribeRecoveryPoint",
            "recovery-point:r",
        ),
        (
            "list_tags",
            {"ResourceArn": f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:recovery-point:r"},
            "ListTags",
            "recovery-point:r",
        ),
    ],
)
def test_backup_calls_are_checked_on_vaults_and_recovery_points(
    world: World, operation: str, arguments: dict[str, str], action: str, resource: str
) -> None:
    backup = acting(world, f"backup-{action}", statement("backup:Nothing")).client("backup")
    found = refused(world, lambda: getattr(backup, operation)(**arguments))
    assert found == (f"backup:{action}", f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:{resource}")


def test_restore_jobs_have_no_resource(world: World) -> None:
    narrow = statement("backup:DescribeRestoreJob", f"arn:aws:backup:{HOME_REGION}:{ACCOUNT}:*")
    backup = acting(world, "restore-reader", narrow).client("backup")
    assert refused(world, lambda: backup.describe_restore_job(RestoreJobId="j")) == (
        "backup:DescribeRestoreJob",
        "*",
    )


def test_calls_about_a_stack_set_are_checked_on_the_set_and_listing_sets_has_no_resource(
    world: World,
) -> None:
    sets = f"arn:aws:cloudformation:{HOME_REGION}:{ACCOUNT}:stackset"
    allowed = statement("cloudformation:ListStackInstances", f"{sets}/mine-*")
    cloudformation = acting(world, "stack-set-reader", allowed).client("cloudformation")
    with pytest.raises(ClientError, match="StackSetNotFound"):
        cloudformation.list_stack_instances(StackSetName="mine-1")
    found = refused(world, lambda: cloudformation.list_stack_instances(StackSetName="other"))
    assert found == ("cloudformation:ListStackInstances", f"{sets}/other:*")
    assert refused(world, cloudformation.list_stack_sets) == ("cloudformation:ListStackSets", "*")


POLICY_ARNS = f"arn:aws:organizations::{ACCOUNTS.management}:policy/*/backup_policy/*"
BACKUP_POLICY = {
    "Name": "p",
    "Description": "",
    "Type": "BACKUP_POLICY",
    "Content": '{"plans": {"P": {"regions": {"@@assign": ["us-east-1"]}}}}',
}


def organizations_role(world: World, name: str, *statements: dict[str, Any]) -> Any:
    return acting(world, name, *statements, account=ACCOUNTS.management).client("organizations")


def test_creating_a_policy_has_no_resource_and_the_allowed_type_only(world: World) -> None:
    only_backup = {"StringEquals": {"organizations:PolicyType": "BACKUP_POLICY"}}
    organizations = organizations_role(
        world, "creator", statement("organizations:CreatePolicy", Condition=only_backup)
    )
    created = organizations.create_policy(**BACKUP_POLICY)["Policy"]["PolicySummary"]
    assert created["Name"] == "p"
    tag_policy = {**BACKUP_POLICY, "Type": "TAG_POLICY", "Content": "{}"}
    assert (
        refused(world, lambda: organizations.create_policy(**tag_policy))[0] == "organizations:CreatePolicy"
    )
    narrow = organizations_role(world, "narrow-creator", statement("organizations:CreatePolicy", POLICY_ARNS))
    found = refused(world, lambda: narrow.create_policy(**BACKUP_POLICY))
    assert found == ("organizations:CreatePolicy", "*")


def test_creating_a_policy_with_tags_also_needs_tag_resource(world: World) -> None:
    organizations = organizations_role(world, "untagging-creator", statement("organizations:CreatePolicy"))
    tagged = {**BACKUP_POLICY, "Name": "q", "Tags": [{"Key": "a", "Value": "1"}]}
    action, resource = refused(world, lambda: organizations.create_policy(**tagged))
    assert action == "organizations:TagResource"
    assert "/backup_policy/" in resource


def test_attaching_needs_the_policy_and_the_target(world: World) -> None:
    management = world.client("organizations", ACCOUNTS.management)
    management.enable_policy_type(RootId=world.root, PolicyType="BACKUP_POLICY")
    policy = management.create_policy(**{**BACKUP_POLICY, "Name": "r"})["Policy"]["PolicySummary"]
    organizations = organizations_role(
        world, "attacher", statement("organizations:AttachPolicy", POLICY_ARNS)
    )
    action, resource = refused(
        world, lambda: organizations.attach_policy(PolicyId=policy["Id"], TargetId=world.unit)
    )
    assert action == "organizations:AttachPolicy"
    assert f"/{world.unit}" in resource


def test_the_organization_and_its_path_are_condition_keys(world: World) -> None:
    path = f"{world.organization}/{world.root}/{world.unit}/"
    conditions = {
        "in-organization": {"StringEquals": {"aws:PrincipalOrgID": world.organization}},
        "in-other-organization": {"StringEquals": {"aws:PrincipalOrgID": "o-other"}},
        "on-path": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [path]}},
        "on-other-path": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [path + "ou-more/*"]}},
    }
    outcomes = {}
    for name, condition in conditions.items():
        sqs = acting(world, name, statement("sqs:ListQueues", Condition=condition)).client("sqs")
        try:
            sqs.list_queues()
            outcomes[name] = True
        except ClientError:
            outcomes[name] = False
    assert outcomes == {
        "in-organization": True,
        "in-other-organization": False,
        "on-path": True,
        "on-other-path": False,
    }


def test_a_trust_on_an_account_can_be_narrowed_to_a_roles_arn(world: World) -> None:
    account_root = {"AWS": f"arn:aws:iam::{ACCOUNTS.home}:root"}
    condition = {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNTS.home}:role/trusted"}
    trusting = role("narrow", account_root, ArnEquals=condition)
    world.create("narrow", template({"R": trusting}), ACCOUNTS.management)
    assume = statement("sts:AssumeRole")
    wanted = {"RoleArn": f"arn:aws:iam::{ACCOUNTS.management}:role/narrow", "RoleSessionName": "session"}
    trusted = acting(world, "trusted", assume, account=ACCOUNTS.home).client("sts")
    assert trusted.assume_role(**wanted)["AssumedRoleUser"]["Arn"].endswith("assumed-role/narrow/session")
    stranger = acting(world, "stranger", assume, account=ACCOUNTS.home).client("sts")
    assert refused(world, lambda: stranger.assume_role(**wanted)) == ("sts:AssumeRole", wanted["RoleArn"])


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("service-role/AWSBackupServiceRolePolicyForBackup", "CREATE_COMPLETE"),
        ("service-role/AWSBackupServiceRolePolicyForRestores", "CREATE_COMPLETE"),
        ("AWSBackupServiceRolePolicyForS3Backup", "CREATE_COMPLETE"),
        ("AWSBackupServiceRolePolicyForS3Restore", "CREATE_COMPLETE"),
        ("service-role/AWSBackupServiceRolePolicyForBackups", "ROLLBACK_COMPLETE"),
    ],
)
def test_only_known_managed_policies_can_be_attached(world: World, name: str, status: str) -> None:
    resource = role(f"managed-{name[-12:]}", {"Service": "backup.amazonaws.com"})
    resource["Properties"]["ManagedPolicyArns"] = [f"arn:aws:iam::aws:policy/{name}"]
    made = world.create(f"managed-{name[-12:]}", template({"R": resource}))
    assert made.status == status
    assert status == "CREATE_COMPLETE" or name in made.reason


def test_the_api_refuses_unknown_managed_policies_too(world: World) -> None:
    world.create("plain", template({"R": role("plain", CODEBUILD)}))
    with pytest.raises(ClientError, match="does not exist or is not attachable") as error:
        world.client("iam").attach_role_policy(
            RoleName="plain", PolicyArn="arn:aws:iam::aws:policy/NoSuchPolicy"
        )
    assert error.value.response["Error"]["Code"] == "NoSuchEntity"


def test_a_denial_says_when_who_what_and_why(world: World) -> None:
    sns = acting(world, "nobody", statement("sns:Nothing")).client("sns")
    assert refused(world, sns.list_topics) == ("sns:ListTopics", "*")
    denied = world.emulator.denied()[-1]
    assert denied.account == ACCOUNT
    assert denied.principal == f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/codebuild"
    assert denied.reason == "no policy allows it"
    assert denied.time > 0
