"""Each gate fails on the faults that are planted for it; `make lint` runs them over our own templates.

The faults are templates in tests/templates/bad/gates; those in its account folders are found by the gate
`rules` alone, see test_rules.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from buildspecs.errors import LintError
from buildspecs.lint import analyzers, environments, gates
from buildspecs.names import HOME
from buildspecs.paths import ROOT
from rehearsal.machine import environment
from tests.templates.planted import BAD

# gate, fixture, words of the message: resource and reason
FAULTS = [
    ("cfn-lint", "cfn-lint-unknown-property", "'Encrypted' was unexpected"),
    ("cfn-lint", "cfn-lint-informational", "I3011"),
    ("checkov", "checkov-topic-encryption", "Topic: checkov CKV_AWS_26: Ensure all data stored in the SNS"),
    ("checkov", "checkov-idle-suppression", "Topic: checkov CKV_AWS_26 is suppressed but not found"),
    ("cfripper", "cfripper-privilege-escalation", "Role: cfripper PrivilegeEscalationRule: Role has"),
    ("cfripper", "cfripper-cross-account", "Role: cfripper GenericCrossAccountTrustRule: Role has"),
    ("cfripper", "cfripper-idle-suppression", "Topic: cfripper SNSTopicPolicyNotPrincipalRule is suppressed"),
    ("rules", "rules-retention", "LogGroup: DeletionPolicy"),
]
COMMENT = "checkov-comment"
EMPTY = "lambdas/tag_on_restore/empty.py"


def run(
    repository: Path, home: Path, *arguments: str, gates: Path = ROOT / environments.FOLDER
) -> tuple[int, str]:
    """Exit code and output of `python -m buildspecs.lint` as the Makefile and the build call it."""
    result = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "buildspecs.lint", *arguments],
        cwd=repository,
        env={**environment.program(home), environments.VARIABLE: str(gates)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


def sections(output: str) -> dict[str, str]:
    """What each gate printed, and the last line, which begins with `failed`."""
    parts: dict[str, str] = {}
    current = ""
    for line in output.splitlines():
        word = line.partition(":")[0]
        current = word if word in gates.GATES or word == "failed" else current
        parts[current] = parts.get(current, "") + line + "\n"
    return parts


def test_every_gate_has_a_planted_fault() -> None:
    assert {gate for gate, _, _ in FAULTS} | {"empty-files"} == set(gates.GATES)
    assert {path.stem for path in (BAD / "gates").glob("*.yaml")} == {
        *(name for _, name, _ in FAULTS),
        COMMENT,
    }


def test_every_gate_reports_its_faults_also_after_another_has_failed(tmp_path: Path) -> None:
    """Without the environment that `make lint` installs, checkov does not run."""
    for folder in ("buildspecs", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "aws-backup-ssm-targets.json", tmp_path)
    (tmp_path / HOME).mkdir(parents=True)
    for _, name, _ in FAULTS:
        shutil.copy(BAD / "gates" / f"{name}.yaml", tmp_path / HOME)
    (tmp_path / "empty.py").touch()
    code, output = run(tmp_path, tmp_path)
    assert code == 1
    said = sections(output)
    ran = [gate for gate in gates.GATES if f"{gate}: failed\n" in said[gate]]
    assert set(gates.GATES) - set(ran) == set(gates.left_out(tuple(gates.GATES)))
    assert said["failed"] == f"failed: {', '.join(ran)}\n"
    for gate, name, words in FAULTS:
        if gate in ran:
            assert f"{HOME}/{name}.yaml" in said[gate]
            assert words in said[gate]
    assert "empty.py: is empty, and CodeCommit refuses" in said["empty-files"]


def test_a_gate_without_environment_says_so_and_every_suppression_is_listed_with_its_reason(
    tmp_path: Path,
) -> None:
    """As in the rehearsal, which has no network to install an environment."""
    code, output = run(ROOT, tmp_path, "checkov", "empty-files", "--suppressions", gates=tmp_path)
    assert code == 0, output
    *listed, summary = output.partition("templates: ")[0].splitlines()
    assert summary.startswith(f"{len(listed)} suppressions: cfn-nag ")
    assert (
        "templates/home-account/CloudFormationRole.yaml: Role: cfripper PrivilegeEscalationRule: "
        "The pipeline deploys roles; they are named, and passed to named services only" in listed
    )
    assert f"checkov: not run here, no environment below {environments.VARIABLE}" in output
    assert output.splitlines()[-1] == "passed: empty-files"


def test_a_suppression_in_a_comment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD / "gates")
    words = r"checkov-comment\.yaml: checkov:skip=… in a comment: suppress in the resource's Metadata"
    with pytest.raises(LintError, match=words):
        analyzers.checkov([f"{COMMENT}.yaml"])


def test_an_environment_that_cannot_be_made_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / environments.FOLDER).touch()  # a file takes the folder's place
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.delenv(environments.VARIABLE, raising=False)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    assert environments.main(["checkov"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / environments.FOLDER} cannot be written (")


def killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_gate_whose_process_is_killed_fails_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(gates, "GATES", {"killed": lambda _: [killed]})
    assert gates.run(["killed"], None, listed=False) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "killed: failed",
        "killed by signal 9 before it had finished",
        "failed: killed",
    ]


def test_an_unknown_gate_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        gates.main(["cfn_lint"])
    assert "unknown gate cfn_lint; the gates are cfn-lint, checkov" in capsys.readouterr().err
