"""What the extensions share: requests, responses in AWS's formats, resource types, clients to this server."""

import functools
import json
import urllib.parse
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

from botocore.exceptions import UnknownServiceError

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION, Configuration, Roots
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.machine import environment
from rehearsal.place import Place

Response = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], dict[str, Any]]
Properties = dict[str, Any]
# The handlers of a resource type: logical ID (then physical ID), properties (old and new), stack name.
Create = Callable[[str, Properties, str], tuple[str, dict[str, Any]]]
Update = Callable[[str, Properties, Properties, str], tuple[str, dict[str, Any]]]
Delete = Callable[[str, Properties], None]


def account() -> str:
    """The account of the current request."""
    return str(hooks.responses.get_account_id())


def region() -> str:
    """The Region of the current request."""
    return str(hooks.responses.get_region())


def here() -> Place:
    """The place of the current request."""
    return Place(account(), region())


def scope(account_id: str, region_name: str) -> AbstractContextManager[None]:
    """Act for another account and Region inside a `with` block."""
    context: AbstractContextManager[None] = hooks.responses.request_scope(account_id, region_name)
    return context


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the account and Region of the current request."""
    return f"arn:{PARTITION}:{service}:{region()}:{account()}:{resource}"


def page(entries: list[Any], token: Any, most: Any, largest: int) -> tuple[list[Any], str | None]:
    """One page of entries and the token of the next one, which is the position of its first entry."""
    start = int(token or 0)
    end = start + min(int(most or largest), largest)
    return entries[start:end], str(end) if end < len(entries) else None


_roots: list[Roots] = []


def configure(configuration: Configuration) -> None:
    """Called once at start, before any extension is installed."""
    _roots[:] = [Roots(configuration)]
    hooks.responses._service_model = _service_model


@functools.cache
def _service_model(service: str) -> Any:
    """What ministack reads a content type from, without a new botocore session for each service."""
    try:
        return environment.service_model(hooks.responses._BOTOCORE_NAME.get(service, service))
    except UnknownServiceError:
        return None


def client(service: str, place: Place) -> Any:
    """A boto3 client to this server as root of an account; for worker threads, never on the event loop."""
    (roots,) = _roots
    return roots.of(place.account, place.region).client(service)


# -- JSON-protocol services ----------------------------------------------------------------------------------


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def json_error(error: ApiError) -> Response:
    response: Response = hooks.responses.error_response_json(error.code, error.message, error.status)
    return response


def serve_json(name: str, target_prefix: str, operations: dict[str, Operation]) -> None:
    """Add a JSON-protocol AWS service that ministack does not have, IAM enforcement included."""

    async def handle_request(
        _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any
    ) -> Response:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in operations:
            return json_error(ApiError("UnknownOperationException", f"{name} {operation} is not emulated"))
        try:
            return json_response(operations[operation](json.loads(body or b"{}")))
        except ApiError as error:
            return json_error(error)

    hooks.app.SERVICE_HANDLERS[name] = handle_request
    hooks.router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "credential_scope": name}
    hooks.iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = name


# -- ministack's own services --------------------------------------------------------------------------------


class Request:
    """A request to a ministack service."""

    def __init__(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> None:
        self.method = method
        self.path = path
        self.parts = [part for part in path.strip("/").split("/") if part]
        self.headers = headers
        self.operation = headers.get("x-amz-target", "").rpartition(".")[2]
        self.query = query
        self.body = body

    @property
    def json(self) -> dict[str, Any]:
        try:
            body = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    @property
    def form(self) -> dict[str, str]:
        """The parameters of a body in the query protocol."""
        return dict(urllib.parse.parse_qsl(self.body.decode(errors="replace")))

    def parameter(self, name: str) -> str:
        value = self.query.get(name) or ""
        return str(value[0] if isinstance(value, list) else value)

    def numbered(self, prefix: str) -> list[str]:
        """The values of query parameters prefix.1, prefix.2, …"""
        names = [name for number in range(1, 1001) if (name := f"{prefix}.{number}") in self.query]
        return [self.parameter(name) for name in names]


Handler = Callable[[Request], Awaitable[Response]]


def wrap_requests(service: Any, wrapper: Callable[[Request, Handler], Awaitable[Response]]) -> None:
    """Have `wrapper` respond to the requests of a ministack service, with ministack's handler at hand."""
    ministacks_own = service.handle_request

    async def own(request: Request) -> Response:
        response: Response = await ministacks_own(
            request.method, request.path, request.headers, request.body, request.query
        )
        return response

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response:
        return await wrapper(Request(method, path, headers, body, query), own)

    service.handle_request = handle_request


# -- CloudFormation resource types ---------------------------------------------------------------------------


def add_resource_type(
    name: str, create: Create, update: Update, delete: Delete, *, blocking: bool = False
) -> None:
    """Add a resource type with tags; its handlers return physical ID and attributes, and raise to fail.

    blocking: the handlers wait for calls to this server, so they run on a worker thread.
    """
    hooks.provisioners._RESOURCE_HANDLERS[name] = {"create": create, "update": update, "delete": delete}
    hooks.provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")
    if blocking:
        others = hooks.stacks._runs_on_worker_thread
        hooks.stacks._runs_on_worker_thread = lambda resource: resource == name or others(resource)


def wrap_resource_type(
    name: str,
    before: Callable[[Properties], None] = lambda _: None,
    after: Callable[[str, Properties], None] = lambda _id, _: None,
) -> None:
    """Surround creation and update in one of ministack's resource types; `before` raises to refuse.

    after: called with the physical ID and the properties.
    """
    handlers = hooks.provisioners._RESOURCE_HANDLERS[name]
    create, update = handlers["create"], handlers["update"]

    def checked_create(logical_id: str, properties: Properties, stack: str) -> Any:
        before(properties)
        created = create(logical_id, properties, stack)
        after(created[0], properties)
        return created

    def checked_update(
        physical_id: str, old: Properties, new: Properties, stack: str, *logical_id: str | None
    ) -> Any:
        before(new)
        updated = update(physical_id, old, new, stack, *logical_id)
        after(updated[0], new)
        return updated

    handlers.update(create=checked_create, update=checked_update)
