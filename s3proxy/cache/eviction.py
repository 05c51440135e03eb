"""Keeping a tier below its size: the blocks that its policy names go, from memory to the disk tier first.

Any worker may evict, one at a time for each tier of a node. Pinned blocks stay, as long as they are not most of the
tier, and so do those that are being filled.
"""

import contextlib
import os
import time
from dataclasses import dataclass
from math import inf
from typing import Final

from s3proxy.cache.atimes import set_atime
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.copying import copy_block
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.pins import Pin, Pins
from s3proxy.cache.policy import Candidates, Entry
from s3proxy.cache.range_locks import is_locked
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier, read_identity
from s3proxy.cache.tier_directory import evicting, remove_put_aside, remove_temporaries

PINNED_FRACTION: Final = 0.8
"""Of a tier, that pins may keep."""

_SPARE_BLOCKS: Final = 4  # below the size, and below what is asked for: room for the next few fills
_POLL_SECONDS: Final = 0.005
_END: Final = 1 << 62  # of any file


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermarks:
    """Between which sizes a tier is kept, as fractions of its own; a small tier keeps some blocks free all the same."""

    high: float = 0.95
    low: float = 0.85

    def high_bytes(self, size: int, block_size: int) -> int:
        """Above this, evicting begins."""
        return max(min(int(size * self.high), size - _SPARE_BLOCKS * block_size), size // 2)

    def low_bytes(self, size: int, block_size: int) -> int:
        """Down to this it goes on."""
        return max(min(int(size * self.low), size - 2 * _SPARE_BLOCKS * block_size), size // 4)


class Evictor:
    """Evicts from one tier. Everything blocks, but ``is_due``.

    Args:
        tier: which.
        block_size: bytes of a block.
        shared: words of the node, where it counts.
        below: of the tier that takes what this one evicts, if any.
        watermarks: between which sizes.
    """

    def __init__(
        self,
        tier: Tier,
        *,
        block_size: int,
        shared: SharedWords,
        below: "Evictor | None" = None,
        watermarks: Watermarks = Watermarks(),
    ) -> None:
        self.tier: Final = tier
        self.pins: Final = Pins(tier.directory)
        self._block_size = block_size
        self._shared = shared
        self._below = below
        self._watermarks = watermarks
        self._candidates: Candidates = tier.policy.candidates((), tier.usage.size_bytes)
        self._listed_at = -inf
        self._pins: list[Pin] = []
        self._pinned_bytes = 0  # that were passed over since the scan

    @property
    def is_due(self) -> bool:
        """Whether the tier is above its high watermark."""
        usage = self.tier.usage
        return usage.used_bytes() > self._watermarks.high_bytes(usage.size_bytes, self._block_size)

    def run(self) -> int:
        """Evict down to the low watermark if the tier is above the high one and nobody is doing so already.

        Returns:
            How many blocks went.

        Raises:
            CacheIOError: the directory cannot be read or written.
        """
        if not self.is_due:
            return 0
        with evicting(self.tier.directory) as has_turn:
            if not has_turn:
                return 0
            if self._below is not None:
                self._below.run()
            remove_temporaries(self.tier.directory)
            remove_put_aside(self.tier.directory)
            self._list()
            if not self.is_due:  # what was believed was more than there is
                return 0
            goal = self._watermarks.low_bytes(self.tier.usage.size_bytes, self._block_size)
            count = 0
            while (used := self.tier.usage.used_bytes()) > goal and (entry := self._candidates.take(used)) is not None:
                count += self._evict(entry, is_demoting=True) > 0
            return count

    def make_room(self, count: int, *, patience_seconds: float = 1.0) -> bool:
        """Make room for ``count`` bytes at once, without copying anything: a client is waiting.

        Args:
            count: bytes.
            patience_seconds: how long to wait for whoever is evicting already.

        Returns:
            Whether there is.

        Raises:
            CacheIOError: the directory cannot be read or written.
        """
        give_up_at = time.monotonic() + patience_seconds
        while not self._has_room(count):
            with evicting(self.tier.directory) as has_turn:
                if has_turn:
                    self._evict_bytes(count + min(_SPARE_BLOCKS * self._block_size, self.tier.usage.size_bytes // 4))
                    return self._has_room(count)
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def promote(self, name: str) -> bool:
        """Copy a block from the tier below, making room for it; it stays there too.

        Returns:
            Whether it is in this tier now.

        Raises:
            CacheIOError: it cannot be read or written, or there is no room.
        """
        assert self._below is not None
        self.make_room(self._block_size)
        is_here = copy_block(name, self._below.tier, self.tier)
        self._shared.add(Counter.PROMOTED_BLOCKS, int(is_here))
        return is_here

    # Whose turn it is, and what comes first

    def _list(self) -> None:
        self._candidates = self.tier.policy.candidates(self.tier.recount(), self.tier.usage.size_bytes)
        self._listed_at = time.monotonic()
        self._pinned_bytes = 0
        self._pins = self.pins.all()

    def _has_room(self, count: int) -> bool:
        usage = self.tier.usage
        return usage.used_bytes() + count <= usage.size_bytes and count <= self.tier.free_bytes()

    # Evicting

    def _evict_bytes(self, count: int) -> None:
        """Evict until there is room for so much, or so much has gone: it is freed only when all have closed it."""
        if time.monotonic() - self._listed_at >= self._candidates.good_seconds:
            self._list()
        removed = 0
        while removed < count and not self._has_room(count):
            entry = self._candidates.take(self.tier.usage.used_bytes())
            if entry is None:
                return
            removed += self._evict(entry, is_demoting=False)

    def _evict(self, entry: Entry, *, is_demoting: bool) -> int:
        """Evict one block, unless it is to stay; how many bytes went."""
        if self._is_to_stay(entry):
            return 0
        if is_demoting:
            self._demote(entry)
        if not self.tier.remove(entry.name):
            return 0
        self._candidates.note_evicted(entry)
        self._shared.add(Counter.EVICTED_BLOCKS)
        self._shared.add(Counter.EVICTED_BYTES, entry.allocated)
        return entry.allocated

    def _is_to_stay(self, entry: Entry) -> bool:
        """Whether the block was used so that it stays for now, is being filled, or is pinned."""
        fd = self.tier.open_file(entry.name)
        if fd is None:
            return True
        try:
            if self._is_renewed(entry, fd) or is_locked(fd, 0, _END):
                return True
            block = read_identity(fd) if self._pins else None
        except OSError:
            return False
        finally:
            os.close(fd)
        return block is not None and self._is_pinned(block.version, entry.allocated)

    def _is_renewed(self, entry: Entry, fd: int) -> bool:
        atime_ns = os.fstat(fd).st_atime_ns
        renewed_ns = self._candidates.renewed(entry, atime_ns)
        if renewed_ns is not None and renewed_ns != atime_ns:
            set_atime(fd, renewed_ns)
        return renewed_ns is not None

    def _is_pinned(self, version: ObjectVersion, allocated: int) -> bool:
        if not any(pin.covers(version) for pin in self._pins):
            return False
        if self._pinned_bytes + allocated > PINNED_FRACTION * self.tier.usage.size_bytes:
            self._shared.add(Counter.PINS_IGNORED)
            return False
        self._pinned_bytes += allocated
        return True

    def _demote(self, entry: Entry) -> None:
        usage = self.tier.usage
        if self._below is None or usage.used_bytes() + self._block_size > usage.size_bytes:
            return  # fills are waiting for room, and copying would take too long
        with contextlib.suppress(CacheIOError):
            is_there = copy_block(entry.name, self.tier, self._below.tier)
            self._shared.add(Counter.DEMOTED_BLOCKS, int(is_there))
