"""A copy of the repository as the operator has it, with the emulated organization's values.

The copy holds the tracked files and the untracked ones that git does not ignore, uncommitted edits included.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from buildspecs import targets
from buildspecs.errors import TargetsError as FileError
from rehearsal.errors import PrerequisiteError, TargetsError
from rehearsal.machine import environment

TARGETS: Final = targets.FILE.name


def copy_repository(repository: Path, folder: Path) -> int:
    """Copy what git knows of `repository` into `folder`; returns the number of files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        env=environment.of_the_person(),
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        reason = listed.stderr.decode(errors="replace").strip()
        raise PrerequisiteError(f"git does not list the files of {repository} (is it a clone?): {reason}")
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    count = 0
    for name in names:
        source, target = repository / name, folder / name
        if not source.is_file():
            continue  # deleted, but not yet committed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        # Git's two modes: the copy is written to, also where the clone cannot be.
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
        count += 1
    return count


def check_targets(file: Path) -> None:
    """Check the repository's aws-backup-ssm-targets.json before anything is started.

    The code of the validation build does it; only the documented examples may still be there. Raises
    TargetsError with every fault.
    """
    _raise(targets.check(_read(file), examples_allowed=True), TARGETS)


def fill_targets(file: Path, values: Mapping[str, str]) -> list[str]:
    """Replace the values in the copy of the file, whose form has been checked. Returns the keys.

    No option of the operator's is kept: it may name a key or a bucket that the emulated organization lacks.
    """
    document = targets.read(file)
    assert isinstance(document, dict)  # noqa: S101 - check_targets has seen it
    document["Parameters"] = dict(values)
    file.write_text(json.dumps(document, indent=2) + "\n")
    return sorted(values)


def use_targets(given: Path, file: Path) -> None:
    """Use a file of the operator's as it is: example values are faults too. Raises TargetsError."""
    _raise(targets.check(_read(given)), str(given))
    shutil.copyfile(given, file)


def _raise(faults: Sequence[str], name: str) -> None:
    if faults:
        first, *others = (f"{name}: {fault}" for fault in faults)
        raise TargetsError(first, *others)


def _read(file: Path) -> object:
    try:
        return targets.read(file)
    except FileError as error:
        raise TargetsError(str(error)) from None
