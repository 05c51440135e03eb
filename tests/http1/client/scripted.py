"""Servers that do exactly what a test says, over real sockets."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11
import trio

from s3proxy.http1.client import ClientLimits, ClientResponse, HttpClient, Origin
from s3proxy.http1.messages import Header
from tests.http1.serving import PATIENCE_SECONDS, descriptor_count

HOST: list[Header] = [(b"Host", b"x")]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

QUICK = ClientLimits(
    connect_timeout_seconds=0.3, response_timeout_seconds=0.3, stall_timeout_seconds=0.3, idle_timeout_seconds=5
)
PATIENT = ClientLimits(
    connect_timeout_seconds=PATIENCE_SECONDS,
    response_timeout_seconds=PATIENCE_SECONDS,
    stall_timeout_seconds=PATIENCE_SECONDS,
)


@dataclass(slots=True)
class Received:
    """One request, as h11 understands it."""

    head: h11.Request
    body: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, stream: trio.abc.Stream, number: int) -> None:
        self.stream = stream
        self.number = number
        """0 for the first connection to the server."""
        self._protocol = h11.Connection(h11.SERVER)

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def request(self) -> Received:
        """Receive one request whole; EndOfChannel when the client closes instead."""
        head: h11.Request | None = None
        body = b""
        while not isinstance(event := self._protocol.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                if not (data := await self.stream.receive_some()):
                    raise trio.EndOfChannel
                self._protocol.receive_data(bytes(data))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
        assert head is not None
        ahead = self._protocol.trailing_data[0]
        self._protocol = h11.Connection(h11.SERVER)
        if ahead:
            self._protocol.receive_data(ahead)
        return Received(head, body)

    async def answer(self, response: bytes) -> Received:
        request = await self.request()
        await self.send(response)
        return request

    async def wait_closed(self) -> None:
        """Wait until the client closes."""
        with trio.fail_after(PATIENCE_SECONDS):
            with suppress(trio.BrokenResourceError):
                while await self.stream.receive_some():
                    pass


Script = Callable[[Peer], Awaitable[None]]


@dataclass(slots=True)
class Served:
    """A server that runs."""

    port: int
    client: HttpClient
    connections: int = 0
    requests: list[Received] = field(default_factory=list)

    async def get(self, target: bytes = b"/", method: bytes = b"GET") -> ClientResponse:
        return await self.client.request(method, target, HOST)


@asynccontextmanager
async def serving(
    script: Script,
    limits: ClientLimits = PATIENT,
    *,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Served]:
    """Run ``script`` on each connection that a client makes; check that the client left no descriptor behind.

    Args:
        script: what to do. The connection is closed when it returns.
        limits: of the client.
        tls: the server's context and the client's.
        host: what the client calls the server.
    """
    before = descriptor_count()
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    client = HttpClient(Origin(host=host, port=port, tls=tls[1] if tls else None), limits=limits)
    served = Served(port, client)

    async def accept(stream: trio.SocketStream) -> None:
        number, served.connections = served.connections, served.connections + 1
        async with stream:
            with suppress(trio.BrokenResourceError, trio.EndOfChannel):  # the client closed
                await script(Peer(trio.SSLStream(stream, tls[0], server_side=True) if tls else stream, number))

    with trio.fail_after(3 * PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, accept, [listener])
            yield served
            await client.aclose()
            nursery.cancel_scope.cancel()
    assert descriptor_count() == before


def answering(*responses: bytes) -> Script:
    """Answer one request after another on each connection, then wait until the client closes."""

    async def script(peer: Peer) -> None:
        for response in responses:
            await peer.answer(response)
        await peer.wait_closed()

    return script


async def read(response: ClientResponse, buffer_size: int = 4096) -> bytes:
    """Receive a body piece by piece."""
    buffer = memoryview(bytearray(buffer_size))
    data = b""
    while count := await response.receive_into(buffer):
        data += buffer[:count]
    return data


class Pieces:
    """A ``RequestStream`` of the pieces of a list. An exception among them is raised, a callable awaited."""

    def __init__(self, *pieces: bytes | Exception | Callable[[], Awaitable[object]], length: int | None = None) -> None:
        self._pieces = pieces
        self.length = sum(len(piece) for piece in pieces if isinstance(piece, bytes)) if length is None else length
        self.sent = 0
        """Of the pieces."""

    async def send_to(self, send: Callable[[bytes | memoryview], Awaitable[None]]) -> None:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                await send(piece)
                self.sent += 1
            elif isinstance(piece, Exception):
                raise piece
            else:
                await piece()
