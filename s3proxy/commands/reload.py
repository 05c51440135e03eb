"""``s3proxy reload``: have the running node replace its workers, with new code if there is some, and no request fails.

Whoever listens on a Unix socket is known to the kernel. For the admin socket that is the supervisor, which is sent the
signal.
"""

import argparse
import os
import signal
import socket
import struct
import sys
from typing import Final

from s3proxy.commands.admin_client import NoNodeError, connect
from s3proxy.commands.finding import HINT, add_node_options, sockets_of

_FAILED: Final = 1
_NO_NODE: Final = 3
_CREDENTIALS: Final = struct.Struct("=3i")  # struct ucred of unix(7): pid, uid, gid


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``reload`` to the commands of the command line."""
    text = "replace the workers of the running node one by one, with new code if there is some"
    parser = commands.add_parser(
        "reload",
        help=text,
        description=text.capitalize() + ". No request fails. SIGHUP does the same and reads the configuration again.",
    )
    add_node_options(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Ask for it; returns the exit code. How it goes, the node's log tells."""
    try:
        with connect(sockets_of(options)) as connection:
            pid = _listener_of(connection)
            os.kill(pid, signal.SIGUSR2)
    except NoNodeError as error:
        return _fail(f"{error}; {HINT}", _NO_NODE)
    except OSError as error:
        return _fail(f"the node cannot be asked: {error.strerror or error}", _FAILED)
    sys.stdout.write(f"process {pid} was asked to replace its workers; its log tells how that goes\n")
    return 0


def _listener_of(connection: socket.socket) -> int:
    """The process that has made the other end listen.

    Raises:
        OSError: it is not to be seen from here, as out of another PID namespace.
    """
    pid: int = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    if pid <= 1:
        raise OSError("its process cannot be seen from here; send SIGUSR2 to it where it runs")
    return pid


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"s3proxy: {message}\n")
    return code
