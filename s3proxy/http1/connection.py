"""The life of one server connection: head, handler, response, and again, until somebody wants to close.

Requests are served in the order in which they came, one at a time; what a client sends ahead waits. Whatever leaves
the two sides in doubt about where the next request begins (a refused head, an unread body, a response broken off)
ends the connection.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Never

import trio

from s3proxy.http1.framing import Inbound, MalformedBodyError
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import ConnectionLostError, EmptyBody, Handler, Request, RequestBody, Response
from s3proxy.http1.request_body import ReceivedBody
from s3proxy.http1.request_head import RefusedRequestError, RequestHead, find_head_end, parse_head
from s3proxy.http1.response_head import CONTINUE, UnsendableHeaderError
from s3proxy.http1.response_sender import send_response
from s3proxy.http1.transfer import Transport

_TICK_SECONDS = 0.5  # how much later than its time an idle connection is closed at most
_DRAINING_TICK_SECONDS = 0.05

_WAITS_AFTER_A_MISS = 32
"""A client that keeps asking has mostly asked again by the time the others had their turn: then the next request is
there, and is not waited for. Looking in vain costs what a find spares, so after it so many are waited for."""

_UNREADABLE = RequestHead(method=b"", target=b"", headers=(), keep_alive=False)
"""Stands for a request that could not be read, where its answer needs to know what it answers."""

_NO_BODY = EmptyBody()


class Incident(Enum):
    """What an operator may want to count or to read about."""

    ACCEPT_FAILED = "accept failed"
    """The system has no descriptor or memory for another connection; accepting goes on shortly."""
    CONNECTION_REFUSED = "connection refused"
    """There were ``max_connections`` already."""
    HANDSHAKE_FAILED = "handshake failed"
    """A client was not let in: no TLS, no certificate that is accepted, no PROXY header, or too slow with them."""
    REQUEST_REFUSED = "request refused"
    """A head that is malformed, too large, too slow, or that expects what is not offered; or a malformed body."""
    HANDLER_FAILED = "handler failed"
    """The handler raised, or gave a response that cannot be sent: a bug, answered with 500."""
    RESPONSE_FAILED = "response failed"
    """The body of a response broke: the connection was closed short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What every connection of a server serves."""

    handler: Handler
    error_response: Callable[[int, str], Response]
    """Makes the response, status and reason given, to what never reaches or breaks the handler."""
    limits: Limits
    observe: Callable[[Incident, Exception], None]


@dataclass(slots=True, eq=False)
class Occupancy:
    """Who is being served, as far as a graceful end must know."""

    connections: int = 0
    idle: dict[Callable[[], None], float] = field(default_factory=dict)
    """Of connections that wait for a request of which nothing has come yet: what ends the wait -> when."""
    is_draining: bool = False
    """Each response is the last on its connection."""

    @property
    def is_crowded(self) -> bool:
        """Whether answers are worth being sent together: among two connections that takes what it spares."""
        return self.connections > 2

    async def end_idle(self) -> Never:
        """End the waits whose time is over; runs until cancelled.

        One look at all of them now and then, for a cancel scope around each wait takes 6 us of every request.
        """
        while True:
            now = trio.current_time()
            for end in [end for end, deadline in self.idle.items() if deadline <= now]:
                end()
            await trio.sleep(_DRAINING_TICK_SECONDS if self.is_draining else _TICK_SECONDS)


class ServerConnection:
    """One connection. Closes: owns the transport."""

    __slots__ = ("_end_wait", "_inbound", "_occupancy", "_patience_seconds", "_service", "_transport", "_waits")

    def __init__(self, transport: Transport, service: Service, occupancy: Occupancy) -> None:
        self._transport = transport
        self._end_wait = transport.end_wait
        self._inbound = Inbound(transport)
        self._service = service
        self._occupancy = occupancy
        # Whoever has just connected wants something; between requests there is more patience.
        self._patience_seconds = service.limits.head_timeout_seconds
        self._waits = 2  # for so many requests, before one is looked for at once

    async def serve(self) -> None:
        """Serve until either side closes. Nothing but cancellation comes out of here."""
        async with self._closing():
            while (head := await self._next_request()) is not None:
                if not await self._exchange(head):
                    await self._transport.finish(self._service.limits.linger_seconds)
                    return
                self._patience_seconds = self._service.limits.idle_timeout_seconds
            await self._transport.finish(0)

    async def turn_away(self) -> None:
        """Answer 503 before anything is asked, and close."""
        async with self._closing():
            await self._refuse(Incident.CONNECTION_REFUSED, RefusedRequestError(503, "There are too many connections."))

    @asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        except ConnectionLostError:
            pass  # the client's right
        except Exception as error:
            self._service.observe(Incident.RESPONSE_FAILED, error)
        finally:
            self._transport.abort()

    async def _next_request(self) -> RequestHead | None:
        try:
            return await self._receive_head()
        except RefusedRequestError as refusal:
            await self._refuse(Incident.REQUEST_REFUSED, refusal)
            return None

    async def _refuse(self, incident: Incident, refusal: RefusedRequestError) -> None:
        self._service.observe(incident, refusal)
        response = self._service.error_response(refusal.status, refusal.reason)
        await send_response(self._transport, response, _UNREADABLE, keep_alive=False)
        await self._transport.finish(self._service.limits.linger_seconds)

    async def _exchange(self, head: RequestHead) -> bool:
        """Serve one request; whether another may follow."""
        body = self._body_of(head)
        request = Request(head.method, head.target, head.headers, body, self._transport.peer, self._transport.scheme)
        if head.expects_continue and head.length == 0:
            # There is nothing to invite. But botocore, once answered without it, misreads the next answer and hangs.
            await self._transport.send(CONTINUE)
        response = await self._answer(request)
        is_unread = isinstance(body, ReceivedBody) and not body.is_finished
        keep_alive = not (is_unread or response.close or self._occupancy.is_draining) and head.keep_alive
        try:
            await send_response(
                self._transport, response, head, keep_alive=keep_alive, yields=self._occupancy.is_crowded
            )
        except UnsendableHeaderError as error:
            self._service.observe(Incident.HANDLER_FAILED, error)
            response = self._service.error_response(500, "The response could not be sent.")
            await send_response(self._transport, response, head, keep_alive=False)
            return False
        return keep_alive  # as the response said: when draining began while it was sent, the next one says otherwise

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._service.handler(request)
        except MalformedBodyError as error:
            self._service.observe(Incident.REQUEST_REFUSED, error)
            response = self._service.error_response(400, str(error))
        except ConnectionLostError:
            raise
        except Exception as error:
            self._service.observe(Incident.HANDLER_FAILED, error)
            response = self._service.error_response(500, "The request could not be served.")
        response.close = True
        return response

    def _body_of(self, head: RequestHead) -> RequestBody:
        if head.length == 0:
            return _NO_BODY
        return ReceivedBody(self._transport, self._inbound, head.length, is_awaited=head.expects_continue)

    async def _receive_head(self) -> RequestHead | None:
        """Receive the next head; None when there will be none.

        Raises:
            RefusedRequestError: it cannot be accepted, or did not arrive in time.
            ConnectionLostError: the client reset the connection.
        """
        limits = self._service.limits
        data = _without_empty_line(self._inbound.ahead) if self._inbound.ahead else b""
        end = find_head_end(data, limits) if data else 0
        if end:
            await trio.lowlevel.checkpoint()  # or a client that pipelines would keep the others from their turn
        elif data or (data := await self._receive_first()):
            data = _without_empty_line(data)
            end = find_head_end(data, limits)
            if not end:
                data, end = await self._receive_rest(data)
        if not end:
            return None
        self._inbound.ahead = data[end:]
        return parse_head(data[:end], limits)

    async def _receive_first(self) -> bytes:
        """Wait for a request, for as long as patience lasts: ``Occupancy.end_idle`` ends it."""
        if not self._waits:
            await trio.lowlevel.checkpoint()  # the others' turn
            if (data := self._transport.receive_now()) is not None:
                return data
            self._waits = _WAITS_AFTER_A_MISS
        self._waits -= 1
        patience, idle = self._patience_seconds, self._occupancy.idle
        if self._occupancy.is_draining:
            patience = min(patience, self._service.limits.drain_idle_seconds)
        idle[self._end_wait] = trio.current_time() + patience
        try:
            return await self._transport.receive()
        finally:
            del idle[self._end_wait]

    async def _receive_rest(self, data: bytes) -> tuple[bytes, int]:
        """Receive until the head that ``data`` begins is there; what came, and where it ends, which is 0 if it did not.

        Raises:
            RefusedRequestError: it cannot be accepted, or did not arrive in time.
        """
        limits, end = self._service.limits, 0
        with trio.CancelScope(deadline=trio.current_time() + limits.head_timeout_seconds) as scope:
            while not end and (more := await self._transport.receive()):
                data += more
                end = find_head_end(data, limits)
        if scope.cancelled_caught and data:
            raise RefusedRequestError(408, "The request head did not arrive in time.")
        return data, end


def _without_empty_line(data: bytes) -> bytes:
    """Skip what some clients send after a body (RFC 9112 section 2.2)."""
    return data[2:] if data.startswith(b"\r\n") else data
