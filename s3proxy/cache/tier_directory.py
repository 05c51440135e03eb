"""What lies where in the directory of a tier, and making it ready before anybody uses it.

::

    format       the layout and the geometry of the blocks, as text
    lock         locked while a node uses the directory
    evictor      locked by whoever evicts
    pins.json    what is never evicted
    blocks/      block files by name: with 100,000 of them one directory is as fast as 256, and faster to fill on ext4
    tmp/         what nobody may see yet, and blocks of another format until they are removed
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from s3proxy.cache.block_layout import LAYOUT_VERSION
from s3proxy.cache.blocks import Geometry
from s3proxy.cache.failures import CacheIOError, TierInUseError

BLOCKS: Final = "blocks"
TEMPORARIES: Final = "tmp"
EVICTOR: Final = "evictor"
PINS: Final = "pins.json"

_FORMAT: Final = "format"
_LOCK: Final = "lock"
_ABANDONED_SECONDS: Final = 600  # a temporary lives for as long as a block is copied


def prepare_directory(directory: Path, geometry: Geometry) -> int:
    """Make a directory ready for a tier, and this node its only user.

    Called once on a node, before its tiers are opened. Blocks of another format or geometry are put aside and
    removed later. Temporaries of processes that died are removed.

    Returns:
        A descriptor that must stay open for as long as any process of the node uses the tier: let workers inherit it.

    Raises:
        TierInUseError: another node process uses the directory.
        CacheIOError: it cannot be made, or not be written.
    """
    with _failures_of(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not for writing: a file system with such a file cannot be made read-only.
        lock_fd = os.open(directory / _LOCK, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (directory / TEMPORARIES).mkdir(mode=0o700, exist_ok=True)
            _put_aside_another_format(directory, geometry)
            (directory / BLOCKS).mkdir(mode=0o700, exist_ok=True)
            remove_temporaries(directory, older_than_seconds=0)
        except BlockingIOError as error:
            os.close(lock_fd)
            raise TierInUseError(f"{directory} is in use by another process") from error
        except BaseException:
            os.close(lock_fd)
            raise
    return lock_fd


@contextlib.contextmanager
def evicting(directory: Path, *, is_waiting: bool = False) -> Iterator[bool]:
    """Be the only one on the node who evicts from a tier or counts what it holds.

    Yields:
        Whether one is; false when somebody else is, unless ``is_waiting``.

    Raises:
        CacheIOError: the directory cannot be written.
    """
    try:
        # Not for writing, as the lock of the node.
        fd = os.open(directory / EVICTOR, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CacheIOError(f"{directory}: {error}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def remove_temporaries(directory: Path, *, older_than_seconds: float = _ABANDONED_SECONDS) -> None:
    """Remove files that whoever made them never published because it died.

    Args:
        directory: of the tier.
        older_than_seconds: younger ones may be in use.

    Raises:
        CacheIOError: the directory cannot be read or written.
    """
    youngest_ns = time.time_ns() - round(older_than_seconds * 1e9)
    with _failures_of(directory), os.scandir(directory / TEMPORARIES) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime_ns <= youngest_ns:
                Path(entry).unlink(missing_ok=True)


def remove_put_aside(directory: Path) -> None:
    """Remove blocks of another format; this takes a second for some 100,000 of them.

    Raises:
        CacheIOError: the directory cannot be read or written.
    """
    with _failures_of(directory), os.scandir(directory / TEMPORARIES) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                for path in Path(entry).iterdir():
                    path.unlink(missing_ok=True)
                Path(entry).rmdir()


def _put_aside_another_format(directory: Path, geometry: Geometry) -> None:
    expected = f"s3proxy cache {LAYOUT_VERSION} {geometry.block_size} {geometry.unit_size}\n"
    path = directory / _FORMAT
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        found = b""
    if found == expected.encode():
        return
    with contextlib.suppress(FileNotFoundError):
        (directory / BLOCKS).rename(directory / TEMPORARIES / f"format-{secrets.token_hex(8)}")
    temporary = directory / TEMPORARIES / f"format.{secrets.token_hex(8)}"
    temporary.write_text(expected)
    temporary.rename(path)


@contextlib.contextmanager
def _failures_of(directory: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise CacheIOError(f"{directory}: {error}") from error
