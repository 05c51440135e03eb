"""Who writes which part of a block: claims, at most one for each byte on the whole node."""

import contextlib
import threading
from collections.abc import Callable
from typing import Final

from s3proxy.cache.block_layout import BlockLayout
from s3proxy.cache.blocks import PAGE_BYTES
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.range_locks import is_locked, try_lock, unlock
from s3proxy.cache.unit_writer import UnitWriter
from s3proxy.cache.usage import TierUsage


class Claim:
    """The right to write ``[start, stop)`` of a block, until it is released.

    Made by ``Block.claim``. Closes: whoever has it releases it; the kernel does when the process dies.
    """

    __slots__ = ("_free", "start", "stop", "writer")

    def __init__(self, start: int, stop: int, writer: UnitWriter, free: Callable[["Claim"], None]) -> None:
        self.start: Final = start
        self.stop: Final = stop
        self.writer: Final = writer
        self._free: Callable[[Claim], None] | None = free

    def release(self) -> None:
        """Let others have it; idempotent. Nothing may be writing any more."""
        free, self._free = self._free, None
        if free is not None:
            self.writer.close()
            free(self)


class Claims:
    """The claims of this process on one open block file.

    Args:
        fd: of the file, whose locks exclude other processes and other open files of this one.
        layout: of it.
        usage: of the tier, where room is reserved.
    """

    __slots__ = ("_claims", "_fd", "_layout", "_lock", "_usage")

    def __init__(self, fd: int, layout: BlockLayout, usage: TierUsage) -> None:
        self._fd = fd
        self._layout = layout
        self._usage = usage
        self._claims: list[Claim] = []
        self._lock = threading.Lock()

    def take(self, start: int, stop: int, free: Callable[[Claim], None]) -> Claim | None:
        """Claim the units of ``[start, stop)``; None when somebody has part of them.

        Args:
            start: first byte.
            stop: end, more than ``start``.
            free: what releasing the claim calls; it calls ``give_back``.

        Raises:
            TierFullError: there is no room.
            CacheIOError: the file system has no such locks.
        """
        start, stop = self._aligned(start, stop)
        with self._lock:
            if self._is_ours(start, stop) or not self._try_lock(start, stop):
                return None
            reserved = -(-(stop - start) // PAGE_BYTES) * PAGE_BYTES
            if not self._usage.reserve(reserved):
                self._unlock(start, stop)
                raise TierFullError(f"no room for {reserved} bytes")
            claim = Claim(start, stop, UnitWriter(self._fd, self._layout, self._usage, reserved), free)
            self._claims.append(claim)
            return claim

    def at(self, offset: int) -> Claim:
        """The claim that the byte at ``offset`` is in; there must be one."""
        return next(claim for claim in self._claims if claim.start <= offset < claim.stop)

    def is_taken(self, start: int, stop: int) -> bool:
        """Whether anybody has a part of the units of ``[start, stop)``."""
        start, stop = self._aligned(start, stop)
        with self._lock:
            if self._is_ours(start, stop):
                return True
        try:
            return is_locked(self._fd, self._layout.data_offset + start, self._layout.data_offset + stop)
        except OSError:
            return False

    def give_back(self, claim: Claim) -> None:
        """End a claim."""
        with self._lock:
            self._claims.remove(claim)
            self._unlock(claim.start, claim.stop)

    def _aligned(self, start: int, stop: int) -> tuple[int, int]:
        unit = self._layout.unit_size
        return start // unit * unit, min(-(-stop // unit) * unit, self._layout.length)

    def _is_ours(self, start: int, stop: int) -> bool:
        # The kernel would not refuse what another claim on the same open file has.
        return any(start < claim.stop and claim.start < stop for claim in self._claims)

    def _try_lock(self, start: int, stop: int) -> bool:
        try:
            return try_lock(self._fd, self._layout.data_offset + start, self._layout.data_offset + stop)
        except OSError as error:
            raise CacheIOError(f"locking a block: {error}") from error

    def _unlock(self, start: int, stop: int) -> None:
        with contextlib.suppress(OSError):  # no memory to cut a lock in two: then it ends with the descriptor
            unlock(self._fd, self._layout.data_offset + start, self._layout.data_offset + stop)
