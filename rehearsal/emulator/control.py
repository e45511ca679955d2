"""Control operations: what only an emulator can do, at /_rehearsal/<operation>, next to the AWS APIs.

An operation is a function with keyword arguments that returns what JSON can hold; the extension that it
belongs to registers it. Requests need the token that only the process that started the server knows.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]
_PREFIX = "/_rehearsal/"
_operations: dict[str, Callable[..., Any]] = {"ready": lambda: True}


class RefusedError(Exception):
    """Raised by an operation: the caller gets the message as it is."""


def register(name: str, operation: Callable[..., Any]) -> None:
    """Make `operation` callable as /_rehearsal/<name>."""
    _operations[name] = operation


def with_operations(aws: Application, token: str) -> Application:
    """An ASGI application that runs the control operations and passes every other request to `aws`."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await aws(scope, receive, send)
            return
        body = await _read(receive)
        headers = dict(scope["headers"])
        if hmac.compare_digest(headers.get(b"authorization", b""), f"Bearer {token}".encode()):
            status, content = await asyncio.to_thread(_response, scope["path"].removeprefix(_PREFIX), body)
        else:
            status, content = 403, b"control operations belong to the process that started the emulator"
        head = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json")],
        }
        await send(head)
        await send({"type": "http.response.body", "body": content})

    return application


async def _read(receive: Any) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if not message.get("more_body"):
            return bytes(body)


def _response(name: str, body: bytes) -> tuple[int, bytes]:
    operation = _operations.get(name)
    if operation is None:
        return 404, f"no control operation {name}; there are: {', '.join(sorted(_operations))}".encode()
    try:
        return 200, json.dumps(operation(**json.loads(body or b"{}"))).encode()
    except RefusedError as refused:
        return 400, str(refused).encode()
    except Exception as error:  # noqa: BLE001 - the caller is another process: it gets every error as text
        return 500, f"{name}: {type(error).__name__}: {error}".encode()
