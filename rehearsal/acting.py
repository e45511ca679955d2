"""boto3 clients that act with a role which an AWS service assumed: the pipeline's, a build's, a backup's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import boto3

from rehearsal.emulator import Emulator
from rehearsal.emulator.errors import ControlError
from rehearsal.errors import ActionError


class Role:
    """One role assumed by one AWS service. `environment` is that of a process that runs with it."""

    def __init__(self, session: boto3.Session, endpoint: str, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._session = session
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """The client of a service, made once (a boto3 session is not safe to make two at a time)."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(  # type: ignore[call-overload] # any service
                    service,
                    region_name=self.environment["AWS_DEFAULT_REGION"],
                    aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=self.environment["AWS_SESSION_TOKEN"],
                    endpoint_url=self._endpoint,
                    verify=self.environment["AWS_CA_BUNDLE"],
                )
            return self._clients[service]


class Roles:
    """Assumes roles as AWS services do; the trust policy of each role is checked by the emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._session = boto3.Session()
        self._roles: dict[tuple[str, str, str, str], Role] = {}
        self._lock = threading.Lock()

    def assume(self, role_arn: str, service: str, region: str, source: str) -> Role:
        """`service` as in a trust policy (codebuild.amazonaws.com), on behalf of its resource `source` (ARN).

        Raises ActionError when the trust policy refuses it.
        """
        key = (role_arn, service, region, source)
        with self._lock:
            if key not in self._roles:
                try:
                    environment = self._emulator.service_credentials(role_arn, service, region, source)
                except ControlError as refused:
                    raise ActionError(f"{service} cannot act for {source}: {refused}") from None
                self._roles[key] = Role(self._session, self._emulator.endpoint, environment)
            return self._roles[key]
