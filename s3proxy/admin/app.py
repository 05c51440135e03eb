"""The admin plane as an ASGI app: ``POST /cache/<command>``, answered by a stream of JSON lines."""

from collections.abc import Mapping

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from s3proxy.admin.command import Command, CommandError
from s3proxy.admin.messages import CacheRequest, Message, Refused, RequestError, decode_request, encode
from s3proxy.telemetry import log_error

_MAX_REQUEST_BYTES = 65_536
_HEARTBEAT_SECONDS = 5.0
"""A blank line so often, so that a client can tell a node that works from one that hangs."""


class AdminApp:
    """The commands by name; nothing else is here yet."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = commands

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            command = self._find(scope)
            request = decode_request(await _read(receive))
        except _RefusedRequestError as refused:
            await _answer(send, refused.status, encode(Refused(reason=str(refused))))
        except RequestError as error:
            await _answer(send, 400, encode(Refused(reason=str(error))))
        else:
            await _run(command, request, receive, send)

    def _find(self, scope: HTTPScope) -> Command:
        area, _, name = scope["path"].removeprefix("/").partition("/")
        command = self._commands.get(name) if area == "cache" else None
        if command is None:
            raise _RefusedRequestError(404, f"{scope['path']}: unknown to this node")
        if scope["method"] != "POST":
            raise _RefusedRequestError(405, f"{scope['path']}: must be a POST")
        return command


class _RefusedRequestError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def _read(receive: ASGIReceiveCallable) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body  # gone; nobody will read the answer
        body += message["body"]
        if len(body) > _MAX_REQUEST_BYTES:
            raise _RefusedRequestError(413, "the request is too long")
        if not message["more_body"]:
            return body


async def _run(command: Command, request: CacheRequest, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    async def emit(*messages: Message) -> None:
        await _send_body(send, b"".join(map(encode, messages)), more=True)

    await _start(send, 200)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when_gone, receive, nursery.cancel_scope)
        nursery.start_soon(_beat, send)
        try:
            await command(request, emit)
        except CommandError as error:
            await emit(Refused(reason=str(error)))
        except Exception as error:  # the edge of the admin plane: one command failed, the node goes on
            log_error("a cache command failed", error)
            await emit(Refused(reason="an internal error; the node's log tells more"))
        nursery.cancel_scope.cancel()
    await _send_body(send, b"", more=False)


async def _cancel_when_gone(receive: ASGIReceiveCallable, scope: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _beat(send: ASGISendCallable) -> None:
    while True:
        await trio.sleep(_HEARTBEAT_SECONDS)
        await _send_body(send, b"\n", more=True)


async def _answer(send: ASGISendCallable, status: int, body: bytes) -> None:
    await _start(send, status)
    await _send_body(send, body, more=False)


async def _start(send: ASGISendCallable, status: int) -> None:
    headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _send_body(send: ASGISendCallable, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
