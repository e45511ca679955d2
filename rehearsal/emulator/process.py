"""Starts, addresses and stops the emulator's server process.

The server runs in its own session (so in its own process group, together with the Lambda workers that it
starts), with a minimal environment, on 127.0.0.1 only. It ends with its parent in every case: `stop` ends the
whole group, and the server watches the pipe that is its standard input, which the operating system closes
when the parent dies.
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
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from rehearsal.emulator.certificate import make_certificate
from rehearsal.emulator.errors import ControlError, StartError

SECRET_ACCESS_KEY = "test"  # noqa: S105 - the emulator's one fixed secret, worth nothing outside of it
_REPOSITORY = Path(__file__).resolve().parents[2]
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_LOG_TAIL_LINES = 25
_ONE_AT_A_TIME = threading.Lock()  # a boto3 session makes one client at a time


@dataclass(frozen=True)
class Accounts:
    """The organization's accounts: 12-digit ids. CreateAccount with the name gives the account that id."""

    management: str
    home: str
    central: str
    members: tuple[str, ...]

    def ids_by_name(self) -> dict[str, str]:
        """Account name → id; the members are called member-1, member-2, …"""
        members = {f"member-{number}": account for number, account in enumerate(self.members, start=1)}
        return {"management": self.management, "home": self.home, "central": self.central, **members}


@dataclass(frozen=True)
class Denied:
    """One refused request: when (epoch seconds), in which account, who, what, on which ARN, and why."""

    time: float
    account: str
    principal: str
    action: str
    resource: str
    reason: str


class Session:
    """Clients of one account and region, made once each."""

    def __init__(self, session: boto3.Session, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._settings = settings
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service, acting as this account's root."""
        with _ONE_AT_A_TIME:
            if service not in self._clients:
                make: Any = self._session.client  # typed by name, and the name is a variable
                self._clients[service] = make(service, **self._settings)
            return self._clients[service]


class Emulator:
    """The running organization; use it as a context manager.

    state: private folder (created, 0700) for certificate, log and temporary files; port: a free one by
    default. Raises StartError with the end of the server's log if the server does not come up.
    """

    def __init__(self, state: Path, accounts: Accounts, home_region: str, port: int | None = None) -> None:
        self.state = state.resolve()
        self.accounts = accounts
        self.home_region = home_region
        self.port = port if port is not None else _free_port()
        self.endpoint = f"https://127.0.0.1:{self.port}"
        self.ca_bundle = self.state / "tls" / "authority.pem"
        self.log = self.state / "server.log"
        self._token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: dict[tuple[str, str], Session] = {}

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
        """Start the server and wait until it answers."""
        for folder in (self.state, self.state / "tmp", self.state / "home"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_busy(self.port)
        certificate = make_certificate(self.state / "tls")
        configuration = {
            "accounts": self.accounts.ids_by_name(),
            "management": self.accounts.management,
            "home_region": self.home_region,
            "port": self.port,
            "endpoint": self.endpoint,
            "authority": str(certificate.authority),
            "certificate": str(certificate.server),
            "key": str(certificate.key),
            "token": self._token,
        }
        settings = self.state / "server.json"
        settings.touch(mode=0o600)
        settings.write_text(json.dumps(configuration))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rehearsal.emulator.server", str(settings)],
                cwd=_REPOSITORY,
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
        """End the server and every process that it started; does nothing when it is not running."""
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

    def environment(self, account: str, region: str) -> dict[str, str]:
        """The AWS_* variables with which an `aws` command or a boto3 process acts as root of `account`."""
        credentials = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY}
        return {**credentials, **self._client_environment(region)}

    def session(self, account: str, region: str) -> Session:
        """Cached boto3 clients that act as root of `account`."""
        if (account, region) not in self._sessions:
            settings = {
                "region_name": region,
                "aws_access_key_id": account,
                "aws_secret_access_key": SECRET_ACCESS_KEY,
                "endpoint_url": self.endpoint,
                "verify": str(self.ca_bundle),
                "config": Config(inject_host_prefix=False),
            }
            self._sessions[account, region] = Session(_shared_session(), settings)
        return self._sessions[account, region]

    def service_credentials(
        self, role_arn: str, service: str, region: str | None = None, source_arn: str | None = None
    ) -> dict[str, str]:
        """The environment of a process that `service` (for example codebuild.amazonaws.com) runs with a role.

        The role's trust policy is evaluated for the service principal (aws:SourceAccount is the role's
        account); ControlError names role and service if it refuses. The role's identity policies are enforced
        afterwards.
        """
        answer = self.control("assume-role-as-service", role=role_arn, service=service, source=source_arn)
        credentials = {
            "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
            "AWS_SESSION_TOKEN": answer["SessionToken"],
        }
        return {**credentials, **self._client_environment(region or self.home_region)}

    def denied(self) -> list[Denied]:
        """Every refused request since the start, oldest first."""
        return [Denied(**entry) for entry in self.control("denied")]

    def function_log(self, account: str, region: str, function: str) -> str:
        """What a Lambda function wrote so far, oldest first, platform lines included."""
        return str(self.control("function-log", account=account, region=region, function=function))

    def control(self, operation: str, **arguments: Any) -> Any:
        """A control operation: something that only an emulator can do (README.md lists them)."""
        request = urllib.request.Request(  # noqa: S310 - always our own https endpoint
            f"{self.endpoint}/_rehearsal/{operation}",
            data=json.dumps(arguments).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        context = ssl.create_default_context(cafile=str(self.ca_bundle))
        direct = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with direct.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                raise ControlError(refused.read().decode()) from None

    def _client_environment(self, region: str) -> dict[str, str]:
        return {
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # an account id in front of 127.0.0.1 is no host
            "NO_PROXY": "127.0.0.1",
        }

    def _server_environment(self) -> dict[str, str]:
        """All that the server, and so every Lambda function, sees: nothing of the developer's environment."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.state / "home"),
            "TMPDIR": str(self.state / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": self.home_region,
            "MINISTACK_ACCOUNT_ID": self.accounts.management,
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(self.state / "tls" / "server.pem"),
            "MINISTACK_SSL_KEY": str(self.state / "tls" / "server.key"),
            "AWS_CA_BUNDLE": str(self.ca_bundle),
            "REQUESTS_CA_BUNDLE": str(self.ca_bundle),
            "SSL_CERT_FILE": str(self.ca_bundle),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits one, then two minutes
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{self.state}/no-docker",
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise StartError(
                    f"the emulator stopped while starting; the end of {self.log}:\n{self.log_tail()}"
                )
            try:
                self.control("ready")
                return
            except (OSError, ValueError):
                time.sleep(0.02)
        raise StartError(
            f"the emulator did not answer within {_START_SECONDS:.0f} seconds; "
            f"the end of {self.log}:\n{self.log_tail()}"
        )

    def log_tail(self) -> str:
        """The last lines of the server's log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_TAIL_LINES:])


@functools.cache
def _shared_session() -> boto3.Session:
    """One for all: a session costs 10 MB and reads the descriptions of the services anew."""
    return boto3.Session()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as busy:
            raise StartError(
                f"port {port} of 127.0.0.1 cannot be used ({busy.strerror}): "
                "choose another port, or none for a free one"
            ) from None


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody of the group is left (macOS answers EPERM for a group of zombies)
