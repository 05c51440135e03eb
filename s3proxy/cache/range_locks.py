"""Exclusive locks on ranges of bytes of a file, which belong to the open file and not to the process.

The kernel frees them when the last descriptor of the open file is closed, so also when a process is killed. Two ranges
of one open file do not exclude each other: that is up to whoever owns it.

Source: fcntl(2), open file description locks.
"""

import fcntl
import os
import struct
from typing import Final

_FLOCK: Final = struct.Struct("hhqqi4x")  # struct flock where off_t has 64 bits: type, whence, start, length, pid


def try_lock(fd: int, start: int, stop: int) -> bool:
    """Lock ``[start, stop)``, not empty, of a file that is open for writing, if nobody else holds any of it.

    Raises:
        OSError: the file system has no such locks, or no memory is left for one.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, stop - start, 0))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, says POSIX
        return False
    return True


def unlock(fd: int, start: int, stop: int) -> None:
    """Free what this open file holds of ``[start, stop)``."""
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, start, stop - start, 0))


def is_locked(fd: int, start: int, stop: int) -> bool:
    """Whether another open file holds any of ``[start, stop)``."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, stop - start, 0)
    kind: int = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked))[0]
    return kind != fcntl.F_UNLCK
