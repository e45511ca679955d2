"""The gates of `make lint`, `make check` and the validation build over every template, by one command.

`python -m buildspecs.lint [GATE …] [--home-region REGION]` runs the named gates, or all: cfn-lint, checkov,
cfripper, the tests of our own and the search for empty files. `python -m buildspecs.lint --suppressions`
prints what the templates suppress of them and of cfn-nag, and why. Files and options have their one home
here: a dotfile such as .cfnlintrc is left out of the zip that becomes the repository, so none may matter.

A gate is a row of GATES: a name, and a function from the templates to commands. A tool whose dependencies do
not go with the builds' is started from its own environment, see environments.py. cfn-nag is a RubyGem and has
a build of its own.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from buildspecs.errors import LintError, exit_code
from buildspecs.lint import environments, suppressions
from buildspecs.paths import ROOT
from buildspecs.stackset_templates import BODIES
from buildspecs.targets import FILE, package_regions, read, target_regions

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

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.at_home, *self.in_every_region)


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


def checkov(templates: Templates) -> list[list[str]]:
    return [[sys.executable, "-m", "buildspecs.lint.analysers", "checkov", *templates.all]]


def cfripper(templates: Templates) -> list[list[str]]:
    return [[sys.executable, "-m", "buildspecs.lint.analysers", "cfripper", *templates.all]]


def template_tests(_: Templates) -> list[list[str]]:
    """What the public analysers miss; they look at every template of the repository together."""
    return [[sys.executable, "-m", "buildspecs.lint.rules"]]


def repository(_: Templates) -> list[list[str]]:
    """Whether CodeCommit takes the folder: it refuses an archive with an empty file."""
    return [[sys.executable, "-m", "buildspecs.lint.repository"]]


GATES: Mapping[str, Gate] = {
    "cfn-lint": cfn_lint,
    "checkov": checkov,
    "cfripper": cfripper,
    "template-tests": template_tests,
    "repository": repository,
}
OWN_ENVIRONMENT = frozenset({"checkov"})


def left_out(gates: Sequence[str]) -> list[str]:
    """The gates that cannot run here; the environments of the others are made if need be."""
    return [name for name in gates if name in OWN_ENVIRONMENT and environments.python_of(name) is None]


def run(gates: Sequence[str], root: Path, home_region: str | None) -> int:
    """Run every command of every gate at the same time, print what each said in order; 1 if any failed."""
    templates = Templates.below(root, home_region)
    missing = left_out(gates)
    running = [(name, GATES[name](templates)) for name in gates if name not in missing]
    failed = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        answers = [
            (name, [pool.submit(_started, words, root) for words in commands]) for name, commands in running
        ]
        for name, commands in answers:
            at_home, everywhere = len(templates.at_home), len(templates.in_every_region)
            print(f"{name}: {at_home} templates for {templates.home_region}", end=", ")
            print(f"{everywhere} for {' '.join(templates.every_region)}")
            results = [command.result() for command in commands]
            print("".join(result.stdout for result in results), end="", flush=True)
            failed += [name] if any(result.returncode for result in results) else []
    for name in missing:
        print(
            f"{name}: not run here, it has no environment below {environments.VARIABLE}: `make lint` runs it"
        )
    passed = [name for name, _ in running if name not in failed]
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(passed)}")
    return 1 if failed else 0


def _started(command: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the words of a gate
        command, cwd=root, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def list_suppressions(root: Path, home_region: str | None) -> int:
    """Print every suppression of every analyser with its reason."""
    files = Templates.below(root, home_region).all
    print(suppressions.listing(one for file in sorted(files) for one in suppressions.read(file, root)))
    return 0


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run gates; see the module's text for the command line."""
    parser = argparse.ArgumentParser(prog="buildspecs.lint", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"any of {', '.join(GATES)}; default: all")
    parser.add_argument("--home-region", help="default: the first target Region")
    parser.add_argument("--suppressions", action="store_true", help="print what is suppressed, and why")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.gates if name not in GATES]
    if unknown:
        parser.error(f"unknown gate {', '.join(unknown)}; there is {', '.join(GATES)}")
    if options.suppressions:
        return exit_code(lambda: list_suppressions(root, options.home_region))
    return exit_code(lambda: run(options.gates or list(GATES), root, options.home_region))
