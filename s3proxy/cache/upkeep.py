"""What goes on behind the reads: evicting, closing what was evicted, and promoting what is read from a slow tier."""

from typing import Final, Never

import trio

from s3proxy.cache.copying import copy_block
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.shelf import Shelf

INTERVAL_SECONDS: Final = 0.25
"""At 1 GB/s a tier grows by 256 MiB meanwhile; what does not fit by then is made room for at once."""


async def keep_up(shelf: Shelf) -> Never:
    """Evict, close and promote from time to time, until cancelled."""
    while True:
        await trio.sleep(INTERVAL_SECONDS)
        await evict(shelf)
        await promote(shelf)


async def evict(shelf: Shelf) -> None:
    """Evict from the tiers that are above their high watermark."""
    for evictor in shelf.evictors.values():
        if evictor.is_due:
            try:
                await shelf.in_thread(evictor.run)
            except CacheIOError:
                shelf.note_failure(evictor.tier.name)
    shelf.open_blocks.close_unlinked()  # by whichever worker


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
