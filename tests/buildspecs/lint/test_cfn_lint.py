"""The gate cfn-lint: every finding counts, in the Regions of its template, and no dotfile turns one off."""

import json
from pathlib import Path

import pytest

from buildspecs.errors import LintError
from buildspecs.lint.gates import Templates, cfn_lint
from buildspecs.names import MEMBER
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
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "templates" / "home-account").mkdir(parents=True)
    (tmp_path / "codebuild" / "Project").mkdir(parents=True)
    (tmp_path / "templates" / "home-account" / "clean.yaml").write_text(CLEAN)
    set_regions(tmp_path, "us-east-1, us-east-2")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def set_regions(root: Path, regions: str) -> None:
    (root / FILE).write_text(json.dumps({"Parameters": {"TargetRegions": regions}}))


def lint(root: Path, home_region: str | None = None) -> int:
    """The sum of the exit codes of cfn-lint's jobs, in this process."""
    return sum(job() for job in cfn_lint(Templates.below(root, home_region)))


def test_a_clean_template_passes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(root) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("folder", ["templates/home-account", "codebuild/Project"])
def test_an_informational_finding_fails_in_every_folder_whatever_the_configuration_says(
    root: Path, folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / folder / "table.yaml").write_text(INFORMATIONAL)
    (root / ".cfnlintrc").write_text("ignore_checks: [I]\n")
    monkeypatch.setenv("HOME", str(root))
    assert lint(root) > 0
    out = capsys.readouterr().out
    assert "I3011" in out
    assert f"{folder}/table.yaml" in out


def test_a_stackset_body_must_be_right_for_every_target_region(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = root / MEMBER / "aws-backup-member-account.yaml"
    body.parent.mkdir()
    body.write_text(REGIONAL)
    assert lint(root) == 0
    set_regions(root, f"us-east-1, {WITHOUT_CODECOMMIT}")
    assert lint(root) > 0
    assert f"does not exist in '{WITHOUT_CODECOMMIT}'" in capsys.readouterr().out


def test_any_other_template_must_be_right_for_the_home_region_only(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A target Region without CodeCommit is a good target."""
    (root / "templates" / "home-account" / "repository.yaml").write_text(REGIONAL)
    set_regions(root, f"us-east-1, {WITHOUT_CODECOMMIT}")
    assert lint(root) == 0
    assert lint(root, WITHOUT_CODECOMMIT) > 0
    assert f"does not exist in '{WITHOUT_CODECOMMIT}'" in capsys.readouterr().out


def test_the_regions_of_each_template_are_printed(root: Path) -> None:
    assert str(Templates.below(root, None)) == "templates: 1 for us-east-1, 0 for us-east-1 us-east-2"


def test_nothing_to_check_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(LintError, match=r"no \*\.yaml below templates and codebuild"):
        Templates.below(tmp_path, None)
