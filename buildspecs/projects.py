"""Whether the stacks that a person updates have everything that this commit's pipeline needs.

`python -m buildspecs.projects` is the first command of the pipeline's first build. The CodeBuild projects
lie in stacks 8 to 10 of the README, which the pipeline does not update. Without this look-up, a commit that
brings a project would fail in the middle of a rollout, with CodeBuild's words. A role that is older than the
look-up may not make it: that, too, says that stack 8 is to be updated.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import ClientError
from cfnlint.decode import decode

from buildspecs.aws import RETRIES, home_region
from buildspecs.errors import BuildError, OutdatedError, exit_code
from buildspecs.paths import ROOT

PIPELINE = "templates/home-account/aws-backup-codepipeline.yaml"
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


class CodeBuild(Protocol):
    """The calls of a CodeBuild client that are made here."""

    def batch_get_projects(self, *, names: Sequence[str]) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class HandMade:
    """A stack that a person creates and updates: its number in the README, and its template."""

    number: int
    template: str

    @property
    def name(self) -> str:
        return Path(self.template).stem

    def advice(self, region: str) -> str:
        """What to do where it is older than the commit."""
        return (
            f"update stack {self.name} (stack {self.number} of the README) first, in the home account and"
            " from the root of a clone of this commit, then retry this stage:\n"
            f"aws cloudformation update-stack --stack-name {self.name} --template-body file://{self.template}"
            f" --capabilities CAPABILITY_NAMED_IAM --region {region}"
        )


VALIDATE_TEMPLATES = HandMade(8, "codebuild/ValidateTemplates/aws-backup-codebuild-validate-templates.yaml")
PACKAGE_TAG_ON_RESTORE = HandMade(
    9, "codebuild/TestAndPackageTagOnRestore/aws-backup-codebuild-test-package-tagonrestore.yaml"
)
PACKAGE_POLICY_MANAGER = HandMade(
    10,
    "codebuild/TestAndPackageBackupOrgPolicyManager/aws-backup-codebuild-test-package-orgpolicymanager.yaml",
)
HAND_MADE = (VALIDATE_TEMPLATES, PACKAGE_TAG_ON_RESTORE, PACKAGE_POLICY_MANAGER)


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


def owners(root: Path) -> dict[str, HandMade]:
    """The stack of each project."""
    return {
        str(project["Name"]): stack
        for stack in HAND_MADE
        for project in _of_type("AWS::CodeBuild::Project", stack.template, root)
    }


def _of_type(kind: str, template: str, root: Path) -> Iterator[Mapping[str, Any]]:
    body, faults = decode(str(root / template))
    if body is None or faults:
        raise BuildError(f"{template}: {faults[0].message if faults else 'is not a template'}")
    return (each["Properties"] for each in body["Resources"].values() if each["Type"] == kind)


def check(codebuild: CodeBuild, root: Path, region: str) -> list[str]:
    """The projects, all of which exist. Raises OutdatedError with the stacks to update and the commands."""
    names, stacks = needed(root), owners(root)
    if nowhere := [name for name in names if name not in stacks]:
        raise BuildError(f"{PIPELINE}: no template below codebuild/ has the project {', '.join(nowhere)}")
    try:
        there = {each["name"] for each in codebuild.batch_get_projects(names=names).get("projects", [])}
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        raise OutdatedError(
            f"this build may not look for the pipeline's projects ({error}): "
            f"{VALIDATE_TEMPLATES.advice(region)}"
        ) from error
    if missing := [name for name in names if name not in there]:
        wanted = dict.fromkeys(stacks[name] for name in missing)
        raise OutdatedError(
            "\n".join(
                f"CodeBuild project {', '.join(name for name in missing if stacks[name] == stack)} does not"
                f" exist: {stack.advice(region)}"
                for stack in wanted
            )
        )
    return names


def main(
    arguments: Sequence[str] | None = None, session: boto3.session.Session | None = None, root: Path = ROOT
) -> int:
    """Look for the projects; see the module's text."""
    argparse.ArgumentParser(
        prog="buildspecs.projects", description=(__doc__ or "").partition("\n")[0]
    ).parse_args(arguments)

    def command() -> int:
        aws = session or boto3.session.Session()
        region = home_region(aws)
        found = check(aws.client("codebuild", region_name=region, config=RETRIES), root, region)
        print(f"{len(found)} CodeBuild projects are there: {', '.join(found)}")
        return 0

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
