"""Setting the access time of a file, and nothing else.

``os.utime`` sets both times. Putting back the modification time that was read a moment ago would hide a change made
since, and that time is what tells a verified block from one that somebody wrote into.

Source: futimens(3), UTIME_OMIT.
"""

import ctypes
import os
from typing import Final

_UTIME_OMIT: Final = (1 << 30) - 2
_NS: Final = 1_000_000_000

_Times = ctypes.c_long * 4  # two struct timespec

_futimens = ctypes.CDLL(None, use_errno=True).futimens
_futimens.argtypes = (ctypes.c_int, ctypes.c_void_p)


def set_atime(fd: int, atime_ns: int) -> None:
    """Set the access time of an open file.

    Raises:
        OSError: a read-only file system, or a file of another user.
    """
    times = _Times(*divmod(atime_ns, _NS), 0, _UTIME_OMIT)
    if _futimens(fd, ctypes.addressof(times)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
