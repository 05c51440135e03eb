"""The bodies of requests: asked for only when they are wanted, received into the buffer where they are wanted."""

from s3proxy.http1.framing import ChunkedBody, FramedBody, Inbound, SizedBody
from s3proxy.http1.messages import RequestBody
from s3proxy.http1.response_head import CONTINUE
from s3proxy.http1.transfer import Transport


class ReceivedBody(RequestBody):
    """A body that comes from a client, and whether it has been received to its end."""

    __slots__ = ("_framed", "_inbound", "_is_awaited", "_transport", "length", "received_bytes")

    def __init__(self, transport: Transport, inbound: Inbound, length: int | None, *, is_awaited: bool) -> None:
        """Begin where the head ended.

        Args:
            transport: leads to the client.
            inbound: what follows the head.
            length: the Content-Length; None with chunked transfer coding.
            is_awaited: the client waits for ``100 Continue`` before it sends.
        """
        self._transport = transport
        self._inbound = inbound
        self._framed: FramedBody = ChunkedBody(inbound) if length is None else SizedBody(inbound, length)
        self._is_awaited = is_awaited
        self.length = length
        self.received_bytes = 0

    @property
    def is_finished(self) -> bool:
        """Whether all of it was received."""
        return self._framed.is_finished

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``RequestBody.receive_into``; never a byte of the next request."""
        if self._is_awaited:
            await self._invite()
        count = await self._framed.receive_into(buffer)
        self.received_bytes += count
        return count

    async def _invite(self) -> None:
        """Ask for the body, unless it is coming already (RFC 9110 section 10.1.1)."""
        self._is_awaited = False
        if not self._inbound.ahead:
            await self._transport.send(CONTINUE)
