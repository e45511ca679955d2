"""`python -m rehearsal` as a person starts it: what is wrong is said at once, and without a traceback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rehearsal import workspace

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone that a test may break."""
    folder = tmp_path / "clone"
    workspace.copy_repository(REPOSITORY, folder)
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


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "create-stack"), (signal.SIGTERM, "Static_Analysis: install")],
    ids=["between commands", "while a build runs"],
)
def test_an_interruption_leaves_nothing_behind(clone: Path, number: signal.Signals, moment: str) -> None:
    temporary = clone.parent / "tmp"
    temporary.mkdir()
    output = clone.parent / "output"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "rehearsal"],
            cwd=clone,
            env={"PATH": os.environ["PATH"], "TMPDIR": str(temporary)},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        while moment not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
    assert output.read_text().splitlines()[-1].startswith("  Interrupted: everything")
    assert "Traceback" not in output.read_text()
    assert list(temporary.iterdir()) == []
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)  # noqa: S607
    assert [line for line in running.stdout.splitlines() if str(temporary) in line] == []
