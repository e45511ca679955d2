"""CodeBuild: one build at a time, as in a new account, and the quota that says so."""

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import role, template
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

QUOTA = {"ServiceCode": "codebuild", "QuotaCode": "L-9D07B6EF"}
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


def test_a_project_that_does_not_exist_takes_no_place(world: World) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        world.client("codebuild").start_build(projectName="nothing")


def test_the_quota_is_the_one_that_start_build_keeps(world: World) -> None:
    quota = world.client("service-quotas").get_service_quota(**QUOTA)["Quota"]
    assert quota["QuotaName"] == "Concurrently running builds for Linux/Small environment"
    assert quota["Value"] == 1


def test_a_quota_that_is_not_emulated_is_refused(world: World) -> None:
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        world.client("service-quotas").get_service_quota(**{**QUOTA, "QuotaCode": "L-2DC20C30"})
