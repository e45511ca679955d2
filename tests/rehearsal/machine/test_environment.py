"""Environments and AWS sessions have one home, and none of the user's settings reaches it."""

import ast
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from buildspecs.paths import ROOT
from rehearsal.machine import environment
from tests.rehearsal import traps

MACHINE = ROOT / "rehearsal" / "machine"
# The second only passes on what the program that it stands in for would see.
HOMES = (MACHINE / "environment.py", MACHINE / "warm_command.py")
OURS = ("rehearsal", "tests", "benchmarks")
MAKERS = {
    f"{package}.{name}"
    for package in ("boto3", "boto3.session", "botocore.session")
    for name in ("Session", "client", "resource", "get_session", "setup_default_session")
}
PROGRAMS = {f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output")}
# Other ways to the variables of the user's shell, and to programs that receive them.
DETOURS = {f"os.{name}" for name in ("environ", "environb", "getenv", "getenvb", "popen", "system")}


def faults(code: str, *, runs_tests: bool) -> Iterator[str]:
    """What only the module `environment` may do, and programs that get the rehearsal's own environment.

    A test may pass on the environment of the tests, which `tests/conftest.py` makes.
    """
    tree = ast.parse(code)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        made = [node.func] if isinstance(node, ast.Call) else getattr(node, "bases", [])
        for name in map(ast.unparse, made):
            if name in MAKERS | DETOURS:
                yield f"line {node.lineno}: {name}"
            if name in PROGRAMS and not runs_tests and "env" not in {each.arg for each in node.keywords}:
                yield f"line {node.lineno}: {name} without env"
        if isinstance(node, ast.ImportFrom) and {f"{node.module}.{each.name}" for each in node.names} & (
            MAKERS | DETOURS | PROGRAMS
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.environ":
            use = ast.unparse(parents[node])
            if not runs_tests or use != "os.environ['PATH']":
                yield f"line {node.lineno}: {use}"


@pytest.mark.parametrize("folder", OURS)
def test_environments_and_sessions_are_made_in_one_place(folder: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}, {fault}"
        for file in sorted((ROOT / folder).rglob("*.py"))
        if file not in HOMES
        for fault in faults(file.read_text(), runs_tests=folder != "rehearsal")
    ]
    assert found == [], "let rehearsal/machine/environment.py make it"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("boto3.client('s3')", "boto3.client"),
        ("botocore.session.get_session()", "botocore.session.get_session"),
        ("class Mine(boto3.Session): ...", "boto3.Session"),
        ("from boto3 import Session", "from boto3 import Session"),
        ("from os import environ", "from os import environ"),
        ("from subprocess import run", "from subprocess import run"),
        ("os.getenv('AWS_PROFILE')", "os.getenv"),
        ("os.system('aws')", "os.system"),
        ("{**os.environ}", "{**os.environ}"),
        ("os.environ.copy()", "os.environ.copy"),
        ("subprocess.run(['git'])", "subprocess.run without env"),
    ],
)
def test_another_place_is_named(code: str, found: str) -> None:
    assert list(faults(code, runs_tests=False)) == [f"line 1: {found}"]


def test_every_variable_that_botocore_reads_is_a_personal_setting() -> None:
    assert "AWS_DEFAULT_PROFILE" in traps.SETTINGS
    assert [name for name in traps.SETTINGS if not environment.PERSONAL.match(name)] == []


# Prints what is left of the user's settings, and what a session finds.
SECLUDED = """
from rehearsal.machine import environment
environment.seclude()
import os
left = {name for name in os.environ if environment.PERSONAL.match(name)} - set(environment.NO_SETTINGS)
session = environment.session()
print(left, session.profile_name, session.available_profiles, session.get_credentials(), session.region_name)
"""


@pytest.mark.parametrize("trap", [traps.unparsable, traps.marking])
def test_a_secluded_process_has_no_personal_settings(tmp_path: Path, trap: traps.Trap) -> None:
    with traps.machine(tmp_path / "user", trap) as user:
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, "-c", SECLUDED],
            cwd=ROOT,
            env=user,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == "set() default [] None None\n"


def look_for_credentials(user: dict[str, str]) -> str:
    """What a process that is not secluded prints when it looks for credentials."""
    script = "import boto3; boto3.Session().get_credentials()"
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], env=user, capture_output=True, text=True, check=False
    )
    return done.stderr


def test_unparsable_files_and_variables_are_traps(tmp_path: Path) -> None:
    with traps.machine(tmp_path / "user", traps.unparsable) as user:
        assert "ValueError" in look_for_credentials(user)
        assert "ConfigParseError" in look_for_credentials({"HOME": user["HOME"]})


def test_a_command_that_gives_credentials_is_a_trap(tmp_path: Path) -> None:
    machine = traps.machine(tmp_path / "user", traps.marking)
    with pytest.raises(AssertionError, match="the mark exists"), machine as user:
        look_for_credentials(user)


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "https_proxy"])
def test_an_address_is_a_trap(tmp_path: Path, name: str) -> None:
    machine = traps.machine(tmp_path / "user", traps.marking)
    with pytest.raises(AssertionError, match="GET /"), machine as user, suppress(OSError):
        urllib.request.urlopen(user[name])  # noqa: S310 - the trap's own address


def test_only_git_gets_the_users_home() -> None:
    script = (
        "from rehearsal.machine import environment; environment.seclude(); import os; "
        "print(environment.for_git()['HOME'], os.environ['HOME'])"
    )
    home = {"HOME": "/home/somebody"}
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", script], cwd=ROOT, env=home, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout == "/home/somebody /dev/null\n"
