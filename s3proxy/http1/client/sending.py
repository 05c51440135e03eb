"""A request on its way to the server."""

from collections.abc import Awaitable, Callable

import trio

from s3proxy.http1.client.request import RequestStream, UnsendableRequestError
from s3proxy.http1.client.response_head import ResponseHead
from s3proxy.http1.client.wire import Wire
from s3proxy.http1.messages import ConnectionLostError


class Outgoing:
    """What is still to be sent of a request: bytes at hand, then perhaps a stream, and no byte more than announced."""

    __slots__ = ("_parts", "_remaining", "_stream", "_wire", "failure")

    def __init__(self, wire: Wire, parts: tuple[bytes | memoryview, ...], stream: RequestStream | None = None) -> None:
        """Send nothing yet.

        Args:
            wire: leads to the server.
            parts: bytes at hand. They go out together with the first piece of the stream.
            stream: the body.
        """
        self._wire = wire
        self._parts = parts
        self._stream = stream
        self._remaining = stream.length if stream else 0
        self.failure: ConnectionLostError | None = None
        """Of the connection; a failure of the stream may be of the same class."""

    @property
    def is_sent(self) -> bool:
        """Whether every byte of the request is on its way."""
        return not self._parts and not self._remaining

    async def send_all(self) -> None:
        """Send everything.

        Raises:
            ConnectionLostError: the connection broke or stalled.
            UnsendableRequestError: the stream has another length than it announced.
            Exception: whatever the stream raises.
        """
        if self._stream is not None:
            await self._stream.send_to(self._send_piece)
            if self._remaining:
                raise UnsendableRequestError("a request body is shorter than announced")
        if self._parts:
            await self._send()

    async def _send_piece(self, data: bytes | memoryview) -> None:
        if len(data) > self._remaining:  # the server would take the rest for another request
            raise UnsendableRequestError("a request body is longer than announced")
        if data:
            await trio.lowlevel.checkpoint()  # or nobody would watch for an early response while nothing has to wait
            await self._send(data)
            self._remaining -= len(data)

    async def _send(self, *data: bytes | memoryview) -> None:
        try:
            await self._wire.send(*self._parts, *data)
        except ConnectionLostError as error:
            self.failure = error
            raise
        self._parts = ()


async def send_until_answered(
    outgoing: Outgoing, receive_head: Callable[[], Awaitable[ResponseHead]]
) -> ResponseHead | None:
    """Send a request unless its response comes before its end.

    Args:
        outgoing: the request.
        receive_head: receives the head of the response; it is cancelled when all has been sent.

    Returns:
        The head of a response that came meanwhile and ended the sending; None when all was sent before.

    Raises:
        ConnectionLostError: the connection broke, or what came early is no response.
        Exception: whatever the stream of ``outgoing`` raised.
    """
    sending = trio.CancelScope()
    early: ResponseHead | None = None
    lost: ConnectionLostError | None = None
    failure: Exception | None = None

    async def watch() -> None:
        nonlocal early, lost
        try:
            early = await receive_head()
        except ConnectionLostError as error:
            lost = error
        sending.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        try:
            with sending:
                await outgoing.send_all()
        except Exception as error:  # raised below, for a nursery would wrap it into a group
            failure = error
        nursery.cancel_scope.cancel()
    if early is None and (cause := failure or lost) is not None:
        raise cause
    return early
