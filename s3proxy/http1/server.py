"""Accepts connections, bounds their number, and ends gracefully."""

import errno
import math
import select
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from s3proxy.http1.congestion import unpace_within_machine
from s3proxy.http1.connection import Incident, Occupancy, ServerConnection, Service
from s3proxy.http1.entrance import Entrance, HandshakeError
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import ConnectionLostError, Handler, Response
from s3proxy.http1.transfer import SocketTransport

# Too many descriptors here or in the system, or no memory for one more: it passes, so wait and try again.
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
# The listening socket itself is unusable. All else, by accept(2), is the fault of the one connection.
_UNUSABLE = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP, errno.EFAULT))
_RETRY_SECONDS = 0.1  # trio.serve_listeners waits as long

_GIVE_WAY_SECONDS = 0.1  # far longer than a worker with room needs, short for whoever is then refused
_DEFER_SECONDS = 0.001  # several times what an idle worker needs to accept who is there
_ACCEPTED_AT_ONCE = 8  # between two turns of all others, so that who comes to a busy worker is let in soon
_MAX_REFUSALS = 64  # told at one time that there is no room; with more than that at the door, it just closes
_DISK_THREADS = 16  # waiting for pages of files being sent: enough to keep a disk's queue filled


class Neighbours(Protocol):
    """The other processes that accept from the same listeners."""

    def tell_connections(self, count: int | None) -> None:
        """Say how many connections this process serves, or None when it accepts no more."""

    def fewest_elsewhere(self) -> int | None:
        """How many the one with the fewest serves; None when no other accepts."""


class HttpServer:
    """Serves HTTP/1.1 on any number of listeners until it is drained.

    One server serves once: make another to serve again.
    """

    def __init__(
        self,
        handler: Handler,
        error_response: Callable[[int, str], Response],
        *,
        observe: Callable[[Incident, Exception], None],
        limits: Limits | None = None,
        entrance: Entrance | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Make a server; nothing happens before ``serve``.

        Args:
            handler: answers the requests.
            error_response: given a status and a reason, makes the response to what never reaches the handler (400,
                408, 414, 431, 501, 503, 505) or breaks it (500). Must not raise.
            observe: told about each incident, in the middle of things: it must neither block nor raise.
            limits: what is granted; the defaults when None.
            entrance: what comes before the first request of a connection; nothing when None.
            neighbours: with whom connections are shared evenly; none when None.
        """
        self._limits = limits or Limits()
        self._entrance = entrance
        self._neighbours = neighbours
        self._service = Service(handler=handler, error_response=error_response, limits=self._limits, observe=observe)
        self._occupancy = Occupancy()
        self._accepting = trio.CancelScope()
        self._disk = trio.CapacityLimiter(_DISK_THREADS)
        self._refusals = 0
        self._gave_way_at = -math.inf
        self.accepted = 0
        """How many connections came."""
        self.refused = 0
        """Of those, how many were turned away."""
        self.failed_handshakes = 0
        """And how many had to be let in and were not."""

    def __repr__(self) -> str:
        occupancy = self._occupancy
        return (
            f"<HttpServer: {occupancy.connections} connections, {len(occupancy.idle)} idle"
            f"{', draining' if occupancy.is_draining else ''}>"
        )

    @property
    def connections(self) -> int:
        """How many connections are being served."""
        return self._occupancy.connections

    @property
    def idle(self) -> int:
        """How many of them wait for a request."""
        return len(self._occupancy.idle)

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until ``drain`` was called and the last response is sent, or its time is over.

        Closes: the listeners, as soon as it stops accepting.

        Raises:
            OSError: a listener cannot be accepted from.
        """
        async with trio.open_nursery() as watch:
            watch.start_soon(self._occupancy.end_idle)
            async with trio.open_nursery() as connections:
                try:
                    self._tell_neighbours()
                    with self._accepting:
                        async with trio.open_nursery() as doors:
                            for listener in listeners:
                                doors.start_soon(self._accept, listener, connections)
                finally:
                    for listener in listeners:
                        listener.close()
                    self._tell_neighbours()
                connections.cancel_scope.deadline = trio.current_time() + self._limits.drain_seconds
            watch.cancel_scope.cancel()

    def drain(self) -> None:
        """Begin the graceful end: accept nothing, let requests in flight finish, close what is idle.

        What is idle is closed a moment later: a request may be on its way, and a client that finds its connection
        closed cannot know whether it was done. If it comes, its answer says that the connection ends with it. Not all
        are closed in one go, for what arrives meanwhile on the last of ten thousand would be lost.
        """
        self._occupancy.is_draining = True
        self._accepting.cancel()
        now, patience, idle = trio.current_time(), self._limits.drain_idle_seconds, self._occupancy.idle
        for place, (end, deadline) in enumerate(idle.items()):
            idle[end] = min(deadline, now + patience * (1 + place / len(idle)))

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        listener.setblocking(False)
        while True:
            await self._give_way(listener)
            await trio.lowlevel.wait_readable(listener)
            if self._is_ahead:
                await trio.sleep(_DEFER_SECONDS)
            try:
                self._admit_some(listener, connections)
            except OSError as error:
                if error.errno in _UNUSABLE:
                    raise
                if error.errno in _EXHAUSTED:
                    self._service.observe(Incident.ACCEPT_FAILED, error)
                    await trio.sleep(_RETRY_SECONDS)

    def _admit_some(self, listener: socket.socket, connections: trio.Nursery) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, address = listener.accept()
            except BlockingIOError:
                return
            self._admit(accepted, address, connections)
            if self._is_full or self._is_ahead:
                return

    async def _give_way(self, listener: socket.socket) -> None:
        """With no room left, let other workers on the same socket take who comes, and return when none did.

        After that, refusals go on for as long without: a queue of them must be told soon.
        """
        while self._is_full and trio.current_time() > self._gave_way_at + _GIVE_WAY_SECONDS:
            await trio.lowlevel.wait_readable(listener)
            await trio.sleep(_GIVE_WAY_SECONDS)
            if _is_readable(listener):
                self._gave_way_at = trio.current_time()

    @property
    def _is_full(self) -> bool:
        return self._occupancy.connections >= self._limits.max_connections

    @property
    def _is_ahead(self) -> bool:
        """Whether another worker should take who comes next, having fewer connections by an eighth or, of few, at all.

        With the exact order even for many, a thousand clients that come at once would wait for each other's turn.
        """
        fewest = None if self._neighbours is None else self._neighbours.fewest_elsewhere()
        return fewest is not None and self._occupancy.connections > fewest + fewest // 8

    def _tell_neighbours(self) -> None:
        if self._neighbours is not None:
            is_over = self._accepting.cancel_called
            self._neighbours.tell_connections(None if is_over else self._occupancy.connections)

    def _admit(self, sock: socket.socket, address: object, connections: trio.Nursery) -> None:
        peer = "unix"
        if isinstance(address, tuple):
            peer = str(address[0])
            # A response is one send or ends with one, so waiting to fill a packet only delays. Set on the listener it
            # would not hold for who was connected before: 40 ms for some requests, as long as the connection lives.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            unpace_within_machine(sock)
        transport = SocketTransport(sock, peer, stall_seconds=self._limits.stall_timeout_seconds, disk=self._disk)
        self.accepted += 1
        if not self._is_full:
            self._occupancy.connections += 1
            self._tell_neighbours()
            connections.start_soon(self._serve_connection, transport)
            return
        self.refused += 1
        if self._refusals < _MAX_REFUSALS:
            self._refusals += 1
            connections.start_soon(self._turn_away, transport)
        else:
            transport.abort()

    async def _serve_connection(self, transport: SocketTransport) -> None:
        try:
            if (connection := await self._open(transport)) is not None:
                await connection.serve()
        finally:
            self._occupancy.connections -= 1
            self._tell_neighbours()

    async def _turn_away(self, transport: SocketTransport) -> None:
        try:
            if (connection := await self._open(transport)) is not None:
                await connection.turn_away()
        finally:
            self._refusals -= 1

    async def _open(self, transport: SocketTransport) -> ServerConnection | None:
        """The connection of a client that was let in."""
        if self._entrance is None:
            return ServerConnection(transport, self._service, self._occupancy)
        limits, is_draining = self._limits, self._occupancy.is_draining
        patience = limits.drain_idle_seconds if is_draining else limits.head_timeout_seconds
        scope = trio.CancelScope(deadline=trio.current_time() + patience)
        # A graceful end waits no longer for one who has not asked yet.
        self._occupancy.idle[scope.cancel] = scope.deadline
        try:
            with scope:
                entered = await self._entrance.enter(transport, limits.linger_seconds)
                return ServerConnection(entered, self._service, self._occupancy)
            if not self._occupancy.is_draining:
                self._note_failed(HandshakeError("It was not finished in time."))
        except HandshakeError as error:
            self._note_failed(error)
        except ConnectionLostError:
            pass  # a balancer that tries whether the port answers, say
        finally:
            del self._occupancy.idle[scope.cancel]
        return None

    def _note_failed(self, error: HandshakeError) -> None:
        self.failed_handshakes += 1
        self._service.observe(Incident.HANDSHAKE_FAILED, error)


def _is_readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
