"""The listening sockets: of the data port, which all workers accept from, and of the admin process."""

import errno
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from s3proxy.admin.socket_paths import SocketPathError, place
from s3proxy.admin.unix_socket import ListenError
from s3proxy.admin.unix_socket import listening as unix_listening
from s3proxy.config import AdminConfig, Config, is_loopback, split_address
from s3proxy.node.failures import StartError
from s3proxy.node.systemd import passed_sockets
from s3proxy.telemetry import announce_ready, log_error

_BACKLOG = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The sockets of a node, held by its supervisor so that none is refused while processes come and go."""

    data: Sequence[socket.socket]
    admin: Sequence[socket.socket]
    """TCP and Unix."""

    def close_data(self) -> None:
        """Hold the data port no longer."""
        for each in self.data:
            each.close()


@asynccontextmanager
async def listening(config: Config) -> AsyncIterator[Listening]:
    """Listen where the configuration says, or take what the service manager holds.

    Raises:
        StartError: a port is taken, this machine has no such address, or what was passed is no TCP socket.
    """
    with ExitStack() as stack:
        passed = passed_sockets(os.environ)
        for each in (*passed["data"], *passed["admin"]):
            stack.enter_context(each)
        data = passed["data"] or [stack.enter_context(each) for each in await listen(config.server.listen)]
        admin = passed["admin"]
        if not admin and config.admin.listen:
            admin = [stack.enter_context(each) for each in await listen(config.admin.listen, "admin.listen")]
        if admin or is_cache_configured(config):
            unix = _unix_socket(config.admin, data[0].getsockname()[1], stack)
            yield Listening(data=data, admin=[*admin, *unix])
        else:
            yield Listening(data=data, admin=())


def check_reach(config: Config, sockets: Listening) -> None:
    """Check of the sockets of a service manager what the configuration's own addresses are checked for.

    Raises:
        StartError: others than this machine could connect, and would be asked for nothing.
    """
    is_open = config.auth.mode == "open" and not config.auth.allow_open_network
    if is_open and not all(map(_is_loopback, sockets.data)):
        raise StartError(
            "the service manager listens for data on other than loopback addresses; in open mode it must not: set "
            'auth.mode = "signature" and [[users]], or ListenStream=127.0.0.1:PORT in the socket unit'
        )
    if not config.admin.token and not all(map(_is_loopback, sockets.admin)):
        raise StartError(
            "the service manager listens for admin on other than loopback addresses: set admin.token, or "
            "ListenStream=127.0.0.1:PORT in the socket unit"
        )


def _is_loopback(sock: socket.socket) -> bool:
    return sock.family == socket.AF_UNIX or is_loopback(sock.getsockname()[0])


def is_cache_configured(config: Config) -> bool:
    """Whether there is a tier, if only it can be used."""
    return bool(config.memory_tier.directory or config.disk_tier.directory)


async def listen(address: str, key: str = "server.listen") -> list[socket.socket]:
    """Listen on every address that ``HOST:PORT`` means.

    *Closes:* the caller owns the sockets, which do not block.

    Args:
        address: where.
        key: of the configuration, which says it.

    Raises:
        StartError: the port is taken, or this machine has no such address.
    """
    host, port = split_address(address, key)
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=_BACKLOG)
    except OSError as error:
        raise StartError(f'{key} = "{address}": {_reason(error, key)}') from error
    return [_plain(listener.socket) for listener in listeners]


def _unix_socket(config: AdminConfig, port: int, stack: ExitStack) -> list[socket.socket]:
    """The socket of ``s3proxy cache`` and ``s3proxy reload``; without it a node serves all the same."""
    try:
        path = Path(config.socket) if config.socket else place(port, os.environ)
        return [stack.enter_context(unix_listening(path))]
    except (ListenError, SocketPathError) as error:
        log_error(f"no cache commands: {error}")
        return []


def announce(sockets: Sequence[socket.socket], *, is_tls: bool = False) -> None:
    """Say on standard error where the node can be reached now."""
    scheme = "https" if is_tls else "http"
    for address in addresses_of(sockets):
        announce_ready(f"s3proxy ready on {scheme}://{address}")


def addresses_of(sockets: Sequence[socket.socket]) -> list[str]:
    """``HOST:PORT`` of each, with the port that it really has."""
    names = [each.getsockname()[:2] for each in sockets]
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in names]


def _plain(sock: trio.socket.SocketType) -> socket.socket:
    family, kind, protocol = sock.family, sock.type, sock.proto
    return socket.socket(family, kind, protocol, fileno=sock.detach())


def _reason(error: OSError, key: str) -> str:
    if error.errno == errno.EADDRINUSE:
        flag = "--listen" if key == "server.listen" else '--admin-listen; "" is none'
        return f"the port is taken; is another s3proxy running? Choose another with {flag}"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)
