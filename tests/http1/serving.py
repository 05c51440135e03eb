"""A server on a loopback port and a client that reads with h11, for the tests of this folder."""

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11
import trio

from s3proxy.body import Body, Chunk
from s3proxy.http1.connection import Incident, Service
from s3proxy.http1.entrance import Entrance
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import Handler, Request, Response, Sent
from s3proxy.http1.server import HttpServer, Neighbours

PATIENCE_SECONDS = 5.0
"""For what must happen, on a machine that may be busy."""

QUICK = Limits(
    head_timeout_seconds=2,
    idle_timeout_seconds=2,
    stall_timeout_seconds=2,
    linger_seconds=0.2,
    drain_seconds=PATIENCE_SECONDS,
)


class ListBody(Body):
    """Chunks from a list; an exception among them is raised. Counts how often it is closed."""

    def __init__(self, chunks: list[Chunk | Exception], length: int | None) -> None:
        self.length = length
        self.closed = 0
        self._chunks = iter(chunks)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise StopAsyncIteration
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()  # under cancellation only a shield gets it past this
        self.closed += 1


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """A client that sends raw bytes and reads responses one by one."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self._ahead = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def send_eof(self) -> None:
        assert isinstance(self.stream, trio.SocketStream)  # TLS has no half-closed connections
        with suppress(trio.BrokenResourceError):  # the server was faster
            await self.stream.send_eof()

    async def reply(self, method: str = "GET") -> Reply:
        """Read one response; h11.RemoteProtocolError if it is cut short."""
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        if self._ahead:
            connection.receive_data(self._ahead)
        response: h11.Response | None = None
        body = bytearray()
        with trio.fail_after(PATIENCE_SECONDS):
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    connection.receive_data(await self._receive())
                elif isinstance(event, h11.Response):
                    response = event
                elif isinstance(event, h11.Data):
                    body += event.data
        assert response is not None
        self._ahead = connection.trailing_data[0]
        return Reply(response.status_code, dict(response.headers), bytes(body))

    async def ask(self, data: bytes, method: str = "GET") -> Reply:
        await self.send(data)
        return await self.reply(method)

    async def receive_exactly(self, data: bytes) -> None:
        """Assert that exactly ``data`` comes next."""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(self._ahead) < len(data):
                received = await self._receive()
                assert received, self._ahead
                self._ahead += received
        assert self._ahead.startswith(data)
        self._ahead = self._ahead[len(data) :]

    async def wait_for_bytes(self) -> None:
        """Return when something has come, and leave it for who reads."""
        with trio.fail_after(PATIENCE_SECONDS):
            self._ahead += await self._receive()

    async def rest(self) -> bytes:
        """All bytes up to the end or reset of the connection."""
        with trio.fail_after(PATIENCE_SECONDS):
            data = bytearray(self._ahead)
            while received := await self._receive():
                data += received
        return bytes(data)

    async def _receive(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some(65536))
        except trio.BrokenResourceError:
            return b""


@dataclass
class Running:
    """A server under test."""

    server: HttpServer
    port: int
    nursery: trio.Nursery
    incidents: list[tuple[Incident, Exception]] = field(default_factory=list)
    ended: trio.Event = field(default_factory=trio.Event)
    listener: socket.socket | None = None

    async def connect(self) -> Client:
        return Client(await trio.open_tcp_stream("127.0.0.1", self.port))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        client = await self.connect()
        async with client.stream:
            yield client

    def share_listener(self) -> socket.socket:
        """The listening socket once more, as another worker has it."""
        assert self.listener is not None
        return self.listener.dup()

    def incident_kinds(self) -> list[Incident]:
        return [kind for kind, _ in self.incidents]

    async def wait_until(self, is_true: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_SECONDS):
            while not is_true():  # noqa: ASYNC110 - counts and lists have no event
                await trio.sleep(0.005)


def error_response(status: int, reason: str) -> Response:
    return Response(status, [(b"content-type", b"text/plain")], reason.encode())


def unobserved(handler: Handler, limits: Limits = QUICK) -> Service:
    """What a connection serves, told to nobody."""
    return Service(handler=handler, error_response=error_response, limits=limits, observe=lambda *_: None)


def loopback_listener() -> socket.socket:
    """On a port that the kernel chooses."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


@asynccontextmanager
async def serving(
    handler: Handler,
    limits: Limits = QUICK,
    entrance: Entrance | None = None,
    neighbours: Neighbours | None = None,
) -> AsyncIterator[Running]:
    incidents: list[tuple[Incident, Exception]] = []
    server = HttpServer(
        handler,
        error_response,
        observe=lambda kind, error: incidents.append((kind, error)),
        limits=limits,
        entrance=entrance,
        neighbours=neighbours,
    )
    listener = loopback_listener()
    async with trio.open_nursery() as nursery:
        running = Running(server, listener.getsockname()[1], nursery, incidents, listener=listener)

        async def serve() -> None:
            await server.serve([listener])
            running.ended.set()

        nursery.start_soon(serve)
        yield running
        nursery.cancel_scope.cancel()


async def read_all(request: Request, buffer_size: int = 4096) -> bytes:
    buffer = memoryview(bytearray(buffer_size))
    data = b""
    while count := await request.body.receive_into(buffer):
        data += buffer[:count]
    return data


async def echo(request: Request) -> Response:
    """Answer with method, target and body of the request."""
    return Response(200, [], b"%s %s %s" % (request.method, request.target, await read_all(request)))


def get(target: bytes = b"/", headers: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, headers)


def put(body: bytes, headers: bytes = b"") -> bytes:
    return b"PUT /k HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), headers, body)


def descriptor_count() -> int:
    return len(os.listdir("/proc/self/fd"))


class SentRecorder:
    """Collects what ``on_sent`` is called with."""

    def __init__(self) -> None:
        self.calls: list[Sent] = []

    def __call__(self, sent: Sent) -> None:
        self.calls.append(sent)
