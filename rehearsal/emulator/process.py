"""Starts, addresses and stops the emulator's server process.

The server runs in its own session (and so in its own process group, together with the Lambda workers that it
starts), with a minimal environment, on 127.0.0.1 only. It always ends with its parent: `stop` ends the whole
group, and the server watches the pipe that is its standard input, which the operating system closes when the
parent dies.
"""

import functools
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from buildspecs.paths import ROOT
from rehearsal.emulator.configuration import SECRET_ACCESS_KEY, Configuration, Roots
from rehearsal.emulator.errors import ControlError, StartError
from rehearsal.machine import environment, waiting
from rehearsal.machine.environment import Caller

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOG_TAIL_LINES = 25


@dataclass(frozen=True)
class Accounts:
    """The account IDs of the organization; CreateAccount with an account's name gives it its ID."""

    management: str
    home: str
    central: str
    members: tuple[str, ...]

    def ids_by_name(self) -> dict[str, str]:
        """Account name → account ID; the members are called member-1, member-2, …"""
        members = {f"member-{number}": account for number, account in enumerate(self.members, start=1)}
        return {"management": self.management, "home": self.home, "central": self.central, **members}


@dataclass(frozen=True)
class Denied:
    """One denied request: when (epoch seconds), in which account, who, what, on which ARN, and why."""

    time: float
    account: str
    principal: str
    action: str
    resource: str
    reason: str


class Emulator:
    """The running organization; use it as a context manager.

    state: a private folder (created, 0700) for certificates, the log and temporary files; port: a free one by
    default. Raises StartError with the end of the server's log if the server does not come up.
    """

    def __init__(self, state: Path, accounts: Accounts, home_region: str, port: int | None = None) -> None:
        self.state = state.resolve()
        self.accounts = accounts
        self.home_region = home_region
        self.port = port if port is not None else _free_port()
        self.log = self.state / "server.log"
        self._configuration = Configuration(
            accounts.ids_by_name(), self.port, str(self.state), secrets.token_hex(16)
        )
        self.endpoint = self._configuration.endpoint
        self._roots = Roots(self._configuration)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it responds."""
        for folder in (self.state, self.state / "tmp", self.state / "home", self.state / "tls"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if fault := port_fault(self.port):
            raise StartError(fault)
        settings = self.state / "server.json"
        settings.touch(mode=0o600)
        settings.write_text(json.dumps(asdict(self._configuration)))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rehearsal.emulator.server", str(settings)],
                cwd=ROOT,
                env=self._server_environment(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and every process that it started; does nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            process.wait()
        _kill_group(process.pid)
        if process.stdin is not None:
            process.stdin.close()

    def session(self, account: str, region: str) -> Caller:
        """The root user of an account, for `aws` commands and with clients that are made once."""
        return self._roots.of(account, region)

    def service_credentials(
        self, role_arn: str, service: str, region: str | None = None, source_arn: str | None = None
    ) -> Caller:
        """A role as `service` (for example codebuild.amazonaws.com) assumes it.

        The role's trust policy is evaluated for the service principal (aws:SourceAccount is the role's
        account); ControlError names role and service if it does not allow it. Afterwards the role's identity
        policies are enforced.
        """
        response = self.control("assume-role-as-service", role=role_arn, service=service, source=source_arn)
        credentials = {
            "AWS_ACCESS_KEY_ID": response["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": response["SecretAccessKey"],
            "AWS_SESSION_TOKEN": response["SessionToken"],
        }
        return self._configuration.caller(credentials, region or self.home_region)

    def denied(self) -> list[Denied]:
        """Every request denied since the start, oldest first."""
        return [Denied(**entry) for entry in self.control("denied")]

    def control(self, operation: str, **arguments: Any) -> Any:
        """A control operation, which only an emulator can do (README.md lists them)."""
        request = urllib.request.Request(  # noqa: S310 - always our own https endpoint
            f"{self.endpoint}/_rehearsal/{operation}",
            data=json.dumps(arguments).encode(),
            headers={
                "Authorization": f"Bearer {self._configuration.token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with self._opener.open(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as refused:
            with refused:
                raise ControlError(refused.read().decode()) from None

    @functools.cached_property
    def _opener(self) -> urllib.request.OpenerDirector:
        """Without a proxy, and trusting nothing but this run's authority."""
        context = ssl.create_default_context(cafile=str(self._configuration.authority))
        return urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def _server_environment(self) -> dict[str, str]:
        bundle = str(self._configuration.authority)
        return {
            **environment.program(self.state / "home"),
            "PATH": os.defpath,
            "TMPDIR": str(self.state / "tmp"),
            "STATE_DIR": str(self.state / "tmp"),
            "PYTHONUNBUFFERED": "1",
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.home_region,
            "MINISTACK_ACCOUNT_ID": self.accounts.management,
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self._configuration.certificate),
            "MINISTACK_SSL_KEY": str(self._configuration.key),
            "AWS_CA_BUNDLE": bundle,
            "REQUESTS_CA_BUNDLE": bundle,
            "SSL_CERT_FILE": bundle,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.02",  # AWS waits one minute, then two
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self.state}/no-docker",
        }

    def _wait_until_ready(self) -> None:
        if not waiting.until(self._is_ready, _START_SECONDS):
            raise StartError(
                f"the emulator did not respond within {_START_SECONDS:.0f} seconds; "
                f"the end of {self.log}:\n{self._log_tail()}"
            )

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise StartError(
                f"the emulator stopped while starting; the end of {self.log}:\n{self._log_tail()}"
            )
        try:
            self.control("ready")
        except (OSError, ValueError):  # no certificate yet, or nothing that listens
            return False
        return True

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_TAIL_LINES:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_fault(port: int) -> str | None:
    """Why the emulator cannot listen on a port and what to do instead; None if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return (
                f"port {port} of 127.0.0.1 is privileged: an ordinary user may not listen on it. "
                "Choose one from 1024 to 65535, such as 8443, or leave out --port for a free one."
            )
        except OSError as error:
            return (
                f"port {port} of 127.0.0.1 is in use ({error.strerror}). "
                "Choose another, or leave out --port for a free one."
            )
    return None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # the group is empty (macOS returns EPERM for a group of zombies)
