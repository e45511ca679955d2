"""A copy of the repository as the operator has it, with the emulated organization's values.

The copy holds the tracked files and the untracked ones that git does not ignore, uncommitted edits included.
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

TARGETS: Final = targets.FILE.name


def copy_repository(repository: Path, folder: Path) -> int:
    """Copy what git knows of `repository` into `folder`; returns the number of files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        reason = listed.stderr.decode(errors="replace").strip()
        raise PrerequisiteError(f"{repository} is not a git clone: {reason}")
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    count = 0
    for name in names:
        source, target = repository / name, folder / name
        if not source.is_file():
            continue  # deleted, but not yet committed
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        count += 1
    return count


def fill_targets(file: Path, values: Mapping[str, str]) -> list[str]:
    """Put the emulated organization's values into the copy of aws-backup-ssm-targets.json.

    First the file is checked as it is, by the code of the validation build; only its documented examples may
    still be there. Keys that it lacks stay missing and keys that it adds stay: the check has to find them.
    Returns the keys. Raises TargetsError with every fault.
    """
    document = _read(file)
    faults = targets.check(_replaced(document, values, only_examples=True))
    if faults:
        raise TargetsError(f"{TARGETS}: {faults[0]}", *(f"{TARGETS}: {fault}" for fault in faults[1:]))
    filled = _replaced(document, values, only_examples=False)
    file.write_text(json.dumps(filled, indent=2) + "\n")
    return sorted(values)


def use_targets(given: Path, file: Path) -> None:
    """Use a file of the operator's as it is: example values are faults too. Raises TargetsError."""
    faults = targets.check(_read(given))
    if faults:
        raise TargetsError(f"{given}: {faults[0]}", *(f"{given}: {fault}" for fault in faults[1:]))
    shutil.copy(given, file)


def _read(file: Path) -> object:
    try:
        return targets.read(file)
    except FileError as error:
        raise TargetsError(str(error)) from None


def _replaced(document: object, values: Mapping[str, str], *, only_examples: bool) -> object:
    """The document with our values for the keys that it has, or only for those that hold an example."""
    if not isinstance(document, dict) or not isinstance(document.get("Parameters"), dict):
        return document
    filled = {
        key: values.get(key, value) if not only_examples or value == targets.EXAMPLES.get(key) else value
        for key, value in document["Parameters"].items()
    }
    return {**document, "Parameters": filled}
