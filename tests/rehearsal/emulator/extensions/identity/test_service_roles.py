"""Roles that AWS services assume: the trust policy is evaluated for the service alone."""

import pytest
from botocore.exceptions import ClientError

from buildspecs.paths import ROOT
from rehearsal.emulator.errors import ControlError
from tests.rehearsal.emulator.templates import role, template
from tests.rehearsal.emulator.world import ACCOUNTS, World

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROLE = f"arn:aws:iam::{ACCOUNTS.home}:role/"


def test_a_service_gets_the_role_that_trusts_it(world: World) -> None:
    world.create("trusting", template({"R": role("trusting", {"Service": "codebuild.amazonaws.com"})}))
    environment = world.emulator.service_credentials(f"{ROLE}trusting", "codebuild.amazonaws.com").environment
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert environment["AWS_SESSION_TOKEN"]
    with pytest.raises(ControlError, match=r"role/trusting does not allow codepipeline\.amazonaws\.com"):
        world.emulator.service_credentials(f"{ROLE}trusting", "codepipeline.amazonaws.com")
    assert world.emulator.denied()[-1].principal == "codepipeline.amazonaws.com"


def test_a_role_that_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(ControlError, match=r"role/missing does not exist"):
        world.emulator.service_credentials(f"{ROLE}missing", "codebuild.amazonaws.com")


def test_the_trusts_conditions_on_the_source_are_evaluated(world: World) -> None:
    project = f"arn:aws:codebuild:us-east-1:{ACCOUNTS.home}:project/mine"
    world.create(
        "conditional",
        template(
            {
                "R": role(
                    "conditional",
                    {"Service": "codebuild.amazonaws.com"},
                    StringEquals={"aws:SourceAccount": ACCOUNTS.home},
                    ArnEquals={"aws:SourceArn": project},
                )
            }
        ),
    )
    service = "codebuild.amazonaws.com"
    assert world.emulator.service_credentials(f"{ROLE}conditional", service, source_arn=project)
    with pytest.raises(ControlError):
        world.emulator.service_credentials(f"{ROLE}conditional", service, source_arn=project + "-other")


def test_the_project_that_uses_a_role_is_its_source(world: World) -> None:
    project = f"arn:aws:codebuild:us-east-1:{ACCOUNTS.home}:project/known"
    resources = {
        "R": role("of-project", {"Service": "codebuild.amazonaws.com"}, ArnEquals={"aws:SourceArn": project}),
        "P": {
            "Type": "AWS::CodeBuild::Project",
            "Properties": {
                "Name": "known",
                "ServiceRole": {"Fn::GetAtt": ["R", "Arn"]},
                "Artifacts": {"Type": "NO_ARTIFACTS"},
                "Source": {"Type": "NO_SOURCE"},
                "Environment": {
                    "Type": "LINUX_CONTAINER",
                    "ComputeType": "BUILD_GENERAL1_SMALL",
                    "Image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                },
            },
        },
    }
    assert world.create("of-project", template(resources)).status == "CREATE_COMPLETE"
    assert world.emulator.service_credentials(f"{ROLE}of-project", "codebuild.amazonaws.com")
    found = world.client("codebuild").batch_get_projects(names=["known", "unknown"])
    assert [each["arn"] for each in found["projects"]] == [project]
    assert found["projectsNotFound"] == ["unknown"]


def test_the_service_linked_role_of_aws_backup_is_created_once(world: World) -> None:
    iam = world.client("iam", ACCOUNTS.central)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="AWSServiceRoleForBackup")
    made = iam.create_service_linked_role(AWSServiceName="backup.amazonaws.com")["Role"]
    path = "aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNTS.central}:role/{path}"
    assert iam.get_role(RoleName="AWSServiceRoleForBackup")["Role"]["Arn"] == made["Arn"]
    with pytest.raises(ClientError) as again:
        iam.create_service_linked_role(AWSServiceName="backup.amazonaws.com")
    assert again.value.response["Error"]["Code"] == "InvalidInput"
    assert f"`{again.value}`" in README, "what the README says is printed when the role exists"


def test_each_account_has_its_own_service_linked_role(world: World) -> None:
    for account in ACCOUNTS.members:
        made = world.client("iam", account).create_service_linked_role(AWSServiceName="backup.amazonaws.com")
        assert f"::{account}:" in made["Role"]["Arn"]


def test_only_aws_backup_can_assume_its_service_linked_role(world: World) -> None:
    world.client("iam", ACCOUNTS.home).create_service_linked_role(AWSServiceName="backup.amazonaws.com")
    role = f"{ROLE}aws-service-role/backup.amazonaws.com/AWSServiceRoleForBackup"
    assert world.emulator.service_credentials(role, "backup.amazonaws.com")
    with pytest.raises(ControlError, match=r"does not allow codebuild\.amazonaws\.com to assume it"):
        world.emulator.service_credentials(role, "codebuild.amazonaws.com")


def test_no_role_is_created_for_a_service_without_one(world: World) -> None:
    iam = world.client("iam", ACCOUNTS.central)
    with pytest.raises(ClientError, match=r"AccessDenied.*template for backups\.amazonaws\.com"):
        iam.create_service_linked_role(AWSServiceName="backups.amazonaws.com")
