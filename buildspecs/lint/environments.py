"""Environments of the tools whose exact versions conflict with those of requirements/build.txt.

Each tool has a locked file requirements/<tool>.txt. Its environment is made once, in .gates at the
repository's root. If GATE_ENVIRONMENTS names another folder, nothing is made and so nothing is downloaded: a
tool that has no environment there is left out with a message. The rehearsal, which has no network, sets it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from buildspecs.errors import LintError, exit_code
from buildspecs.paths import ROOT

VARIABLE = "GATE_ENVIRONMENTS"
FOLDER = ".gates"  # below the root; dotted, so that the published zip never packs it


def python_of(tool: str) -> Path | None:
    """The Python of the tool's environment; None if the tool is left out here."""
    requirements = ROOT / "requirements" / f"{tool}.txt"
    # The name depends on the exact versions: only a changed one makes a new environment.
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    given = os.environ.get(VARIABLE)
    environment = Path(given or ROOT / FOLDER) / f"{tool}-{digest}"
    python, complete = environment / "bin" / "python", environment / "complete"
    if complete.exists():
        return python
    if given:
        return None
    print(f"Installing the exact versions of requirements/{tool}.txt into {FOLDER} (once)", flush=True)
    try:
        for old in environment.parent.glob(f"{tool}-*"):
            shutil.rmtree(old)
        venv.create(environment, with_pip=True)
    except OSError as error:
        reason = f"{environment.parent} cannot be written ({error.strerror})"
        raise LintError(f"{reason}: copy the clone to a folder of your own") from None
    _install(python, requirements)
    complete.touch()
    return python


def _install(python: Path, requirements: Path) -> None:
    pip = [str(python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    for command in (
        ["install", "--require-hashes", "--no-deps", "--requirement", str(requirements)],
        ["check"],
    ):
        run = subprocess.run([*pip, *command], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
        if run.returncode != 0:
            fault = f"{run.stdout}{run.stderr}".strip()
            raise LintError(f"{requirements.name}: pip {command[0]} failed:\n{fault}")


def make(tools: Sequence[str]) -> int:
    """Make the environments that are missing."""
    for tool in tools:
        python = python_of(tool)
        print(f"{tool}: {python or f'no environment below {os.environ[VARIABLE]}, left out here'}")
    return 0


def main(arguments: Sequence[str]) -> int:
    """`python -m buildspecs.lint.environments TOOL …` makes what is missing; gates download nothing."""
    return exit_code(lambda: make(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
