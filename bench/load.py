"""The load generator: raw sockets in one epoll loop, cheap enough that one core of it outruns a server on another.

Requests are rendered beforehand. Of a large body only the first bytes are copied out of the kernel; the rest is
discarded there (``MSG_TRUNC``, tcp(7)), which is what makes several GB/s cost a third of a core. Bodies to send go out
by ``sendfile``. Every response is checked for status, length and framing, one in ``check_every`` also for the content
of what came with its head (all of it up to 16 KiB). Measured beside nginx on one core each: 100,000 requests of 4 KiB a
second with a quarter of the core to spare; where it is the limit all the same, ``Usage.load_limited`` says so.
"""

import os
import re
import select
import socket
import ssl
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench import BenchError
from bench.certificates import client_context
from bench.content import KIB, MIB, content
from bench.requests import Endpoint, Request

_WHOLE_UP_TO = 16 * KIB  # copying so much costs less than a second call
_HEAD = 4 * KIB
_LENGTH = re.compile(rb"\r\n(?i:content-length): *(\d+)")
_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_PATIENCE_SECONDS = 30
_ALL = -1
_SINK = bytearray(4 * MIB)  # never written to: the kernel discards what it would hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a stretch of load did. Bytes count when they move, so an unfinished body counts for its part."""

    seconds: float
    body_bytes: int
    latencies: Sequence[int]
    """Nanoseconds from sending to the last byte, of each request that ended in the stretch, ascending."""


class Load:
    """A connection for each supply of requests, with one under way; kept between stretches, and idle when it ends.

    Connections may share a supply: then they take turns.

    *Closes:* leave the context to close the connections, in the middle of whatever they do.

    Raises:
        BenchError: from ``run``, on a response that is not what its request says, or a connection that ends.
    """

    def __init__(self, endpoint: Endpoint, supplies: Iterable[Iterator[Request]], *, check_every: int = 16) -> None:
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        kind = _SecureConnection if endpoint.trusted else _Connection
        for supply in supplies:
            connection = kind(endpoint, supply, check_every)
            self._connections[connection.fileno] = connection
            self._epoll.register(connection.fileno, _EVENTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._epoll.close()
        for connection in self._connections.values():
            connection.close()

    def run(self, seconds: float) -> Tally:
        """Load the server for so long, or until the supplies end, from wherever the last stretch left off."""
        connections, poll, clock = self._connections, self._epoll.poll, time.perf_counter
        latencies = array("q")
        moved = self._moved()
        begin = clock()
        end, progress = begin + seconds, begin
        while (now := clock()) < end and not self._is_done():
            events = poll(0.1)
            for fileno, event in events:
                connections[fileno].advance(event, latencies)
            if events:
                progress = now
            elif now - progress > _PATIENCE_SECONDS:
                raise BenchError(f"the server moved no byte for {_PATIENCE_SECONDS} s")
        elapsed = clock() - begin
        return Tally(seconds=elapsed, body_bytes=self._moved() - moved, latencies=sorted(latencies))

    def _is_done(self) -> bool:
        return all(connection.is_done for connection in self._connections.values())

    def _moved(self) -> int:
        return sum(connection.moved for connection in self._connections.values())


class _Connection:
    """One connection: sends a request, checks its response, sends the next."""

    __slots__ = (
        "_check_every",
        "_count",
        "_head",
        "_request",
        "_sent",
        "_socket",
        "_started",
        "_supply",
        "_unread",
        "is_done",
        "moved",
    )

    def __init__(self, endpoint: Endpoint, supply: Iterator[Request], check_every: int) -> None:
        self._socket = self._connect(endpoint)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._supply = supply
        self._check_every = check_every
        self._head = b""
        self._count = 0
        self._unread = 0
        self._sent = _ALL
        self.moved = 0
        self.is_done = False
        self._begin(time.perf_counter_ns())

    def _connect(self, endpoint: Endpoint) -> socket.socket:
        return socket.create_connection((endpoint.host, endpoint.port), timeout=_PATIENCE_SECONDS)

    @property
    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def advance(self, event: int, latencies: "array[int]") -> None:
        """Go on until the socket would block or a response is complete, whose latency is noted."""
        if self.is_done:
            return
        try:
            if self._sent != _ALL and not self._send():
                if event & select.EPOLLIN:
                    raise BenchError(f"answered in the middle of the request: {self._socket.recv(_HEAD)[:400]!r}")
                return
            if (self._unread or self._read_head()) and (not self._unread or self._discard()):
                now = time.perf_counter_ns()
                latencies.append(now - self._started)
                self._begin(now)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise BenchError(f"a connection broke: {error}") from error

    def _begin(self, now: int) -> None:
        request = next(self._supply, None)
        if request is None:
            self.is_done = True
            return
        self._started = now
        self._request = request
        self.moved += request.inline
        sent = self._socket.send(request.data)
        if sent < len(request.data) or request.file:
            self._sent = sent
            self._send()  # until the socket is full: only then will there be an edge

    def _send(self) -> bool:
        """Send more of the request; whether that was the rest. ``_sent`` counts its bytes, and is ``_ALL`` after it."""
        data, file = self._request.data, self._request.file
        try:
            while self._sent < len(data):
                self._sent += self._socket.send(memoryview(data)[self._sent :])
            while file and (position := self._sent - len(data)) < file.length:
                sent = os.sendfile(self._socket.fileno(), file.fd, position, file.length - position)
                self._sent += sent
                self.moved += sent
        except BlockingIOError:
            return False
        self._sent = _ALL
        return True

    def _read_head(self) -> bool:
        """Read the response's head and what comes with it; whether the head is complete."""
        request = self._request
        data = self._socket.recv(request.size + _HEAD if request.size <= _WHOLE_UP_TO else _HEAD)
        if not data:
            raise BenchError("the server closed a connection instead of answering")
        if self._head:
            data = self._head + data
        end = data.find(b"\r\n\r\n") + 4
        if end < 4 and len(data) < _HEAD:
            self._head = data
            return False
        self._head = b""
        self._check(data, end)
        arrived = len(data) - end
        self._unread = request.size - arrived
        self.moved += arrived
        return True

    def _check(self, data: bytes, end: int) -> None:
        request = self._request
        length = _LENGTH.search(data, 0, end)
        size = int(length[1]) if length else 0  # a 204 has none
        if not data.startswith(request.status) or size != request.size or len(data) - end > size:
            raise BenchError(f"{request.data[:200]!r} was answered {data[:400]!r}")
        self._count += 1
        if self._count % self._check_every == 0 and size:
            expected = content(request.number, request.offset, request.offset + len(data) - end)
            if data[end:] != expected:
                raise BenchError(f"{request.data[:200]!r} was answered with other bytes than the object's")

    def _discard(self) -> bool:
        """Let the kernel throw away what arrived of the body; whether that was the rest."""
        while self._unread:
            wanted = min(self._unread, len(_SINK))
            dropped = self._socket.recv_into(_SINK, wanted, socket.MSG_TRUNC)
            if not dropped:
                raise BenchError("the server closed a connection in the middle of a body")
            self._unread -= dropped
            self.moved += dropped
            if dropped < wanted:  # the socket is empty: the next edge comes with the next byte
                return not self._unread
        return True


class _SecureConnection(_Connection):
    """One over TLS, where the kernel can discard nothing: every byte is decrypted, at a cost like the server's.

    It sends requests without a body. What it reads ends with a record, before what has arrived does.
    """

    __slots__ = ()

    def _connect(self, endpoint: Endpoint) -> socket.socket:
        assert endpoint.trusted is not None
        return client_context(endpoint.trusted).wrap_socket(super()._connect(endpoint), server_hostname=endpoint.host)

    def _send(self) -> bool:
        raise BenchError("request bodies over TLS are not measured")

    def _read_head(self) -> bool:
        while not super()._read_head():
            pass
        return True

    def _discard(self) -> bool:
        while self._unread:
            dropped = self._socket.recv_into(_SINK, min(self._unread, len(_SINK)))
            if not dropped:
                raise BenchError("the server closed a connection in the middle of a body")
            self._unread -= dropped
            self.moved += dropped
        return True
