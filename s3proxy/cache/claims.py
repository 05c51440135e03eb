"""Claims: who writes which part of a block, at most one for each byte on the whole node.

A claim is a lock on the bytes of its units, held by an open file of its own. So the kernel keeps any two apart, be they
of one process or of two, and frees those of a process that is killed. Nothing else has a block open for writing, so
that a file system can become read-only while its blocks are read.
"""

import os
from collections.abc import Callable
from typing import Final

from s3proxy.cache.block_layout import BlockLayout
from s3proxy.cache.blocks import PAGE_BYTES
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.range_locks import try_lock
from s3proxy.cache.unit_writer import UnitWriter
from s3proxy.cache.usage import TierUsage

Run = tuple[int, int]


class Claim:
    """The right to write ``[start, stop)`` of a block, until it is released.

    Made by ``Block.claim``. Closes: whoever has it releases it; the kernel does when the process dies.

    Args:
        fd: of the block file, open for writing, locked; taken over.
        writer: through ``fd``.
        start: first byte.
        stop: end of the range.
        free: called with this claim once it is released.
    """

    __slots__ = ("_fd", "_free", "changes_at_unit", "start", "stop", "writer")

    def __init__(self, fd: int, writer: UnitWriter, start: int, stop: int, *, free: Callable[["Claim"], None]) -> None:
        self.start: Final = start
        self.stop: Final = stop
        self.writer: Final = writer
        self.changes_at_unit = 0
        """How often others had changed the block, as far as is known, when the unit that is written now was begun."""
        self._fd = fd
        self._free: Callable[[Claim], None] | None = free

    def release(self) -> None:
        """Let others have it; idempotent. Nothing may be writing any more."""
        free, self._free = self._free, None
        if free is not None:
            self.writer.close()
            os.close(self._fd)
            free(self)


def take_claim(
    fd: int, layout: BlockLayout, usage: TierUsage, span: Run, *, present: int, free: Callable[[Claim], None]
) -> Claim | None:
    """Claim whole units of an open block file; None when somebody has part of them.

    Args:
        fd: of the file.
        layout: of it.
        usage: of the tier.
        span: start and stop of the units.
        present: how many bytes of the block are there.
        free: called with the claim once it is released.

    Raises:
        TierFullError: there is no room.
        CacheIOError: the file cannot be opened for writing, or the file system has no such locks.
    """
    start, stop = span
    reserved = -(-(stop - start) // PAGE_BYTES) * PAGE_BYTES
    own_fd = _open_locked(fd, layout.data_offset + start, layout.data_offset + stop)
    if own_fd is None:
        return None
    if not usage.reserve(reserved):
        os.close(own_fd)
        raise TierFullError(f"no room for {reserved} bytes")
    writer = UnitWriter(own_fd, layout, usage, reserved=reserved, present=present)
    return Claim(own_fd, writer, start, stop, free=free)


def _open_locked(fd: int, start: int, stop: int) -> int | None:
    try:
        own_fd = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        try:
            is_locked = try_lock(own_fd, start, stop)
        except BaseException:
            os.close(own_fd)
            raise
    except OSError as error:
        raise CacheIOError(f"claiming a part of a block: {error}") from error
    if not is_locked:
        os.close(own_fd)
    return own_fd if is_locked else None
