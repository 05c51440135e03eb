"""The admin app on its listeners, by hypercorn. Nothing here can end the process or hold up its end.

What a client may do is bounded: how many connections there are, how long a head may take and be, and how long an
answer may wait for its reader.
"""

import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, cast

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from s3proxy.telemetry import current_client, log_error

MAX_CONNECTIONS: Final = 64
_IDLE_SECONDS: Final = 15.0
"""For the head of a request, the first one too."""

_SEND_SECONDS: Final = 20.0
"""For a piece of an answer to be taken."""

_LATE_SECONDS: Final = 0.5
"""For the request of a connection that was accepted as the last one."""

_CREDENTIALS: Final = struct.Struct("iII")
"""``struct ucred``: process, user, group."""

_TURNED_AWAY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-length: 21\r\n\r\ntoo many connections\n"
)


async def serve_admin(app: ASGIFramework, sockets: Sequence[socket.socket], draining: trio.Event) -> None:
    """Serve ``app`` on listening sockets until ``draining``, and then until all requests are finished.

    When it is cancelled, every connection is closed at once. hypercorn's own ``serve`` is not used: an error in a
    connection would end the process, and it sends under a shield, so a client that stopped reading would keep the
    process from ending.

    *Closes:* the sockets.
    """
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
    wrapped, settings, context = ASGIWrapper(app), _settings(), WorkerContext(None)
    streams: set[trio.SocketStream] = set()

    async def serve_connection(stream: trio.SocketStream) -> None:
        if len(streams) >= MAX_CONNECTIONS:
            await _turn_away(stream)
            return
        streams.add(stream)
        current_client.set(_client_of(stream.socket))
        try:
            # Hypercorn says SSLStream, and takes whatever sends and receives.
            patient = cast("trio.SSLStream[trio.SocketStream]", _PatientStream(stream))
            await _Connection(wrapped, settings, context, ConnectionState({}), patient)
        except Exception as error:  # whatever it is, it concerns this connection only
            log_error("admin connection failed", error)
        finally:
            streams.discard(stream)
            stream.socket.close()

    async with trio.open_nursery() as closing:
        closing.start_soon(_close_when_cancelled, streams)
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, handler_nursery=connections)
                accepting.start_soon(accept, serve_connection, listeners)
                await draining.wait()
                accepting.cancel_scope.cancel()
            await trio.sleep(_LATE_SECONDS)
            await context.terminated.set()  # idle connections are closed, others after their request
        closing.cancel_scope.cancel()


async def _close_when_cancelled(streams: Iterable[trio.SocketStream]) -> None:
    try:
        await trio.sleep_forever()
    finally:
        for stream in streams:
            stream.socket.close()  # wakes whoever sends on it, shield or not


def _client_of(sock: trio.socket.SocketType) -> str:
    """Who connected: the user of a Unix socket, else an address; ``gone`` of whoever has reset the connection already.

    Source: unix(7), SO_PEERCRED.
    """
    if sock.family == socket.AF_UNIX:
        return (
            f"uid {_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[1]}"
        )
    try:
        return str(sock.getpeername()[0])
    except OSError:  # so do the health checks of balancers that have waited too long
        return "gone"


class _Connection(TCPServer):
    """Ends when its client has gone; hypercorn's own waits until it would have been closed as idle."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class _PatientStream:
    """A stream whose reader is waited for, but not for ever: hypercorn has no deadline for sending."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.socket: Final = stream.socket
        self.receive_some: Final = stream.receive_some
        self.send_eof: Final = stream.send_eof
        self.aclose: Final = stream.aclose

    async def send_all(self, data: bytes) -> None:
        """Send, or break the connection."""
        with trio.move_on_after(_SEND_SECONDS) as waiting:
            await self._stream.send_all(data)
        if waiting.cancelled_caught:
            self.socket.close()
            raise trio.BrokenResourceError


def _settings() -> Config:
    settings = Config()
    settings.include_server_header = False
    settings.keep_alive_timeout = _IDLE_SECONDS
    settings.h2_max_concurrent_streams = 8
    return settings


async def _turn_away(stream: trio.SocketStream) -> None:
    with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(1):
        await stream.send_all(_TURNED_AWAY)
    await trio.aclose_forcefully(stream)
