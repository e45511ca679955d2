"""Builds in a real bash: order, failures, exported variables, missing programs."""

import os
from pathlib import Path

import pytest

from rehearsal.machine import waiting
from rehearsal.pipeline import build_shell, buildspec
from rehearsal.pipeline.build_shell import AS_ON_AWS, BuildCommand, Differences, ShellResult
from tests.rehearsal import running


def build(tmp_path: Path, text: str, differences: Differences = AS_ON_AWS, **environment: str) -> ShellResult:
    source = tmp_path / "src"
    source.mkdir(exist_ok=True)
    return build_shell.run(
        buildspec.parse(f"version: 0.2\n{text}", "x.yml"),
        source=source,
        scratch=tmp_path / "shell",
        environment={"PATH": os.environ["PATH"], **environment},
        log=tmp_path / "log",
        finished=lambda _: None,
        differences=differences,
    )


def log(tmp_path: Path) -> list[str]:
    return (tmp_path / "log").read_text().splitlines()


def codes(result: ShellResult) -> list[tuple[str, int | None]]:
    return [(command.text, command.code) for command in result.commands]


def test_all_phases_run_in_one_shell(tmp_path: Path) -> None:
    result = build(
        tmp_path,
        """
env: {exported-variables: [WHERE, LINES2, ABSENT]}
phases:
  install: {commands: ["export A=1", "cd /"]}
  pre_build: {commands: ["B=2; declare C=3", "say() { echo \\"said $*\\"; }"]}
  build: {commands: ["say $A$B$C", "WHERE=$(pwd)", "LINES2=$'one\\\\ntwo'"]}
""",
    )
    assert result.succeeded
    assert result.exported == {"WHERE": "/", "LINES2": "one\ntwo", "ABSENT": ""}
    assert log(tmp_path) == ["said 123"]


def test_a_command_that_is_left_out_on_purpose_is_reported_as_not_run(tmp_path: Path) -> None:
    differences = Differences(left_out={"lint": "it is slow"})
    result = build(tmp_path, "phases: {build: {commands: [lint everything, echo on]}}", differences)
    assert result.succeeded
    assert codes(result) == [("lint everything", None), ("echo on", 0)]
    assert (differences.reason("lint everything"), differences.reason("echo on")) == ("it is slow", None)


def test_phases_run_in_codebuilds_order_not_in_the_files(tmp_path: Path) -> None:
    result = build(tmp_path, "phases: {post_build: {commands: [echo 2]}, pre_build: {commands: [echo 1]}}")
    assert [command.phase for command in result.commands] == ["pre_build", "post_build"]


@pytest.mark.parametrize(
    ("phases", "expected", "succeeded"),
    [
        # a failed command ends its phase
        ("{build: {commands: ['true', 'false', 'echo no']}}", [("true", 0), ("false", 1)], False),
        # nothing is built when install or pre_build fails
        ("{install: {commands: ['false']}, build: {commands: [echo no]}}", [("false", 1)], False),
        ("{pre_build: {commands: [exit 3]}, post_build: {commands: [echo no]}}", [("exit 3", 3)], False),
        # post_build runs when build fails, and the build stays failed
        (
            "{build: {commands: ['false']}, post_build: {commands: ['true']}}",
            [("false", 1), ("true", 0)],
            False,
        ),
        # finally always runs
        (
            "{install: {commands: ['false'], finally: ['true']}, build: {commands: [echo no]}}",
            [("false", 1), ("true", 0)],
            False,
        ),
        # CONTINUE runs the next phases and the build succeeds
        (
            "{install: {on-failure: CONTINUE, commands: ['false', echo no]}, build: {commands: ['true']}}",
            [("false", 1), ("true", 0)],
            True,
        ),
        # a command that exits the shell fails the build, whatever its exit code
        ("{build: {commands: [exit 0, echo no]}}", [("exit 0", 0)], False),
        ("{build: {commands: ['set -e', 'false', echo no]}}", [("set -e", 0), ("false", 1)], False),
    ],
)
def test_a_failure_stops_where_codebuild_stops(
    tmp_path: Path, phases: str, expected: list[tuple[str, int]], succeeded: bool
) -> None:
    result = build(tmp_path, f"phases: {phases}")
    assert codes(result) == expected
    assert result.succeeded is succeeded


def test_post_build_can_see_that_the_build_failed(tmp_path: Path) -> None:
    build(
        tmp_path,
        "phases: {build: {commands: ['false']}, post_build: {commands: [echo $CODEBUILD_BUILD_SUCCEEDING]}}",
    )
    assert log(tmp_path) == ["0"]


def test_commands_of_several_lines_and_with_quotes_run_as_written(tmp_path: Path) -> None:
    result = build(
        tmp_path,
        """
phases:
  build:
    commands:
      - |
        for word in "a b" 'c "d"'; do
          echo "<$word>"
        done
      - echo to stderr >&2
""",
    )
    assert result.succeeded
    assert log(tmp_path) == ["<a b>", '<c "d">', "to stderr"]


def test_programs_from_rubygems_are_left_out_if_they_are_not_installed(tmp_path: Path) -> None:
    result = build(
        tmp_path,
        "phases: {build: {commands: [gem install cfn-nag, 'true && cfn_nag_scan -i x', echo went on]}}",
    )
    assert result.succeeded
    assert codes(result) == [
        ("gem install cfn-nag", None),
        ("true && cfn_nag_scan -i x", None),
        ("echo went on", 0),
    ]


def test_programs_from_rubygems_run_and_can_fail_the_build_if_they_are_installed(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("gem", "cfn_nag_scan"):
        (programs / name).write_text("#!/bin/sh\necho $0; exit 5\n")
        (programs / name).chmod(0o755)
    result = build(
        tmp_path,
        "phases: {build: {commands: [gem install cfn-nag, cfn_nag_scan]}}",
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
    )
    assert not result.succeeded
    assert codes(result) == [("gem install cfn-nag", None), ("cfn_nag_scan", 5)]


def test_every_command_is_reported_when_it_ends(tmp_path: Path) -> None:
    reported: list[BuildCommand] = []
    (tmp_path / "src").mkdir()
    result = build_shell.run(
        buildspec.parse("version: 0.2\nphases: {build: {commands: ['true', 'sleep 0.2']}}", "x.yml"),
        source=tmp_path / "src",
        scratch=tmp_path / "shell",
        environment={"PATH": os.environ["PATH"]},
        log=tmp_path / "log",
        finished=reported.append,
    )
    assert tuple(reported) == result.commands
    assert reported[1].seconds >= 0.15


def test_what_a_build_leaves_running_ends_with_it(tmp_path: Path) -> None:
    build(tmp_path, "phases: {build: {commands: ['sleep 60 & echo $!']}}")
    (process,) = log(tmp_path)
    assert waiting.until(lambda: not running.runs(int(process)), seconds=5)
