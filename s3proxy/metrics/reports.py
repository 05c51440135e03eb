"""What processes tell in words: each one a text of at most 64 KiB that it replaces now and then."""

import mmap
import os
import struct
import zlib
from typing import Final, Self

REPORT_BYTES: Final = 64 * 1024 - 8
"""How long a report may be."""

_PLACE_BYTES: Final = 64 * 1024
_HEAD: Final = struct.Struct("=II")  # length, CRC-32
_ATTEMPTS: Final = 5


class ReportBoard:
    """A place for the report of each process, in memory that they share.

    Nothing is locked: a report counts only while its checksum is right, so whoever reads while another writes, or
    after it was killed at that, notices. Made by ``create``, ``attach`` or ``private``; ``close`` frees it.
    """

    def __init__(self, fd: int, memory: mmap.mmap, process: int) -> None:
        self.fd: Final = fd
        """Of the memfd, to be passed on to processes; -1 of a private board."""
        self._memory = memory
        self._places: Final = range(0, len(memory), _PLACE_BYTES)
        if not 0 <= process < len(self._places):
            raise ValueError(f"process {process} of {len(self._places)}")
        self._place = self._places[process]

    @classmethod
    def create(cls, processes: int) -> Self:
        """Make an empty board for so many processes, and for this one as one more beside them."""
        fd = os.memfd_create("s3proxy-reports")
        try:
            size = (processes + 1) * _PLACE_BYTES
            os.ftruncate(fd, size)
            return cls(fd, mmap.mmap(fd, size), processes)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, process: int) -> Self:
        """Share the board of a process that created it.

        Args:
            fd: inherited; taken over.
            process: from 0; one at a time. Until it publishes, the report of the one before it stays.

        Raises:
            ValueError: the board is not for so many processes.
        """
        return cls(fd, mmap.mmap(fd, os.fstat(fd).st_size), process)

    @classmethod
    def private(cls) -> Self:
        """Make a board that is shared with nobody; it need not be closed."""
        return cls(-1, mmap.mmap(-1, _PLACE_BYTES), 0)

    def close(self) -> None:
        """Unmap and close; the other processes keep theirs."""
        if self.fd >= 0:
            self._memory.close()
            os.close(self.fd)

    def publish(self, report: bytes) -> None:
        """Replace this process's report.

        Raises:
            ValueError: it is longer than ``REPORT_BYTES``.
        """
        if len(report) > REPORT_BYTES:
            raise ValueError(f"a report of {len(report)} bytes")
        start = self._place + _HEAD.size
        self._memory[start : start + len(report)] = report
        _HEAD.pack_into(self._memory, self._place, len(report), zlib.crc32(report))

    def read_own(self) -> bytes:
        """The report that this process, or the one that had its place before, has published; empty without one."""
        return self._read(self._place)

    def read_all(self) -> list[bytes]:
        """The reports of all processes that have published one, also of those that have ended."""
        return [report for place in self._places if (report := self._read(place))]

    def _read(self, place: int) -> bytes:
        for _ in range(_ATTEMPTS):
            length, checksum = _HEAD.unpack_from(self._memory, place)
            start = place + _HEAD.size
            report = self._memory[start : start + min(length, REPORT_BYTES)]
            if zlib.crc32(report) == checksum:
                return report
        return b""
