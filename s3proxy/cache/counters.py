"""What the cache counts."""

from enum import IntEnum, unique


@unique
class Counter(IntEnum):
    """A number that only grows, summed over the workers of a node. Operators see the name in lower case.

    The values are places in the shared words, so that counting is one addition.
    """

    HITS = 0
    """Reads all of whose bytes were there."""
    MISSES = 1
    """Reads some of whose bytes had to be fetched or waited for."""
    MEMORY_BYTES = 2
    """Served from the memory tier."""
    DISK_BYTES = 3
    """Served from the disk tier."""
    STORE_BYTES = 4
    """Served as they came from the store."""
    DIRECT_READS = 5
    """Reads that went around the cache because it failed or was full."""
    FILLS = 6
    """Fetches from the store into blocks."""
    FILL_BYTES = 7
    """Written into blocks by fills."""
    COALESCED_WAITS = 8
    """Reads that waited for a fill that somebody else had begun."""
    STORE_REQUESTS = 9
    """Reads asked of the store."""
    PREFETCHED_BYTES = 10
    """Fetched ahead of a sequential reader."""
    PREFETCH_USED_BYTES = 11
    """Of those, read later."""
    PREFETCH_WASTED_BYTES = 12
    """Of those, evicted or forgotten before anybody read them."""
    EVICTED_BLOCKS = 13
    """Removed to make room, from whichever tier, demoted ones too."""
    EVICTED_BYTES = 14
    """What that freed."""
    DEMOTED_BLOCKS = 15
    """Copied from the memory tier to the disk tier before they were evicted."""
    PROMOTED_BLOCKS = 16
    """Copied from the disk tier to the memory tier."""
    PINS_IGNORED = 17
    """Evictions of pinned blocks, because pins took more of the tier than they may."""
    CORRUPT_BLOCKS = 18
    """Dropped because their bytes, entries or header were not what they should be."""
    CACHE_FAILURES = 19
    """Reads and writes of blocks that the file system refused."""
    SCRUBBED_BLOCKS = 20
    """Verified by the scrub."""
