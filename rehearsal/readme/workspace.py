"""A copy of the repository as the operator has it, with the values of the emulated organization.

The copy holds the tracked files and the untracked ones that git does not ignore, with uncommitted edits.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from buildspecs import targets
from buildspecs.errors import TargetsError as FileError
from rehearsal.errors import PrerequisiteError, TargetsError
from rehearsal.machine import environment

TARGETS: Final = targets.FILE.name


def copy_repository(repository: Path, folder: Path) -> int:
    """Copy the files that git lists from `repository` into `folder`; returns their number."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        env=environment.for_git(),
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        reason = listed.stderr.decode(errors="replace").strip()
        raise PrerequisiteError(f"git cannot list the files of {repository} (is it a clone?): {reason}")
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    count = 0
    for name in names:
        source, target = repository / name, folder / name
        if not source.is_file():
            continue  # deleted, but not yet committed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        # Git's two modes: the copy is writable even where the clone is not.
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
        count += 1
    return count


def check_targets(file: Path) -> None:
    """Check the repository's aws-backup-ssm-targets.json before anything starts.

    It uses the code of the validation build, but allows the documented examples. Raises TargetsError with
    every fault.
    """
    _check(file, TARGETS, examples_allowed=True)


def fill_targets(file: Path, values: Mapping[str, str]) -> list[str]:
    """Replace the values in the copy of a file that check_targets has passed. Returns the keys.

    Drops the operator's options: they may name a key or a bucket that the emulated organization lacks.
    """
    document = targets.read(file)
    assert isinstance(document, dict)  # noqa: S101 - check_targets has passed it
    document["Parameters"] = dict(values)
    file.write_text(json.dumps(document, indent=2) + "\n")
    return sorted(values)


def use_targets(given: Path, file: Path) -> None:
    """Use the operator's own file unchanged: examples are faults too. Raises TargetsError."""
    _check(given, str(given))
    shutil.copyfile(given, file)


def _check(file: Path, name: str, *, examples_allowed: bool = False) -> None:
    try:
        faults = targets.check(targets.read(file), examples_allowed=examples_allowed)
    except FileError as error:
        raise TargetsError(str(error).replace(str(file), name)) from None
    if faults:
        first, *others = (f"{name}: {fault}" for fault in faults)
        raise TargetsError(first, *others)
