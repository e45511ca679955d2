"""CodeBuild: one build at a time, as in a new account, and what the roles of our builds may write."""

import pytest
from botocore.exceptions import ClientError

from buildspecs import hand_made, projects
from buildspecs.names import BUILDS_QUOTA, VALIDATE_PROJECT
from buildspecs.paths import ROOT
from tests.rehearsal.emulator.templates import role, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

QUOTA = {"ServiceCode": "codebuild", "QuotaCode": BUILDS_QUOTA}
ARTIFACTS = "artifacts-of-our-pipeline"
SOURCE_ARTIFACT = "backup-recovery-with/SourceArti/0a1b2c3"
PROJECT = {
    "Type": "AWS::CodeBuild::Project",
    "Properties": {
        "Name": "one-of-many",
        "ServiceRole": {"Fn::GetAtt": ["Role", "Arn"]},
        "Source": {"Type": "CODEPIPELINE"},
        "Artifacts": {"Type": "CODEPIPELINE"},
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "Image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        },
    },
}


def test_a_second_build_is_refused_until_the_first_has_ended(world: World) -> None:
    service = {"Service": "codebuild.amazonaws.com"}
    world.create("builds", template({"Role": role("one-of-many", service), "Project": PROJECT}))
    codebuild = world.client("codebuild")

    for status in ("FAILED", "SUCCEEDED"):
        build = codebuild.start_build(projectName="one-of-many")["build"]
        assert build["buildStatus"] == "IN_PROGRESS"
        with pytest.raises(ClientError, match="Cannot have more than 1 builds in queue") as caught:
            codebuild.start_build(projectName="one-of-many")
        assert caught.value.response["Error"]["Code"] == "AccountLimitExceededException"
        world.emulator.control(
            "build-ended", account=ACCOUNTS.home, region=HOME_REGION, identifier=build["id"], status=status
        )
        (ended,) = codebuild.batch_get_builds(ids=[build["id"]])["builds"]
        assert (ended["buildStatus"], ended["currentPhase"]) == (status, "COMPLETED")
    world.delete("builds")


def test_a_project_that_does_not_exist_does_not_count(world: World) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        world.client("codebuild").start_build(projectName="nothing")


def test_the_quota_is_the_one_that_start_build_enforces(world: World) -> None:
    quota = world.client("service-quotas").get_service_quota(**QUOTA)["Quota"]
    assert quota["QuotaName"] == "Concurrently running builds for Linux/Small environment"
    assert quota["Value"] == 1


def test_a_quota_that_is_not_emulated_is_refused(world: World) -> None:
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        world.client("service-quotas").get_service_quota(**{**QUOTA, "QuotaCode": "L-2DC20C30"})


@pytest.fixture(scope="session")
def build_roles(world: World) -> dict[str, str]:
    """Project → role, from the repository's own templates, next to a bucket of artifacts."""
    exports = {
        "aws-backup-s3-bucket-arn": {"Fn::GetAtt": ["Bucket", "Arn"]},
        "aws-backup-codepipeline-kms-arn": {"Fn::GetAtt": ["Key", "Arn"]},
    }
    outputs = {f"Output{n}": {"Value": v, "Export": {"Name": k}} for n, (k, v) in enumerate(exports.items())}
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": ARTIFACTS}},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Version": "2012-10-17"}}},
    }
    world.create("artifacts", template(resources, Outputs=outputs))
    world.client("s3").put_object(Bucket=ARTIFACTS, Key=SOURCE_ARTIFACT, Body=b"as pushed")
    for stack in hand_made.BUILDS:
        assert world.create(stack.name, (ROOT / stack.template).read_text()).status == "CREATE_COMPLETE"
    found = world.client("codebuild").batch_get_projects(names=projects.needed(ROOT))["projects"]
    return {project["name"]: project["serviceRole"] for project in found}


@pytest.mark.parametrize("project", projects.needed(ROOT))
def test_no_build_can_replace_the_source_that_is_deployed(
    world: World, build_roles: dict[str, str], project: str
) -> None:
    s3 = world.acting(build_roles[project]).client("s3")
    assert s3.get_object(Bucket=ARTIFACTS, Key=SOURCE_ARTIFACT)["Body"].read() == b"as pushed"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=ARTIFACTS, Key=SOURCE_ARTIFACT, Body=b"planted")
    denied = world.emulator.denied()[-1]
    assert (denied.action, denied.resource) == ("s3:PutObject", f"arn:aws:s3:::{ARTIFACTS}/{SOURCE_ARTIFACT}")


def test_only_the_static_analysis_can_put_the_artifact_that_it_exports(
    world: World, build_roles: dict[str, str]
) -> None:
    able = []
    for project, role_arn in build_roles.items():
        s3 = world.acting(role_arn).client("s3")
        try:
            s3.put_object(Bucket=ARTIFACTS, Key="backup-recovery-with/Deployment/0a1b2c3", Body=b"x")
        except ClientError:
            continue
        able.append(project)
    assert able == [VALIDATE_PROJECT]
