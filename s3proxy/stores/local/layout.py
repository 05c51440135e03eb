"""The directories that a store consists of, opened once; everything else is found below these descriptors.

    <root>/<bucket>/<key>           the objects
    <root>/.s3proxy/tmp/            files being written, one directory for each process (staging.py)
    <root>/.s3proxy/uploads/        multipart uploads in progress (uploads.py)
    <root>/.s3proxy/buckets/        bucket records where directories have no extended attributes (buckets.py)
    <root>/.s3proxy/locks/          commit locks (locks.py)
    <root>/.s3proxy/metadata/       object records that do not fit an extended attribute (records.py)

The hidden directory is no bucket, since a bucket's name cannot begin with a dot. Only the owner of the server may look
into it: it holds tags and unfinished objects whatever the permissions of the buckets are.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

_HIDDEN = ".s3proxy"
_NAMES = ("tmp", "uploads", "buckets", "locks", "metadata")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RootError(Exception):
    """The root directory cannot be used; the message says why, to the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Descriptors of the root and of the hidden directories.

    *Closes:* whoever opened it calls ``close``.
    """

    root: int
    hidden: dict[str, int]
    """The hidden directories by name; of a read-only store, those that exist."""

    def close(self) -> None:
        """Close every descriptor; not idempotent."""
        for fd in (self.root, *self.hidden.values()):
            os.close(fd)


def open_layout(root: Path, *, read_only: bool) -> Layout:
    """Open the root, and make the hidden directories that are missing.

    Args:
        root: the directory that holds the buckets; it must exist.
        read_only: make nothing, and take what hidden directories there are.

    Raises:
        RootError: it is missing, no directory, not permitted, or cannot be written to although it should be.
    """
    with contextlib.ExitStack() as on_error:
        try:
            root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            on_error.callback(os.close, root_fd)
            hidden = _open_existing(root_fd) if read_only else _open_or_make(root_fd)
        except OSError as error:
            raise RootError(_reason(root, error, read_only=read_only)) from error
        on_error.pop_all()
    return Layout(root=root_fd, hidden=hidden)


def _open_or_make(root_fd: int) -> dict[str, int]:
    with contextlib.ExitStack() as on_error:
        hidden_fd = _make_directory(_HIDDEN, root_fd)
        try:
            opened = {}
            for name in _NAMES:
                opened[name] = _make_directory(name, hidden_fd)
                on_error.callback(os.close, opened[name])
            # An existing directory on a file system that was remounted read-only shows only when something is made.
            os.utime(hidden_fd)
        finally:
            os.close(hidden_fd)
        on_error.pop_all()
    return opened


def _make_directory(name: str, parent_fd: int) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent_fd)
    return os.open(name, _DIRECTORY, dir_fd=parent_fd)


def _open_existing(root_fd: int) -> dict[str, int]:
    opened: dict[str, int] = {}
    for name in _NAMES:
        # Also without the permission to look into it: then the records that are kept there are not seen.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            opened[name] = os.open(f"{_HIDDEN}/{name}", _DIRECTORY, dir_fd=root_fd)
    return opened


def _reason(root: Path, error: OSError, *, read_only: bool) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{root}: does not exist; make the directory first"
    if isinstance(error, NotADirectoryError):
        return f"{root}: it, or {_HIDDEN} in it, is not a directory"
    reason = f"{root}: cannot be {'read' if read_only else 'written'}: {os.strerror(error.errno or 0)}"
    return reason if read_only else f"{reason}; to serve it for reading only, set read_only"
