"""Check that the CodeBuild projects of this commit's pipeline exist.

`python -m buildspecs.projects` is the first command of the pipeline's first build. A person updates the
stacks with the projects (hand_made.py), so a commit that adds a project would otherwise fail in the middle of
a rollout, with an error of CodeBuild. If the build's role is not allowed to look up the projects, its own
stack is older than this check and must be updated, too.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import boto3
import yaml
from botocore.exceptions import ClientError

from buildspecs import names
from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import BuildError, OutdatedError, exit_code
from buildspecs.hand_made import BUILDS, DENIED, advice
from buildspecs.names import Stack
from buildspecs.paths import ROOT

PIPELINE = f"{names.HOME}/{names.PIPELINE_STACK}.yaml"
VALIDATE_TEMPLATES = next(stack for stack in BUILDS if stack.template == names.VALIDATE)


class CodeBuild(Protocol):
    """The calls that this module makes with a CodeBuild client."""

    def batch_get_projects(self, *, names: Sequence[str]) -> Mapping[str, Any]: ...


class _Loader(yaml.CSafeLoader):
    """Reads a template without its intrinsic functions: the names of projects hold none."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def needed(root: Path) -> list[str]:
    """The CodeBuild projects that the pipeline's template names, in its order."""
    pipelines = _of_type("AWS::CodePipeline::Pipeline", PIPELINE, root)
    return [
        str(action["Configuration"]["ProjectName"])
        for pipeline in pipelines
        for stage in pipeline["Stages"]
        for action in stage["Actions"]
        if action["ActionTypeId"]["Provider"] == "CodeBuild"
    ]


def owners(root: Path) -> dict[str, Stack]:
    """The stack of each project."""
    return {
        str(project["Name"]): stack
        for stack in BUILDS
        for project in _of_type("AWS::CodeBuild::Project", stack.template, root)
    }


def _of_type(resource_type: str, template: str, root: Path) -> Iterator[Mapping[str, Any]]:
    try:
        body = yaml.load((root / template).read_bytes(), _Loader)  # noqa: S506 - a safe loader
    except (OSError, yaml.YAMLError) as error:
        raise BuildError(f"{template}: {error}") from error
    return (each["Properties"] for each in body["Resources"].values() if each["Type"] == resource_type)


def check(codebuild: CodeBuild, root: Path, region: str) -> list[str]:
    """The projects, all of which exist. Raises OutdatedError with the stacks to update and the commands."""
    wanted, stacks = needed(root), owners(root)
    if unknown := [name for name in wanted if name not in stacks]:
        raise BuildError(f"{PIPELINE}: no template below codebuild/ has the project {', '.join(unknown)}")
    try:
        existing = {each["name"] for each in codebuild.batch_get_projects(names=wanted).get("projects", [])}
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        raise OutdatedError(
            f"this build is not allowed to look up the pipeline's projects ({error}): "
            f"{advice(VALIDATE_TEMPLATES, region)}"
        ) from error
    missing = [name for name in wanted if name not in existing]
    if missing:
        raise OutdatedError(
            "\n".join(
                f"CodeBuild project {', '.join(name for name in missing if stacks[name] == stack)} does not"
                f" exist: {advice(stack, region)}"
                for stack in dict.fromkeys(stacks[name] for name in missing)
            )
        )
    return wanted


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Look up the projects; see the module's text."""
    argparse.ArgumentParser(
        prog="buildspecs.projects", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(arguments)

    def command() -> int:
        aws = session or boto3.session.Session()
        region = home_region(aws)
        found = check(aws.client("codebuild", region_name=region, config=RETRIES), root, region)
        print(f"all {len(found)} CodeBuild projects exist: {', '.join(found)}")
        return 0

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
