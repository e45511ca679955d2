"""`python -m rehearsal` as a person starts it: what is wrong is said at once, and without a traceback."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from buildspecs.paths import ROOT
from rehearsal.command_line import keep
from rehearsal.emulator import Emulator
from rehearsal.organization import plan
from rehearsal.organization.plan import Organization
from rehearsal.readme import workspace
from rehearsal.report.display import Display
from rehearsal.report.journal import Journal
from tests.rehearsal import traps


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone that a test may break."""
    folder = tmp_path / "clone"
    workspace.copy_repository(ROOT, folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)  # noqa: S607
    return folder


def rehearse(
    clone: Path, *arguments: str, search_path: str | None = None
) -> subprocess.CompletedProcess[str]:
    temporary = clone.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "rehearsal", *arguments],
        cwd=clone,
        env={"PATH": search_path or os.environ["PATH"], "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in done.stdout + done.stderr
    return done


def break_file(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "file://templates/home-account/aws-backup-s3-bucket.yaml",
            "file://templates/x.yaml",
            "file://templates/x.yaml does not exist",
        ),
        (
            "<deployment-bucket>/",
            "<deploy-bucket>/",
            "nothing fills the placeholder <deploy-bucket>",
        ),
        (
            "### Stacks 3 to 10, in the home account",
            "### Stacks 3 to 10, in the hone account",
            'the heading "Stacks 3 to 10, in the hone account" names no known account',
        ),
    ],
)
def test_a_wrong_readme_is_told_before_anything_starts(clone: Path, old: str, new: str, message: str) -> None:
    break_file(clone / "README.md", old, new)
    done = rehearse(clone)
    assert done.returncode == 2
    assert message in done.stdout
    assert "Emulated organization" not in done.stdout


def test_a_malformed_targets_file_is_told_with_key_and_value(clone: Path) -> None:
    break_file(clone / "aws-backup-ssm-targets.json", '"111122223333"', '"11112222333"')
    done = rehearse(clone)
    assert done.returncode == 2
    assert "TargetHomeAccount" in done.stdout
    assert "11112222333" in done.stdout
    assert "Emulated organization" not in done.stdout, "it is told before anything is started"


def test_a_given_file_that_was_not_edited_is_told(clone: Path) -> None:
    done = rehearse(clone, "--targets", "aws-backup-ssm-targets.json")
    assert done.returncode == 2
    assert "TargetHomeAccount: still holds the example" in done.stdout


def test_a_busy_port_is_told(clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        done = rehearse(clone, "--port", port)
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stdout


def test_a_missing_openssl_is_told(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "git", "make", "sh"):
        (programs / name).symlink_to(shutil.which(name) or "")
    done = rehearse(clone, search_path=str(programs))
    assert done.returncode == 2
    assert "openssl is not installed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "'99999' is no port number"),
        (["--targets", "missing.json"], "missing.json does not exist"),
        (["--prot", "1"], "unrecognized arguments: --prot"),
    ],
)
def test_a_wrong_argument_is_told(clone: Path, arguments: list[str], message: str) -> None:
    done = rehearse(clone, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@contextmanager
def carrying_out(
    clone: Path, environment: Mapping[str, str], moment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A rehearsal that has come to `moment`, and the file with what it prints."""
    temporary, output = clone.parent / "tmp", clone.parent / "output"
    temporary.mkdir(exist_ok=True)
    with (
        output.open("wb") as written,
        subprocess.Popen(
            [sys.executable, "-m", "rehearsal"],
            cwd=clone,
            env={**environment, "TMPDIR": str(temporary)},
            stdout=written,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while moment not in output.read_text():
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                time.sleep(0.1)
            yield process, output
        finally:
            process.kill()


@pytest.mark.scenarios
@pytest.mark.parametrize(
    ("number", "moment", "trap"),
    [
        (signal.SIGINT, "create-stack", traps.marking),
        (signal.SIGTERM, "Static_Analysis: install", traps.unparsable),
    ],
    ids=["between commands", "while a build runs"],
)
def test_no_setting_of_a_persons_is_read_and_an_interruption_leaves_nothing_behind(
    clone: Path, tmp_path: Path, number: signal.Signals, moment: str, trap: traps.Trap
) -> None:
    with (
        traps.machine(tmp_path / "person", trap) as environment,
        carrying_out(clone, environment, moment) as (process, output),
    ):
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
    assert output.read_text().splitlines()[-1].startswith("  Interrupted: everything")
    assert "Traceback" not in output.read_text()
    assert list((tmp_path / "tmp").iterdir()) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)  # noqa: S607
    assert [line for line in running.stdout.splitlines() if str(tmp_path / "tmp") in line] == []


def test_what_a_killed_rehearsal_has_left_is_removed_by_the_next_one(clone: Path, tmp_path: Path) -> None:
    with carrying_out(clone, {"PATH": os.environ["PATH"]}, "Emulated organization") as (process, _):
        process.kill()
    (left,) = (tmp_path / "tmp").iterdir()
    assert (left / "clone" / "README.md").exists()
    done = rehearse(clone, "--targets", "aws-backup-ssm-targets.json")
    assert f"Removed what a rehearsal that was killed had left: {left}" in done.stdout


def test_a_kept_organization_says_how_to_look_at_it_from_a_persons_terminal(
    tmp_path: Path, openssl: None
) -> None:
    shown = io.StringIO()
    default = plan.DEFAULT
    with Emulator(tmp_path / "state", default.accounts, default.home_region) as emulator:
        journal = Journal(Display(Console(file=shown, width=200)))
        created = Organization(default, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
        interrupt = (threading.main_thread().ident or 0, signal.SIGINT)
        threading.Timer(1.5, signal.pthread_kill, interrupt).start()
        with journal.waiting():
            keep(Display(Console(file=shown, width=200)), journal, emulator, created)
        assert journal.result().seconds < 1.5, "the waiting does not count"
        lines = [line.strip() for line in shown.getvalue().splitlines()]
        commands = [line for line in lines if line.startswith(("unset ", "export "))]
        aws = f"{sys.executable} {Path(sys.executable).with_name('aws')}"
        with traps.machine(tmp_path / "person", traps.marking) as environment:
            answer = subprocess.run(  # noqa: S603 - what we have said ourselves
                ["bash", "-c", "\n".join([*commands, f"{aws} sts get-caller-identity --query Account"])],  # noqa: S607
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
    assert (answer.stdout.strip(), answer.stderr) == (f'"{plan.accounts.home}"', "")
    assert "That took 0 s. The organization stays up until Ctrl-C." in lines
    assert lines[-1].startswith("Cleaning up")


def test_make_says_what_it_cannot_write(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "rehearse", "VENV=/dev/null/environment"],  # noqa: S607
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("/dev/null/environment cannot be written: copy the clone ")


# A build and a function in an organization, an `aws` command, AWS beneath the code of functions and builds.
SOME = (
    "tests/rehearsal/pipeline/test_execution.py::test_a_pipeline_is_carried_out_from_source_to_stack",
    "tests/rehearsal/emulator/test_process.py::test_functions_see_nothing_of_the_developer_and_end_with_the_server",
    "tests/rehearsal/emulator/test_process.py::test_the_aws_command_works_with_that_environment",
    "tests/buildspecs/packaging/test_recorded.py::test_before_the_first_run_nothing_is_recorded",
    "tests/lambdas/tag_on_restore/test_moto.py",
)


@pytest.mark.parametrize("trap", [traps.unparsable, traps.marking])
def test_the_tests_read_no_setting_of_a_persons(tmp_path: Path, openssl: None, trap: traps.Trap) -> None:
    with traps.machine(tmp_path / "person", trap) as environment:
        done = subprocess.run(  # noqa: S603 - ourselves
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                f"--basetemp={tmp_path / 'tests'}",
                *SOME,
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
