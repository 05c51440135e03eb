"""HTTP/1.1 messages as values; no sockets here.

Header names are lower-case bytes; values are bytes as they came, stripped of surrounding white space.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from s3proxy.body import Body

Header = tuple[bytes, bytes]


class ConnectionLostError(Exception):
    """The peer went away, stalled past its deadline, or sent what cannot be parsed while a body was in flight."""


class RequestBody:
    """The body of one request, received on demand.

    The first ``receive_into`` sends ``100 Continue`` where the client waits for it, so nothing is asked for before the
    request was judged by its head. A body that is not read to its end makes the server close the connection after
    the response.
    """

    length: int | None
    """The Content-Length; 0 without a body; None with chunked transfer coding."""
    received_bytes: int = 0
    """How many bytes were received so far."""

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``ByteStream.receive_into``.

        Raises:
            ConnectionLostError: the client went away, stalled, or broke the chunked coding before the end.
        """
        raise NotImplementedError


class EmptyBody(RequestBody):
    """The body of a request that has none."""

    length: int | None = 0

    async def receive_into(self, buffer: memoryview) -> int:
        """Return 0: there is nothing to receive."""
        return 0


class Request(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """The head of one request and the body that follows it."""

    method: bytes
    target: bytes
    """As sent: origin form ``/path?query``, percent escapes untouched."""
    headers: tuple[Header, ...]
    body: RequestBody
    peer: str
    """Who connected, as text: an address, the client's or its balancer's."""
    scheme: str = "http"
    """Or ``https``."""

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header ``name`` (lower-case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Sent(NamedTuple):
    """How sending a response ended."""

    body_bytes: int
    is_complete: bool
    """False when the client went away or the body broke off: the connection was then closed short."""


@dataclass(slots=True, eq=False)
class Response:
    """One response. The server adds Date, Server and the framing (Content-Length or chunked) and closes ``body``.

    A HEAD response gives its ``content_length`` explicitly and has no body.
    """

    status: int
    headers: list[Header]
    body: bytes | Body = b""
    content_length: int | None = None
    """For HEAD and 304: the Content-Length to announce though no body is sent."""
    close: bool = False
    """Close the connection after this response."""
    begun_at: float | None = None
    """``time.monotonic()`` when the head and the first bytes of the body began to go out."""
    on_sent: Callable[[Sent], None] | None = None
    """Called once, when the response has been sent or given up."""


Handler = Callable[[Request], Awaitable[Response]]
"""Answers one request; raises only Cancelled and ConnectionLostError. At anything else the server answers 500."""
