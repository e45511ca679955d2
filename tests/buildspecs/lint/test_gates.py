"""Each gate fails on the faults that are planted in a copy of the repository, and finds nothing else there.

The faults are templates in tests/templates/bad/gates; those in its account folders are found by the template
tests alone, see tests/buildspecs/lint/test_rules.py.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from buildspecs.lint import environments, gates
from buildspecs.paths import ROOT
from rehearsal.machine import environment
from tests.templates.planted import BAD

# gate, fixture, words of the message: resource and reason
FAULTS = [
    ("cfn-lint", "cfn-lint-unknown-property", "'Encrypted' was unexpected"),
    ("cfn-lint", "cfn-lint-informational", "I3011"),
    ("checkov", "checkov-topic-encryption", "Topic: checkov CKV_AWS_26: Ensure all data stored in the SNS"),
    ("checkov", "checkov-idle-suppression", "Topic: checkov CKV_AWS_26 is suppressed and not found"),
    ("cfripper", "cfripper-privilege-escalation", "Role: cfripper PrivilegeEscalationRule: Role has"),
    ("cfripper", "cfripper-cross-account", "Role: cfripper GenericCrossAccountTrustRule: Role has"),
    ("cfripper", "cfripper-idle-suppression", "Topic: cfripper SNSTopicPolicyNotPrincipalRule is suppressed"),
    ("template-tests", "template-tests-retention", "LogGroup: DeletionPolicy must be Retain"),
]
EMPTY = "lambdas/tag_on_restore/empty.py"
COPIED = ("buildspecs", "codebuild", "lambdas", "requirements", "templates", "tests/templates")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("repository")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "aws-backup-ssm-targets.json", copy)
    return copy


def plant(repository: Path, name: str) -> None:
    shutil.copy(BAD / "gates" / f"{name}.yaml", repository / "templates" / "home-account")


def run(repository: Path, *arguments: str, gates: Path = ROOT / environments.FOLDER) -> tuple[int, str]:
    """Exit code and output of `python -m buildspecs.lint` as the Makefile and the build call it."""
    result = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "buildspecs.lint", *arguments],
        cwd=repository,
        env={**environment.program(repository.parent), environments.VARIABLE: str(gates)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


@pytest.fixture(scope="module")
def said(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each gate says of a repository with all the faults; all gates run, also after one has failed."""
    copy = tmp_path_factory.mktemp("faulty") / "repository"
    shutil.copytree(repository, copy)
    for _, name, _ in FAULTS:
        plant(copy, name)
    (copy / EMPTY).touch()
    code, output = run(copy)
    assert code == 1
    parts: dict[str, str] = {}
    current = ""
    for line in output.splitlines():
        gate = line.partition(":")[0]
        current = gate if gate in gates.GATES or gate == "failed" else current
        parts[current] = parts.get(current, "") + line + "\n"
    return parts


def needs(gate: str) -> None:
    if gate in gates.OWN_ENVIRONMENT and not list((ROOT / environments.FOLDER).glob(f"{gate}-*/complete")):
        pytest.skip(f"`make lint` has not installed {gate} yet; `make check` runs it before the tests")


def test_an_environment_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / environments.FOLDER).touch()  # a file stands where the folder would
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.delenv(environments.VARIABLE, raising=False)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    assert environments.main(["checkov"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / environments.FOLDER} cannot be written (")


def test_every_gate_has_a_planted_fault() -> None:
    assert {gate for gate, _, _ in FAULTS} | {"repository"} == set(gates.GATES)


def test_every_planted_fault_is_in_the_table() -> None:
    listed = {name for _, name, _ in FAULTS}
    assert {path.stem for path in (BAD / "gates").glob("*.yaml")} == listed | {"checkov-comment"}


@pytest.mark.parametrize(("gate", "name", "words"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_the_command_fails_and_names_gate_file_resource_and_reason(
    gate: str, name: str, words: str, said: dict[str, str]
) -> None:
    needs(gate)
    assert f"templates/home-account/{name}.yaml" in said[gate]
    assert words in said[gate]
    assert gate in said["failed"]


def test_an_empty_file_fails_the_command(said: dict[str, str]) -> None:
    assert f"{EMPTY}: is empty, and CodeCommit refuses" in said["repository"]
    assert "repository" in said["failed"]


@pytest.mark.parametrize("gate", gates.GATES)
def test_a_gate_finds_nothing_in_the_templates_of_the_repository(gate: str, said: dict[str, str]) -> None:
    needs(gate)
    ours = [path.relative_to(ROOT).as_posix() for path in (ROOT / "templates").rglob("*.yaml")]
    ours += [path.relative_to(ROOT).as_posix() for path in (ROOT / "codebuild").rglob("*.yaml")]
    assert [path for path in ours if path in said[gate]] == []


def test_a_suppression_in_a_comment_is_refused(repository: Path, tmp_path: Path) -> None:
    needs("checkov")
    shutil.copytree(repository, tmp_path / "repository")
    plant(tmp_path / "repository", "checkov-comment")
    code, output = run(tmp_path / "repository", "checkov")
    assert code == 1
    assert "checkov-comment.yaml: checkov:skip=… in a comment: suppress in the resource's Metadata" in output


def test_a_gate_without_environment_says_that_it_did_not_run(repository: Path, tmp_path: Path) -> None:
    """As in the rehearsal, which has no network to install one."""
    code, output = run(repository, "checkov", "template-tests", gates=tmp_path)
    assert code == 0, output
    assert f"checkov: not run here, it has no environment below {environments.VARIABLE}" in output
    assert output.splitlines()[-1] == "passed: template-tests"


def test_one_command_lists_every_suppression_with_resource_and_reason(repository: Path) -> None:
    _, output = run(repository, "--suppressions")
    lines = output.splitlines()
    assert lines[-1].startswith(f"{len(lines) - 1} suppressions: cfn-nag ")
    assert (
        "templates/home-account/CloudFormationRole.yaml: Role: cfripper PrivilegeEscalationRule: "
        "The pipeline deploys roles; they are named, and passed to named services only" in lines
    )
