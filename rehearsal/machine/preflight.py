"""What this machine needs before anything starts: one message for each thing that is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from buildspecs.lint import environments
from rehearsal.errors import PrerequisiteError
from rehearsal.machine import environment

MINIMUM_PYTHON: Final = (3, 11)
# program → why it is needed, and how to install it
_PROGRAMS: Final = {
    "bash": "the README's commands are bash; install it with your package manager",
    "git": "it lists the files of your clone; install it with your package manager (apt-get install git)",
    "make": "the README checks your values with a make target; install it (apt-get install make)",
}
_MODULES: Final = ("boto3", "ministack", "rich", "yaml", "pytest", "cfnlint", "crhelper")


@dataclass(frozen=True)
class Tools:
    """Where the commands find their programs. `notes` say what differs on this machine."""

    search_path: str
    notes: tuple[str, ...]


def problems(search_path: str, version: tuple[int, ...], tools: Path) -> list[str]:
    """Everything that is missing; empty if the rehearsal can start. `tools` is this Python's bin folder."""
    found = []
    if version[:2] < MINIMUM_PYTHON:
        found.append(
            f"Python {version[0]}.{version[1]} is too old: 3.11 or newer is needed. "
            "Try: make PYTHON=python3.13 …"
        )
    found += [
        f"{program} is not installed: {reason}."
        for program, reason in _PROGRAMS.items()
        if shutil.which(program, path=search_path) is None
    ]
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing or not (tools / "aws").exists():
        names = ", ".join([*missing, *(["the aws command"] if not (tools / "aws").exists() else [])])
        found.append(f"{names}: not installed with {sys.executable}. Start the rehearsal with: make rehearse")
    return found


def check(search_path: str, port_fault: str | None, tools: Path, standins: Path) -> Tools:
    """Raises PrerequisiteError with everything that is missing. `standins` is the folder for stand-ins."""
    found = problems(search_path, sys.version_info[:3], tools)
    if port_fault is not None:
        found.append(port_fault)
    if found:
        raise PrerequisiteError(found[0], *found[1:])
    notes = []
    if shutil.which("zip", path=search_path) is None:
        _zip_standin(standins)
        notes.append("zip is not installed: a stand-in runs the README's zip command")
    if shutil.which("cfn_nag_scan", path=search_path) is None:
        notes.append("cfn-nag is not installed (it comes from RubyGems): its commands are skipped")
    if not environment.given(environments.VARIABLE):
        notes.append(
            "checkov has its own environment: its gate is skipped; `make lint` runs it "
            f"({environments.VARIABLE}=$PWD/{environments.FOLDER} includes it)"
        )
    return Tools(os.pathsep.join([str(standins), str(tools), search_path]), tuple(notes))


def _zip_standin(folder: Path) -> None:
    program = folder / "zip"
    module = Path(__file__).with_name("zip_standin.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{module}" "$@"\n')
    program.chmod(0o755)


def command_environment(tools: Tools, home: Path, emulated: Mapping[str, str]) -> dict[str, str]:
    """What a README command sees: its account's credentials, its own home, our programs first.

    `make` uses the virtual environment that runs the rehearsal, so it installs nothing.
    """
    return {
        **environment.program(home),
        "PATH": tools.search_path,
        "MAKEFLAGS": f"installed={sys.executable} VENV={sys.prefix}",
        **emulated,
    }
