"""CodePipeline: a pipeline that can be read back, and the structure that AWS requires."""

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.emulator.extensions.pipeline import structure
from tests.rehearsal.emulator.templates import action, role, template
from tests.rehearsal.emulator.world import World


def pipeline(project: str = "checks") -> str:
    source = action(
        "Source",
        "Source",
        "CodeCommit",
        {"RepositoryName": "it", "BranchName": "main", "PollForSourceChanges": False},
        OutputArtifacts=[{"Name": "Code"}],
    )
    build = action(
        "Build",
        "Build",
        "CodeBuild",
        {"ProjectName": project},
        InputArtifacts=[{"Name": "Code"}],
        Namespace="Checks",
        RunOrder=1,
    )
    deploy = action(
        "Deploy",
        "Deploy",
        "CloudFormation",
        {"StackName": "s", "ParameterOverrides": '{"Key": "#{Checks.KEY}"}'},
        InputArtifacts=[{"Name": "Code"}],
        RunOrder=2,
    )
    return template(
        {
            "Role": role("pipeline", {"Service": "codepipeline.amazonaws.com"}),
            "Pipeline": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "Name": "line",
                    "PipelineType": "V2",
                    "RestartExecutionOnUpdate": True,
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "ArtifactStore": {
                        "Type": "S3",
                        "Location": "b",
                        "EncryptionKey": {"Id": "k", "Type": "KMS"},
                    },
                    "Stages": [
                        {"Name": "Source", "Actions": [source]},
                        {"Name": "Work", "Actions": [build, deploy]},
                    ],
                },
            },
        },
        Outputs={"Version": {"Value": {"Fn::GetAtt": ["Pipeline", "Version"]}}},
    )


@pytest.fixture(scope="session")
def codepipeline(world: World) -> Any:
    made = world.create("pipeline", pipeline())
    assert made.status == "CREATE_COMPLETE", made.reason
    return world.client("codepipeline")


def test_the_pipeline_reads_back_in_the_apis_shape(codepipeline: Any) -> None:
    found = codepipeline.get_pipeline(name="line")
    line = found["pipeline"]
    assert (line["pipelineType"], line["executionMode"]) == ("V2", "SUPERSEDED")
    assert line["artifactStore"]["encryptionKey"] == {"id": "k", "type": "KMS"}
    source = line["stages"][0]["actions"][0]
    assert source["actionTypeId"]["provider"] == "CodeCommit"
    assert source["configuration"]["PollForSourceChanges"] == "false"
    deploy = line["stages"][1]["actions"][1]
    assert (deploy["runOrder"], deploy["configuration"]["StackName"]) == (2, "s")
    assert found["metadata"]["pipelineArn"].endswith(":line")
    assert "line" in [each["name"] for each in codepipeline.list_pipelines()["pipelines"]]


def test_an_update_increments_the_version(world: World, codepipeline: Any) -> None:
    before = codepipeline.get_pipeline(name="line")["pipeline"]["version"]
    assert world.update("pipeline", pipeline("other-checks")).outputs["Version"] == str(before + 1)
    line = codepipeline.get_pipeline(name="line")["pipeline"]
    assert line["version"] == before + 1
    assert line["stages"][1]["actions"][0]["configuration"] == {"ProjectName": "other-checks"}


def test_an_unknown_pipeline_is_refused(codepipeline: Any) -> None:
    with pytest.raises(ClientError) as error:
        codepipeline.get_pipeline(name="none")
    assert error.value.response["Error"]["Code"] == "PipelineNotFoundException"


SOURCE = {
    "name": "Source",
    "actionTypeId": {"category": "Source"},
    "outputArtifacts": [{"name": "Code"}],
    "namespace": "Origin",
}
BUILD = {"name": "Build", "actionTypeId": {"category": "Build"}, "inputArtifacts": [{"name": "Code"}]}


def line(*later: dict[str, Any], first: dict[str, Any] = SOURCE) -> dict[str, Any]:
    stages = [{"name": "First", "actions": [first]}, {"name": "Second", "actions": list(later)}]
    return copy.deepcopy({"stages": stages})


def test_a_sound_structure_is_accepted() -> None:
    structure.check(
        line({**BUILD, "configuration": {"V": "#{Origin.CommitId} #{codepipeline.PipelineExecutionId}"}})
    )


@pytest.mark.parametrize(
    ("unsound", "named"),
    [
        ({"stages": line(BUILD)["stages"][:1]}, "at least two stages"),
        (line(BUILD, first=BUILD), "source actions belong in the first stage"),
        (line(BUILD, {**SOURCE, "namespace": "Other"}), "source actions belong in the first stage"),
        (line(BUILD, BUILD), "action in stage Second needs its own name: Build"),
        (
            line({**BUILD, "inputArtifacts": [{"name": "Other"}]}),
            "no earlier action has the output artifact Other",
        ),
        (line({**BUILD, "configuration": {"V": "#{Nowhere.KEY}"}}), "the namespace Nowhere"),
        (line({**BUILD, "namespace": "Origin"}), "namespace needs its own name: Origin"),
    ],
)
def test_an_unsound_structure_is_refused(unsound: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        structure.check(unsound)


def test_an_artifact_of_a_later_action_of_the_same_stage_is_not_there_yet() -> None:
    maker = {
        "name": "Maker",
        "actionTypeId": {"category": "Build"},
        "runOrder": 2,
        "outputArtifacts": [{"name": "Made"}],
    }
    user = {**BUILD, "runOrder": 1, "inputArtifacts": [{"name": "Made"}]}
    with pytest.raises(ValueError, match="output artifact Made"):
        structure.check(line(maker, user))
    structure.check(line(maker, {**user, "runOrder": 3}))
