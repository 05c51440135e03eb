"""One connection to a server: a request goes out, the head of its response comes in."""

import trio

from s3proxy.http1.client.origin import ClientLimits
from s3proxy.http1.client.request import RequestStream, Send
from s3proxy.http1.client.response_head import (
    MalformedResponseError,
    ResponseHead,
    find_head_end,
    parse_response_head,
)
from s3proxy.http1.client.wire import StalledError, Wire
from s3proxy.http1.framing import Inbound
from s3proxy.http1.messages import ConnectionLostError

_MAX_INTERIM_RESPONSES = 16
_SWITCHING_PROTOCOLS = 101


class ClientConnection:
    """One connection, which carries one exchange after another. Closes: owns ``wire``."""

    __slots__ = ("_head_bytes_searched", "_interim_count", "_limits", "_wire", "has_received", "inbound", "is_sent")

    def __init__(self, wire: Wire, limits: ClientLimits) -> None:
        self._wire = wire
        self._limits = limits
        self._interim_count = 0
        self._head_bytes_searched = 0
        self.inbound = Inbound(wire)
        self.has_received = False
        """Anything of the response to the last request."""
        self.is_sent = True
        """All of the last request."""

    def is_quiet(self) -> bool:
        """Whether the connection can carry another request."""
        return not self.inbound.ahead and self._wire.is_quiet()

    def close(self) -> None:
        """Close at once. Idempotent."""
        self._wire.close()

    async def exchange(self, head: bytes, body: bytes | RequestStream) -> ResponseHead:
        """Send a request and receive the head of its response, which may come before all is sent.

        Raises:
            StalledError: nothing moved for too long.
            ConnectionLostError: the connection broke, or the server sent what is no response.
            Exception: whatever ``body`` raised.
        """
        self.has_received = self.is_sent = False
        self._interim_count = self._head_bytes_searched = 0
        if isinstance(body, bytes):
            sent = self._send_at_once(head, body)
            self.is_sent = sent == len(head) + len(body)
            if self.is_sent:
                return await self._receive_head_in_time()
            return await self._send_watched(_Rest(head + body, sent), b"")
        return await self._send_watched(body, head)

    def _send_at_once(self, head: bytes, body: bytes) -> int:
        return self._wire.send_now(head, body) if body else self._wire.send_now(head)

    async def _send_watched(self, body: RequestStream, head: bytes) -> ResponseHead:
        """Send while a task watches for an early response, which ends the sending."""
        outgoing = _Outgoing(self._wire, head, body.length)
        watch = _Watch()
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, watch)
            try:
                with watch.sending:
                    await body.send_to(outgoing.send)
                    await outgoing.finish()
                    self.is_sent = True
            except Exception as error:
                failure = error
            nursery.cancel_scope.cancel()
        if watch.head is not None:
            return watch.head
        if failure is not None and failure is not outgoing.failure:
            raise failure  # of the body itself
        if failure is not None or watch.failure is None:
            # After a failure too: the server may have answered before it closed.
            return await self._receive_head_in_time()
        raise watch.failure

    async def _watch(self, watch: "_Watch") -> None:
        try:
            watch.head = await self._receive_head()
        except ConnectionLostError as error:
            watch.failure = error
        watch.sending.cancel()

    async def _receive_head_in_time(self) -> ResponseHead:
        with trio.move_on_after(self._limits.response_timeout_seconds):
            return await self._receive_head()
        raise StalledError(f"no response for {self._limits.response_timeout_seconds:g} s")

    async def _receive_head(self) -> ResponseHead:
        """Receive the head of the final response. May be cancelled and called again."""
        inbound = self.inbound
        while True:
            end = find_head_end(inbound.ahead, self._head_bytes_searched, self._limits)
            if end:
                head = parse_response_head(inbound.ahead[:end], self._limits)
                inbound.ahead = inbound.ahead[end:]
                self._head_bytes_searched = 0
                if head.status >= 200:
                    return head
                self._pass_over(head)
                continue
            self._head_bytes_searched = len(inbound.ahead)
            data = await self._wire.receive()
            if not data:
                raise ConnectionLostError("the server closed the connection before it had answered")
            self.has_received = True
            inbound.ahead += data

    def _pass_over(self, interim: ResponseHead) -> None:
        self._interim_count += 1
        if interim.status == _SWITCHING_PROTOCOLS:
            raise MalformedResponseError("the server switches protocols without being asked")
        if self._interim_count > _MAX_INTERIM_RESPONSES:
            raise MalformedResponseError("the server sends interim responses without end")


class _Watch:
    """What was seen of the server while a request was being sent."""

    __slots__ = ("failure", "head", "sending")

    def __init__(self) -> None:
        self.sending = trio.CancelScope()
        self.head: ResponseHead | None = None
        self.failure: ConnectionLostError | None = None


class _Outgoing:
    """A request on its way: its head goes out with the first piece of the body, and no byte more than announced."""

    __slots__ = ("_head", "_remaining", "_wire", "failure")

    def __init__(self, wire: Wire, head: bytes, length: int) -> None:
        self._wire = wire
        self._head = head
        self._remaining = length
        self.failure: ConnectionLostError | None = None

    async def send(self, data: bytes | memoryview) -> None:
        if len(data) > self._remaining:
            raise ValueError("a request body is longer than announced")  # the rest would be taken for a request
        self._remaining -= len(data)
        try:
            head, self._head = self._head, b""
            sent = self._wire.send_now(head, data) if head else 0
            if sent < len(head):
                await self._wire.send(head[sent:])
            await self._wire.send(memoryview(data)[max(0, sent - len(head)) :])
        except ConnectionLostError as error:
            self.failure = error
            raise

    async def finish(self) -> None:
        if self._head:
            await self.send(b"")
        if self._remaining:
            raise ValueError("a request body is shorter than announced")


class _Rest:
    """The part of a small request that did not fit into the socket's buffer at once."""

    __slots__ = ("_data", "length")

    def __init__(self, data: bytes, sent: int) -> None:
        self._data = memoryview(data)[sent:]
        self.length = len(self._data)

    async def send_to(self, send: Send) -> None:
        await send(self._data)
