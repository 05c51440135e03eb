"""The names of blocks that were evicted of late, remembered roughly in a small file that all workers share.

A name has one place in a table, and the one that comes last stays there. Only whoever evicts adds names, one at a time
on a node; a lookup needs no lock, for a word is read whole. Nothing here raises: what cannot be read is not remembered.

The file is opened for each call, since a file system with a file that is open for writing cannot be made read-only, and
it is not mapped, since then a full disk would kill the process.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

_FILE: Final = "ghosts"
_BYTES_PER_PLACE: Final = 256 * 1024  # of the tier: blocks are small files at times
_LEAST_PLACES: Final = 1024
_WORD: Final = 8
_CLOCK_BITS: Final = 40
_CLOCK_MASK: Final = (1 << _CLOCK_BITS) - 1
_KIB: Final = 1024


class Ghosts:
    """Names whose blocks together had as many bytes as the memory is to reach back.

    Args:
        directory: of the tier.
        tier_bytes: its size, from which that of the table is computed.
        reach_bytes: so many bytes of other blocks later a name is forgotten.
    """

    def __init__(self, directory: Path, *, tier_bytes: int, reach_bytes: int) -> None:
        self._path: Final = directory / _FILE
        self._places: Final = max(tier_bytes // _BYTES_PER_PLACE, _LEAST_PLACES)
        self._reach: Final = reach_bytes // _KIB

    def add(self, name: str, count: int) -> None:
        """Remember a block of ``count`` bytes that was evicted."""
        place, fingerprint = self._place(name)
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                clock = _word(fd, 0) + -(-count // _KIB) & _CLOCK_MASK
                os.pwrite(fd, clock.to_bytes(_WORD), 0)
                os.pwrite(fd, (fingerprint << _CLOCK_BITS | clock).to_bytes(_WORD), place)
            finally:
                os.close(fd)
        except OSError:
            return

    def has(self, name: str) -> bool:
        """Whether a block was evicted, and not so long ago that it is forgotten."""
        place, fingerprint = self._place(name)
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                found, clock = _word(fd, place), _word(fd, 0)
            finally:
                os.close(fd)
        except OSError:
            return False
        is_same = found >> _CLOCK_BITS == fingerprint
        return is_same and (clock - found & _CLOCK_MASK) <= self._reach

    def _place(self, name: str) -> tuple[int, int]:
        """Where a name has its word, and what tells it from others there: three bytes that are not all zero."""
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        return (1 + number % self._places) * _WORD, (number >> _CLOCK_BITS) | 1


def _word(fd: int, place: int) -> int:
    return int.from_bytes(os.pread(fd, _WORD, place))
