"""What goes on behind the reads: evicting, closing what was evicted, and promoting what is read from a slow tier."""

from math import inf
from typing import Final, Never

import trio

from s3proxy.cache.copying import copy_block
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.shelf import Shelf

INTERVAL_SECONDS: Final = 0.25
"""At 1 GB/s a tier grows by 256 MiB meanwhile; what does not fit by then is made room for at once."""


LOOK_SECONDS: Final = 10.0
"""After which open blocks are looked at though no worker has removed one: somebody else may have."""

_LOOKED_AT_ONCE: Final = 64  # 0.1 ms in which nobody is served


async def keep_up(shelf: Shelf) -> Never:
    """Evict, close and promote from time to time, until cancelled."""
    removed_bytes, looked_at = 0, -inf
    while True:
        await trio.sleep(INTERVAL_SECONDS)
        await evict(shelf)
        before, removed_bytes = removed_bytes, sum(tier.usage.removed_bytes() for tier in shelf.tiers)
        if removed_bytes != before or trio.current_time() >= looked_at + LOOK_SECONDS:
            looked_at = trio.current_time()
            await close_unlinked(shelf)
        await promote(shelf)


async def evict(shelf: Shelf) -> None:
    """Evict from the tiers that are above their high watermark."""
    for evictor in shelf.evictors.values():
        if evictor.is_due:
            try:
                await shelf.in_thread(evictor.run)
            except CacheIOError:
                shelf.note_failure(evictor.tier.name)


async def close_unlinked(shelf: Shelf) -> None:
    """Close the open blocks that were removed by whichever worker."""
    names = shelf.open_blocks.names()
    for start in range(0, len(names), _LOOKED_AT_ONCE):
        shelf.open_blocks.close_unlinked(names[start : start + _LOOKED_AT_ONCE])
        await trio.lowlevel.checkpoint()


async def promote(shelf: Shelf) -> None:
    """Copy to the first tier what was read from another one again."""
    for name, tier in shelf.take_promotable():
        try:
            is_there = await shelf.in_thread(copy_block, name, tier, shelf.tiers[0])
        except CacheIOError:
            continue  # it is read from where it is
        if is_there:
            shelf.open_blocks.forget(name)
            shelf.shared.add(Counter.PROMOTED_BLOCKS)
