"""What the pipeline's actions do, one function per action type. `ACTIONS` lists them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.names import BUILDS_QUOTA
from rehearsal.emulator import Emulator
from rehearsal.errors import ActionError, UnsupportedError
from rehearsal.machine.environment import Caller
from rehearsal.organization import stacks
from rehearsal.organization.assumed_roles import Roles
from rehearsal.pipeline import artifacts, codebuild
from rehearsal.pipeline.artifacts import ArtifactStore
from rehearsal.pipeline.build_shell import AS_ON_AWS, BuildCommand, Differences
from rehearsal.pipeline.codebuild import Project
from rehearsal.pipeline.definition import Action
from rehearsal.place import Place

CODEBUILD: Final = "codebuild.amazonaws.com"


@dataclass(frozen=True)
class Context:
    """What an action needs: its configuration with variables resolved, and the pipeline's role."""

    action: Action
    role: Caller
    roles: Roles
    emulator: Emulator
    place: Place
    store: ArtifactStore
    scratch: Path
    say: Callable[[str], None]
    skipped: Callable[[str], None]  # reports a command that is not run on this machine
    differences: Differences = AS_ON_AWS  # in builds

    @property
    def configuration(self) -> Mapping[str, str]:
        return self.action.configuration

    def input(self) -> Path:
        """The first input artifact, extracted with the pipeline's role."""
        name = self._input(self.action.inputs[0] if self.action.inputs else "")
        return self.store.get(self.role, name, self.scratch / name)

    def input_text(self, name: str, path: str) -> str | None:
        """One file of an input artifact, read with the pipeline's role; None if it has no such file."""
        return self.store.text(self.role, self._input(name), path)

    def _input(self, name: str) -> str:
        if name not in self.action.inputs:
            raise UnsupportedError(f"action {self.action.name} has no input artifact {name!r}.")
        return name


@dataclass(frozen=True)
class ActionResult:
    """What an action did, in a few words, and the variables that it exports."""

    summary: str
    variables: Mapping[str, str] = field(default_factory=dict)


def _only(context: Context, *known: str) -> None:
    for key in context.configuration:
        if key not in known:
            raise UnsupportedError(
                f"action {context.action.name}: the rehearsal does not know the configuration {key!r} "
                f"of {'/'.join(context.action.type_id)}."
            )


def source(context: Context) -> ActionResult:
    """CodeCommit: the files of a branch become an artifact."""
    _only(context, "RepositoryName", "BranchName", "PollForSourceChanges", "OutputArtifactFormat")
    name, branch = context.configuration["RepositoryName"], context.configuration["BranchName"]
    codecommit = context.role.client("codecommit")
    commit = codecommit.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"]
    # CodePipeline gets the files by a call that CodeCommit does not publish (UploadArchive).
    archive = context.emulator.control(
        "repository-archive", account=context.place.account, region=context.place.region, repository=name
    )
    context.store.put(context.role, context.action.outputs[0], base64.b64decode(archive))
    return ActionResult(
        f"{name}, branch {branch}", {"CommitId": commit, "BranchName": branch, "RepositoryName": name}
    )


def build(context: Context) -> ActionResult:
    """CodeBuild: runs the project's buildspec on the primary source.

    A build that exports nothing runs for its output, so that is shown.
    """
    _only(context, "ProjectName", "PrimarySource", "EnvironmentVariables")
    configuration = context.configuration
    owner = context.emulator.session(context.place.account, context.place.region)
    project = Project.read(owner.client("codebuild"), configuration["ProjectName"])
    role = context.roles.assume(project.role_arn, CODEBUILD, context.place.region, project.arn)
    with _started(context, project.name) as identifier:
        return _run_build(context, project, role, identifier)


@contextmanager
def _started(context: Context, project: str) -> Iterator[str]:
    """The calls that CodePipeline makes: the emulator records the build, the block runs it."""
    client = context.role.client("codebuild")
    try:
        identifier = client.start_build(projectName=project)["build"]["id"]
    except client.exceptions.AccountLimitExceededException as error:
        raise ActionError(
            f"Error calling startBuild: {error}",
            f"The account has the quota of a new one (AWS CodeBuild, {BUILDS_QUOTA}, Concurrently running "
            "builds for Linux/Small environment): give each build of the stage its own run order.",
        ) from error
    status = "FAILED"
    try:
        client.batch_get_builds(ids=[identifier])
        yield identifier
        status = "SUCCEEDED"
    finally:
        context.emulator.control(
            "build-ended",
            account=context.place.account,
            region=context.place.region,
            identifier=identifier,
            status=status,
        )


def _run_build(context: Context, project: Project, role: Caller, identifier: str) -> ActionResult:
    action, configuration = context.action, context.configuration
    name = configuration.get("PrimarySource", action.inputs[0])
    folder = context.store.get(role, name, context.scratch / "src")

    def finished(command: BuildCommand) -> None:
        if command.code is None:
            context.skipped(command.title)
        else:
            context.say(f"{command.phase}: {command.title}  {command.seconds:.1f} s")

    overrides = json.loads(configuration.get("EnvironmentVariables", "[]"))
    result = codebuild.run(
        project,
        role,
        identifier,
        source=folder,
        scratch=context.scratch / "build",
        overrides=overrides,
        differences=context.differences,
        finished=finished,
    )
    if action.outputs:
        if result.artifact is None:
            raise ActionError(
                f"project {project.name} makes no artifact, but the action has an output artifact."
            )
        context.store.put(role, action.outputs[0], result.artifact)
    elif not result.exported:
        for line in result.printed:
            context.say(line)
    return ActionResult(f"project {project.name}", result.exported)


def s3_deploy(context: Context) -> ActionResult:
    """S3: puts the artifact's files into a bucket."""
    _only(context, "BucketName", "Extract", "ObjectKey")
    bucket = context.configuration["BucketName"]
    if context.configuration.get("Extract") != "true":
        raise UnsupportedError(f"action {context.action.name}: the rehearsal supports Extract true only.")
    prefix = context.configuration.get("ObjectKey", "").strip("/")
    folder, s3 = context.input(), context.role.client("s3")
    files = list(artifacts.all_files(folder))
    for file in files:
        key = file.relative_to(folder).as_posix()
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{key}" if prefix else key, Body=file.read_bytes())
    return ActionResult(f"{len(files)} objects to s3://{bucket}/{prefix}")


def cloudformation(context: Context) -> ActionResult:
    """CloudFormation: creates or updates a stack from a template in an artifact."""
    _only(
        context,
        "ActionMode", "StackName", "TemplatePath", "TemplateConfiguration", "ParameterOverrides",
        "Capabilities", "RoleArn",
    )  # fmt: skip
    configuration = context.configuration
    mode = configuration["ActionMode"]
    if mode != "CREATE_UPDATE":
        raise UnsupportedError(
            f"action {context.action.name}: the rehearsal does not know ActionMode {mode}."
        )
    settings = _template_configuration(context)
    overrides = _json_object(context, "ParameterOverrides", configuration.get("ParameterOverrides", "{}"))
    deployment = stacks.Deployment(
        name=configuration["StackName"],
        template=_artifact_text(context, configuration["TemplatePath"]),
        parameters={**settings.get("Parameters", {}), **overrides},
        tags=settings.get("Tags", {}),
        capabilities=[item for item in configuration.get("Capabilities", "").split(",") if item],
        role_arn=configuration.get("RoleArn"),
    )
    client = context.role.client("cloudformation")
    done = stacks.deploy(client, deployment, str(context.place))
    outputs = client.describe_stacks(StackName=deployment.name)["Stacks"][0].get("Outputs", [])
    return ActionResult(
        f"stack {deployment.name} {done}", {output["OutputKey"]: output["OutputValue"] for output in outputs}
    )


def _template_configuration(context: Context) -> dict[str, dict[str, str]]:
    path = context.configuration.get("TemplateConfiguration")
    if not path:
        return {}
    settings = _json_object(context, path, _artifact_text(context, path))
    for key in settings:
        if key not in ("Parameters", "Tags"):
            raise UnsupportedError(
                f"{path}: the rehearsal does not know {key!r} in a template configuration."
            )
    return settings


def _artifact_text(context: Context, path: str) -> str:
    """The text of `artifact::path/in/it`."""
    artifact, separator, inside = path.partition("::")
    if not separator:
        raise ActionError(f"{path} must have the form artifact::path.")
    text = context.input_text(artifact, inside)
    if text is None:
        raise ActionError(f"artifact {artifact} has no file {inside}.")
    return text


def _json_object(context: Context, what: str, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ActionError(f"action {context.action.name}: {what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ActionError(f"action {context.action.name}: {what} must be a JSON object.")
    return value


def invoke(context: Context) -> ActionResult:
    """Lambda: gives a function a job, whose result it reports to CodePipeline's API."""
    _only(context, "FunctionName", "UserParameters")
    function = context.configuration["FunctionName"]
    where = {"account": context.place.account, "region": context.place.region}
    job = context.emulator.control("pipeline-job", **where)
    data = {"actionConfiguration": {"configuration": dict(context.configuration)}}
    event = {"CodePipeline.job": {"id": job, "accountId": context.place.account, "data": data}}
    response = context.role.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    result = context.emulator.control("pipeline-job-result", identifier=job, **where)
    if result.get("status") != "Succeeded":
        reason = (
            result.get("message") or f"it reported no result: {response['Payload'].read().decode()[:500]}"
        )
        raise ActionError(f"function {function}: {reason}")
    return ActionResult(f"function {function}")


ACTIONS: Final[Mapping[tuple[str, str, str], Callable[[Context], ActionResult]]] = {
    ("Source", "AWS", "CodeCommit"): source,
    ("Build", "AWS", "CodeBuild"): build,
    ("Test", "AWS", "CodeBuild"): build,
    ("Deploy", "AWS", "S3"): s3_deploy,
    ("Deploy", "AWS", "CloudFormation"): cloudformation,
    ("Invoke", "AWS", "Lambda"): invoke,
}


def run(context: Context) -> ActionResult:
    """Run an action. Raises ActionError with AWS's message when a call is refused."""
    try:
        return ACTIONS[context.action.type_id](context)
    except ClientError as error:
        raise ActionError(f"action {context.action.name}: {error}") from error


def check_types(actions: Iterable[Action]) -> None:
    """Raises UnsupportedError with the first action whose type the rehearsal does not know."""
    for action in actions:
        if action.type_id not in ACTIONS:
            type_id = "/".join(action.type_id)
            raise UnsupportedError(
                f"action {action.name}: the rehearsal does not know the action type {type_id}."
            )
