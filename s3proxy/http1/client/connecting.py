"""Connections to a server: name, TCP, TLS, within one deadline."""

import socket

import trio

from s3proxy.http1.client.origin import ClientLimits, Origin
from s3proxy.http1.client.wire import Wire
from s3proxy.http1.messages import ConnectionLostError


class NotSentError(ConnectionLostError):
    """The server was not reached, so it surely acted on nothing: the request may be repeated, whatever it is."""


async def connect(origin: Origin, limits: ClientLimits) -> Wire:
    """Connect to a server.

    Raises:
        NotSentError: no address of it could be reached in time.
    """
    with trio.move_on_after(limits.connect_timeout_seconds) as scope:
        try:
            sock = await _connect_socket(origin)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
            raise NotSentError(f"{origin.host}:{origin.port} cannot be reached: {error}") from error
        return Wire(sock, stall_seconds=limits.stall_timeout_seconds)
    assert scope.cancelled_caught
    raise NotSentError(f"{origin.host}:{origin.port} did not answer for {limits.connect_timeout_seconds:g} s")


async def _connect_socket(origin: Origin) -> socket.socket:
    stream = await trio.open_tcp_stream(origin.host, origin.port)  # which sets TCP_NODELAY
    # From here on a plain socket, so that a system call can be tried before a wait is arranged.
    accepted = stream.socket
    sock = socket.socket(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
    sock.setblocking(False)
    # trio keeps the kernel's buffer small for who wants to change their mind; a body is to fill it.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 0)
    return sock
