"""One connection through the relay: a task for its requests, one for their answers, and two that carry."""

import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from tests.faults.body import Body, answer_body, request_body
from tests.faults.heads import Head, Reader
from tests.faults.link import Lane, Wire
from tests.faults.rules import Fault, Rule, Rules
from tests.faults.tally import Count, Tally

LOST = (trio.BrokenResourceError, trio.ClosedResourceError, OSError)
"""What a connection that is gone raises."""

_PIECE = 256 * 1024
_QUEUED = 32  # requests ahead of their answers; programs that wait for each answer never have more than one
_DRIP_SECONDS = 0.05
_RESETS = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST
_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%b</Code><Message>by the relay</Message></Error>'
_REPLACED = {Fault.OTHER_ETAG, Fault.UNPINNED}


@dataclass(slots=True)
class Road:
    """What all connections of a relay share."""

    rules: Rules
    tally: Tally
    up: Lane
    down: Lane
    etags: dict[str, bytes] = field(default_factory=dict)
    """Path -> the ETag that the store gives, as far as the relay has seen it."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request, and what is to become of it."""

    request: Head
    count: Count
    rule: Rule | None
    error: bytes | None = None
    """The status line and S3's code of an error that the relay answers itself."""

    @property
    def fault(self) -> Fault | None:
        return self.rule.fault if self.rule else None

    @property
    def is_forwarded(self) -> bool:
        return self.error is None and self.fault not in {Fault.ENDLESS_HEAD, Fault.ENDLESS_INTERIM, Fault.HANG}


class Connection:
    """A client and the store. *Closes:* neither; both streams are the caller's."""

    def __init__(self, road: Road, client: trio.SocketStream, requests: Reader, store: trio.SocketStream) -> None:
        self._road = road
        self._client = client
        self._requests = requests
        self._answers = Reader(store)
        self._up = Wire(road.up, store)
        self._down = Wire(road.down, client)

    async def run(self, first: Head) -> None:
        """Pass requests and answers on, ``first`` and what follows, until either side closes or a fault ends it."""
        send, receive = trio.open_memory_channel[_Exchange](_QUEUED)

        async def pass_requests() -> None:
            await self._pass_requests(first, send)

        async def pass_answers() -> None:
            await self._pass_answers(receive)

        carriers = [] if self._road.up.is_plain else [self._up.run, self._down.run]
        async with trio.open_nursery() as nursery:
            for task in (pass_requests, pass_answers, *carriers):
                nursery.start_soon(_until_the_end, task, nursery.cancel_scope)

    async def _pass_requests(self, first: Head, exchanges: trio.MemorySendChannel[_Exchange]) -> None:
        request: Head | None = first
        while request is not None:
            exchange = self._judge(request)
            await exchanges.send(exchange)
            if exchange.is_forwarded:
                await self._up.carry(self._as_forwarded(exchange).render())
            body = request_body(self._requests, request)
            while (piece := await body.piece(_PIECE))[0]:
                exchange.count.body_bytes += piece[1]
                if exchange.is_forwarded:
                    await self._up.carry(piece[0])
            request = await self._requests.head()

    def _judge(self, request: Head) -> _Exchange:
        count = self._road.tally.count(request.method.decode(), request.path)
        count.requests += 1
        rule = self._road.rules.choose(request)
        error = None
        if rule is not None and rule.fault is Fault.UNAVAILABLE:
            error = b"503 Slow Down", b"SlowDown"
        elif rule is not None and rule.fault is Fault.OTHER_ETAG:
            pinned = request.header(b"if-match")
            if pinned not in {None, rule.etag.encode()}:
                error = b"412 Precondition Failed", b"PreconditionFailed"
        return _Exchange(request, count, rule, None if error is None else _render_error(*error))

    def _as_forwarded(self, exchange: _Exchange) -> Head:
        if exchange.fault is Fault.WHOLE:
            return exchange.request.having(b"range", None)
        if exchange.fault in _REPLACED and exchange.request.header(b"if-match") is not None:
            return exchange.request.having(b"if-match", self._road.etags.get(exchange.request.path))
        return exchange.request

    async def _pass_answers(self, exchanges: trio.MemoryReceiveChannel[_Exchange]) -> None:
        async for exchange in exchanges:
            if exchange.error is not None:
                await self._down.carry(exchange.error)
            elif exchange.is_forwarded:
                if not await self._pass_answer(exchange):
                    break
            else:
                await self._misbehave(exchange.fault)
        await self._down.drain()

    async def _misbehave(self, fault: Fault | None) -> None:
        if fault is Fault.HANG:
            await trio.sleep_forever()
        endless = fault is Fault.ENDLESS_INTERIM
        await self._down.carry(b"" if endless else b"HTTP/1.1 200 OK\r\n")
        while True:
            await self._down.carry((b"HTTP/1.1 102 Processing\r\n\r\n" if endless else b"x-more: of it\r\n") * 100)

    async def _pass_answer(self, exchange: _Exchange) -> bool:
        """Pass one answer on; whether the connection goes on after it."""
        while (head := await self._answers.head()) is not None and head.status < 200:
            await self._down.carry(head.render())
        if head is None:
            return False
        body = answer_body(self._answers, exchange.request, head)
        await self._down.carry(self._as_answered(exchange, head).render())
        return await self._pass_body(exchange, body) and head.header(b"connection") != b"close"

    def _as_answered(self, exchange: _Exchange, head: Head) -> Head:
        etag = head.header(b"etag")
        if exchange.rule is None or exchange.fault not in _REPLACED or etag is None:
            return head
        self._road.etags[exchange.request.path] = etag
        return head.having(b"ETag", exchange.rule.etag.encode())

    async def _pass_body(self, exchange: _Exchange, body: Body) -> bool:
        most, left = _PIECE, None
        if exchange.rule is not None and exchange.fault in {Fault.RESET, Fault.TRUNCATE}:
            left = exchange.rule.at
        if exchange.rule is not None and exchange.fault is Fault.DRIP:
            most = max(1, int(exchange.rule.bytes_per_second * _DRIP_SECONDS))
        while left != 0:
            data, count = await body.piece(most if left is None else min(most, left))
            if not data:
                return True
            exchange.count.body_bytes += count
            await self._down.carry(data)
            left = None if left is None else left - count
            if most != _PIECE:
                await trio.sleep(_DRIP_SECONDS)
        await self._down.drain()
        if exchange.fault is Fault.RESET:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        return False


async def _until_the_end(task: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    """Run a task; its end, or a lost connection, is that of all."""
    with suppress(*LOST):
        await task()
    scope.cancel()


def _render_error(status: bytes, code: bytes) -> bytes:
    body = _ERROR % code
    head = b"HTTP/1.1 %b\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body
