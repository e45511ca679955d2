"""The server process: private, on 127.0.0.1 only, and never longer than its parent."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from buildspecs.paths import ROOT
from rehearsal.emulator import Emulator, EmulatorError
from rehearsal.emulator.errors import ControlError, StartError, UnsupportedEmulatorError
from tests.rehearsal import running
from tests.rehearsal.emulator.templates import trust, zipped
from tests.rehearsal.emulator.world import ACCOUNTS, HOME_REGION, eventually

STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from rehearsal.emulator import Accounts, Emulator
emulator = Emulator(Path(sys.argv[1]), Accounts("1" * 12, "2" * 12, "3" * 12, ()), "us-east-1")
emulator.start()
print(emulator.port, flush=True)
time.sleep(60)
"""


SHOWS_ITSELF = """
import os
def handler(event, context):
    return {
        "names": sorted(os.environ),
        "process": os.getpid(),
        "home": os.environ["HOME"],
        "folder": os.getcwd(),
    }
"""


def listens(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def test_it_ends_when_its_parent_dies(tmp_path: Path) -> None:
    parent = subprocess.Popen(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", STARTS_AND_WAITS, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert listens(port)
        parent.kill()
        parent.wait()
    eventually(lambda: not listens(port))


def test_functions_see_nothing_of_the_developer_and_end_with_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEVELOPER_SECRET", "hidden")
    with Emulator(tmp_path, ACCOUNTS, HOME_REGION) as emulator:
        session = emulator.session(ACCOUNTS.home, HOME_REGION)
        trusted = trust({"Service": "lambda.amazonaws.com"})
        role = session.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trusted))
        session.client("lambda").create_function(
            FunctionName="shows",
            Runtime="python3.13",
            Handler="index.handler",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": zipped({"index.py": SHOWS_ITSELF})},
        )
        shown = json.load(session.client("lambda").invoke(FunctionName="shows")["Payload"])
        os.kill(shown["process"], 0)
    assert not listens(emulator.port)
    eventually(lambda: not running.runs(shown["process"]))
    assert "DEVELOPER_SECRET" not in shown["names"]
    assert shown["home"].startswith(str(tmp_path))
    assert shown["folder"].startswith(str(tmp_path))


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} of 127.0.0.1"):
            Emulator(tmp_path, ACCOUNTS, HOME_REGION, port).start()


def test_a_server_that_cannot_start_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(StartError, match=r"rehearsal\.emulator\.server"):
        Emulator(tmp_path, ACCOUNTS, HOME_REGION).start()


def test_every_error_of_the_emulator_has_one_base() -> None:
    assert all(
        issubclass(error, EmulatorError) for error in (StartError, ControlError, UnsupportedEmulatorError)
    )


def test_it_listens_on_the_loopback_address_only(emulator: Emulator) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: this only asks the system for our own address
        own_address = probe.getsockname()[0]
    if own_address.startswith("127."):
        pytest.skip("this machine has no other address than the loopback one")
    assert not listens(emulator.port, own_address)


def test_its_files_are_private(emulator: Emulator) -> None:
    for name in ("tls", "tls/server.key", "server.json"):
        assert (emulator.state / name).stat().st_mode & 0o077 == 0, name


def test_the_environment_of_a_command_holds_all_it_needs_and_nothing_of_the_developers(
    emulator: Emulator,
) -> None:
    environment = emulator.session(ACCOUNTS.home, "eu-west-1").environment
    assert environment["AWS_ACCESS_KEY_ID"] == ACCOUNTS.home
    assert environment["AWS_DEFAULT_REGION"] == environment["AWS_REGION"] == "eu-west-1"
    assert environment["AWS_ENDPOINT_URL"] == emulator.endpoint
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_the_aws_command_works_with_that_environment(emulator: Emulator) -> None:
    command = Path(sys.executable).with_name("aws")
    done = subprocess.run(  # noqa: S603 - the aws command of our own environment
        [
            sys.executable,
            str(command),
            "sts",
            "get-caller-identity",
            "--output",
            "text",
            "--query",
            "Account",
        ],
        env={"PATH": os.defpath, **emulator.session(ACCOUNTS.central, HOME_REGION).environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.stderr) == (ACCOUNTS.central, "")


def test_an_unknown_control_operation_lists_the_known_ones(emulator: Emulator) -> None:
    with pytest.raises(ControlError, match=r"no control operation fly.*denied"):
        emulator.control("fly")


def test_control_operations_need_the_token(emulator: Emulator) -> None:
    stranger = Emulator(emulator.state, ACCOUNTS, HOME_REGION, emulator.port)
    with pytest.raises(ControlError, match="belong to the process"):
        stranger.control("denied")
