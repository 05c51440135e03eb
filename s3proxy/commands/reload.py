"""``s3proxy reload``: have the running node replace its workers, with new code if there is some, and no request fails.

Whoever listens on a Unix socket is known to the kernel. For the admin socket that is the supervisor, which is sent the
signal; what it then tells of its progress, the admin process shows on the same socket.
"""

import argparse
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from s3proxy.admin.reload_progress import Progress
from s3proxy.commands.admin_client import NodeError, NoNodeError, connect, read
from s3proxy.commands.finding import HINT, add_node_options, sockets_of

_FAILED: Final = 1
_NO_NODE: Final = 3
_CREDENTIALS: Final = struct.Struct("=3i")  # struct ucred of unix(7): pid, uid, gid
_POLL_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 300.0


class _RefusedError(Exception):
    """The node does not do as it was asked, or it is not known; the message is a sentence."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``reload`` to the commands of the command line."""
    text = "replace the workers of the running node one by one, with new code if there is some"
    parser = commands.add_parser(
        "reload",
        help=text,
        description=text.capitalize() + ". No request fails. Exits with 1 when the new workers cannot serve; the node "
        "then goes on with those that it has.",
    )
    add_node_options(parser)
    parser.add_argument("--reread", action="store_true", help="read the node's configuration again, too")
    parser.add_argument("--no-wait", action="store_true", help="only ask for it; the node's log tells how it goes")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=_PATIENCE_SECONDS,
        help="how long to wait (default 300); the node goes on anyway",
    )
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Ask for it and wait until it is done; returns the exit code."""
    paths = sockets_of(options)
    number = signal.SIGHUP if options.reread else signal.SIGUSR2
    try:
        if options.no_wait:
            with connect(paths) as connection:
                pid = _listener_of(connection)
            os.kill(pid, number)
            _say(f"process {pid} was asked to replace its workers; its log tells how that goes")
        else:
            pid, before = _progress(paths)
            os.kill(pid, number)
            _say(f"process {pid} replaces its workers")
            _wait(paths, pid, before, options.timeout)
    except NoNodeError as error:
        return _fail(f"{error}; {HINT}", _NO_NODE)
    except NodeError as error:
        return _fail(f"{error}; nothing was asked of it. --no-wait asks without looking how it goes", _FAILED)
    except _RefusedError as error:
        return _fail(str(error), _FAILED)
    except OSError as error:
        return _fail(f"the node cannot be asked: {error.strerror or error}", _FAILED)
    return 0


def _wait(paths: Sequence[Path], pid: int, before: Progress, seconds: float) -> None:
    """Wait for the end of a reload that began after ``before``, and say what happens meanwhile."""
    deadline = time.monotonic() + seconds
    seen = 0
    while time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        try:
            now = _progress_of(paths, pid)
        except NodeError:
            continue  # the admin process is being replaced as well
        if now.begun > before.begun and now.replaced != seen:
            seen = now.replaced
            _say(f"{seen} of {now.processes} processes replaced")
        if now.ended > before.begun:
            if now.refusal:
                raise _RefusedError(
                    f"the reload was refused: {now.refusal}; the node goes on as before, its log tells more"
                )
            _say("done; those that were replaced finish the requests that they have")
            return
    raise _RefusedError(f"the reload was not over after {seconds:g} seconds, and goes on; the node's log tells how")


def _progress_of(paths: Sequence[Path], pid: int) -> Progress:
    try:
        listener, now = _progress(paths)
    except NoNodeError as error:
        raise _RefusedError("the node has ended meanwhile; its log tells why") from error
    if listener != pid:
        raise _RefusedError(f"the node was started anew meanwhile, as process {listener}")
    return now


def _progress(paths: Sequence[Path]) -> tuple[int, Progress]:
    """Of the node's last reload; and which process does them.

    Raises:
        NoNodeError: no node is there.
        NodeError: the admin process does not answer.
        OSError: the supervisor is not to be seen from here.
    """
    with connect(paths) as connection:
        pid = _listener_of(connection)
        content = read(connection, "/reload")
    try:
        return pid, Progress(**json.loads(content))
    except (ValueError, TypeError) as error:
        raise NodeError("what answers is an s3proxy of another version, or none") from error


def _listener_of(connection: socket.socket) -> int:
    """The process that has made the other end listen.

    Raises:
        OSError: it is not to be seen from here, as out of another PID namespace.
    """
    pid: int = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
    if pid <= 1:
        raise OSError("its process cannot be seen from here; send SIGUSR2 to it where it runs")
    return pid


def _say(text: str) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more; what was asked for is done all the same
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"s3proxy: {message}\n")
    return code
