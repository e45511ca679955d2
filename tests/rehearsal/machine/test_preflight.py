"""What the machine needs: one clear message for each thing that is missing."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from buildspecs.paths import ROOT
from rehearsal.emulator import port_fault
from rehearsal.errors import PrerequisiteError
from rehearsal.machine import preflight
from rehearsal.machine.environment import NO_SETTINGS
from rehearsal.machine.preflight import Tools

PROGRAMS = ("bash", "git", "make")
BIN = Path(sys.executable).parent


def path_with(folder: Path, *programs: str) -> str:
    folder.mkdir()
    for name in programs:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(stat.S_IRWXU)
    return str(folder)


@pytest.mark.parametrize("missing", PROGRAMS)
def test_a_missing_program_is_named_with_what_to_do(missing: str, tmp_path: Path) -> None:
    search_path = path_with(tmp_path / "bin", *(name for name in PROGRAMS if name != missing))
    (problem,) = preflight.problems(search_path, (3, 13, 0), BIN)
    assert problem.startswith(f"{missing} is not installed: ")
    assert "install it" in problem


def test_an_old_python_is_named(tmp_path: Path) -> None:
    (problem,) = preflight.problems(path_with(tmp_path / "bin", *PROGRAMS), (3, 10, 9), BIN)
    assert "Python 3.10 is too old: 3.11 or newer" in problem


def test_a_python_without_the_aws_command_points_to_make(tmp_path: Path) -> None:
    (problem,) = preflight.problems(path_with(tmp_path / "bin", *PROGRAMS), (3, 13, 0), tmp_path)
    assert problem.startswith("the aws command: not installed")
    assert "make rehearse" in problem


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="git is not installed") as caught:
        preflight.check(path_with(tmp_path / "bin", "bash"), None, BIN, tmp_path)
    assert [line.split()[0] for line in caught.value.details] == ["make"]


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    search_path = path_with(tmp_path / "bin", *PROGRAMS)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(PrerequisiteError, match=f"port {port} of 127.0.0.1 is in use"):
            preflight.check(search_path, port_fault(port), BIN, tmp_path)
    preflight.check(search_path, port_fault(port), BIN, tmp_path)


def test_a_privileged_port_is_named_with_the_ports_that_can_be_used() -> None:
    setting = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if setting.exists() and int(setting.read_text()) <= 443:
        pytest.skip("every user may listen on every port of this machine")
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        fault = port_fault(443)
    finally:
        os.seteuid(user)
    assert fault is not None
    assert fault.startswith("port 443 of 127.0.0.1 is privileged: an ordinary user may not listen on it.")
    assert "from 1024 to 65535" in fault


def test_a_missing_zip_gets_a_stand_in_and_a_note(tmp_path: Path) -> None:
    search_path = path_with(tmp_path / "bin", *PROGRAMS, "cfn_nag_scan")
    tools = preflight.check(search_path, None, BIN, tmp_path)
    assert "zip is not installed: a stand-in runs the README's zip command" in tools.notes
    assert not any("cfn-nag" in note for note in tools.notes)
    (tmp_path / "a.txt").touch()
    environment = preflight.command_environment(tools, tmp_path, {"AWS_REGION": "x"})
    zip_program = shutil.which("zip", path=environment["PATH"])
    assert zip_program
    done = subprocess.run(  # noqa: S603 - our own stand-in
        [zip_program, "-r", "a.zip", "a.txt"], cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "a.zip").exists()


def test_an_installed_zip_is_used(tmp_path: Path) -> None:
    search_path = path_with(tmp_path / "bin", *PROGRAMS, "zip")
    tools = preflight.check(search_path, None, BIN, tmp_path)
    assert tools.search_path == os.pathsep.join([str(tmp_path), str(BIN), search_path])
    assert not any("zip" in note for note in tools.notes)
    assert "cfn-nag is not installed (it comes from RubyGems): its commands are skipped" in tools.notes


def test_commands_see_nothing_of_the_developers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DEVELOPER", "x")
    environment = preflight.command_environment(Tools("/bin", ()), tmp_path, {"AWS_REGION": "x"})
    assert set(environment) == {
        "AWS_REGION", "HOME", "LANG", "MAKEFLAGS", "PATH", "PYTHONDONTWRITEBYTECODE", "TMPDIR", *NO_SETTINGS,
    }  # fmt: skip


def test_make_uses_the_environment_that_runs_the_rehearsal(tmp_path: Path) -> None:
    makefile = ROOT / "Makefile"
    environment = preflight.command_environment(Tools(os.environ["PATH"], ()), tmp_path, {})
    for name in ("requirements", "lambdas"):
        (tmp_path / name).symlink_to(makefile.parent / name)
    shown = subprocess.run(  # noqa: S603 - make -n runs nothing
        ["make", "-n", "-f", str(makefile), "targets"],  # noqa: S607
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    python = f"{sys.prefix}/bin/python -m"
    assert (
        shown.stdout.split() == f"{python} buildspecs.lint.empty_files && {python} buildspecs.targets".split()
    )
