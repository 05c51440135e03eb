"""Slow clients by the hundred, and what they cost in memory: ``python -m tests.campaigns.memory``.

500 clients read 64 MiB objects at 100 KiB/s each, then 200 upload as slowly. Either may raise the server's resident
memory by less than 64 MiB. Each is stopped after ``--seconds``: by then every connection has long been under way.
"""

import argparse
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.campaigns.report import require, require_flat, run, say
from tests.server import Server, started
from tests.wire import Call, ask

MIB = 2**20
_SIZE = 64 * MIB
_LIMIT = 64 * MIB
_TICK_SECONDS = 0.1
_PER_TICK = 10 * 1024
_BLOCK = bytes(_PER_TICK)


class _SlowClient(ABC):
    """A connection with one request under way that moves 10 KiB a tick."""

    def __init__(self, sockets: ExitStack, port: int, request: bytes) -> None:
        self._socket = sockets.enter_context(socket.socket())
        # Small buffers, or the kernel would take a large part of the object at once.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self._socket.settimeout(20)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(request)
        self._socket.setblocking(False)
        self.moved = 0

    def tick(self) -> None:
        """Move a little, or nothing when the server is not ready."""
        try:
            self.move()
        except BlockingIOError:
            return
        except OSError as error:
            require(False, f"a slow client was cut off after {self.moved} bytes: {error}")

    @abstractmethod
    def move(self) -> None:
        """Move at most 10 KiB; raises like a socket."""


class Reader(_SlowClient):
    """Reads an object."""

    def __init__(self, sockets: ExitStack, port: int, number: int) -> None:
        super().__init__(sockets, port, Call(b"GET", b"/slow/object-%d" % (number % 8)).render())

    def move(self) -> None:
        data = self._socket.recv(_PER_TICK)
        require(bool(data), f"a slow reader was cut off after {self.moved} bytes")
        require(self.moved > 0 or data.startswith(b"HTTP/1.1 200"), f"a slow reader was refused: {data[:200]!r}")
        self.moved += len(data)


class Writer(_SlowClient):
    """Uploads one, and never comes to its end."""

    def __init__(self, sockets: ExitStack, port: int, number: int) -> None:
        call = Call(b"PUT", b"/slow/upload-%d" % number).having((b"content-length", b"%d" % _SIZE))
        super().__init__(sockets, port, call.render())

    def move(self) -> None:
        self.moved += self._socket.send(_BLOCK)
        data = self._socket.recv(4096)  # would block, unless the server has given up
        require(False, f"a slow writer was refused after {self.moved} bytes: {data[:200]!r}")


def campaign(base: Path, *, readers: int, writers: int, seconds: float) -> None:
    """Measure ``readers`` and then ``writers``, each for ``seconds``."""
    with started(base / "root", base / "scratch", settings={"log": {"access": "off"}}) as server:
        _warm(server)
        _measure(server, "readers", Reader, readers, seconds)
        _measure(server, "writers", Writer, writers, seconds)


def _warm(server: Server) -> None:
    """Make the objects, as holes, and let the server load what it loads late."""
    require(ask(server.port, Call(b"PUT", b"/slow")).status == 200, "the bucket cannot be made")
    for number in range(8):
        with (server.root / "slow" / f"object-{number}").open("wb") as file:
            file.truncate(_SIZE)
    require(len(ask(server.port, Call(b"GET", b"/slow/object-0")).body) == _SIZE, "an object is short")
    require(ask(server.port, Call(b"PUT", b"/slow/warm", body=bytes(MIB))).status == 200, "a write was refused")


def _measure(server: Server, name: str, kind: type[Reader] | type[Writer], count: int, seconds: float) -> None:
    descriptors, before = server.descriptors(), server.resident_bytes()
    server.reset_peak()
    with ExitStack() as sockets:
        clients = [kind(sockets, server.port, number) for number in range(count)]
        _drive(clients, seconds)
        growth = server.resident_bytes("VmHWM") - before
    rate = sorted(client.moved for client in clients)[count // 2] / 1024 / seconds
    say(
        f"{count} slow {name}",
        f"{growth / MIB:.1f}",
        f"MiB more at the peak (from {before / MIB:.0f}), {rate:.0f} KiB/s each",
    )
    require(growth < _LIMIT, f"{count} slow {name} took {growth / MIB:.1f} MiB")
    require_flat(server, descriptors)


def _drive(clients: Sequence[_SlowClient], seconds: float) -> None:
    begin = time.monotonic()
    tick = 0
    while (now := time.monotonic()) < begin + seconds:
        time.sleep(max(0.0, begin + tick * _TICK_SECONDS - now))
        for client in clients:
            client.tick()
        tick += 1
    starved = sum(client.moved == 0 for client in clients)
    require(starved == 0, f"{starved} of {len(clients)} slow clients got nothing in {seconds:.0f} s")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=500)
    parser.add_argument("--writers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=40, help="for each of the two")
    given = parser.parse_args()
    return run(lambda base: campaign(base, readers=given.readers, writers=given.writers, seconds=given.seconds))


if __name__ == "__main__":
    sys.exit(main())
