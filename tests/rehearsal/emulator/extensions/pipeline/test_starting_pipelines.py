"""A commit starts a pipeline: CreateCommit, the rule of EventBridge, the role of its target."""

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.emulator.templates import action, role, statement, template, zipped
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, World

EVENTS = {"Service": "events.amazonaws.com"}
RULE_ARN = f"arn:aws:events:{HOME_REGION}:{ACCOUNTS.home}:rule/start"
PIPELINE_ARN = f"arn:aws:codepipeline:{HOME_REGION}:{ACCOUNTS.home}:started-line"


def started_by(allowed: str, branch: str = "main", principal: dict[str, Any] = EVENTS) -> str:
    """A pipeline, and a rule that starts it with a role that allows an action."""
    source = action(
        "Source",
        "Source",
        "CodeCommit",
        {"RepositoryName": "started-it", "BranchName": "main", "PollForSourceChanges": False},
        OutputArtifacts=[{"Name": "Code"}],
    )
    build = action("Build", "Build", "CodeBuild", {"ProjectName": "p"}, InputArtifacts=[{"Name": "Code"}])
    return template(
        {
            "PipelineRole": role("started-pipeline", {"Service": "codepipeline.amazonaws.com"}),
            "Pipeline": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "Name": "started-line",
                    "RoleArn": {"Fn::GetAtt": ["PipelineRole", "Arn"]},
                    "ArtifactStore": {"Type": "S3", "Location": "b"},
                    "Stages": [
                        {"Name": "Source", "Actions": [source]},
                        {"Name": "Work", "Actions": [build]},
                    ],
                },
            },
            "StartRole": role("start", principal, statement(allowed, PIPELINE_ARN)),
            "Rule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Name": "start",
                    "EventPattern": {
                        "source": ["aws.codecommit"],
                        "detail-type": ["CodeCommit Repository State Change"],
                        "resources": [f"arn:aws:codecommit:{HOME_REGION}:{ACCOUNTS.home}:started-it"],
                        "detail": {"event": ["referenceUpdated"], "referenceName": [branch]},
                    },
                    "Targets": [
                        {"Id": "P", "Arn": PIPELINE_ARN, "RoleArn": {"Fn::GetAtt": ["StartRole", "Arn"]}}
                    ],
                },
            },
        }
    )


@pytest.fixture(scope="session")
def codecommit(world: World) -> Any:
    """A repository `started-it` with two files."""
    s3 = world.client("s3")
    s3.create_bucket(Bucket="code-of-started")
    s3.put_object(
        Bucket="code-of-started", Key="it.zip", Body=zipped({"README.md": "# It", "docs/old.md": "old"})
    )
    properties = {
        "RepositoryName": "started-it",
        "Code": {"BranchName": "main", "S3": {"Bucket": "code-of-started", "Key": "it.zip"}},
    }
    repository = {"Repository": {"Type": "AWS::CodeCommit::Repository", "Properties": properties}}
    made = world.create("repository-started-it", template(repository))
    assert made.status == "CREATE_COMPLETE", made.reason
    return world.client("codecommit")


def commit(codecommit: Any, **changes: Any) -> dict[str, Any]:
    """A commit on top of the last one, unless `changes` name another parent."""
    last = codecommit.get_branch(repositoryName="started-it", branchName="main")["branch"]["commitId"]
    request = {"repositoryName": "started-it", "branchName": "main", "parentCommitId": last, **changes}
    made: dict[str, Any] = codecommit.create_commit(
        **{key: value for key, value in request.items() if value is not None}
    )
    return made


def put(path: str, content: str, **more: Any) -> list[dict[str, Any]]:
    return [{"filePath": path, "fileContent": content.encode(), **more}]


def files(world: World) -> dict[str, tuple[bytes, int]]:
    """Content and permissions of what CodePipeline fetches."""
    packed = world.emulator.control(
        "repository-archive", account=ACCOUNTS.home, region=HOME_REGION, repository="started-it"
    )
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(packed))) as archive:
        return {
            entry.filename: (archive.read(entry), entry.external_attr >> 16 & 0o777)
            for entry in archive.infolist()
        }


def test_a_commit_adds_changes_and_deletes_files(world: World, codecommit: Any) -> None:
    made = commit(
        codecommit,
        putFiles=put("README.md", "# It, new") + put("run", "#!/bin/sh", fileMode="EXECUTABLE"),
        deleteFiles=[{"filePath": "docs/old.md"}],
    )
    assert [each["absolutePath"] for each in made["filesAdded"]] == ["run"]
    assert [each["absolutePath"] for each in made["filesUpdated"]] == ["README.md"]
    assert [each["absolutePath"] for each in made["filesDeleted"]] == ["docs/old.md"]
    assert (
        codecommit.get_branch(repositoryName="started-it", branchName="main")["branch"]["commitId"]
        == made["commitId"]
    )
    found = files(world)
    assert "docs/old.md" not in found
    assert found["README.md"][0] == b"# It, new"
    assert found["run"] == (b"#!/bin/sh", 0o755)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"putFiles": put("a", "b"), "parentCommitId": None}, "ParentCommitIdRequiredException"),
        ({"putFiles": put("a", "b"), "parentCommitId": "0" * 40}, "ParentCommitIdOutdatedException"),
        ({"putFiles": put("a", "b"), "branchName": "other"}, "BranchDoesNotExistException"),
        ({"deleteFiles": [{"filePath": "none"}]}, "FileDoesNotExistException"),
        ({}, "FileEntryRequiredException"),
        (
            {"putFiles": [each for n in range(101) for each in put(f"{n}", "x")]},
            "MaximumFileEntriesExceededException",
        ),
    ],
)
def test_what_aws_refuses_is_refused(codecommit: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        commit(codecommit, **changes)
    assert error.value.response["Error"]["Code"] == code


def test_a_commit_that_changes_nothing_is_refused(codecommit: Any) -> None:
    commit(codecommit, putFiles=put("same", "text"))
    with pytest.raises(ClientError, match="NoChangeException"):
        commit(codecommit, putFiles=put("same", "text"))


@pytest.mark.parametrize(
    ("allowed", "branch", "starts", "is_denied"),
    [
        ("codepipeline:StartPipelineExecution", "main", True, False),
        ("codepipeline:StartPipelineExecution", "release", False, False),
        ("codepipeline:GetPipeline", "main", False, True),
    ],
)
def test_a_commit_starts_the_pipeline_that_a_rule_names(
    world: World, codecommit: Any, allowed: str, branch: str, starts: bool, is_denied: bool
) -> None:
    made = world.create("started", started_by(allowed, branch))
    assert made.status == "CREATE_COMPLETE", made.reason
    denied = len(world.emulator.denied())
    commit(codecommit, putFiles=put("README.md", f"{allowed} {branch}"))
    executions = world.client("codepipeline").list_pipeline_executions(pipelineName="started-line")[
        "pipelineExecutionSummaries"
    ]
    world.delete("started")
    assert [each["status"] for each in executions] == (["InProgress"] if starts else [])
    if starts:
        assert executions[0]["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": RULE_ARN}
    assert [each.action for each in world.emulator.denied()[denied:]] == (
        ["codepipeline:StartPipelineExecution"] if is_denied else []
    )


def test_a_rule_whose_role_trusts_another_rule_only_does_not_start_it(world: World, codecommit: Any) -> None:
    made = world.create("started", started_by("codepipeline:StartPipelineExecution"))
    assert made.status == "CREATE_COMPLETE", made.reason
    statement_of_another = {
        "Effect": "Allow",
        "Principal": EVENTS,
        "Action": "sts:AssumeRole",
        "Condition": {"ArnEquals": {"aws:SourceArn": f"{RULE_ARN}-other"}},
    }
    world.client("iam").update_assume_role_policy(
        RoleName="start",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement_of_another]}),
    )
    commit(codecommit, putFiles=put("README.md", "trust"))
    codepipeline = world.client("codepipeline")
    assert (
        codepipeline.list_pipeline_executions(pipelineName="started-line")["pipelineExecutionSummaries"] == []
    )
    started = codepipeline.start_pipeline_execution(name="started-line")["pipelineExecutionId"]
    summaries = codepipeline.list_pipeline_executions(pipelineName="started-line")[
        "pipelineExecutionSummaries"
    ]
    assert [each["pipelineExecutionId"] for each in summaries] == [started]
    assert summaries[0]["trigger"]["triggerType"] == "StartPipelineExecution"
    world.delete("started")
