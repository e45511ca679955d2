"""A program that starts as a fork behaves as if it were started anew, and ends with its user."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from buildspecs.paths import ROOT
from rehearsal.machine import waiting, warm_start
from tests.rehearsal import running

AWS = Path(sys.executable).with_name("aws")
# Prints all that a program can see of its start; its argument is the code that it ends with.
SEEN = """
import json, os, sys
seen = [sys.argv, sys.path[0], os.getcwd(), sorted(os.environ.items()), sys.stdin.read()]
print(json.dumps(seen), flush=True)
print("to standard error", file=sys.stderr)
sys.exit(sys.argv[1] if sys.argv[1] == "text" else int(sys.argv[1]))
"""
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path short enough for a socket."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def run(program: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(  # noqa: S603 - ours
        [program, *arguments],
        cwd=program.parent,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PWD": str(program.parent),  # as every shell sets it
            "ODD": "a=b\nc",
            "AWS_REGION": "us-east-1",
        },
        input="typed",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def script(folder: Path, text: str) -> Path:
    program = folder / "real" / "program"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{text}")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("arguments", [("0", "a b", "é", ""), ("3",), ("text",)])
def test_a_program_sees_prints_and_returns_the_same(folder: Path, arguments: tuple[str, ...]) -> None:
    program = script(folder, SEEN)
    with warm_start.started(program, ["json"], folder):
        (folder / "program").rename(program.with_name("stand-in"))  # both in the same working directory
        assert run(program.with_name("stand-in"), *arguments) == run(program, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("sts", "no-such-operation"),
        ("cloudformation", "wait", "stack-exists", "--region", "x"),
    ],
)
def test_the_aws_command_prints_and_returns_the_same(folder: Path, arguments: tuple[str, ...]) -> None:
    with warm_start.aws(folder):
        assert run(folder / "aws", *arguments) == run(AWS, *arguments)


def test_without_its_process_a_program_starts_anew(folder: Path) -> None:
    program = script(folder, SEEN)
    with warm_start.started(program, [], folder):
        pass
    assert run(folder / "program", "3")[0] == 3


def test_without_a_socket_there_is_no_stand_in(folder: Path) -> None:
    deep = folder / ("x" * 100)
    deep.mkdir()
    with warm_start.aws(deep) as warm:
        assert not warm
        assert list(deep.iterdir()) == []


def test_many_programs_run_at_the_same_time(folder: Path) -> None:
    program = script(folder, 'import sys; print("x" * 200_000 + sys.argv[1])')  # more than a pipe holds
    with (
        warm_start.started(program, [], folder) as warm,
        concurrent.futures.ThreadPoolExecutor(30) as threads,
    ):
        assert warm
        ended = list(threads.map(lambda number: run(folder / "program", str(number)), range(30)))
    assert ended == [(0, f"{'x' * 200_000}{number}\n", "") for number in range(30)]


def test_a_program_that_a_signal_ends_returns_what_a_shell_returns(folder: Path) -> None:
    program = script(folder, "import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    with warm_start.started(program, [], folder):
        assert run(folder / "program")[0] == 128 + signal.SIGTERM


def test_a_program_whose_standard_input_is_closed_starts_anew(folder: Path) -> None:
    program = script(folder, "import sys; print(sys.stdin)")
    with warm_start.started(program, [], folder):
        done = subprocess.run(  # noqa: S603 - ours
            ["bash", "-c", 'exec "$0" <&-', folder / "program"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    assert done.stdout == "None\n"


def ends(process: int) -> bool:
    return waiting.until(lambda: not running.runs(process), seconds=10)


def test_a_program_ends_with_its_stand_in(folder: Path) -> None:
    with (
        warm_start.started(script(folder, SLEEPS), [], folder),
        subprocess.Popen(  # noqa: S603 - ours
            [folder / "program"], stdout=subprocess.PIPE, text=True
        ) as stand_in,
    ):
        assert stand_in.stdout
        process = int(stand_in.stdout.readline())
        assert running.runs(process)
        stand_in.kill()
        assert ends(process)


LEAVES = """
import subprocess, sys, time
from pathlib import Path
from rehearsal.machine import waiting, warm_start
program, folder = map(Path, sys.argv[1:])
with warm_start.started(program, [], folder):
    subprocess.Popen([folder / "program"], stdin=subprocess.DEVNULL)
    time.sleep(60)
"""


def leave(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()


@pytest.mark.parametrize("end", [leave, kill])
def test_nothing_outlives_the_process_that_started_it(
    folder: Path, end: Callable[[subprocess.Popen[str]], None]
) -> None:
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", LEAVES, script(folder, SLEEPS), folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starter:
        assert starter.stdout
        process = int(starter.stdout.readline())
        end(starter)
        assert ends(process)
