"""The relay as a listener: accepts on a loopback port and passes on to the store.

A path that begins with ``/-/`` is for the relay itself: ``GET /-/tally``, ``PUT /-/tally`` (begin again),
``PUT /-/rules`` and ``PUT /-/refuse`` (seconds, in which connections are refused; whoever is connected is cut off).
"""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

import trio

from tests.faults.connection import LOST, Connection, Road
from tests.faults.heads import Head, Reader
from tests.faults.link import Lane, Shape
from tests.faults.rules import Rule, Rules, parse_rules
from tests.faults.tally import Tally, render_tally

HOST = "127.0.0.1"
_CONTROL = "/-/"
_RECEIVE = 64 * 1024

Address = tuple[str, int]


class Relay:
    """Between whoever connects to ``port`` and the store; ``port`` is 0 until ``run`` has started."""

    def __init__(self, store: Address, *, shape: Shape | None = None, rules: Iterable[Rule] = ()) -> None:
        self.port = 0
        shape = shape or Shape()
        self._store = store
        self._road = Road(rules=Rules(rules), tally=Tally(), up=Lane(shape), down=Lane(shape))
        self._serving = trio.CancelScope()
        self._refuse_seconds = 0.0

    @property
    def tally(self) -> Tally:
        """What the store saw so far."""
        return self._road.tally

    def follow(self, rules: Iterable[Rule]) -> None:
        """Replace the rules, and forget what the former ones did."""
        self._road.rules = Rules(rules)
        self._road.etags.clear()

    def refuse(self, seconds: float) -> None:
        """Cut everybody off, and have connections refused for so long."""
        self._refuse_seconds = seconds
        self._serving.cancel()

    async def run(self, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Reports the port when it accepts."""
        self.port = port
        listeners = await self._listen()
        task_status.started(self.port)
        while True:
            with trio.CancelScope() as self._serving:
                await trio.serve_listeners(self._handle, listeners)
            await trio.sleep(self._refuse_seconds)
            listeners = await self._listen()

    async def _listen(self) -> list[trio.SocketListener]:
        listeners = await trio.open_tcp_listeners(self.port, host=HOST)
        self.port = listeners[0].socket.getsockname()[1]
        return listeners

    async def _handle(self, client: trio.SocketStream) -> None:
        async with client:
            with suppress(*LOST):
                reader = Reader(client)
                first = await reader.head()
                if first is not None and first.path.startswith(_CONTROL):
                    await self._control(first, reader, client)
                elif first is not None:
                    self.tally.connections += 1
                    async with await trio.open_tcp_stream(*self._store) as store:
                        await Connection(self._road, client, reader, store).run(first)

    async def _control(self, request: Head, reader: Reader, client: trio.SocketStream) -> None:
        body = b""
        while len(body) < (request.length or 0):
            body += await reader.some(_RECEIVE)
        status, answer = b"200 OK", b""
        match request.method, request.path.removeprefix(_CONTROL):
            case b"GET", "tally":
                answer = render_tally(self.tally).encode()
            case b"PUT", "tally":
                self.tally.clear()
            case b"PUT", "rules":
                self.follow(parse_rules(body))
            case b"PUT", "refuse":
                pass  # when this has been answered
            case _:
                status = b"404 Not Found"
        head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        await client.send_all(head % (status, len(answer)) + answer)
        if request.path == "/-/refuse":
            self.refuse(json.loads(body))


@asynccontextmanager
async def relaying(store: Address, *, shape: Shape | None = None, rules: Iterable[Rule] = ()) -> AsyncIterator[Relay]:
    """A relay in this process, for a test."""
    relay = Relay(store, shape=shape, rules=rules)
    async with trio.open_nursery() as nursery:
        await nursery.start(relay.run)
        yield relay
        nursery.cancel_scope.cancel()
