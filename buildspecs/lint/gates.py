"""The gates that every template has to pass before anything is deployed, run by one command.

`python -m buildspecs.lint [GATE …] [--home-region REGION] [--suppressions]` runs the named gates, or all of
them; with --suppressions it first prints which findings of the analyzers and of cfn-nag the templates
suppress, and why. Only this module names files and options: the zip that becomes the repository has no
dotfiles such as .cfnlintrc, so no gate reads one.

A gate is a row of GATES: a name, and a function from the templates to jobs. Each job is a function that
prints its findings and returns 1 if there are any. It runs in its own process, forked where the platform
forks, so that cfn-lint, which takes most of a second to import, is imported once. checkov's dependencies
conflict with those of the builds, see environments.py; cfn-nag is a RubyGem and has its own build.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import Process
from pathlib import Path
from typing import Self

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

from buildspecs.errors import LintError, exit_code
from buildspecs.lint import analyzers, empty_files, environments, rules, suppressions
from buildspecs.lint.templates import FOLDERS, template_files
from buildspecs.names import STACKSETS
from buildspecs.paths import ROOT
from buildspecs.targets import FILE, package_regions, read, target_regions

BODIES = frozenset(stack_set.body for stack_set in STACKSETS)


@dataclass(frozen=True)
class Templates:
    """Every template by its path from the root, grouped by where it is deployed."""

    in_every_region: tuple[str, ...]  # the StackSet bodies
    at_home: tuple[str, ...]
    every_region: tuple[str, ...]
    home_region: str

    @classmethod
    def below(cls, root: Path, home_region: str | None) -> Self:
        """Without a home Region, the first target Region takes its place."""
        found = template_files(root)
        if not found:
            raise LintError(f"no *.yaml below {' and '.join(FOLDERS)} in {root}: nothing to check")
        names = [path.relative_to(root).as_posix() for path in found]
        regions = target_regions(read(root / FILE))
        home = home_region or regions[0]
        return cls(
            in_every_region=tuple(name for name in names if name in BODIES),
            at_home=tuple(name for name in names if name not in BODIES),
            every_region=tuple(package_regions(regions, home)),
            home_region=home,
        )

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.at_home, *self.in_every_region)

    def __str__(self) -> str:
        everywhere = f"{len(self.in_every_region)} for {' '.join(self.every_region)}"
        return f"templates: {len(self.at_home)} for {self.home_region}, {everywhere}"


Job = Callable[[], int]
Gate = Callable[[Templates], list[Job]]


def cfn_lint(templates: Templates) -> list[Job]:
    """Every finding, informational ones included, for the Regions that a template is deployed to.

    Not every type exists in every Region: CodeCommit and CodeBuild must in the home Region only.
    """
    parts = [
        (templates.at_home, (templates.home_region,)),
        (templates.in_every_region, templates.every_region),
    ]
    return [partial(lint, files, regions) for files, regions in parts if files]


def lint(files: Sequence[str], regions: Sequence[str]) -> int:
    """Run cfn-lint's command, without any .cfnlintrc."""
    options = ["--include-checks", "I", "--config-file", os.devnull]
    try:
        Runner(ConfigMixIn([*options, "--regions", *regions, "--", *files])).cli()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def checkov(templates: Templates) -> list[Job]:
    return [partial(analyzers.run, "checkov", templates.all)]


def cfripper(templates: Templates) -> list[Job]:
    return [partial(analyzers.run, "cfripper", templates.all)]


def own_rules(_: Templates) -> list[Job]:
    """What the public analyzers miss; they look at every template of the repository together."""
    return [partial(rules.main, [])]


def no_empty_file(_: Templates) -> list[Job]:
    """CodeCommit refuses an archive that holds an empty file."""
    return [empty_files.main]


GATES: Mapping[str, Gate] = {
    "cfn-lint": cfn_lint,
    "checkov": checkov,
    "cfripper": cfripper,
    "rules": own_rules,
    "empty-files": no_empty_file,
}
OWN_ENVIRONMENT = frozenset({"checkov"})


def left_out(gates: Sequence[str]) -> list[str]:
    """The gates that cannot run here; environments of the others are made if needed."""
    return [name for name in gates if name in OWN_ENVIRONMENT and environments.python_of(name) is None]


def run(gates: Sequence[str], home_region: str | None, *, listed: bool) -> int:
    """Run the jobs of every gate at the same time, print their findings in order; 1 if any gate failed."""
    os.chdir(ROOT)
    templates = Templates.below(ROOT, home_region)
    if listed:
        print(suppressions.listing(one for file in sorted(templates.all) for one in suppressions.read(file)))
    print(templates, flush=True)
    missing = left_out(gates)
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        started = {
            name: [
                _started(job, Path(folder) / f"{name}-{number}")
                for number, job in enumerate(GATES[name](templates))
            ]
            for name in gates
            if name not in missing
        }
        for name, jobs in started.items():
            for process, _ in jobs:
                process.join()
            failed += [name] if any(process.exitcode for process, _ in jobs) else []
            print(f"{name}: {'failed' if name in failed else 'passed'}")
            print("".join(_printed(*job) for job in jobs), end="", flush=True)
    for name in missing:
        print(f"{name}: not run here, no environment below {environments.VARIABLE}: `make lint` runs it")
    passed = [name for name in started if name not in failed]
    print(f"failed: {', '.join(failed)}" if failed else f"passed: {', '.join(passed) or 'no gate'}")
    return 1 if failed else 0


def _started(job: Job, output: Path) -> tuple[Process, Path]:
    output.touch()
    process = Process(target=_run, args=(job, output), daemon=True)  # ends with this one
    process.start()
    return process, output


def _printed(process: Process, output: Path) -> str:
    """What a job has printed. One that was killed could not say so."""
    code = process.exitcode or 0
    end = f"killed by signal {-code} before it had finished\n" if code < 0 else ""
    return output.read_text(encoding="utf-8") + end


def _run(job: Job, output: Path) -> None:
    """In the job's process: what it prints, a traceback included, goes to its own file."""
    sys.stdout = sys.stderr = output.open("w", encoding="utf-8")
    sys.exit(exit_code(job))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run gates; see the module's text for the command line."""
    parser = argparse.ArgumentParser(prog="buildspecs.lint", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"any of {', '.join(GATES)}; default: all")
    parser.add_argument("--home-region", help="default: the first target Region")
    parser.add_argument("--suppressions", action="store_true", help="first print what is suppressed, and why")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.gates if name not in GATES]
    if unknown:
        parser.error(f"unknown gate {', '.join(unknown)}; the gates are {', '.join(GATES)}")
    wanted = options.gates or list(GATES)
    return exit_code(lambda: run(wanted, options.home_region, listed=options.suppressions))
