"""The gates over all templates: every finding counts, and no dotfile or machine turns one off."""

import json
from pathlib import Path

import pytest

from buildspecs.lint import gates
from buildspecs.stackset_templates import BODIES
from buildspecs.targets import FILE

CLEAN = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Topic:
    Type: AWS::SNS::Topic
"""
# I3011, informational: a table that would be deleted with its stack.
INFORMATIONAL = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
# E3006, outside the Regions that have CodeCommit.
REGIONAL = """\
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Repository:
    Type: AWS::CodeCommit::Repository
    Properties:
      RepositoryName: repository
"""
WITHOUT_CODECOMMIT = "mx-central-1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "templates" / "home-account").mkdir(parents=True)
    (tmp_path / "codebuild" / "Project").mkdir(parents=True)
    (tmp_path / "templates" / "home-account" / "clean.yaml").write_text(CLEAN)
    set_regions(tmp_path, "us-east-1, us-east-2")
    return tmp_path


def set_regions(root: Path, regions: str) -> None:
    (root / FILE).write_text(json.dumps({"Parameters": {"TargetRegions": regions}}))


def test_a_clean_template_passes(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert gates.main(["cfn-lint"], root=root) == 0
    out = capfd.readouterr().out
    assert "cfn-lint: 1 templates for us-east-1, 0 for us-east-1 us-east-2" in out
    assert "passed: cfn-lint" in out


@pytest.mark.parametrize("folder", ["templates/home-account", "codebuild/Project"])
def test_an_informational_finding_fails_in_every_folder(
    root: Path, folder: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / folder / "table.yaml").write_text(INFORMATIONAL)
    assert gates.main(["cfn-lint"], root=root) == 1
    out = capfd.readouterr().out
    assert "I3011" in out
    assert f"{folder}/table.yaml" in out
    assert "failed: cfn-lint" in out


def test_no_configuration_file_turns_a_finding_off(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (root / "templates" / "table.yaml").write_text(INFORMATIONAL)
    (root / ".cfnlintrc").write_text("ignore_checks: [I]\n")
    monkeypatch.setenv("HOME", str(root))
    assert gates.main(["cfn-lint"], root=root) == 1
    assert "I3011" in capfd.readouterr().out


def test_a_stackset_body_must_be_right_for_every_target_region(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    body = root / BODIES["MEMBER_ACCOUNT_TEMPLATE_KEY"]
    body.parent.mkdir()
    body.write_text(REGIONAL)
    assert gates.main(["cfn-lint"], root=root) == 0
    set_regions(root, f"us-east-1, {WITHOUT_CODECOMMIT}")
    assert gates.main(["cfn-lint"], root=root) == 1
    assert f"does not exist in '{WITHOUT_CODECOMMIT}'" in capfd.readouterr().out


def test_any_other_template_must_be_right_for_the_home_region_only(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A target Region without CodeCommit is a good target."""
    (root / "templates" / "home-account" / "repository.yaml").write_text(REGIONAL)
    set_regions(root, f"us-east-1, {WITHOUT_CODECOMMIT}")
    assert gates.main(["cfn-lint"], root=root) == 0
    assert gates.main(["cfn-lint", "--home-region", WITHOUT_CODECOMMIT], root=root) == 1
    assert f"does not exist in '{WITHOUT_CODECOMMIT}'" in capfd.readouterr().out


def test_every_gate_runs_also_after_one_has_failed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found_gates = {
        "first": lambda found: [["false"], ["true"]],
        "second": lambda found: [["echo", *found.at_home]],
    }
    monkeypatch.setattr(gates, "GATES", found_gates)
    assert gates.main([], root=root) == 1
    out = capfd.readouterr().out
    assert "templates/home-account/clean.yaml" in out
    assert "failed: first" in out


def test_nothing_to_check_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gates.main([], root=tmp_path) == 1
    assert "no *.yaml below templates and codebuild" in capsys.readouterr().err


def test_an_unknown_gate_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        gates.main(["cfn_lint"], root=root)
    assert "unknown gate cfn_lint; there is cfn-lint" in capsys.readouterr().err
