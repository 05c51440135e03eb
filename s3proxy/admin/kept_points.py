"""Points of a history in memory that outlives the process which makes them, for the one that replaces it."""

import math
import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from typing import Final

_HEAD: Final = struct.Struct("=Q")


class KeptPoints:
    """So many points, one for each interval of the clock; a new one takes the place of the one that is as old as all.

    While a process is replaced, it and the next one both put points, and agree on where. One that names its numbers
    otherwise, as of another release, begins anew, and then the one before it no longer puts any.

    *Closes:* ``close``; the descriptor stays open.

    Args:
        names: of the numbers of a point.
        count: how many points are kept.
        interval_seconds: from one to the next.
        fd: of a memfd that has any contents, and grows as needed; None to keep the points for oneself.
    """

    def __init__(self, names: Sequence[str], count: int, interval_seconds: int, fd: int | None = None) -> None:
        self._count = count
        self._interval_seconds = interval_seconds
        self._row = struct.Struct(f"={1 + len(names)}d")  # when, and then the numbers
        self._layout = zlib.crc32(f"{count} {interval_seconds} {' '.join(names)}".encode())
        size = _HEAD.size + count * self._row.size
        if fd is not None and os.fstat(fd).st_size < size:
            os.ftruncate(fd, size)  # never smaller, for another process may have it mapped
        self._memory = mmap.mmap(-1 if fd is None else fd, size)
        if not self._is_ours():
            self._memory[:] = _HEAD.pack(self._layout).ljust(size, b"\0")

    def close(self) -> None:
        """Unmap it."""
        self._memory.close()

    def put(self, at: float, numbers: Sequence[float | None]) -> None:
        """Keep a point.

        Args:
            at: when, in seconds since 1970.
            numbers: in the order of their names; None where there is none.
        """
        place = int(at) // self._interval_seconds % self._count
        row = self._row.pack(at, *(math.nan if each is None else each for each in numbers))
        start = _HEAD.size + place * self._row.size
        if self._is_ours():
            self._memory[start : start + len(row)] = row

    def all(self, now: float) -> list[tuple[float, list[float | None]]]:
        """The points of the time that they cover, up to now, the oldest first.

        What lies beyond ``now`` was put before the clock was set back.
        """
        if not self._is_ours():
            return []
        since = max(0.0, now - self._count * self._interval_seconds)  # where nothing was put, there is a 0
        rows = sorted(row for row in self._row.iter_unpack(self._memory[_HEAD.size :]) if since < row[0] <= now)
        return [(at, [None if math.isnan(each) else each for each in numbers]) for at, *numbers in rows]

    def _is_ours(self) -> bool:
        return bool(_HEAD.unpack_from(self._memory)[0] == self._layout)
