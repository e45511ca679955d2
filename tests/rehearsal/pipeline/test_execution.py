"""A small pipeline on the emulator: source, build, objects and stacks, carried out as CodePipeline would."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.emulator import Accounts, Emulator
from rehearsal.errors import ActionError, OutcomeError, RehearsalError, StackError, UnsupportedError
from rehearsal.organization import stacks
from rehearsal.organization.stacks import Deployment
from rehearsal.pipeline.execution import Execution, ExpectedFailure, Progress
from rehearsal.place import Place
from rehearsal.report.display import Display
from rehearsal.report.journal import Journal, Status

ACCOUNTS = Accounts("111111111111", "222222222222", "333333333333", ("444444444444",))
REGION = "us-east-1"
PLACE = Place(ACCOUNTS.home, REGION)
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
      - test ! -e fail || { echo "told to fail"; exit 4; }
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
# The pipeline's own stack has a parameter of that name.
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


def stages(*further: dict[str, Any]) -> list[dict[str, Any]]:
    source = {"RepositoryName": "files", "BranchName": "main", "PollForSourceChanges": "false"}
    objects = {"BucketName": BUCKET, "Extract": "true", "ObjectKey": "put/here"}
    return [
        {
            "Name": "Source",
            "Actions": [
                action(
                    "Files", "Source/CodeCommit", Configuration=source, OutputArtifacts=[{"Name": "Source"}]
                )
            ],
        },
        {
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
        },
        {"Name": "Objects", "Actions": [action("Put", "Deploy/S3", "Built", Configuration=objects)]},
        *further,
    ]


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


def project(name: str) -> dict[str, Any]:
    """A CodeBuild project with the buildspec <name>.yml."""
    return {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": name,
            "ServiceRole": {"Fn::GetAtt": ["BuildRole", "Arn"]},
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


def template(permissions: dict[str, Any], steps: list[dict[str, Any]]) -> str:
    """A pipeline with everything that it needs, in one stack."""
    return json.dumps(
        {
            "Resources": {
                "PipelineRole": role("codepipeline.amazonaws.com", [permissions]),
                "BuildRole": role("codebuild.amazonaws.com", [allow("s3:*", "ssm:GetParameters")]),
                "Greeting": {
                    "Type": "AWS::SSM::Parameter",
                    "Properties": {"Name": "/test/greeting", "Type": "String", "Value": "hello"},
                },
                "Project": project("compile"),
                "Report": project("report"),
                "Pipeline": {
                    "Type": "AWS::CodePipeline::Pipeline",
                    "Properties": {
                        "Name": "test",
                        "PipelineType": "V2",
                        "RoleArn": {"Fn::GetAtt": ["PipelineRole", "Arn"]},
                        "ArtifactStore": {"Type": "S3", "Location": BUCKET},
                        "Stages": steps,
                    },
                },
            }
        }
    )


EVERYTHING = allow("s3:*", "codecommit:*", "cloudformation:*", "codebuild:*", "lambda:InvokeFunction")
ASK = {"Configuration": {"FunctionName": "asked", "UserParameters": "really"}}


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
        return self.emulator.session(ACCOUNTS.home, REGION).client(service)

    def deploy(self, name: str, body: str) -> str:
        return stacks.deploy(
            self.client("cloudformation"),
            Deployment(name, body, capabilities=["CAPABILITY_NAMED_IAM"]),
            "test",
            replace_failed=False,
        )

    def execution(
        self, *steps: dict[str, Any], permissions: dict[str, Any] = EVERYTHING, **files: str
    ) -> Execution:
        """The pipeline with these stages behind the usual ones, the repository with these further files."""
        self.commit(files)
        self.deploy("pipeline", template(permissions, stages(*(steps or (DEPLOY,)))))
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
        """The function "asked", which may answer CodePipeline."""
        function = {
            "FunctionName": "asked",
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
        cloudformation = self.client("cloudformation")
        for name in ("pipeline", "repository", "topic", "broken", "function"):
            cloudformation.delete_stack(StackName=name)
            stacks.wait(cloudformation, name, "test")
        s3 = self.client("s3")
        for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=entry["Key"])

    def statuses(self) -> dict[str, str]:
        return {step.title: step.status.value for step in self.journal.steps}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), ACCOUNTS, REGION) as running:
        running.session(ACCOUNTS.home, REGION).client("s3").create_bucket(Bucket=BUCKET)
        yield running


@pytest.fixture
def world(emulator: Emulator, tmp_path: Path) -> Iterator[World]:
    made = World(emulator, tmp_path)
    yield made
    made.empty()


def test_a_pipeline_is_carried_out_from_source_to_stack(world: World) -> None:
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


def test_two_executions_are_carried_out_alternately_each_with_its_own_source(world: World) -> None:
    deploy = {
        "Name": "Deploy",
        "Actions": [
            *DEPLOY["Actions"],
            action(
                "After",
                "Deploy/S3",
                "Built",
                RunOrder=2,
                Configuration={"BucketName": BUCKET, "Extract": "true", "ObjectKey": "after"},
            ),
        ],
    }
    first = world.execution(deploy)
    ahead = first.steps()
    assert next(ahead) == Progress("Source", 1, left=True)
    world.push("configuration.json", json.dumps({"Parameters": {"Label": "second"}}))
    second = world.execution(deploy)
    behind = second.steps()
    for progress in behind:
        if progress == Progress("Objects", 1, left=True):
            break
    assert list(ahead)[-2:] == [Progress("Deploy", 1, left=False), Progress("Deploy", 2, left=True)]
    assert world.label() == "x"
    assert [progress.stage for progress in behind] == ["Deploy", "Deploy"]
    assert world.label() == "second"
    assert (first.failed_stage, second.failed_stage) == (None, None)
    assert first.identifier != second.identifier


def test_a_stage_can_be_repeated_by_itself(world: World) -> None:
    execution = world.execution()
    execution.run()
    cloudformation = world.client("cloudformation")
    cloudformation.delete_stack(StackName="topic")
    stacks.wait(cloudformation, "topic", "test")
    done = len(world.journal.steps)
    execution.repeat("Deploy")
    (again,) = world.journal.steps[done:]
    assert (again.title, again.summary) == ("Deploy · topic", "stack topic created")


def test_the_same_commit_again_changes_nothing(world: World) -> None:
    world.execution().run()
    world.execution().run()
    (last,) = [step for step in world.journal.steps if step.title == "Deploy · topic"][1:]
    assert last.summary == "stack topic unchanged"


def test_a_build_that_fails_stops_the_pipeline_with_the_end_of_its_log(world: World) -> None:
    execution = world.execution(fail="yes\n")
    with pytest.raises(
        ActionError, match="project compile: build failed with exit code 4: test ! -e"
    ) as caught:
        execution.run()
    assert caught.value.details == ("told to fail",)
    assert execution.failed_stage == "Build"
    assert world.statuses() == {"Source · Files": "passed", "Build · Compile": "failed"}


def test_what_a_build_has_printed_is_shown_if_it_hands_nothing_on(world: World) -> None:
    report = action("Tell", "Build/CodeBuild", "Source", Configuration={"ProjectName": "report"})
    world.execution({"Name": "Report", "Actions": [report]}).run()
    lines = {step.title: step.lines for step in world.journal.steps}
    command, *printed = lines["Report · Tell"]
    assert command.startswith("build: echo")
    assert printed == ["all is well", "or nearly"]
    assert "Tell: all is well\n" in world.text.getvalue()
    assert all(line.startswith("build: ") for line in lines["Build · Compile"])


def test_two_builds_with_one_run_order_are_refused_and_the_quota_is_named(world: World) -> None:
    both = [
        action(name, "Build/CodeBuild", "Source", Configuration={"ProjectName": "report"})
        for name in ("Tell", "TellAgain")
    ]
    with pytest.raises(ActionError, match="Cannot have more than 1 builds in queue") as caught:
        world.execution({"Name": "Report", "Actions": both}).run()
    assert "L-9D07B6EF" in caught.value.details[0]
    assert "a run order of its own" in caught.value.details[0]


def test_builds_with_run_orders_of_their_own_follow_each_other(world: World) -> None:
    both = [
        action(name, "Build/CodeBuild", "Source", Configuration={"ProjectName": "report"}, RunOrder=order)
        for order, name in enumerate(("Tell", "TellAgain"), start=1)
    ]
    world.execution({"Name": "Report", "Actions": both}).run()
    assert world.statuses()["Report · TellAgain"] == "passed"


def test_a_build_that_has_failed_is_in_nobodys_way(world: World) -> None:
    execution = world.execution(fail="yes\n")
    for attempt in (execution.run, lambda: execution.retry("Build")):
        with pytest.raises(ActionError, match="build failed with exit code 4"):
            attempt()


def test_a_stack_that_fails_is_told_with_its_first_failed_resource(world: World) -> None:
    execution = world.execution({"Name": "Deploy", "Actions": [stack_action("broken", "broken.yaml")]})
    with pytest.raises(StackError, match=r"stack broken .* ended in ROLLBACK_COMPLETE") as caught:
        execution.run()
    (reason,) = caught.value.details
    assert reason.startswith("first failed resource: Parameter (AWS::SSM::Parameter) CREATE_FAILED")


def test_a_call_that_the_pipelines_role_may_not_make_is_named(world: World) -> None:
    execution = world.execution(permissions=allow("codecommit:*", "codebuild:*", "s3:PutObject"))
    with pytest.raises(ActionError, match=r"action Put: .*AccessDenied"):
        execution.run()
    assert "denied: s3:GetObject on arn:aws:s3:::artifacts-of-the-test/" in world.text.getvalue()


def test_an_expected_failure_is_no_error_and_its_stage_can_be_retried(world: World) -> None:
    broken = {
        "Name": "Deploy",
        "Actions": [stack_action("broken", "broken.yaml", ActionMode="REPLACE_ON_FAILURE")],
    }
    execution = world.execution(broken)
    execution.run(ExpectedFailure("Deploy", "already exists"))
    assert execution.failed_stage == "Deploy"
    assert world.journal.steps[-1].status is Status.EXPECTED_FAILURE
    client = world.client("codepipeline")
    (summary,) = client.list_pipeline_executions(pipelineName="test")["pipelineExecutionSummaries"]
    assert (summary["pipelineExecutionId"], summary["status"]) == (execution.identifier, "Failed")
    world.client("ssm").delete_parameter(Name="/test/greeting")
    client.retry_stage_execution(
        pipelineName="test",
        stageName="Deploy",
        pipelineExecutionId=execution.identifier,
        retryMode="FAILED_ACTIONS",
    )
    execution.retry("Deploy")
    assert execution.failed_stage is None
    assert [step.title for step in world.journal.steps].count("Build · Compile") == 1
    (summary,) = client.list_pipeline_executions(pipelineName="test")["pipelineExecutionSummaries"]
    assert summary["status"] == "Succeeded"


def test_a_stack_that_rolled_back_cannot_be_updated_by_create_update(world: World) -> None:
    execution = world.execution({"Name": "Deploy", "Actions": [stack_action("broken", "broken.yaml")]})
    execution.run(ExpectedFailure("Deploy", "already exists"))
    with pytest.raises(RehearsalError, match="ROLLBACK_COMPLETE"):
        execution.retry("Deploy")


def test_a_function_that_puts_no_result_fails_its_action(world: World) -> None:
    """CodePipeline would wait for it until the action times out."""
    world.function("import json\ndef handler(event, context):\n    return {'heard': list(event)}\n")
    execution = world.execution({"Name": "Ask", "Actions": [action("ask", "Invoke/Lambda", **ASK)]})
    with pytest.raises(ActionError, match=r"function asked: it put no result: .*CodePipeline\.job"):
        execution.run()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ("put_job_success_result(jobId=job['id'])", None),
        (
            "put_job_failure_result(jobId=job['id'], failureDetails=dict(type='JobFailed', message=said))",
            "function asked: really",
        ),
        ("put_job_success_result(jobId='of-nobody')", "JobNotFoundException"),
    ],
)
def test_a_function_says_by_its_job_how_an_action_ended(
    world: World, answer: str, failure: str | None
) -> None:
    world.function(
        "import boto3\ndef handler(event, context):\n    job = event['CodePipeline.job']\n"
        "    said = job['data']['actionConfiguration']['configuration']['UserParameters']\n"
        f"    boto3.client('codepipeline').{answer}\n"
    )
    execution = world.execution({"Name": "Ask", "Actions": [action("ask", "Invoke/Lambda", **ASK)]})
    if failure is None:
        execution.run()
        assert world.statuses()["Ask · ask"] == "passed"
    else:
        with pytest.raises(ActionError, match=failure):
            execution.run()


@pytest.mark.parametrize(
    "expected", [ExpectedFailure("Deploy", "another reason"), ExpectedFailure("Objects", "x")]
)
def test_a_failure_for_another_reason_or_at_another_place_is_an_error(
    world: World, expected: ExpectedFailure
) -> None:
    execution = world.execution({"Name": "Deploy", "Actions": [stack_action("broken", "broken.yaml")]})
    with pytest.raises(StackError):
        execution.run(expected)


def test_a_failure_that_does_not_come_is_an_error(world: World) -> None:
    with pytest.raises(ActionError, match="stage Deploy succeeded, but it has to fail"):
        world.execution().run(ExpectedFailure("Deploy", "anything"))


def test_only_the_failed_stage_can_be_retried(world: World) -> None:
    execution = world.execution()
    execution.run()
    with pytest.raises(ActionError, match="stage Build cannot be retried: the stage that failed is none"):
        execution.retry("Build")


def updating(body: str) -> dict[str, Any]:
    """A stage that updates the pipeline's own stack with a template from the source."""
    return {"Name": "Self", "Actions": [stack_action("pipeline", body, Capabilities="CAPABILITY_NAMED_IAM")]}


def test_a_pipeline_that_updates_itself_starts_again_once(world: World) -> None:
    after = template(EVERYTHING, stages(updating("self.json"), DEPLOY))
    execution = world.execution(updating("self.json"), self__json=after)
    first = execution.identifier
    execution.run()
    titles = [step.title for step in world.journal.steps]
    assert titles.count("Source · Files") == 2
    assert titles[-1] == "Deploy · topic"
    assert execution.identifier != first
    assert "starts again from the source" in world.text.getvalue()


def test_what_a_build_has_made_is_checked_before_anything_is_deployed(world: World) -> None:
    execution = world.execution()

    def nothing_there() -> None:
        raise OutcomeError("bucket b does not hold the package p.")

    execution._after_builds = nothing_there
    with pytest.raises(OutcomeError, match="the package p"):
        execution.run()
    assert "Deploy · topic" not in world.statuses()


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (stack_action("topic", "topic.yaml", OutputFileName="x"), "'OutputFileName'"),
        (stack_action("topic", "topic.yaml", ActionMode="DELETE_ONLY"), "ActionMode DELETE_ONLY"),
        (stack_action("topic", "missing.yaml"), "artifact Source holds no missing.yaml"),
        (stack_action("topic", "topic.yaml", ParameterOverrides="{Name"), "ParameterOverrides is not JSON"),
        (
            stack_action("topic", "topic.yaml", ParameterOverrides='{"N": "#{Compiled.X}"}'),
            r"#\{Compiled.X\}",
        ),
        (stack_action("topic", "topic.yaml", TemplateConfiguration="Source::topic.yaml"), "is not JSON"),
    ],
)
def test_what_an_action_cannot_do_is_named(world: World, step: dict[str, Any], named: str) -> None:
    execution = world.execution({"Name": "Deploy", "Actions": [step]})
    with pytest.raises((ActionError, UnsupportedError), match=named):
        execution.run()


def test_a_build_without_its_parameter_says_which(world: World) -> None:
    execution = world.execution(compile__yml=BUILDSPEC.replace("/test/greeting", "/test/misspelt"))
    with pytest.raises(ActionError, match="project compile: SSM has no parameter /test/misspelt"):
        execution.run()


def test_a_build_without_its_buildspec_says_so(world: World) -> None:
    execution = world.execution()
    project = {"Name": "compile"}
    world.client("codebuild").update_project(
        name=project["Name"], source={"type": "CODEPIPELINE", "buildspec": "other.yml"}
    )
    with pytest.raises(ActionError, match=r"the source holds no other\.yml"):
        execution.run()
