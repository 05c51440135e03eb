"""A response, and its body as it comes."""

from collections.abc import Callable

from s3proxy.http1.client.connection import ClientConnection
from s3proxy.http1.client.response_head import ResponseHead
from s3proxy.http1.framing import ChunkedBody, FramedBody, Inbound, SizedBody
from s3proxy.http1.messages import ConnectionLostError, Header

_READ_BYTES = 64 * 1024
_WITHOUT_BODY = frozenset((204, 304))


class ClientResponse:
    """One response: read its body, then close it.

    Its connection serves the next request as soon as the last byte of the body has been received, and is closed when
    anything goes wrong, be it cancellation.
    """

    __slots__ = ("_body", "_connection", "_release", "headers", "length", "status")

    status: int
    headers: tuple[Header, ...]
    """Names in lower case, in the order in which they came."""
    length: int | None
    """The announced Content-Length; None when the end of the body will show. After HEAD: what GET would have had."""

    def __init__(
        self,
        method: bytes,
        head: ResponseHead,
        connection: ClientConnection,
        release: Callable[[ClientConnection], None],
    ) -> None:
        """Begin where the head ended.

        Args:
            method: of the request, which decides whether there is a body.
            head: of the response.
            connection: what it came from; owned from here on.
            release: takes the connection when it can serve another request.
        """
        self.status = head.status
        self.headers = head.headers
        self.length = head.length
        self._connection: ClientConnection | None = connection
        self._body = _body_of(method, head, connection.inbound)
        is_reusable = head.keep_alive and connection.is_sent and not isinstance(self._body, UnendingBody)
        self._release = release if is_reusable else ClientConnection.close
        self._release_if_finished()

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header ``name`` (lower-case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``ByteStream.receive_into``.

        Raises:
            ConnectionLostError: the server closed, stalled or broke the framing before the end; or ``aclose`` was
                called, or an earlier call did not succeed.
        """
        if self._connection is None and not self._body.is_finished:
            raise ConnectionLostError("the response was closed before its end")
        try:
            count = await self._body.receive_into(buffer)
        except BaseException:
            self._close()  # cancelled, too: what was received then is lost
            raise
        self._release_if_finished()
        return count

    async def read(self, max_bytes: int) -> bytes:
        """Receive the whole body.

        Raises:
            ConnectionLostError: it is longer than ``max_bytes``, or as ``receive_into`` does.
        """
        data = bytearray()
        buffer = memoryview(bytearray(min(_READ_BYTES, max_bytes + 1)))
        while len(data) <= max_bytes:
            count = await self.receive_into(buffer)
            if not count:
                return bytes(data)
            data += buffer[:count]
        self._close()
        raise ConnectionLostError(f"the response has more than {max_bytes} bytes")

    async def aclose(self) -> None:
        """Close the connection unless the body was received to its end. Idempotent; never blocks, never raises."""
        self._close()

    def _release_if_finished(self) -> None:
        if self._body.is_finished and self._connection is not None:
            connection, self._connection = self._connection, None
            self._release(connection)

    def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


class UnendingBody(FramedBody):
    """A body that ends where the connection does."""

    __slots__ = ()

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``FramedBody.receive_into``."""
        if self.is_finished:
            return 0
        if self._inbound.ahead:
            return await self._inbound.receive_into(buffer)
        count = await self._inbound.stream.receive_into(buffer)
        self.is_finished = count == 0
        return count


def _body_of(method: bytes, head: ResponseHead, inbound: Inbound) -> FramedBody:
    """Decide where the body ends. Source: RFC 9112 section 6.3."""
    if method == b"HEAD" or head.status in _WITHOUT_BODY:
        return SizedBody(inbound, 0)
    if head.is_chunked:
        return ChunkedBody(inbound)
    if head.length is None:
        return UnendingBody(inbound)
    return SizedBody(inbound, head.length)
