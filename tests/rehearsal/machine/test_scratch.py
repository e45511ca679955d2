"""The temporary folder of a rehearsal: private, removed at the end, and after a kill by the next one."""

import os
from pathlib import Path

import pytest

from rehearsal.errors import PrerequisiteError
from rehearsal.machine import scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def left_behind(temporary: Path) -> Path:
    """The folder of a rehearsal that was killed."""
    folder = temporary / "rehearsal-killed"
    (folder / "clone").mkdir(parents=True)
    (folder / scratch.LOCK).touch()
    return folder


def test_the_folder_is_private_and_removed_at_the_end(temporary: Path) -> None:
    with scratch.folder() as folder:
        assert folder.parent == temporary
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_the_folder_of_a_killed_rehearsal_is_removed_and_that_of_a_running_one_stays(
    temporary: Path,
) -> None:
    dead = left_behind(temporary)
    with scratch.folder() as living:
        assert scratch.remove_left_behind() == [dead]
        assert not dead.exists()
        assert living.exists()
        assert scratch.remove_left_behind() == []


def test_folders_of_others_and_what_only_looks_like_ours_stay(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = left_behind(temporary).rename(temporary / "elsewhere")
    (temporary / "rehearsal-link").symlink_to(elsewhere)
    (temporary / "rehearsal-file").touch()
    (temporary / "rehearsal-without-lock").mkdir()
    assert scratch.remove_left_behind() == []
    somebodys = left_behind(temporary)
    monkeypatch.setattr(os, "getuid", lambda: somebodys.stat().st_uid + 1)
    assert scratch.remove_left_behind() == []
    assert (elsewhere / scratch.LOCK).exists()
    assert (somebodys / scratch.LOCK).exists()


def test_without_a_writable_folder_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null/nowhere")
    with (
        pytest.raises(PrerequisiteError, match="set TMPDIR to a writable folder"),
        scratch.folder(),
    ):
        pass
