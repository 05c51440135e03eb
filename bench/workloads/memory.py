"""Memory under slow clients: 500 read objects of 64 MiB at 100 KiB/s each while 200 upload as slowly.

It stops after ``--slow-seconds``: by then every connection has long been through its first bytes, and whatever the
server keeps for each is there. A client that is refused, cut off or gets nothing at all makes the case fail.
"""

import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.client import check_objects, connected, expect
from bench.content import KIB, MIB
from bench.dataset import objects_of
from bench.measure import Stopwatch, peak_rss_bytes, reset_peak_rss, rss_bytes
from bench.requests import BUCKET, Endpoint, FileBody, Request, render_get, render_put
from bench.signing import UNSIGNED_PAYLOAD
from bench.targets import Server

_READERS = 500
_WRITERS = 200
_SIZE = 64 * MIB
_TICK_SECONDS = 0.1
_PER_TICK = 10 * KIB
_RECEIVE_BUFFER = 64 * KIB  # or the kernel would take in a large part of the object at once
_BLOCK = bytes(_PER_TICK)
_HEAD = 4 * KIB


def cases() -> list[Case]:
    """One case."""
    targets = ("s3proxy", "s3proxy-signed", "nginx")
    return [Case(workload="memory", name="memory", targets=targets, prepare=_prepare, measure=_measure, once=True)]


def _prepare(session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_objects(_SIZE, endpoint)


def _measure(session: Session, server: Server) -> Outcome:
    _warm(server.endpoint)
    before = rss_bytes(server.pid)
    reset_peak_rss(server.pid)
    stopwatch = Stopwatch(server.pid)
    with ExitStack() as sockets:
        readers = [_Reader(sockets, server.endpoint, number) for number in range(_READERS)]
        writers = [_Writer(sockets, server.endpoint, number) for number in range(_WRITERS)]
        _drive([*readers, *writers], session.settings.slow_seconds)
        peak = peak_rss_bytes(server.pid)
    usage = stopwatch.stop()
    metrics = {
        "rss_before_mib": before / MIB,
        "peak_rss_mib": peak / MIB,
        "rss_growth_mib": (peak - before) / MIB,
        "read_kib_per_second": _rate(readers, session.settings.slow_seconds),
        "written_kib_per_second": _rate(writers, session.settings.slow_seconds),
        "server_cores": usage.server / usage.seconds,
        "load_cores": usage.load / usage.seconds,
        "other_cores": usage.others / usage.seconds,
    }
    return Outcome(metrics=metrics)


def _warm(endpoint: Endpoint) -> None:
    """Let the server load what it loads late, so that only the clients' memory is counted."""
    check_objects(endpoint, objects_of(_SIZE)[:1])
    with connected(endpoint) as client:
        expect(client.put(f"/{BUCKET}/slow/warm", _BLOCK, len(_BLOCK)), 200, 201, 204)


class _SlowClient(ABC):
    """A connection with one request under way, that moves at most 10 KiB a tick."""

    def __init__(self, sockets: ExitStack, endpoint: Endpoint, request: Request) -> None:
        self._socket = sockets.enter_context(socket.socket())
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.settimeout(30)
        self._socket.connect((endpoint.host, endpoint.port))
        self._socket.sendall(request.data)
        self._socket.setblocking(False)
        self.moved = 0

    def tick(self) -> None:
        """Move a little, or nothing when the server is not ready."""
        try:
            self._move()
        except BlockingIOError:
            return
        except OSError as error:
            raise BenchError(f"a slow client was cut off after {self.moved} bytes: {error}") from error

    @abstractmethod
    def _move(self) -> None:
        """Receive or send at most 10 KiB; raises OSError like the socket."""


class _Reader(_SlowClient):
    """Reads an object."""

    def __init__(self, sockets: ExitStack, endpoint: Endpoint, number: int) -> None:
        objects = objects_of(_SIZE)
        super().__init__(sockets, endpoint, render_get(endpoint, objects[number % len(objects)]))

    def _move(self) -> None:
        data = self._socket.recv(_PER_TICK)
        if not data or (self.moved == 0 and not data.startswith(b"HTTP/1.1 200")):
            raise BenchError(f"a slow reader was refused or cut off after {self.moved} bytes: {data[:300]!r}")
        self.moved += len(data)


class _Writer(_SlowClient):
    """Uploads one, and never comes to its end."""

    def __init__(self, sockets: ExitStack, endpoint: Endpoint, number: int) -> None:
        body = FileBody(fd=-1, length=_SIZE)  # only its length is used: the bytes come from here
        super().__init__(sockets, endpoint, render_put(endpoint, f"slow/{number:03d}", body, UNSIGNED_PAYLOAD))

    def _move(self) -> None:
        self.moved += self._socket.send(_BLOCK)
        data = self._socket.recv(_HEAD)  # would block, unless the server has given up
        raise BenchError(f"a slow writer was refused or cut off after {self.moved} bytes: {data[:300]!r}")


def _drive(clients: Sequence[_SlowClient], seconds: float) -> None:
    begin = time.monotonic()
    tick = 0
    while (now := time.monotonic()) < begin + seconds:
        due = begin + tick * _TICK_SECONDS
        time.sleep(max(0.0, due - now))
        for client in clients:
            client.tick()
        tick += 1
    starved = sum(client.moved == 0 for client in clients)
    if starved:
        raise BenchError(f"{starved} of {len(clients)} slow clients got nothing in {seconds:.0f} s")


def _rate(clients: Sequence[_SlowClient], seconds: float) -> float:
    """KiB/s of the client in the middle."""
    return sorted(client.moved for client in clients)[len(clients) // 2] / KIB / seconds
