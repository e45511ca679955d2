"""The one home of environments and AWS sessions, so that none of the user's own settings reaches either.

A user has AWS profiles, credentials, a proxy or the certificates of an organization on the machine. `seclude`
removes them from this process, and so from everything that it imports and starts afterwards; `program` is the
environment of the rehearsal's own programs; a `Caller` is a principal that calls the emulated AWS.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import boto3

# What AWS SDKs, TLS and HTTP clients read, in upper or lower case.
PERSONAL: Final = re.compile(r"AWS_|_?X_AMZN|BOTO|SSL|OPENSSL_|\w*_PROXY$|\w*_CA_BUNDLE$", re.IGNORECASE)
# What AWS SDKs and commands find instead of the user's files, an instance's role and a proxy.
NO_SETTINGS: Final = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
_HOME: Final = "HOME_OF_THE_USER"
_ONE_AT_A_TIME: Final = threading.Lock()  # a boto3 session makes one client at a time


def seclude(**instead: str) -> None:
    """Remove the user's settings from this process, before botocore, which looks into HOME, is imported.

    `instead` are variables to set in their place. A second call does nothing.
    """
    if _HOME in os.environ:
        return
    for name in filter(PERSONAL.match, list(os.environ)):
        del os.environ[name]
    user = {_HOME: os.environ.get("HOME", os.devnull)}
    os.environ.update(user, HOME=os.devnull, **NO_SETTINGS, **instead)


def for_git() -> dict[str, str]:
    """With the user's HOME: git reads a clone of another owner only if the user's settings allow it."""
    return {**os.environ, "HOME": os.environ.get(_HOME, os.devnull)}


def given(name: str, default: str = "") -> str:
    """A variable that the user sets for the rehearsal, such as PATH."""
    return os.environ.get(name) or default


def everything() -> dict[str, str]:
    """This process's whole environment."""
    return dict(os.environ)


def replace(new: Mapping[str, str]) -> None:
    """This process goes on as a program with another environment."""
    os.environ.clear()
    os.environ.update(new)


def program(home: Path) -> dict[str, str]:
    """All that a program sees: of the user's environment, the search path only."""
    return {
        "PATH": given("PATH", os.defpath),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        **NO_SETTINGS,
    }


def session(region: str | None = None) -> boto3.Session:
    """A new AWS session. All sessions share one loader, so each service model is read once."""
    import boto3
    import botocore.session

    core = botocore.session.Session()
    core.register_component("data_loader", _models())
    return boto3.Session(botocore_session=core, region_name=region)


def service_model(service: str) -> Any:
    """botocore's model of a service. Raises UnknownServiceError."""
    from botocore.model import ServiceModel

    return ServiceModel(_models().load_service_model(service, "service-2"), service_name=service)


@functools.cache
def _models() -> Any:
    from botocore.loaders import create_loader

    return create_loader()


_shared_session = functools.cache(session)


class Caller:
    """A principal that calls the emulated AWS. Thread-safe.

    `environment` holds the AWS_* variables for an `aws` command or a boto3 process.
    """

    def __init__(self, endpoint: str, authority: str, region: str, credentials: Mapping[str, str]) -> None:
        self.environment = {
            **credentials,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_CA_BUNDLE": authority,
            "AWS_PAGER": "",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # an account ID in front of 127.0.0.1 is not a host
            **NO_SETTINGS,
        }
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of a service; each is made once."""
        from botocore.config import Config

        with _ONE_AT_A_TIME:
            if service not in self._clients:
                make: Any = _shared_session().client  # its types depend on a literal name
                self._clients[service] = make(
                    service,
                    region_name=self.environment["AWS_REGION"],
                    aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=self.environment.get("AWS_SESSION_TOKEN"),
                    endpoint_url=self.environment["AWS_ENDPOINT_URL"],
                    verify=self.environment["AWS_CA_BUNDLE"],
                    config=Config(inject_host_prefix=False),
                )
            return self._clients[service]
