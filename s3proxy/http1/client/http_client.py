"""Sends requests to one server over as few connections as will do."""

from collections.abc import Sequence

import trio

from s3proxy.http1.client.connecting import connect
from s3proxy.http1.client.connection import ClientConnection
from s3proxy.http1.client.origin import ClientLimits, Origin
from s3proxy.http1.client.pool import Pool
from s3proxy.http1.client.request import RequestStream, render_request_head
from s3proxy.http1.client.response import ClientResponse
from s3proxy.http1.client.wire import StalledError
from s3proxy.http1.messages import ConnectionLostError, Header

_REPEATABLE = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2


class HttpClient:
    """An HTTP/1.1 client of one server. Any number of tasks may use it at the same time.

    Follows no redirects, decodes no content, adds no header but Content-Length.
    """

    def __init__(self, origin: Origin, *, limits: ClientLimits | None = None) -> None:
        """Make a client; nothing happens before ``request``.

        Args:
            origin: the server.
            limits: what it puts up with; the defaults when None.
        """
        self._origin = origin
        self._limits = limits or ClientLimits()
        self._is_closed = False
        self._pool: Pool[ClientConnection] = Pool(
            max_idle=self._limits.max_idle, idle_timeout_seconds=self._limits.idle_timeout_seconds
        )

    def __repr__(self) -> str:
        return f"<HttpClient {self._origin.host}:{self._origin.port}: {len(self._pool)} idle>"

    async def request(
        self, method: bytes, target: bytes, headers: Sequence[Header], body: bytes | RequestStream = b""
    ) -> ClientResponse:
        """Send a request and receive the head of its response.

        A connection from the pool may turn out to be dead; then the request is repeated on a fresh one, if nothing of
        a response had come, its method is idempotent and its body is at hand. A response that comes before the body
        is wholly sent ends the sending. Interim responses are passed over.

        Args:
            method: as sent, in upper case.
            target: as sent: origin form, percent-escaped.
            headers: as sent, with Host, without Content-Length and Transfer-Encoding.
            body: the whole, or what sends it.

        Returns:
            The response, which the caller closes.

        Raises:
            NotSentError: the server could not be reached, and acted on nothing.
            ConnectionLostError: the connection broke or stalled, or the server sent what is no response.
            UnsendableRequestError: the request cannot be rendered.
            Exception: whatever ``body`` raised.
        """
        length = len(body) if isinstance(body, bytes) else body.length
        head = render_request_head(method, target, headers, length)
        pooled = self._pool.take(trio.current_time())
        if pooled is not None:
            try:
                return await self._exchange(pooled, method, head, body)
            except StalledError:
                raise
            except ConnectionLostError:
                if pooled.has_received or method not in _REPEATABLE or not isinstance(body, bytes):
                    raise
        fresh = ClientConnection(await connect(self._origin, self._limits), self._limits)
        return await self._exchange(fresh, method, head, body)

    async def aclose(self) -> None:
        """Close what is idle now and what will be; requests in flight go on. Idempotent, never blocks."""
        self._is_closed = True
        self._pool.close()

    async def _exchange(
        self, connection: ClientConnection, method: bytes, head: bytes, body: bytes | RequestStream
    ) -> ClientResponse:
        try:
            response_head = await connection.exchange(head, body)
        except BaseException:
            connection.close()
            raise
        return ClientResponse(method, response_head, connection, self._release)

    def _release(self, connection: ClientConnection) -> None:
        if self._is_closed or connection.inbound.ahead:
            connection.close()
        else:
            self._pool.put(connection, trio.current_time())
