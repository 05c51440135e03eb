"""The listening sockets of the data port, which all workers accept from."""

import errno
import socket
import sys
from collections.abc import Sequence

import trio

from s3proxy.config import split_address
from s3proxy.node.failures import StartError

_BACKLOG = 1024


async def listen(address: str) -> list[socket.socket]:
    """Listen on every address that ``HOST:PORT`` means.

    *Closes:* the caller owns the sockets, which do not block.

    Raises:
        StartError: the port is taken, or this machine has no such address.
    """
    host, port = split_address(address)
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {_reason(error)}") from error
    return [_plain(listener.socket) for listener in listeners]


def listeners_of(sockets: Sequence[socket.socket]) -> list[trio.SocketListener]:
    """What trio accepts from; takes the sockets over."""
    return [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]


def announce(sockets: Sequence[socket.socket], *, is_tls: bool = False) -> None:
    """Say on standard error where the node can be reached now."""
    scheme = "https" if is_tls else "http"
    for each in sockets:
        host, port = each.getsockname()[:2]
        sys.stderr.write(f"s3proxy ready on {scheme}://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stderr.flush()


def _plain(sock: trio.socket.SocketType) -> socket.socket:
    family, kind, protocol = sock.family, sock.type, sock.proto
    return socket.socket(family, kind, protocol, fileno=sock.detach())


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; is another s3proxy running? Choose another with --listen"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)
