"""A node in this process: workers with caching stores of their own, over one store."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from s3proxy.cache.blocks import Geometry
from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import prepare_directory
from s3proxy.cache.usage import TierUsage
from s3proxy.stores.base import ObjectStore
from s3proxy.stores.caching.reading import Blocks
from s3proxy.stores.caching.shared_metadata import MetadataTable
from s3proxy.stores.caching.store import CachingStore, Settings
from tests.stores.caching.fakes import Clock, MemoryBlocks

TIERS = ("memory", "disk")
TIER_BYTES = 64 * 1024 * 1024
GEOMETRY = Geometry()


@dataclass(slots=True)
class Node:
    """What its workers share. Made by ``running``."""

    store: ObjectStore
    directory: Path
    clock: Clock
    words: SharedWords
    opened: ExitStack
    workers: list[CachingStore] = field(default_factory=list)

    def worker(self, settings: Settings, blocks: Blocks | None = None) -> CachingStore:
        """One more worker, with its own view of what all share."""
        words = self.view(len(self.workers))
        table = MetadataTable.open(self.directory / "metadata", run=words.run)
        self.opened.callback(table.close)
        made = CachingStore(self.store, blocks or MemoryBlocks(), words, settings, table=table, clock=self.clock)
        self.workers.append(made)
        return made

    def view(self, number: int) -> SharedWords:
        """The shared words as the worker of that number sees them."""
        words = SharedWords.attach(os.dup(self.words.fd), number)
        self.opened.callback(words.close)
        return words


@contextmanager
def running(store: ObjectStore, directory: Path, clock: Clock | None = None) -> Iterator[Node]:
    """A run of a node over ``store``; another one in the same directory is after a restart."""
    with ExitStack() as opened:
        words = SharedWords.create(4)
        opened.callback(words.close)
        yield Node(store, directory, clock or Clock(), words, opened)


def settings(ttl: float = 10.0) -> Settings:
    return Settings(name="store", metadata_ttl_seconds=ttl)


@asynccontextmanager
async def block_caches(
    directory: Path,
    all_words: Sequence[SharedWords],
    *,
    tiers: Sequence[str] = TIERS,
    geometry: Geometry = GEOMETRY,
    limits: FetchLimits = FetchLimits(),  # noqa: B008 - a value
) -> AsyncIterator[list[BlockCache]]:
    """Real caches, one for each worker's words, with tiers of 64 MiB below a directory; fills end with them."""
    async with trio.open_nursery() as nursery:
        with ExitStack() as opened:
            for name in tiers:
                opened.callback(os.close, prepare_directory(directory / name, geometry))
            made = []
            for words in all_words:
                its_tiers = []
                for number, name in enumerate(tiers):
                    usage = TierUsage(words, number, TIER_BYTES)
                    its_tiers.append(Tier(name, directory / name, usage=usage, shared=words))
                    opened.callback(its_tiers[-1].close)
                cache = BlockCache(its_tiers, geometry, nursery=nursery, shared=words, limits=limits)
                opened.callback(cache.close)
                made.append(cache)
            yield made
            nursery.cancel_scope.cancel()
