"""Passes values from a build's Python to the shell of its buildspec, which exports them to the pipeline.

Sourcing a file, unlike `eval "$(…)"`, does not hide that the command before it failed:

    python -m buildspecs.stackset_templates && . .build/pipeline-variables.sh
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from buildspecs.paths import BUILD_FOLDER

FILE = BUILD_FOLDER / "pipeline-variables.sh"


def discard(root: Path) -> None:
    """Delete what an earlier command has exported, so that it cannot be sourced if this command fails."""
    (root / FILE).unlink(missing_ok=True)


def export(variables: Mapping[str, str], root: Path) -> None:
    """Write the script that exports the variables, and print them."""
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()),
        encoding="utf-8",
    )
    for name, value in variables.items():
        print(f"{name}={value}")
