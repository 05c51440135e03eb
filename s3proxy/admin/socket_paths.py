"""Where the admin socket of a node lies, so that the command line finds it without being told.

Nodes are told apart by their data port. A service has $RUNTIME_DIRECTORY, which the operator's shell has not, so the
command line looks at every place where a node may have put its socket.
"""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

SERVICE_DIRECTORY = Path("/run/s3proxy")
"""What ``RuntimeDirectory=s3proxy`` of the unit file makes."""


class SocketPathError(Exception):
    """There is no safe place for the socket; the message is a sentence for the operator."""


def candidates(port: int, environ: Mapping[str, str]) -> list[Path]:
    """Every place where the socket of the node on data port ``port`` may lie, the likeliest first."""
    directories = [*_runtime_directories(environ), SERVICE_DIRECTORY]
    if not (own := _own_directory()).exists() or is_private(own):
        directories.append(own)  # else somebody may wait there for commands that are not meant for them
    return [directory / f"s3proxy-{port}.sock" for directory in dict.fromkeys(directories)]


def place(port: int, environ: Mapping[str, str]) -> Path:
    """Where a node on data port ``port`` is to put its socket; makes the directory when it is the last resort.

    Raises:
        SocketPathError: somebody else holds the directory's name.
    """
    for directory in _runtime_directories(environ):
        if os.access(directory, os.W_OK | os.X_OK):
            return directory / f"s3proxy-{port}.sock"
    directory = _own_directory()
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SocketPathError(f"{directory}: cannot be made: {error.strerror}") from error
    if not is_private(directory):
        raise SocketPathError(f"{directory}: is not a directory that only this user can use; name another admin.socket")
    return directory / f"s3proxy-{port}.sock"


def is_private(directory: Path) -> bool:
    """Whether nobody but this user and root can have put something into ``directory``: names in /tmp can be taken."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077


def _runtime_directories(environ: Mapping[str, str]) -> list[Path]:
    named = (environ.get("RUNTIME_DIRECTORY", "").partition(":")[0], environ.get("XDG_RUNTIME_DIR", ""))
    return [Path(name) for name in named if name.startswith("/")]


def _own_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"s3proxy-{os.getuid()}"
