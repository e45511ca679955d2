"""A CodeBuild build on this machine, with the deployed project, its buildspec and its service role."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from buildspecs.lint import environments
from rehearsal.errors import ActionError, UnsupportedError
from rehearsal.machine import environment
from rehearsal.machine.environment import Caller
from rehearsal.pipeline import artifacts, build_shell, buildspec
from rehearsal.pipeline.build_shell import AS_ON_AWS, BuildCommand, Differences

_LOG_TAIL_LINES: Final = 25


@dataclass(frozen=True)
class Project:
    """What the rehearsal uses of a deployed project (codebuild batch-get-projects)."""

    name: str
    arn: str
    buildspec: str  # path in the source
    role_arn: str
    variables: tuple[tuple[str, str, str], ...]  # name, type, value

    @classmethod
    def read(cls, codebuild: Any, name: str) -> Project:
        """Raises ActionError if the project does not exist, UnsupportedError for another type of source."""
        projects = codebuild.batch_get_projects(names=[name])["projects"]
        if not projects:
            raise ActionError(f"the CodeBuild project {name} does not exist.")
        project = projects[0]
        source = project["source"]
        if source["type"] != "CODEPIPELINE" or not source.get("buildspec", "").endswith((".yml", ".yaml")):
            raise UnsupportedError(f"project {name}: the source must be CODEPIPELINE with a buildspec file.")
        return cls(
            name=name,
            arn=project["arn"],
            buildspec=source["buildspec"],
            role_arn=project["serviceRole"],
            variables=_variables(project["environment"].get("environmentVariables", [])),
        )


@dataclass(frozen=True)
class Build:
    """The result of a build. `artifact` is the zip for the pipeline, None if the buildspec has no artifacts.

    `printed` is the end of the log.
    """

    commands: tuple[BuildCommand, ...]
    exported: Mapping[str, str]
    artifact: bytes | None
    printed: tuple[str, ...]


def _variables(entries: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((entry["name"], entry.get("type", "PLAINTEXT"), entry["value"]) for entry in entries)


def run(
    project: Project,
    role: Caller,
    identifier: str,
    *,
    source: Path,
    scratch: Path,
    overrides: Sequence[Mapping[str, str]] = (),
    differences: Differences = AS_ON_AWS,
    finished: Callable[[BuildCommand], None],
) -> Build:
    """Build `source` (changed in place) with the project's role; `identifier` is the build's.

    `overrides` are the environment variables of the pipeline's action. They override the project's, which
    override the buildspec's, as in AWS. Raises ActionError with the end of the log.
    """
    path = source / project.buildspec
    if not path.is_file():
        raise ActionError(f"project {project.name}: the source has no file {project.buildspec}.")
    spec = buildspec.parse(path.read_text(), project.buildspec)
    wanted = [
        *((name, "PLAINTEXT", value) for name, value in spec.variables.items()),
        *((name, "PARAMETER_STORE", value) for name, value in spec.parameter_store.items()),
        *project.variables,
        *_variables(overrides),
    ]
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "build.log"
    variables = {
        **_environment(project, role, identifier, source, scratch),
        **_resolve(project, role, wanted),
    }
    result = build_shell.run(
        spec,
        source=source,
        scratch=scratch / "shell",
        environment=variables,
        log=log,
        finished=finished,
        differences=differences,
    )
    if not result.succeeded:
        raise ActionError(f"project {project.name}: {_fault(result.commands)}", *_tail(log))
    return Build(result.commands, result.exported, _artifact(spec.artifacts, source), tuple(_tail(log)))


def _resolve(project: Project, role: Caller, wanted: Sequence[tuple[str, str, str]]) -> dict[str, str]:
    """The values of environment variables; parameters are read with the build's role, as in AWS."""
    latest = {name: (kind, value) for name, kind, value in wanted}
    for name, (kind, _) in latest.items():
        if kind not in ("PLAINTEXT", "PARAMETER_STORE"):
            raise UnsupportedError(
                f"project {project.name}: variable {name} has the unsupported type {kind}."
            )
    parameters = sorted({value for kind, value in latest.values() if kind == "PARAMETER_STORE"})
    stored = _parameters(project, role, parameters) if parameters else {}
    return {
        name: stored[value] if kind == "PARAMETER_STORE" else value for name, (kind, value) in latest.items()
    }


def _parameters(project: Project, role: Caller, names: list[str]) -> dict[str, str]:
    try:
        response = role.client("ssm").get_parameters(Names=names, WithDecryption=True)
    except ClientError as error:
        raise ActionError(f"project {project.name} cannot read {', '.join(names)}: {error}") from None
    if missing := response["InvalidParameters"]:
        raise ActionError(f"project {project.name}: SSM has no parameter {', '.join(missing)}.")
    return {parameter["Name"]: parameter["Value"] for parameter in response["Parameters"]}


def _environment(
    project: Project, role: Caller, identifier: str, source: Path, scratch: Path
) -> dict[str, str]:
    """What every build sees: nothing of the developer's environment but the search path."""
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    tools = Path(sys.executable).parent
    seen = environment.program(home)
    return {
        **seen,
        "PATH": f"{tools}{os.pathsep}{seen['PATH']}",
        "TMPDIR": str(scratch),
        "CI": "true",
        "CODEBUILD_CI": "true",
        "CODEBUILD_BUILD_ID": identifier,
        "CODEBUILD_BUILD_ARN": project.arn.replace(f":project/{project.name}", f":build/{identifier}"),
        "CODEBUILD_INITIATOR": "codepipeline",
        "CODEBUILD_SRC_DIR": str(source),
        # pip finds what the Makefile has downloaded, and never uses the network.
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(Path(sys.prefix) / "wheels"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # A gate with an environment of its own runs only if that is installed already.
        environments.VARIABLE: environment.given(environments.VARIABLE, str(home / environments.FOLDER)),
        **role.environment,
    }


def _artifact(wanted: buildspec.Artifacts | None, source: Path) -> bytes | None:
    if wanted is None:
        return None
    base = source / wanted.base
    if not base.is_dir():
        raise ActionError(f"the artifact's base-directory {wanted.base} does not exist after the build.")
    return artifacts.pack(base, artifacts.select(base, wanted.files))


def _fault(commands: Sequence[BuildCommand]) -> str:
    for command in commands:
        if command.code:
            return f"{command.phase} failed with exit code {command.code}: {command.title}"
    return "a command ended the shell of the build."


def _tail(log: Path) -> list[str]:
    return log.read_text(errors="replace").rstrip().splitlines()[-_LOG_TAIL_LINES:]
