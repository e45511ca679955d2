"""The stand-in for zip, compared with the real one where there is one."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from buildspecs.names import ARCHIVE
from buildspecs.paths import ROOT
from rehearsal.machine import zip_standin

ZIP = shutil.which("zip")
TREE = {
    "README.md": "text",
    "lambdas/a/__init__.py": "",
    "lambdas/a/__pycache__/a.cpython-313.pyc": "x",
    "lambdas/a/.hidden": "kept",
    ".dotted/never": "not matched by *",
    "name with space/it is.txt": "é",
    "empty/": "",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clone = tmp_path / "clone"
    for name, text in TREE.items():
        path = clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        else:
            path.write_text(text)
    monkeypatch.chdir(clone)
    return clone


def readme_command() -> str:
    (command,) = re.findall(r"^zip -r .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return str(command)


def run(command: str, folder: Path, search_path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the README's command in a temporary folder
        ["bash", "-c", command],  # noqa: S607
        cwd=folder,
        env={"PATH": search_path},
        capture_output=True,
        text=True,
        check=False,
    )


def standin_path(tmp_path: Path) -> str:
    programs = tmp_path / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "zip").write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{zip_standin.__file__}" "$@"\n')
    (programs / "zip").chmod(0o755)
    return f"{programs}{os.pathsep}{os.defpath}"


def content(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_the_readmes_command_packs_everything_but_the_exclusions(folder: Path, tmp_path: Path) -> None:
    done = run(readme_command(), folder, standin_path(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "the rehearsal's stand-in packs the archive" in done.stdout
    assert sorted(content(folder / ARCHIVE)) == [
        "README.md",
        "empty/",
        "lambdas/",
        "lambdas/a/",
        "lambdas/a/.hidden",
        "lambdas/a/__init__.py",
        "name with space/",
        "name with space/it is.txt",
    ]


@pytest.mark.skipif(ZIP is None, reason="zip is not installed: there is nothing to compare with")
def test_the_real_zip_packs_the_same(folder: Path, tmp_path: Path) -> None:
    packed = []
    for search_path in (standin_path(tmp_path), os.environ["PATH"]):
        run(readme_command(), folder, search_path)
        (folder / "added.txt").touch()
        (folder / "README.md").unlink(missing_ok=True)
        done = run(readme_command(), folder, search_path)  # a second time: -FS forgets what is gone
        assert done.returncode == 0, done.stderr
        packed.append(content(folder / ARCHIVE))
        (folder / ARCHIVE).unlink()
        (folder / "README.md").write_text("text")
        (folder / "added.txt").unlink()
    assert packed[0] == packed[1]
    assert "added.txt" in packed[0]
    assert "README.md" not in packed[0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-r", "a.zip"], "supports only"),
        (["a.zip", "b"], "supports only"),
        (["-r", "-9", "a.zip", "b"], "unknown option -9"),
        (["-r", "a.zip", "b", "--encrypt"], "unknown option --encrypt"),
    ],
)
def test_what_the_stand_in_does_not_support_is_refused(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zip_standin.main(arguments) == 16
    assert named in capsys.readouterr().err


def test_a_name_that_does_not_exist_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zip_standin.main(["-r", "a.zip", "missing"]) == 18
    assert "missing" in capsys.readouterr().err
    assert not (folder / "a.zip").exists()


@pytest.mark.usefixtures("folder")
def test_nothing_left_after_the_exclusions_is_an_error() -> None:
    assert zip_standin.main(["-r", "a.zip", "README.md", "-x", "*"]) == 12
