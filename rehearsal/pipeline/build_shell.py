"""Runs a buildspec's commands as CodeBuild does: all phases in one bash, stopping where CodeBuild stops.

If install or pre_build fails, no further phase runs; if build fails, post_build still runs and the build has
failed (https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html). The `finally`
commands of a phase always run. With on-failure CONTINUE the next phases run, and the build can succeed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rehearsal.machine import processes
from rehearsal.machine.shell_words import HereDocumentError, simple_commands
from rehearsal.pipeline.buildspec import Buildspec

# `gem` would use the network and write outside our folder. The others run if they are installed.
_NEVER_RUN: Final = ("gem",)
_IF_INSTALLED: Final = ("cfn_nag_scan", "cfn_nag", "cfn_nag_rules", "bundle")


@dataclass(frozen=True)
class BuildCommand:
    """One command of a build; `code` is None if it was not run."""

    phase: str
    text: str
    code: int | None
    seconds: float

    @property
    def title(self) -> str:
        """The first line, for a list of commands."""
        return self.text.strip().splitlines()[0]


@dataclass(frozen=True)
class Differences:
    """How a build differs from AWS: a part of each command that is left out, and the reason."""

    left_out: Mapping[str, str] = field(default_factory=dict)

    def reason(self, command: str) -> str | None:
        """Why a command is left out; None if it runs."""
        return next((reason for part, reason in self.left_out.items() if part in command), None)


AS_ON_AWS: Final = Differences()


@dataclass(frozen=True)
class ShellResult:
    succeeded: bool
    commands: tuple[BuildCommand, ...]
    exported: Mapping[str, str]


def missing_program(command: str, path: str) -> str | None:
    """The RubyGems program that a command needs and this machine lacks; None if the command can run."""
    try:
        programs = [words[0] for words in simple_commands(command)]
    except HereDocumentError:
        return None
    for program in programs:
        if program in _NEVER_RUN:
            return program
        if program in _IF_INSTALLED and shutil.which(program, path=path) is None:
            return program
    return None


def run(
    buildspec: Buildspec,
    *,
    source: Path,
    scratch: Path,
    environment: Mapping[str, str],
    log: Path,
    finished: Callable[[BuildCommand], None],
    differences: Differences = AS_ON_AWS,
) -> ShellResult:
    """Run all phases in `source`. `finished` is called with each command when it ends."""
    scratch.mkdir(parents=True, exist_ok=True)
    commands: list[BuildCommand] = []
    numbered: list[tuple[str, str]] = []
    read_end, write_end = os.pipe()
    try:
        script = _script(buildspec, numbered, scratch, write_end, environment["PATH"], differences)
        (scratch / "build.sh").write_text(script)
        with (
            log.open("ab") as output,
            processes.started(
                ["bash", str(scratch / "build.sh")],
                folder=source,
                environment=environment,
                output=output,
                pass_fds=[write_end],
            ) as process,
        ):
            os.close(write_end)
            write_end = -1
            for command in _follow(read_end, numbered):
                commands.append(command)
                finished(command)
            code = process.wait()
    finally:
        if write_end >= 0:
            os.close(write_end)
    return ShellResult(code == 0, tuple(commands), _exported(scratch / "exported"))


def _follow(read_end: int, numbered: list[tuple[str, str]]) -> Iterator[BuildCommand]:
    """Each command when the shell reports its end: `<number> <exit code or ->` per line, finally `end`.

    The end of the file would not do: what a command leaves running in the background holds the pipe open.
    """
    before = time.monotonic()
    with os.fdopen(read_end) as reports:
        for report in reports:
            if report == "end\n":
                return
            number, _, code = report.strip().partition(" ")
            now = time.monotonic()
            phase, text = numbered[int(number)]
            yield BuildCommand(phase, text, None if code == "-" else int(code), now - before)
            before = now


def _exported(file: Path) -> dict[str, str]:
    fields = file.read_text().split("\0") if file.exists() else []
    return dict(zip(fields[::2], fields[1::2], strict=False))


def _script(
    buildspec: Buildspec,
    numbered: list[tuple[str, str]],
    scratch: Path,
    report: int,
    path: str,
    differences: Differences,
) -> str:
    """The bash script of a build. Appends (phase, command) of every number that it reports to `numbered`.

    Commands are evaluated at the top level, not in a function, so that `declare` and `cd` last.
    """
    names = " ".join(shlex.quote(name) for name in buildspec.exported)
    exported = shlex.quote(str(scratch / "exported"))
    lines = [
        "__state=running __number=",
        "__end() {",
        "  __code=$?",
        f'  [ -z "$__number" ] || printf "%s %s\\n" "$__number" "$__code" >&{report}',
        f'  for __name in {names}; do printf "%s\\0%s\\0" "$__name" "${{!__name-}}"; done >{exported}',
        f"  echo end >&{report}",
        '  [ "$__state" = done ] && [ -z "$__failed" ] && exit 0',
        "  exit 1",
        "}",
        "trap __end EXIT",
        "export CODEBUILD_BUILD_SUCCEEDING=1",
        "__failed= __stop=",
    ]

    def add(phase: str, text: str) -> list[str]:
        number = len(numbered)
        numbered.append((phase, text))
        if missing_program(text, path) or differences.reason(text):
            return [f'printf "{number} -\\n" >&{report}']
        (scratch / f"{number}.command").write_text(text)
        file = shlex.quote(str(scratch / f"{number}.command"))
        return [
            f"__number={number}",
            f'eval "$(cat {file})"',
            f'__code=$?; printf "%s %s\\n" {number} "$__code" >&{report}; __number=',
        ]

    for phase in buildspec.phases:
        lines += ['if [ -z "$__stop" ]; then', "__phase_failed="]
        for text in phase.commands:
            lines += ['if [ -z "$__phase_failed" ]; then', "__code=0", *add(phase.name, text)]
            lines += ['[ "$__code" = 0 ] || __phase_failed=1', "fi"]
        for text in phase.finally_commands:
            lines += ["__code=0", *add(phase.name, text), '[ "$__code" = 0 ] || __phase_failed=1']
        if not phase.continues_on_failure:
            stop = "" if phase.name == "build" else " __stop=1"
            failed = f"__failed=1{stop}; export CODEBUILD_BUILD_SUCCEEDING=0"
            lines += [f'if [ -n "$__phase_failed" ]; then {failed}; fi']
        lines += ["fi"]
    lines += ["__state=done", "exit 0", ""]
    return "\n".join(lines)
