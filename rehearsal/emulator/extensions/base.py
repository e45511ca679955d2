"""What the extension modules share: answers in AWS's wire formats, request scope, clients to ourselves."""

import functools
import json
import types
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from rehearsal.emulator import hooks
from rehearsal.emulator.configuration import PARTITION, Configuration, root
from rehearsal.emulator.extensions.errors import ApiError
from rehearsal.machine.environment import Caller

Answer = tuple[int, dict[str, str], bytes]
Operation = Callable[[dict[str, Any]], dict[str, Any]]


def json_answer(body: dict[str, Any], status: int = 200) -> Answer:
    """A success of a JSON-protocol service."""
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def json_error(error: ApiError) -> Answer:
    """A failure of a JSON-protocol service."""
    answer: Answer = hooks.responses.error_response_json(error.code, error.message, error.status)
    return answer


def account() -> str:
    """The account of the request that is being answered."""
    return str(hooks.responses.get_account_id())


def region() -> str:
    """The region of the request that is being answered."""
    return str(hooks.responses.get_region())


def scope(account_id: str, region_name: str) -> AbstractContextManager[None]:
    """Act for another account and region inside a `with` block."""
    context: AbstractContextManager[None] = hooks.responses.request_scope(account_id, region_name)
    return context


def arn(service: str, resource: str) -> str:
    """The ARN of a resource in the request's account and region."""
    return f"arn:{PARTITION}:{service}:{region()}:{account()}:{resource}"


_configuration: list[Configuration] = []


def configure(configuration: Configuration) -> None:
    """Called once at start, before any extension is installed."""
    _configuration[:] = [configuration]


@functools.cache
def _root(account_id: str, region_name: str) -> Caller:
    (ours,) = _configuration
    return Caller(ours.endpoint, ours.authority, region_name, root(account_id))


def client(service: str, account_id: str, region_name: str) -> Any:
    """A boto3 client to this server acting as root of an account; only on a worker thread, never on the event
    loop.
    """
    return _root(account_id, region_name).client(service)


def serve_json(name: str, target_prefix: str, operations: dict[str, Operation]) -> None:
    """Add a JSON-protocol AWS service that ministack does not have, IAM enforcement included."""

    async def handle_request(
        _method: str, _path: str, headers: dict[str, str], body: bytes, _query: Any
    ) -> Answer:
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        if operation not in operations:
            return json_error(ApiError("UnknownOperationException", f"{name} {operation} is not emulated"))
        try:
            return json_answer(operations[operation](json.loads(body or b"{}")))
        except ApiError as error:
            return json_error(error)

    module = types.SimpleNamespace(handle_request=handle_request, reset=lambda: None)
    hooks.app.SERVICE_HANDLERS[name] = module.handle_request
    hooks.router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "credential_scope": name}
    hooks.iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = name


def resource_type(
    name: str,
    create: Callable[[str, dict[str, Any], str], tuple[str, dict[str, Any]]],
    update: Callable[[str, dict[str, Any], dict[str, Any], str], tuple[str, dict[str, Any]]],
    delete: Callable[[str, dict[str, Any]], None],
    *,
    blocking: bool = False,
    tags: bool = False,
) -> None:
    """Add a CloudFormation resource type: handlers return (physical id, attributes) and raise to fail the
    resource.

    blocking: the handlers wait for calls to this server, so they run on a worker thread; tags: stack tags
    reach the resource's Tags property.
    """
    hooks.provisioners._RESOURCE_HANDLERS[name] = {"create": create, "update": update, "delete": delete}
    if tags:
        hooks.provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")
    if blocking:
        others = hooks.stacks._runs_on_worker_thread
        hooks.stacks._runs_on_worker_thread = lambda resource: resource == name or others(resource)
