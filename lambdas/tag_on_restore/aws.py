"""Calls to AWS: clients created on first use, one way to call, one way to page."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .errors import CallFailedError

# botocore retries transient errors (throttling, 5xx, broken connections) with jittered backoff. The short
# timeouts keep five attempts well within the time that the sweep reserves for its last job.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=15,
)


class Session(Protocol):
    """The part of botocore.session.Session that is used; tests bring their own."""

    def get_config_variable(self, logical_name: str) -> Any: ...

    def create_client(self, service_name: str, *, config: Config) -> Any: ...


class Aws:
    """Calls AWS in this account and Region.

    Uses botocore alone: boto3 adds nothing to its clients, but a tenth to the cold start.
    """

    def __init__(self, session: Session | None = None) -> None:
        self._session: Session = session or botocore.session.get_session()
        self._clients: dict[str, Any] = {}
        self.region: str = self._session.get_config_variable("region") or ""

    def call(self, service: str, operation: str, about: object, **parameters: Any) -> dict[str, Any]:
        """Call `operation` (the name of botocore's method).

        CallFailedError names it, the resource `about` and the reason from AWS.
        """
        try:
            if service not in self._clients:
                self._clients[service] = self._session.create_client(service, config=CONFIG)
            response: dict[str, Any] = getattr(self._clients[service], operation)(**parameters)
        except ClientError as error:
            # Storage Gateway puts the specific code into a field of its own.
            detail = cast("dict[str, Any]", error.response).get("error") or {}
            code = str(detail.get("errorCode") or error.response["Error"]["Code"])
            raise CallFailedError(f"{service} {operation} for {about}: {error}", code) from error
        except BotoCoreError as error:
            raise CallFailedError(f"{service} {operation} for {about}: {error}") from error
        return response

    def pages(
        self, service: str, operation: str, about: object, token: tuple[str, str], **parameters: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Every page of a list; `token` is its name in the request and in the response."""
        in_request, in_response = token
        while True:
            page = self.call(service, operation, about, **parameters)
            yield page
            if not page.get(in_response):
                return
            parameters[in_request] = page[in_response]
