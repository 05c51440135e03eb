"""Congestion control between processes of one machine, where there is no link that could be congested."""

import contextlib
import socket

_PACED = b"bbr"
_UNPACED = b"reno"  # which every kernel has and lets everybody choose


def unpace_within_machine(sock: socket.socket) -> None:
    """Let a connected TCP socket send without pauses if its peer is on this machine.

    BBR, the usual algorithm of many machines, spaces packets out by timers. Within a machine that takes longer than
    sending them: 64 MiB from the cache go out at 2.9 GB/s with it and at 7.8 without. Other algorithms are left alone.
    """
    with contextlib.suppress(OSError):  # it is closed already, which whoever uses it finds out
        if sock.getsockname()[0] == sock.getpeername()[0] and _algorithm(sock) == _PACED:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _UNPACED)


def _algorithm(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")
