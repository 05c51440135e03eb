"""What a service manager and the node tell each other: sd_notify(3), sd_listen_fds(3) and sd_watchdog_enabled(3)."""

import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from s3proxy.node.failures import StartError
from s3proxy.telemetry import log_error

OWN_VARIABLES: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
"""Of the environment, and meant for the supervisor alone."""

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"

_FIRST_FD: Final = 3


def notify(*words: str) -> None:
    """Tell the service manager, if there is one; it is never waited for.

    Args:
        words: such as ``READY=1``, one for each line.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.sendto("\n".join(words).encode(), f"\0{address[1:]}" if address.startswith("@") else address)
        except OSError as error:
            log_error(f"the service manager cannot be told {words[0]}: {error.strerror or error}")


def status(text: str) -> str:
    """One line for who asks the service manager how the node is."""
    return f"STATUS={' '.join(text.split())}"


def reloading() -> tuple[str, str]:
    """What begins a reload, which READY=1 ends."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """After how long a silence the service manager ends this process; None when it does not."""
    period, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not period.isdecimal() or not int(period) or (pid and pid != str(os.getpid())):
        return None
    return int(period) / 1e6


def passed_sockets(environ: Mapping[str, str]) -> dict[str, list[socket.socket]]:
    """The listening sockets that the service manager holds for this process, by name: ``data`` and ``admin``.

    One that has no such name is for data. They do not block, and are inherited by nobody any more.

    *Closes:* the caller owns them.

    Raises:
        StartError: one of them is no listening TCP socket.
    """
    found: dict[str, list[socket.socket]] = {"data": [], "admin": []}
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return found
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    for place in range(int(environ.get("LISTEN_FDS", "0"))):
        name = names[place] if place < len(names) and names[place] in found else "data"
        found[name].append(_listening(_FIRST_FD + place))
    return found


def _listening(fd: int) -> socket.socket:
    try:
        sock = socket.socket(fileno=fd)
        is_listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise StartError(f"descriptor {fd} of the service manager is no socket: {error.strerror}") from error
    if not is_listening or sock.family not in (socket.AF_INET, socket.AF_INET6):
        sock.close()
        raise StartError(f"descriptor {fd} of the service manager is no listening TCP socket (ListenStream=HOST:PORT)")
    sock.setblocking(False)
    sock.set_inheritable(False)
    return sock
