"""`python -m rehearsal` as a user starts it: faults are named at once, and without a traceback."""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from buildspecs.paths import ROOT
from rehearsal.command_line import arguments, keep
from rehearsal.emulator import Emulator
from rehearsal.errors import SetupError
from rehearsal.machine import waiting
from rehearsal.organization import plan
from rehearsal.organization.plan import Organization
from rehearsal.readme import workspace
from rehearsal.rehearse import Options, rehearse
from rehearsal.report.display import Display
from rehearsal.report.journal import Journal
from tests.rehearsal import running, traps


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone that a test may break."""
    folder = tmp_path / "clone"
    workspace.copy_repository(ROOT, folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)  # noqa: S607
    return folder


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    temporary = clone.parent / "tmp"
    temporary.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-m", "rehearsal", *arguments],
        cwd=clone,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary)},
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


def refusal(clone: Path, *, port: int | None = None, targets: Path | None = None) -> str:
    """Why nothing was rehearsed, before an organization was started."""
    shown = io.StringIO()
    display = Display(Console(file=shown, width=200))
    with pytest.raises(SetupError) as refused:
        rehearse(Options(clone, port=port, targets=targets), Journal(display))
    display.failure(refused.value)
    return shown.getvalue()


def test_a_refusal_is_a_message_and_an_exit_code(clone: Path) -> None:
    break_file(clone / "aws-backup-ssm-targets.json", '"111122223333"', '"11112222333"')
    done = run(clone)
    assert done.returncode == 2
    assert "TargetHomeAccount" in done.stdout
    assert "11112222333" in done.stdout
    assert "Emulated organization" not in done.stdout


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
            "the placeholder <deploy-bucket> is unknown",
        ),
        (
            "### Stacks 3 to 10, in the home account",
            "### Stacks 3 to 10, in the hone account",
            'the heading "Stacks 3 to 10, in the hone account" does not name a known account',
        ),
    ],
)
def test_a_wrong_readme_is_refused_before_anything_starts(
    clone: Path, old: str, new: str, message: str
) -> None:
    break_file(clone / "README.md", old, new)
    shown = refusal(clone)
    assert message in shown
    assert "Emulated organization" not in shown


def test_a_targets_file_that_was_not_edited_is_refused(clone: Path) -> None:
    shown = refusal(clone, targets=clone / "aws-backup-ssm-targets.json")
    assert "TargetHomeAccount: still holds the example" in shown


def test_a_port_in_use_is_refused(clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert f"port {port} of 127.0.0.1 is in use" in refusal(clone, port=port)


def test_a_missing_program_is_named(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "git"):
        (programs / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(programs))
    assert "make is not installed" in refusal(clone)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--port", "99999"], "'99999' is not a port number"),
        (["--targets", "missing.json"], "missing.json does not exist"),
        (["--prot", "1"], "unrecognized arguments: --prot"),
    ],
)
def test_a_wrong_argument_is_refused(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        arguments(given)
    assert message in capsys.readouterr().err


@contextmanager
def rehearsing(
    clone: Path, environment: Mapping[str, str], moment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A rehearsal that has printed `moment`, and the file with its output."""
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
            waiting.until(lambda: moment in output.read_text() or process.poll() is not None, seconds=120)
            assert moment in output.read_text(), output.read_text()
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
def test_no_personal_setting_is_read_and_an_interruption_leaves_nothing_behind(
    clone: Path, tmp_path: Path, number: signal.Signals, moment: str, trap: traps.Trap
) -> None:
    with (
        traps.machine(tmp_path / "user", trap) as environment,
        rehearsing(clone, environment, moment) as (process, output),
    ):
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
    assert output.read_text().splitlines()[-1].startswith("  Interrupted: everything")
    assert "Traceback" not in output.read_text()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [line for line in running.commands() if str(tmp_path / "tmp") in line] == []


def test_the_next_rehearsal_removes_the_folder_of_a_killed_one(clone: Path, tmp_path: Path) -> None:
    with rehearsing(clone, {"PATH": os.environ["PATH"]}, "Emulated organization") as (process, _):
        process.kill()
    (left,) = (tmp_path / "tmp").iterdir()
    assert (left / "clone" / "README.md").exists()
    done = run(clone, "--targets", "aws-backup-ssm-targets.json")
    assert f"Removed the folder of a rehearsal that was killed: {left}" in done.stdout


def test_a_kept_organization_can_be_reached_from_the_users_terminal(
    tmp_path: Path,
) -> None:
    shown = io.StringIO()
    default = plan.DEFAULT
    with Emulator(tmp_path / "state", default.accounts, default.home_region) as emulator:
        journal = Journal(Display(Console(file=shown, width=200)))
        created = Organization(default, "o-abcdefghij", "r-abcd", "ou-abcd-11111111")
        interrupt = (threading.main_thread().ident or 0, signal.SIGINT)
        threading.Timer(0.5, signal.pthread_kill, interrupt).start()
        with journal.waiting():
            keep(Display(Console(file=shown, width=200)), journal, emulator, created)
        assert journal.result().seconds < 0.5, "the time spent waiting does not count"
        lines = [line.strip() for line in shown.getvalue().splitlines()]
        commands = [line for line in lines if line.startswith(("unset ", "export "))]
        aws = f"{sys.executable} {Path(sys.executable).with_name('aws')}"
        with traps.machine(tmp_path / "user", traps.marking) as environment:
            done = subprocess.run(  # noqa: S603 - what the rehearsal printed
                ["bash", "-c", "\n".join([*commands, f"{aws} sts get-caller-identity --query Account"])],  # noqa: S607
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
    assert (done.stdout.strip(), done.stderr) == (f'"{default.accounts.home}"', "")
    assert "That took 0 s. The organization runs until Ctrl-C." in lines
    assert lines[-1].startswith("Cleaning up")


def test_make_names_the_folder_that_it_cannot_write(tmp_path: Path) -> None:
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


# A function in an organization, an `aws` command, and the code of functions and builds that calls AWS.
SOME = (
    "tests/rehearsal/emulator/test_process.py::test_functions_see_nothing_of_the_developer_and_end_with_the_server",
    "tests/rehearsal/emulator/test_process.py::test_the_aws_command_works_with_that_environment",
    "tests/buildspecs/packaging/test_parameters.py::test_before_the_first_run_nothing_is_recorded",
    "tests/lambdas/tag_on_restore/test_moto.py",
)


@pytest.mark.parametrize("trap", [traps.unparsable, traps.marking])
def test_the_tests_read_no_personal_setting(tmp_path: Path, trap: traps.Trap) -> None:
    with traps.machine(tmp_path / "user", trap) as environment:
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
