"""The first build says which stack is older than the commit, and how a person updates it."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from buildspecs import hand_made, names, projects
from buildspecs.errors import BuildError, OutdatedError
from buildspecs.paths import ROOT
from rehearsal.machine import environment
from rehearsal.readme import runbook

SCAN, FIND = names.SCAN_PROJECT, names.FIND_ROLE_PROJECT
PACKAGE_TAG = names.PACKAGE_TAG_PROJECT
STACK_8 = "aws-backup-codebuild-validate-templates"
STACK_9 = "aws-backup-codebuild-test-package-tagonrestore"


class FakeCodeBuild:
    """An account that lacks some projects, or whose builds may not look them up."""

    def __init__(self, *missing: str, error: str = "") -> None:
        self._missing = missing
        self._error = error

    def batch_get_projects(self, *, names: Sequence[str]) -> Mapping[str, Any]:
        if self._error:
            refused = {"Error": {"Code": self._error, "Message": "not authorized"}}
            raise ClientError(refused, "BatchGetProjects")
        return {"projects": [{"name": name} for name in names if name not in self._missing]}


def fault(codebuild: FakeCodeBuild) -> str:
    with pytest.raises(OutdatedError) as caught:
        projects.check(codebuild, ROOT, "eu-west-1")
    return str(caught.value)


def test_nothing_is_missing() -> None:
    found = projects.check(FakeCodeBuild(), ROOT, "eu-west-1")
    assert len(found) == 6
    assert {SCAN, FIND, PACKAGE_TAG} < set(found)


def test_every_project_is_in_a_stack_that_a_person_creates() -> None:
    assert set(projects.owners(ROOT)) >= set(projects.needed(ROOT))


def test_the_changelog_has_them_updated_before_the_push() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    before = text.partition("**Before you push**")[2].partition("**Then push.**")[0]
    numbers = {str(names.HAND_MADE.index(stack) + 1) for stack in hand_made.BUILDS}
    assert numbers <= set(re.findall(r"\d+", before))


@pytest.mark.parametrize(
    ("missing", "stack", "number"),
    [((SCAN, FIND), STACK_8, 8), ((FIND,), STACK_8, 8), ((PACKAGE_TAG,), STACK_9, 9)],
)
def test_a_missing_project_says_which_stack_to_update_and_how(
    missing: tuple[str, ...], stack: str, number: int
) -> None:
    text = fault(FakeCodeBuild(*missing))
    assert text.startswith(f"CodeBuild project {', '.join(missing)} does not exist: update stack {stack} ")
    assert f"(stack {number} of the README) first" in text
    (call,) = runbook.aws_calls(text.splitlines()[-1])
    assert (call.service, call.operation) == ("cloudformation", "update-stack")
    assert call.options["--stack-name"] == stack
    assert (ROOT / call.options["--template-body"].removeprefix("file://")).is_file()
    assert call.options["--capabilities"] == "CAPABILITY_NAMED_IAM"
    assert call.options["--region"] == "eu-west-1"
    assert "add --parameters ParameterKey=NAME,UsePreviousValue=true" in text


def test_every_stack_that_lacks_a_project_is_named() -> None:
    text = fault(FakeCodeBuild(SCAN, PACKAGE_TAG))
    assert f"--stack-name {STACK_8} " in text
    assert f"--stack-name {STACK_9} " in text


@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied"])
def test_a_role_that_is_older_than_the_check_gets_the_same_advice(code: str) -> None:
    text = fault(FakeCodeBuild(error=code))
    assert "not authorized" in text
    missing = fault(FakeCodeBuild(SCAN))
    assert text.partition("update stack ")[2] == missing.partition("update stack ")[2]


def test_another_error_is_reported_as_it_is() -> None:
    with pytest.raises(ClientError, match="ThrottlingException"):
        projects.check(FakeCodeBuild(error="ThrottlingException"), ROOT, "eu-west-1")


def test_a_project_that_no_template_has_is_named(tmp_path: Path) -> None:
    for name in (projects.PIPELINE, *(stack.template for stack in hand_made.BUILDS)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    pipeline = tmp_path / projects.PIPELINE
    pipeline.write_text(pipeline.read_text().replace(f"ProjectName: {SCAN}", "ProjectName: Misspelt"))
    with pytest.raises(BuildError, match="no template below codebuild/ has the project Misspelt"):
        projects.check(FakeCodeBuild(), tmp_path, "eu-west-1")


@pytest.mark.parametrize("missing", [[], [SCAN]])
def test_the_command_fails_if_a_project_is_missing(
    missing: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = environment.session("us-east-1")
    client = session.client("codebuild")
    monkeypatch.setattr(session, "client", lambda *_, **__: client)
    with Stubber(client) as stub:
        stub.add_response(
            "batch_get_projects",
            {"projects": [{"name": name} for name in projects.needed(ROOT) if name not in missing]},
            {"names": projects.needed(ROOT)},
        )
        assert projects.main([], session=session) == len(missing)
    out, err = capsys.readouterr()
    assert out.startswith("all 6 CodeBuild projects exist: AWSBackup-ValidateTemplates, ") == (not missing)
    assert err.startswith(f"error: CodeBuild project {SCAN} does not exist: ") == bool(missing)
