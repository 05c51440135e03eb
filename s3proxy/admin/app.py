"""The admin plane as an ASGI app: finds the route of a request, asks the guard, and answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import trio
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from s3proxy.admin import dashboard
from s3proxy.admin.answers import Answer, RefusedError, Request, headers_of, refusal
from s3proxy.admin.command import Command, CommandError
from s3proxy.admin.guard import Guard
from s3proxy.admin.messages import CacheRequest, Message, Refused, RequestError, decode_request, encode
from s3proxy.telemetry import AuditLog, current_client, log_error

_MAX_REQUEST_BYTES: Final = 65_536
_MAX_PARAMETERS: Final = 16
_HEARTBEAT_SECONDS: Final = 5.0
"""A blank line so often, so that a client can tell a node that works from one that hangs."""

_ANSWER_SECONDS: Final = 8.0
"""For a whole answer; less than the dashboard waits."""

_BODY_SECONDS: Final = 10.0
"""For the body of a request to arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What answers at a path. A command does so in lines, as it goes on; everything else at once."""

    does: Callable[[Request], Awaitable[Answer]] | None = None
    """Answers GET and HEAD."""
    command: Command | None = None
    """Answers POST."""
    is_open: bool = False
    """Without the token, for it tells nothing of what is stored."""


class AdminApp:
    """Answers one request.

    Args:
        routes: by their paths. Every other path is one of the dashboard's files, or nothing.
        guard: None to let everybody in.
        audit_log: told of each command before it begins, and of who was refused; None for nobody.
    """

    def __init__(
        self, routes: Mapping[str, Route], guard: Guard | None = None, audit_log: AuditLog | None = None
    ) -> None:
        self._routes = routes
        self._guard = guard
        self._audit_log = audit_log or AuditLog(None)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            request = _request_of(scope)
            route = self._find(request)
            if route.command is None:
                answer = await _answer_of(route, request)
            else:
                wanted = decode_request(await _read(receive))
                about = {"bucket": wanted.bucket, "prefix": wanted.prefix, "status": 200}
                await self._audit_log.record(self._who(scope["path"]) | about)
                await _run(route.command, wanted, receive, send)
                return
        except RefusedError as refused:
            if refused.status in {401, 403}:
                self._audit_log.note(self._who(scope["path"]) | {"user": None, "status": refused.status})
            answer = refusal(refused)
        except RequestError as error:
            answer = refusal(RefusedError(400, str(error)))
        await _send(send, answer)

    def _who(self, path: str) -> dict[str, str | int | None]:
        """Who asks for what, for the audit log. Without a guard, the file system has let them in."""
        client = current_client.get()
        return {"user": client if self._guard is None else "token", "peer": client, "operation": f"admin {path}"}

    def _find(self, request: Request) -> Route:
        route = self._routes.get(request.path, _PAGE)
        if self._guard is not None:
            self._guard.check(request.headers, is_open=route.is_open, is_command=route.command is not None)
        if route is _PAGE and dashboard.answer(request.path) is None:
            raise RefusedError(404, f"{request.path}: unknown to this node")
        if route.command is not None and request.method != "POST":
            raise RefusedError(405, f"{request.path}: must be a POST")
        if route.command is None and request.method not in {"GET", "HEAD"}:
            raise RefusedError(405, f"{request.path}: must be a GET")
        return route


async def _page(request: Request) -> Answer:
    found = dashboard.answer(request.path, request.headers.get(b"if-none-match"))
    assert found is not None  # _find has looked
    return Answer(status=found.status, headers=found.headers, body=found.body)


_PAGE: Final = Route(does=_page, is_open=True)


def _request_of(scope: HTTPScope) -> Request:
    try:
        query = parse_qsl(
            scope["query_string"].decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError as error:
        raise RefusedError(400, "the query is not UTF-8, or too long") from error
    return Request(method=scope["method"], path=scope["path"], query=dict(query), headers=dict(scope["headers"]))


async def _answer_of(route: Route, request: Request) -> Answer:
    assert route.does is not None
    try:
        with trio.fail_after(_ANSWER_SECONDS):
            return await route.does(request)
    except trio.TooSlowError as error:
        raise RefusedError(503, f"this took more than {_ANSWER_SECONDS:.0f} seconds") from error
    except CommandError as error:
        raise RefusedError(502, str(error)) from error
    except RefusedError:
        raise
    except Exception as error:  # the edge of the admin plane: one request failed, the node goes on
        log_error(f"{request.path} failed", error)
        raise RefusedError(500, "an internal error; the node's log tells more") from error


async def _send(send: ASGISendCallable, answer: Answer) -> None:
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await _send_body(send, answer.body, more=False)


async def _send_body(send: ASGISendCallable, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


# Commands


async def _read(receive: ASGIReceiveCallable) -> bytes:
    body = b""
    with trio.move_on_after(_BODY_SECONDS):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return body  # gone; nobody will read the answer
            body += message["body"]
            if len(body) > _MAX_REQUEST_BYTES:
                raise RefusedError(413, "the request is too long")
            if not message["more_body"]:
                return body
    raise RefusedError(408, "the request did not arrive in time")


async def _run(command: Command, request: CacheRequest, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    async def emit(*messages: Message) -> None:
        await _send_body(send, b"".join(map(encode, messages)), more=True)

    headers = [*headers_of(b"application/x-ndjson"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
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
