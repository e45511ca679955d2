"""The copy of the repository, and the operator's file in it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildspecs.paths import ROOT
from rehearsal.emulator import Accounts
from rehearsal.errors import PrerequisiteError, TargetsError
from rehearsal.organization.plan import DEFAULT, PLACEHOLDERS, Organization
from rehearsal.readme import workspace

ORGANIZATION = Organization(DEFAULT, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
Change = Callable[[dict[str, Any]], object]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for name, text in {".gitignore": ".venv/\n", "kept.txt": "old", "gone.txt": "", "ä b.txt": "x"}.items():
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    return folder


def test_the_copy_has_the_files_that_git_lists_with_uncommitted_edits(clone: Path, tmp_path: Path) -> None:
    (clone / "kept.txt").write_text("edited")
    (clone / "new").mkdir()
    (clone / "new" / "untracked.sh").touch(mode=0o755)
    (clone / ".venv").mkdir()
    (clone / ".venv" / "ignored").touch()
    (clone / "gone.txt").unlink()
    copy = tmp_path / "copy"
    assert workspace.copy_repository(clone, copy) == 4
    names = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert names == {".gitignore", "kept.txt", "ä b.txt", "new/untracked.sh"}
    assert (copy / "kept.txt").read_text() == "edited"
    assert (copy / "new" / "untracked.sh").stat().st_mode & 0o100


def test_the_copy_of_a_read_only_clone_is_writable(clone: Path, tmp_path: Path) -> None:
    for path in clone.iterdir():
        path.chmod(0o500 if path.is_dir() else 0o444)
    copy = tmp_path / "copy"
    workspace.copy_repository(clone, copy)
    assert {oct(path.stat().st_mode & 0o777) for path in copy.iterdir()} == {"0o644"}


def test_a_folder_that_is_not_a_clone_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("no repository")
    with pytest.raises(PrerequisiteError, match=r"git cannot list the files of .*: fatal: "):
        workspace.copy_repository(tmp_path, tmp_path / "copy")


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    file = tmp_path / "aws-backup-ssm-targets.json"
    file.write_text((ROOT / "aws-backup-ssm-targets.json").read_text())
    return file


def edit(file: Path, change: Change) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_the_unedited_file_gets_the_organizations_values(targets: Path) -> None:
    workspace.fill_targets(targets, ORGANIZATION.targets)
    assert json.loads(targets.read_text()) == {
        "Parameters": {
            "TargetHomeAccount": "222222222222",
            "TargetRegions": "us-east-1, us-east-2",
            "TargetGlobalRegion": "us-east-1",
            "TargetOUs": "ou-abcd-11111111",
            "CentralBackupVaultArn": (
                "arn:aws:backup:us-east-1:333333333333:backup-vault:AWSBackupSolutionCentralVault"
            ),
            "OrgManagementAccount": "111111111111",
            "OrganizationId": "o-abcdefghij",
        },
        "Tags": {"Application": "Backup and Recovery with AWS Backup Solution"},
    }


def test_an_operators_own_values_are_replaced_and_the_tags_are_kept(targets: Path) -> None:
    def own(document: dict[str, Any]) -> None:
        document["Parameters"].update(TargetHomeAccount="123456789012", SweepState="DISABLED")
        document["Tags"]["CostCenter"] = "4711"

    edit(targets, own)
    workspace.fill_targets(targets, ORGANIZATION.targets)
    filled = json.loads(targets.read_text())
    assert filled["Parameters"] == ORGANIZATION.targets
    assert filled["Tags"]["CostCenter"] == "4711"


def test_the_shipped_file_has_the_right_form(targets: Path) -> None:
    workspace.check_targets(targets)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d["Parameters"].update(TargetHomeAccount="12345678901"), "TargetHomeAccount.*12345678901"),
        (lambda d: d["Parameters"].update(TargetRegions="us-east-1, us-esat-2"), "TargetRegions.*us-esat-2"),
        (lambda d: d["Parameters"].update(TargetGlobalRegion="us-esat-2"), "TargetGlobalRegion.*us-esat-2"),
        (lambda d: d["Parameters"].update(TargetOUs="ou-1"), "TargetOUs.*ou-1"),
        (
            lambda d: d["Parameters"].update(
                CentralBackupVaultArn="arn:aws:backup:us-east-1:12345678901:backup-vault:Vault"
            ),
            "CentralBackupVaultArn.*12345678901",
        ),
        (
            lambda d: d["Parameters"].update(CentralBackupVaultArn="AWSBackupSolutionCentralVault"),
            "CentralBackupVaultArn: holds",
        ),
        (lambda d: d["Parameters"].pop("OrganizationId"), "OrganizationId: is missing"),
        (lambda d: d["Parameters"].update(Extra="x"), "Extra"),
        (lambda d: d.pop("Parameters"), "Parameters: is missing"),
    ],
)
def test_a_malformed_file_fails_before_anything_starts(targets: Path, change: Change, named: str) -> None:
    edit(targets, change)
    with pytest.raises(TargetsError, match=named):
        workspace.check_targets(targets)


def test_every_fault_of_a_malformed_file_is_named(targets: Path) -> None:
    edit(targets, lambda d: d["Parameters"].update(TargetHomeAccount="1", TargetOUs="ou-1"))
    with pytest.raises(TargetsError, match="TargetHomeAccount") as caught:
        workspace.check_targets(targets)
    (second,) = caught.value.details
    assert "TargetOUs" in second


def test_a_file_that_is_not_json_fails_with_its_line(targets: Path) -> None:
    targets.write_text('{"Parameters": {\n  oops\n}}')
    with pytest.raises(TargetsError, match="line 2") as caught:
        workspace.check_targets(targets)
    assert str(caught.value).startswith("aws-backup-ssm-targets.json: ")  # not the copy's path


def test_a_given_file_is_used_unchanged_and_its_examples_are_faults(targets: Path, tmp_path: Path) -> None:
    with pytest.raises(TargetsError, match="TargetHomeAccount: still holds the example") as caught:
        workspace.use_targets(targets, tmp_path / "copy.json")
    assert len(caught.value.details) == 4
    workspace.fill_targets(targets, ORGANIZATION.targets)
    workspace.use_targets(targets, tmp_path / "copy.json")
    assert (tmp_path / "copy.json").read_text() == targets.read_text()


def test_every_known_placeholder_has_a_value() -> None:
    assert tuple(ORGANIZATION.placeholders) == PLACEHOLDERS
    assert ORGANIZATION.placeholders["target-regions"] == "us-east-1 us-east-2"


def test_the_account_names_of_headings_lead_to_account_ids() -> None:
    accounts = Accounts("1" * 12, "2" * 12, "3" * 12, ("4" * 12, "5" * 12))
    names = ("management", "home", "central", "member")
    assert [ORGANIZATION.account(name) for name in names] == [
        accounts.management,
        accounts.home,
        accounts.central,
        accounts.members[0],
    ]
