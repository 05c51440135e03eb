"""Empty directories for what a cache keeps: one in memory, one on a disk.

root gets a tmpfs of its own with large pages, as an installation mounts one; others a directory in /dev/shm, whose
small pages make filling several times as expensive. Every cache of a run is given the same.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench.content import KIB, MIB

_OPTIONS = "huge=within_size,size=6g"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (directories of our own are made in it)
_PREFIX = "s3proxy-bench-tier-"


@contextmanager
def disk_directory(scratch: Path) -> Iterator[Path]:
    """A directory below ``scratch``, removed at the end."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=scratch) as name:
        yield Path(name)


@contextmanager
def memory_directory(scratch: Path) -> Iterator[Path]:
    """A directory in memory, gone at the end: a file system of its own where this process may mount one."""
    if not may_mount():
        with small_page_directory(scratch) as directory:
            yield directory
        return
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=scratch) as name:
        _mount(name)
        try:
            yield Path(name)
        finally:
            _unmount(name)


@contextmanager
def small_page_directory(scratch: Path) -> Iterator[Path]:
    """A directory in memory whose files cost the same in whatever order they are written, gone at the end.

    With large pages who writes parts at once may take 0.03 or 0.5 s for 256 MiB; with small ones it is always 0.08 s.
    It is below ``scratch`` where there is no memory file system.
    """
    below = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else scratch
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=below) as name:
        yield Path(name)


def touch_memory(directory: Path, size: int) -> None:
    """Touch the memory in which files of ``size`` bytes below ``directory`` are going to lie.

    The host of a virtual machine gives memory when it is touched first, and takes back what lies free for seconds. That
    takes 0 to 2 s of CPU per GiB, by chance, of a cache that fills one in 0.65. The kernel has other free pages for
    large writes than for small ones; caches make both.
    """
    with tempfile.TemporaryFile(dir=directory) as large, tempfile.TemporaryFile(dir=directory) as small:
        for file, piece in (large, bytes(MIB)), (small, bytes(32 * KIB)):
            for _ in range(size // len(piece)):
                file.write(piece)


def memory_kind() -> str:
    """What ``memory_directory`` gives here, as a fact of the machine."""
    return f"own tmpfs ({_OPTIONS})" if may_mount() else "directory in /dev/shm"


@cache
def may_mount() -> bool:
    """Whether this process may mount such a file system: root may not in every container."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        try:
            _mount(name)
        except subprocess.CalledProcessError:
            return False
        _unmount(name)
    return True


def _mount(directory: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", _OPTIONS, "tmpfs", directory]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def _unmount(directory: str) -> None:
    subprocess.run(["umount", "--lazy", directory], check=True)
