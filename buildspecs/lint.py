"""The gates of `make lint`, `make check` and the validation build over every template, by one command.

`python -m buildspecs.lint [GATE …]` runs the named gates, or all. Files and options have their one home here:
a dotfile such as .cfnlintrc is left out of the zip that becomes the repository, so none may matter.

A gate is a row of GATES: a name, and a function from the templates and the target Regions to a command. A
tool whose dependencies do not go with the builds' gets a row that starts it from its own environment.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from buildspecs.archive import ROOT
from buildspecs.errors import LintError, exit_code
from buildspecs.targets import FILE, read, target_regions

TEMPLATE_FOLDERS = ("templates", "codebuild")

Gate = Callable[[Sequence[str], Sequence[str]], list[str]]


def cfn_lint(templates: Sequence[str], regions: Sequence[str]) -> list[str]:
    """Every finding, informational ones included, for the Regions that the templates are deployed to."""
    command = [sys.executable, "-m", "cfnlint", "--include-checks", "I", "--regions", *regions]
    command += ["--config-file", os.devnull]  # whatever .cfnlintrc this machine's user keeps
    return [*command, "--", *templates]


GATES: Mapping[str, Gate] = {"cfn-lint": cfn_lint}


def templates(root: Path) -> list[str]:
    """Every CloudFormation template below the root, by its path from there."""
    found = [path for folder in TEMPLATE_FOLDERS for path in sorted((root / folder).rglob("*.yaml"))]
    if not found:
        raise LintError(f"no *.yaml below {' and '.join(TEMPLATE_FOLDERS)} in {root}: nothing was checked")
    return [path.relative_to(root).as_posix() for path in found]


def run(gates: Sequence[str], root: Path) -> int:
    """Run every gate, also after one has failed; 1 if any has."""
    files = templates(root)
    regions = target_regions(read(root / FILE))
    failed = []
    for name in gates:
        print(f"{name}: {len(files)} templates for {', '.join(regions)}", flush=True)
        if subprocess.run(GATES[name](files, regions), cwd=root, check=False).returncode != 0:  # noqa: S603
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(gates)}")
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run gates; see the module's text for the command line."""
    parser = argparse.ArgumentParser(prog="buildspecs.lint", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"any of {', '.join(GATES)}; default: all")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.gates if name not in GATES]
    if unknown:
        parser.error(f"unknown gate {', '.join(unknown)}; there is {', '.join(GATES)}")
    return exit_code(lambda: run(options.gates or list(GATES), root))


if __name__ == "__main__":
    sys.exit(main())
