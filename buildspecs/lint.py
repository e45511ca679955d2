"""The gates of `make lint`, `make check` and the validation build over every template, by one command.

`python -m buildspecs.lint [GATE …] [--home-region REGION]` runs the named gates, or all. Files and options
have their one home here: a dotfile such as .cfnlintrc is left out of the zip that becomes the repository, so
none may matter.

A gate is a row of GATES: a name, and a function from the templates to commands. A tool whose dependencies do
not go with the builds' gets a row that starts it from its own environment.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from buildspecs.archive import ROOT
from buildspecs.bodies import BODIES
from buildspecs.errors import LintError, exit_code
from buildspecs.packaging import package_regions
from buildspecs.targets import FILE, read, target_regions

TEMPLATE_FOLDERS = ("templates", "codebuild")

# cfn-lint has no `python -m`, and its script may lie in a folder that is not on the PATH.
RUN_CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"


@dataclass(frozen=True)
class Templates:
    """Every template by its path from the root, parted by where it is deployed."""

    in_every_region: tuple[str, ...]  # the StackSet bodies
    at_home: tuple[str, ...]
    every_region: tuple[str, ...]
    home_region: str

    @classmethod
    def below(cls, root: Path, home_region: str | None) -> Self:
        """Without a home Region, the first target Region stands for it."""
        found = [path for folder in TEMPLATE_FOLDERS for path in sorted((root / folder).rglob("*.yaml"))]
        if not found:
            raise LintError(f"no *.yaml below {' and '.join(TEMPLATE_FOLDERS)} in {root}: nothing to check")
        names = [path.relative_to(root).as_posix() for path in found]
        regions = target_regions(read(root / FILE))
        home = home_region or regions[0]
        return cls(
            in_every_region=tuple(name for name in names if name in BODIES.values()),
            at_home=tuple(name for name in names if name not in BODIES.values()),
            every_region=tuple(package_regions(regions, home)),
            home_region=home,
        )


Gate = Callable[[Templates], list[list[str]]]


def cfn_lint(templates: Templates) -> list[list[str]]:
    """Every finding, informational ones included, for the Regions that a template is deployed to.

    Not every type exists in every Region: CodeCommit and CodeBuild must in the home Region only.
    """
    parts = [
        (templates.in_every_region, templates.every_region),
        (templates.at_home, (templates.home_region,)),
    ]
    options = ["--include-checks", "I", "--config-file", os.devnull]  # whatever .cfnlintrc the user keeps
    return [
        [sys.executable, "-c", RUN_CFN_LINT, *options, "--regions", *regions, "--", *files]
        for files, regions in parts
        if files
    ]


GATES: Mapping[str, Gate] = {"cfn-lint": cfn_lint}


def run(gates: Sequence[str], root: Path, home_region: str | None) -> int:
    """Run every command of every gate, also after one has failed; 1 if any has."""
    templates = Templates.below(root, home_region)
    failed = []
    for name in gates:
        at_home, everywhere = len(templates.at_home), len(templates.in_every_region)
        print(f"{name}: {at_home} templates for {templates.home_region}", end=", ")
        print(f"{everywhere} for {' '.join(templates.every_region)}", flush=True)
        codes = [
            subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - the words of a gate
            for command in GATES[name](templates)
        ]
        failed += [name] if any(codes) else []
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(gates)}")
    return 1 if failed else 0


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run gates; see the module's text for the command line."""
    parser = argparse.ArgumentParser(prog="buildspecs.lint", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"any of {', '.join(GATES)}; default: all")
    parser.add_argument("--home-region", help="default: the first target Region")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.gates if name not in GATES]
    if unknown:
        parser.error(f"unknown gate {', '.join(unknown)}; there is {', '.join(GATES)}")
    return exit_code(lambda: run(options.gates or list(GATES), root, options.home_region))


if __name__ == "__main__":
    sys.exit(main())
