"""Which buckets fill a tier, estimated from the headers of some of its blocks."""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from s3proxy.cache.blocks import BlockId, ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.policy import Entry

_MOST_NAMES: Final = 100_000
_MOST_HEADERS: Final = 2_000
_READING_SECONDS: Final = 1.0
"""A disk that is busy or slow is asked no longer for headers."""

_MOST_BUCKETS: Final = 50


class Blocks(Protocol):
    """A tier, as far as it matters here."""

    def scan(self) -> Iterator[Entry]:
        """Every block, in no order."""
        ...

    def identify(self, name: str) -> BlockId | None:
        """Which block a file is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What was found in a tier."""

    blocks: int = 0
    """Estimated where there are very many."""
    is_working: bool = True
    buckets: Sequence[tuple[str, int]] = ()
    """The largest first, with their parts of the bytes used; an estimate."""


def survey(tier: Blocks, used_bytes: int, bucket_of: Callable[[ObjectVersion], str]) -> Contents:
    """Look through a tier. Blocks the thread for a second or two at most, unless its disk hangs.

    Names of blocks are hashes, so those that come first in order are as good a sample as any.

    Args:
        tier: which.
        used_bytes: what it holds.
        bucket_of: the name by which clients know the bucket of a block.
    """
    try:
        found = list(islice(tier.scan(), _MOST_NAMES))
        sizes = _sample(tier, found, bucket_of)
    except CacheIOError:
        return Contents(is_working=False)
    sampled_bytes = sizes.total()
    scanned_bytes = sum(entry.allocated for entry in found)
    return Contents(
        blocks=len(found) if len(found) < _MOST_NAMES else round(used_bytes * len(found) / max(scanned_bytes, 1)),
        buckets=[
            (bucket, round(used_bytes * size / sampled_bytes)) for bucket, size in sizes.most_common(_MOST_BUCKETS)
        ],
    )


def _sample(tier: Blocks, entries: Sequence[Entry], bucket_of: Callable[[ObjectVersion], str]) -> Counter[str]:
    """Bytes by bucket of some of the blocks."""
    sizes: Counter[str] = Counter()
    deadline = time.monotonic() + _READING_SECONDS
    for entry in heapq.nsmallest(_MOST_HEADERS, entries, key=lambda entry: entry.name):
        if time.monotonic() > deadline and sizes:
            break
        block = tier.identify(entry.name)
        if block is not None and entry.allocated:
            sizes[bucket_of(block.version)] += entry.allocated
    return sizes
