"""The Unix socket that the admin plane listens on: nobody but the node's own user can connect."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MAX_PATH_BYTES = 107  # sun_path in unix(7), without its NUL
_PROBE_SECONDS = 1.0


class ListenError(Exception):
    """The socket cannot be had; the message is a sentence for the operator."""


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Listen at ``path`` with mode 0600; what a node that is gone has left there is replaced.

    *Closes:* the socket, and removes its file unless another node has put its own there since.

    Raises:
        ListenError: another node listens there, the file is no socket, or the path cannot be used.
    """
    try:
        _refuse_what_lives(path)
        listener = _bind(path)
    except OSError as error:
        raise ListenError(f"{path}: cannot listen there: {error.strerror or error}") from error
    with listener:
        own = _identity(path)
        try:
            yield listener
        finally:
            with suppress(OSError):
                if _identity(path) == own:
                    path.unlink()


def _refuse_what_lives(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ListenError(f"{path}: is there already and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except TimeoutError:
            pass  # a full backlog is a living node too
    raise ListenError(f"{path}: another s3proxy listens there; name another admin.socket")


def _bind(path: Path) -> socket.socket:
    """Bind beside ``path`` and rename: the socket appears with its mode and listening, and no moment without one."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    if len(os.fsencode(beside)) > _MAX_PATH_BYTES:
        raise ListenError(f"{path}: is longer than a socket's path may be; name a shorter admin.socket")
    beside.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(beside))
        beside.chmod(0o600)  # before listen: until then nobody can connect, whatever the umask
        listener.listen(64)
        listener.setblocking(False)
        beside.rename(path)
    except BaseException:
        listener.close()
        beside.unlink(missing_ok=True)
        raise
    return listener


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
