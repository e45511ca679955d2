"""A small pipeline in the emulator: source, build, objects and stacks, run as CodePipeline would."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from buildspecs.names import BUILDS_QUOTA
from rehearsal.emulator import Emulator
from rehearsal.errors import ActionError, OutcomeError, RehearsalError, StackError, UnsupportedError
from rehearsal.organization import stacks
from rehearsal.organization.stacks import Deployment
from rehearsal.pipeline.execution import Execution, ExpectedFailure, Progress
from rehearsal.place import Place
from rehearsal.report.display import Display
from rehearsal.report.journal import Journal, Status

REGION = "us-east-1"
PLACE = Place("666666666666", REGION)  # an account that no other test uses
BUCKET = "artifacts-of-the-test"

BUILDSPEC = """\
version: 0.2
env:
  parameter-store: {GREETING: /test/greeting}
  exported-variables: [NAME]
phases:
  build:
    commands:
      - mkdir -p out/deep && echo "$GREETING $PLACE" > out/deep/hello.txt
      - test ! -e fail || { echo "as ordered"; exit 4; }
      - export NAME="made-by-the-build"
artifacts:
  base-directory: out
  files: ["**/*"]
"""
REPORT = """\
version: 0.2
phases: {build: {commands: ['echo "all is well" && echo "or nearly" >&2']}}
"""
TOPIC = """\
Parameters: {Name: {Type: String}, Label: {Type: String, Default: none}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name, DisplayName: !Ref Label}}
Outputs: {TopicName: {Value: !GetAtt Topic.TopicName}}
"""
# The stack of the projects has a parameter of that name.
BROKEN = """\
Resources:
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Name: /test/greeting, Type: String, Value: x}}
"""


def role(service: str, statements: list[dict[str, Any]]) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    policy = {"Version": "2012-10-17", "Statement": statements}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": "p", "PolicyDocument": policy}],
        },
    }


def allow(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


def action(name: str, kind: str, inputs: str = "", **settings: Any) -> dict[str, Any]:
    category, provider = kind.split("/")
    return {
        "Name": name,
        "ActionTypeId": {"Category": category, "Owner": "AWS", "Provider": provider, "Version": "1"},
        "InputArtifacts": [{"Name": each} for each in inputs.split()],
        **settings,
    }


def stack_action(name: str, template: str, **configuration: str) -> dict[str, Any]:
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": name,
        "TemplatePath": f"Source::{template}",
        **configuration,
    }
    return action(name, "Deploy/CloudFormation", "Source", Configuration=configuration)


SOURCE = {
    "Name": "Source",
    "Actions": [
        action(
            "Files",
            "Source/CodeCommit",
            Configuration={"RepositoryName": "files", "BranchName": "main", "PollForSourceChanges": "false"},
            OutputArtifacts=[{"Name": "Source"}],
            Namespace="Files",
        )
    ],
}
BUILD = {
    "Name": "Build",
    "Actions": [
        action(
            "Compile",
            "Build/CodeBuild",
            "Source",
            Configuration={"ProjectName": "compile"},
            OutputArtifacts=[{"Name": "Built"}],
            Namespace="Compiled",
        )
    ],
}
PUT = {"BucketName": BUCKET, "Extract": "true", "ObjectKey": "put/here"}
OBJECTS = {"Name": "Objects", "Actions": [action("Put", "Deploy/S3", "Built", Configuration=PUT)]}
DEPLOY = {
    "Name": "Deploy",
    "Actions": [
        stack_action(
            "topic",
            "topic.yaml",
            TemplateConfiguration="Source::configuration.json",
            ParameterOverrides='{"Name": "#{Compiled.NAME}"}',
        )
    ],
}
BROKEN_STAGE = {"Name": "Deploy", "Actions": [stack_action("broken", "broken.yaml")]}


def report_builds(*run_orders: int) -> dict[str, Any]:
    """A stage with a build for each of these run orders, which only prints something."""
    return {
        "Name": "Report",
        "Actions": [
            action(
                f"Print{number}",
                "Build/CodeBuild",
                "Source",
                Configuration={"ProjectName": "report"},
                RunOrder=order,
            )
            for number, order in enumerate(run_orders, start=1)
        ],
    }


def project(name: str) -> dict[str, Any]:
    """A CodeBuild project with the buildspec <name>.yml."""
    return {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": name,
            "ServiceRole": {"Fn::GetAtt": ["Role", "Arn"]},
            "Source": {"Type": "CODEPIPELINE", "BuildSpec": f"{name}.yml"},
            "Artifacts": {"Type": "CODEPIPELINE"},
            "Environment": {
                "Type": "LINUX_CONTAINER",
                "ComputeType": "BUILD_GENERAL1_SMALL",
                "Image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
                "EnvironmentVariables": [{"Name": "PLACE", "Value": "world"}],
            },
        },
    }


PROJECTS = json.dumps(
    {
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}},
            "Role": role("codebuild.amazonaws.com", [allow("s3:*", "ssm:GetParameters")]),
            "Greeting": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/test/greeting", "Type": "String", "Value": "hello"},
            },
            **{name.capitalize(): project(name) for name in ("compile", "report", "missing")},
        }
    }
)


def pipeline(permissions: dict[str, Any], *stages: dict[str, Any]) -> str:
    """The template of a pipeline and its role."""
    properties = {
        "Name": "test",
        "PipelineType": "V2",
        "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "ArtifactStore": {"Type": "S3", "Location": BUCKET},
        "Stages": [SOURCE, *stages],
    }
    resources = {
        "Role": role("codepipeline.amazonaws.com", [permissions]),
        "Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties},
    }
    return json.dumps({"Resources": resources})


EVERYTHING = allow("s3:*", "codecommit:*", "cloudformation:*", "codebuild:*", "lambda:InvokeFunction")


class World:
    """One emulated account with a repository; each test makes its pipeline in it."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        self.text = io.StringIO()
        self.journal = Journal(Display(Console(file=self.text, width=200, color_system=None)))
        self.journal.denied = emulator.denied
        self.checked = 0
        self.started = 0

    def client(self, service: str) -> Any:
        return self.emulator.session(PLACE.account, REGION).client(service)

    def deploy(self, name: str, body: str) -> str:
        return stacks.deploy(
            self.client("cloudformation"),
            Deployment(name, body, capabilities=["CAPABILITY_NAMED_IAM"]),
            "test",
        )

    def execution(
        self, *stages: dict[str, Any], permissions: dict[str, Any] = EVERYTHING, **files: str
    ) -> Execution:
        """An execution of a pipeline with these stages after the source, of these further files."""
        self.commit(files)
        self.deploy("pipeline", pipeline(permissions, *(stages or (BUILD, OBJECTS, DEPLOY))))
        self.started += 1
        return Execution(
            self.emulator,
            PLACE,
            "test",
            self.folder / str(self.started),
            self.journal,
            after_builds=self._after_builds,
        )

    def function(self, code: str) -> None:
        """The function "check", which may call CodePipeline."""
        function = {
            "FunctionName": "check",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": code},
        }
        resources = {
            "Role": role("lambda.amazonaws.com", [allow("codepipeline:*")]),
            "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        }
        self.deploy("function", json.dumps({"Resources": resources}))

    def _after_builds(self) -> None:
        self.checked += 1

    def commit(self, files: dict[str, str]) -> None:
        content = {
            "compile.yml": BUILDSPEC,
            "report.yml": REPORT,
            "topic.yaml": TOPIC,
            "broken.yaml": BROKEN,
            "configuration.json": json.dumps({"Parameters": {"Label": "x"}, "Tags": {"T": "1"}}),
            **{name.replace("__", "."): text for name, text in files.items()},
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
        self.client("s3").put_object(Bucket=BUCKET, Key="source.zip", Body=buffer.getvalue())
        repository = {
            "RepositoryName": "files",
            "Code": {"S3": {"Bucket": BUCKET, "Key": "source.zip"}, "BranchName": "main"},
        }
        body = {"Resources": {"R": {"Type": "AWS::CodeCommit::Repository", "Properties": repository}}}
        self.deploy("repository", json.dumps(body))

    def push(self, path: str, text: str) -> None:
        """Commit one file to the repository."""
        codecommit = self.client("codecommit")
        branch = codecommit.get_branch(repositoryName="files", branchName="main")["branch"]
        codecommit.create_commit(
            repositoryName="files",
            branchName="main",
            parentCommitId=branch["commitId"],
            putFiles=[{"filePath": path, "fileContent": text.encode()}],
        )

    def label(self) -> str:
        """What the stack "topic" was given."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName="topic")["Stacks"]
        return str({each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}["Label"])

    def empty(self) -> None:
        """Delete every stack but that of the projects."""
        cloudformation = self.client("cloudformation")
        deployed = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
        for name in deployed - {"projects"}:
            cloudformation.delete_stack(StackName=name)
        for name in deployed - {"projects"}:
            stacks.wait(cloudformation, name, "test")

    def statuses(self) -> dict[str, str]:
        return {step.title: step.status.value for step in self.journal.steps}


@pytest.fixture
def world(emulator: Emulator, tmp_path: Path) -> Iterator[World]:
    made = World(emulator, tmp_path)
    made.deploy("projects", PROJECTS)
    yield made
    made.empty()


def test_a_pipeline_runs_from_source_to_stack(world: World) -> None:
    execution = world.execution()
    execution.run()
    assert execution.failed_stage is None
    assert set(world.statuses().values()) == {"passed"}
    assert world.checked == 1
    read = world.client("s3").get_object(Bucket=BUCKET, Key="put/here/deep/hello.txt")["Body"].read()
    assert read == b"hello world\n"
    (stack,) = world.client("cloudformation").describe_stacks(StackName="topic")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Tags"] == [{"Key": "T", "Value": "1"}]
    values = {entry["ParameterKey"]: entry["ParameterValue"] for entry in stack["Parameters"]}
    assert values == {"Name": "made-by-the-build", "Label": "x"}
    with pytest.raises(ActionError, match="stage Build cannot be retried: the stage that failed is none"):
        execution.retry("Build")


def test_two_executions_run_alternately_each_with_its_own_source(world: World) -> None:
    put = {"BucketName": BUCKET, "Extract": "true", "ObjectKey": "after"}
    after = action("After", "Deploy/S3", "Built", RunOrder=2, Configuration=put)
    stages = (BUILD, {"Name": "Deploy", "Actions": [*DEPLOY["Actions"], after]})
    first = world.execution(*stages)
    ahead = first.steps()
    assert next(ahead) == Progress("Source", 1, stage_ended=True)
    world.push("configuration.json", json.dumps({"Parameters": {"Label": "second"}}))
    second = world.execution(*stages)
    behind = second.steps()
    for progress in behind:
        if progress == Progress("Build", 1, stage_ended=True):
            break
    assert list(ahead)[-2:] == [
        Progress("Deploy", 1, stage_ended=False),
        Progress("Deploy", 2, stage_ended=True),
    ]
    assert world.label() == "x"
    assert [progress.stage for progress in behind] == ["Deploy", "Deploy"]
    assert world.label() == "second"
    assert (first.failed_stage, second.failed_stage) == (None, None)
    assert first.identifier != second.identifier


def test_a_stage_can_run_again_by_itself(world: World) -> None:
    execution = world.execution(BUILD, DEPLOY)
    execution.run()
    done = len(world.journal.steps)
    execution.run_stage_again("Deploy")
    (again,) = world.journal.steps[done:]
    assert (again.title, again.summary) == ("Deploy · topic", "stack topic unchanged")


def test_a_build_that_fails_stops_the_pipeline_with_the_end_of_its_log(world: World) -> None:
    execution = world.execution(BUILD, DEPLOY, fail="yes\n")
    failure = "project compile: build failed with exit code 4: test ! -e"
    with pytest.raises(ActionError, match=failure) as caught:
        execution.run()
    assert caught.value.details == ("as ordered",)
    assert execution.failed_stage == "Build"
    assert world.statuses() == {"Source · Files": "passed", "Build · Compile": "failed"}
    with pytest.raises(ActionError, match=failure):  # the quota does not count the build that has failed
        execution.retry("Build")


def test_the_output_of_a_build_is_shown_if_it_exports_nothing(world: World) -> None:
    """Two of them follow each other, because each has its own run order."""
    world.execution(BUILD, report_builds(1, 2)).run()
    lines = {step.title: step.lines for step in world.journal.steps}
    for name in ("Print1", "Print2"):
        command, *printed = lines[f"Report · {name}"]
        assert command.startswith("build: echo")
        assert printed == ["all is well", "or nearly"]
        assert f"{name}: all is well\n" in world.text.getvalue()
    assert all(line.startswith("build: ") for line in lines["Build · Compile"])


def test_two_builds_with_one_run_order_are_refused_and_the_quota_is_named(world: World) -> None:
    with pytest.raises(ActionError, match="Cannot have more than 1 builds in queue") as caught:
        world.execution(report_builds(1, 1)).run()
    assert BUILDS_QUOTA in caught.value.details[0]
    assert "its own run order" in caught.value.details[0]


def test_a_stack_that_fails_is_reported_with_its_first_failed_resource(world: World) -> None:
    with pytest.raises(StackError, match=r"stack broken .* ended in ROLLBACK_COMPLETE") as caught:
        world.execution(BROKEN_STAGE).run()
    (reason,) = caught.value.details
    assert reason.startswith("first failed resource: Parameter (AWS::SSM::Parameter) CREATE_FAILED")


def test_a_call_that_the_pipelines_role_is_not_allowed_is_named(world: World) -> None:
    put = {"Name": "Objects", "Actions": [action("Put", "Deploy/S3", "Source", Configuration=PUT)]}
    execution = world.execution(put, permissions=allow("codecommit:*", "s3:PutObject"))
    with pytest.raises(ActionError, match=r"action Put: .*AccessDenied"):
        execution.run()
    assert "denied: s3:GetObject on arn:aws:s3:::artifacts-of-the-test/" in world.text.getvalue()


JOB = "import boto3\ndef handler(event, context):\n    job = event['CodePipeline.job']\n"
SUCCESS = "    boto3.client('codepipeline').put_job_success_result(jobId=job['id'])\n"
FAILURE = """\
    said = job['data']['actionConfiguration']['configuration']['UserParameters']
    failure = dict(type='JobFailed', message=said)
    boto3.client('codepipeline').put_job_failure_result(jobId=job['id'], failureDetails=failure)
"""
INVOCATION = {"FunctionName": "check", "UserParameters": "not yet"}
INVOKE = {"Name": "Check", "Actions": [action("check", "Invoke/Lambda", Configuration=INVOCATION)]}


def test_an_expected_failure_is_not_an_error_and_its_stage_can_be_retried(world: World) -> None:
    world.function(JOB + FAILURE)
    execution = world.execution(report_builds(1), INVOKE)
    execution.run(ExpectedFailure("Check", "function check: not yet"))
    assert execution.failed_stage == "Check"
    assert world.journal.steps[-1].status is Status.EXPECTED_FAILURE
    client = world.client("codepipeline")
    (summary,) = client.list_pipeline_executions(pipelineName="test")["pipelineExecutionSummaries"]
    assert (summary["pipelineExecutionId"], summary["status"]) == (execution.identifier, "Failed")
    world.function(JOB + SUCCESS)
    client.retry_stage_execution(
        pipelineName="test",
        stageName="Check",
        pipelineExecutionId=execution.identifier,
        retryMode="FAILED_ACTIONS",
    )
    execution.retry("Check")
    assert execution.failed_stage is None
    assert world.statuses()["Check · check"] == "passed"
    assert [step.title for step in world.journal.steps].count("Report · Print1") == 1
    (summary,) = client.list_pipeline_executions(pipelineName="test")["pipelineExecutionSummaries"]
    assert summary["status"] == "Succeeded"


def test_a_stack_that_rolled_back_cannot_be_updated(world: World) -> None:
    execution = world.execution(BROKEN_STAGE)
    execution.run(ExpectedFailure("Deploy", "already exists"))
    with pytest.raises(RehearsalError, match="ROLLBACK_COMPLETE"):
        execution.retry("Deploy")


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        # CodePipeline would wait for the result until the action times out.
        (
            "def handler(event, context):\n    return list(event)\n",
            r"reported no result: .*CodePipeline\.job",
        ),
        (f"{JOB}{SUCCESS}".replace("job['id']", "'unknown'"), "JobNotFoundException"),
    ],
)
def test_a_function_without_a_result_for_its_job_fails_the_action(
    world: World, code: str, failure: str
) -> None:
    world.function(code)
    with pytest.raises(ActionError, match=failure):
        world.execution(INVOKE).run()


@pytest.mark.parametrize(
    "expected", [ExpectedFailure("Deploy", "another reason"), ExpectedFailure("Source", "already exists")]
)
def test_a_failure_for_another_reason_or_in_another_stage_is_an_error(
    world: World, expected: ExpectedFailure
) -> None:
    with pytest.raises(StackError):
        world.execution(BROKEN_STAGE).run(expected)


def test_an_expected_failure_that_does_not_happen_is_an_error(world: World) -> None:
    with pytest.raises(ActionError, match="stage Report succeeded, but it was expected to fail"):
        world.execution(report_builds(1)).run(ExpectedFailure("Report", "anything"))


def test_a_pipeline_that_updates_itself_starts_again_once(world: World) -> None:
    """Its first stage updates the pipeline's own stack with a template from the source."""
    update = stack_action("pipeline", "self.json", Capabilities="CAPABILITY_NAMED_IAM")
    first, second = {"Name": "Self", "Actions": [update]}, report_builds(1)
    execution = world.execution(first, self__json=pipeline(EVERYTHING, first, second))
    identifier = execution.identifier
    execution.run()
    titles = [step.title for step in world.journal.steps]
    assert titles.count("Source · Files") == 2
    assert titles[-1] == "Report · Print1"
    assert execution.identifier != identifier
    assert "starts again from the source" in world.text.getvalue()


def test_what_a_build_has_made_is_checked_before_anything_is_deployed(world: World) -> None:
    execution = world.execution(BUILD, DEPLOY)

    def nothing_there() -> None:
        raise OutcomeError("bucket b does not hold the package p.")

    execution._after_builds = nothing_there
    with pytest.raises(OutcomeError, match="the package p"):
        execution.run()
    assert "Deploy · topic" not in world.statuses()


@pytest.mark.parametrize(
    ("faulty", "named"),
    [
        (stack_action("topic", "topic.yaml", OutputFileName="x"), "'OutputFileName'"),
        (stack_action("topic", "topic.yaml", ActionMode="DELETE_ONLY"), "ActionMode DELETE_ONLY"),
        (stack_action("topic", "missing.yaml"), "artifact Source has no file missing.yaml"),
        (stack_action("topic", "topic.yaml", ParameterOverrides="{Name"), "ParameterOverrides is not JSON"),
        (
            stack_action("topic", "topic.yaml", ParameterOverrides='{"N": "#{Files.X}"}'),
            r"#\{Files.X\}",
        ),
        (stack_action("topic", "topic.yaml", TemplateConfiguration="Source::topic.yaml"), "is not JSON"),
    ],
)
def test_a_fault_in_the_configuration_of_an_action_is_named(
    world: World, faulty: dict[str, Any], named: str
) -> None:
    with pytest.raises((ActionError, UnsupportedError), match=named):
        world.execution({"Name": "Deploy", "Actions": [faulty]}).run()


def test_a_build_without_its_parameter_names_it(world: World) -> None:
    execution = world.execution(BUILD, compile__yml=BUILDSPEC.replace("/test/greeting", "/test/misspelled"))
    with pytest.raises(ActionError, match="project compile: SSM has no parameter /test/misspelled"):
        execution.run()


def test_a_build_without_its_buildspec_names_it(world: World) -> None:
    build = action("Compile", "Build/CodeBuild", "Source", Configuration={"ProjectName": "missing"})
    with pytest.raises(ActionError, match=r"project missing: the source has no file missing\.yml"):
        world.execution({"Name": "Build", "Actions": [build]}).run()
