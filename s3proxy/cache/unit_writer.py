"""Writing the bytes of a claimed range into a block file and publishing each unit when it is whole."""

import os
from typing import Final

from awscrt.checksums import crc32c

from s3proxy.cache.block_layout import BlockLayout, build_entry
from s3proxy.cache.failures import failure_of
from s3proxy.cache.usage import TierUsage

SECTOR_BYTES: Final = 512
"""In which stat counts what is allocated, whatever the file system."""


class UnitWriter:
    """Writes one range in order; keeps the CRC of the unit that is being written, and the account of the tier.

    Args:
        fd: of the block file.
        layout: of it.
        usage: of the tier.
        reserved: bytes that were reserved for the range.
        present: bytes of the block that are there.
    """

    __slots__ = (
        "_charged", "_crc", "_fd", "_grown", "_layout", "_position", "_reserved", "_spare", "_usage", "_written",
    )  # fmt: skip

    def __init__(self, fd: int, layout: BlockLayout, usage: TierUsage, *, reserved: int, present: int) -> None:
        self._fd = fd
        self._layout = layout
        self._usage = usage
        self._reserved = reserved
        self._position = -1
        self._crc = 0  # of the current unit up to the position
        self._written = 0
        self._grown = 0
        self._charged = 0
        self._spare = max(os.fstat(fd).st_blocks * SECTOR_BYTES - layout.head_bytes - present, 0)

    def write(self, offset: int, data: memoryview) -> list[tuple[int, int]]:
        """Write ``data``, which goes on where the last call ended or begins a unit.

        Returns:
            The numbers and CRCs of the units that are whole now.

        Raises:
            TierFullError: the file system is full.
            CacheIOError: it refused. The same bytes may be written again.
        """
        whole, crc = self._checksum(offset, data)
        try:
            before = os.fstat(self._fd).st_blocks
            self._put(self._layout.data_offset + offset, data)
            self._charge(len(data), (os.fstat(self._fd).st_blocks - before) * SECTOR_BYTES)
            if whole:
                entries = b"".join(build_entry(crc, unit) for unit, crc in whole)
                self._put(self._layout.entries_offset + 8 * whole[0][0], memoryview(entries))
        except OSError as error:
            raise failure_of(error, "writing a block") from error
        self._position = offset + len(data)
        self._crc = crc
        return whole

    def close(self) -> None:
        """Give back what was reserved and not used."""
        self._usage.unreserve(self._reserved)
        self._reserved = 0

    def _checksum(self, offset: int, data: memoryview) -> tuple[list[tuple[int, int]], int]:
        """The units that ``data`` completes, and the CRC of the one that it leaves open."""
        layout = self._layout
        crc = self._crc
        if offset != self._position:
            assert offset % layout.unit_size == 0, f"{offset} neither goes on from {self._position} nor begins a unit"
            crc = layout.seed
        whole = []
        stop = offset + len(data)
        position = offset
        while position < stop:
            unit = position // layout.unit_size
            end = min((unit + 1) * layout.unit_size, layout.length)
            crc = crc32c(data[position - offset : end - offset], crc)
            if end <= stop:
                whole.append((unit, crc))
                crc = layout.seed
            position = end
        return whole, crc

    def _put(self, offset: int, data: memoryview) -> None:
        while data:
            count = os.pwrite(self._fd, data, offset)
            offset += count
            data = data[count:]

    def _charge(self, written: int, grown: int) -> None:
        # What the file grew by is exact where the file system tells it at once: also when a large page of a tmpfs was
        # allocated in one go, then what follows in it costs nothing. One that tells later is not trusted.
        self._written += written
        self._grown += grown
        due = max(self._written - self._spare, self._grown) - self._charged
        if due > 0:
            self._charged += due
            self._usage.allocated(due)
            released = min(due, self._reserved)
            self._reserved -= released
            self._usage.unreserve(released)
