"""One connection to a server: a request goes out, the head of its response comes in."""

import trio

from s3proxy.http1.client.origin import ClientLimits
from s3proxy.http1.client.request import RequestStream
from s3proxy.http1.client.response_head import (
    MalformedResponseError,
    ResponseHead,
    find_head_end,
    parse_response_head,
)
from s3proxy.http1.client.sending import Outgoing, send_until_answered
from s3proxy.http1.client.wire import StalledError, Wire, unsent
from s3proxy.http1.framing import Inbound
from s3proxy.http1.messages import ConnectionLostError

_MAX_INTERIM_RESPONSES = 16  # usual are none, or one in ten seconds of hard work
_SWITCHING_PROTOCOLS = 101


class ClientConnection:
    """One connection, which carries one exchange after another. Closes: owns ``wire``."""

    __slots__ = ("_interim_count", "_limits", "_searched", "_wire", "has_received", "inbound", "is_sent")

    def __init__(self, wire: Wire, limits: ClientLimits) -> None:
        self._wire = wire
        self._limits = limits
        self._interim_count = 0
        self._searched = 0  # bytes of the head that is being received
        self.inbound = Inbound(wire)
        self.has_received = False
        """Anything of the response to the last request."""
        self.is_sent = False
        """All of the last request."""

    def is_quiet(self) -> bool:
        """Whether the connection stands and nothing has come unasked."""
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
        self._interim_count = self._searched = 0
        if not isinstance(body, bytes):
            return await self._send_watched(Outgoing(self._wire, (head,), body))
        parts = (head, body) if body else (head,)
        rest = unsent(parts, self._wire.send_now(*parts))
        if rest:
            return await self._send_watched(Outgoing(self._wire, rest))
        self.is_sent = True
        return await self._receive_head_in_time()

    async def _send_watched(self, outgoing: Outgoing) -> ResponseHead:
        try:
            early = await send_until_answered(outgoing, self._receive_head)
        except ConnectionLostError as error:
            if error is not outgoing.failure or isinstance(error, StalledError):
                raise
            early = None  # the server may have answered before it closed
        self.is_sent = outgoing.is_sent
        return early or await self._receive_head_in_time()

    async def _receive_head_in_time(self) -> ResponseHead:
        with trio.move_on_after(self._limits.response_timeout_seconds):
            return await self._receive_head()
        raise StalledError(f"no response for {self._limits.response_timeout_seconds:g} s")

    async def _receive_head(self) -> ResponseHead:
        """Receive the head of the final response. May be cancelled and called again."""
        inbound = self.inbound
        while True:
            if self._searched == len(inbound.ahead):
                data = await self._receive()
                inbound.ahead += data
            end = find_head_end(inbound.ahead, self._searched, self._limits)
            self._searched = 0 if end else len(inbound.ahead)
            if end:
                head = parse_response_head(inbound.ahead[:end], self._limits)
                inbound.ahead = inbound.ahead[end:]
                if head.status >= 200:
                    return head
                self._pass_over(head)

    async def _receive(self) -> bytes:
        data = await self._wire.receive()
        if not data:
            raise ConnectionLostError("the server closed the connection before it had answered")
        self.has_received = True
        return data

    def _pass_over(self, interim: ResponseHead) -> None:
        self._interim_count += 1
        if interim.status == _SWITCHING_PROTOCOLS:
            raise MalformedResponseError("the server switches protocols without being asked")
        if self._interim_count > _MAX_INTERIM_RESPONSES:
            raise MalformedResponseError("the server sends interim responses without end")
