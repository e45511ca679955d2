"""No file of the repository is empty: CodeCommit would refuse the archive that creates it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from buildspecs.lint.empty_files import faults, main, packed
from buildspecs.paths import ROOT


def test_no_file_that_the_zip_packs_is_empty() -> None:
    assert faults(ROOT) == []


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a clone")
def test_no_tracked_file_is_empty() -> None:
    """Including dotfiles at the top, which the zip leaves out."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    files = [ROOT / name for name in run.stdout.split("\0") if name]
    assert [file for file in files if file.is_file() and file.stat().st_size == 0] == []


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("docs/empty.md", True),
        ("lambdas/tag_on_restore/.keep", True),
        ("empty", True),
        (".gitattributes", False),
        (".build/pipeline-variables.sh", False),
        ("lambdas/__pycache__/arn.pyc", False),
    ],
)
def test_an_empty_file_is_named_where_the_zip_packs_it(name: str, reported: bool, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("A line.\n", encoding="utf-8")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert [fault.partition(":")[0] for fault in faults(tmp_path)] == [name] * reported
    assert (tmp_path / name in packed(tmp_path)) == reported


def test_the_command_says_what_to_do_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "LICENSE").touch()
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == (
        "LICENSE: is empty, and CodeCommit refuses an archive with an empty file:"
        " write a line into it or delete it\n"
    )
    (tmp_path / "LICENSE").write_text("MIT-0\n", encoding="utf-8")
    assert main(tmp_path) == 0
    assert capsys.readouterr().out == ""
