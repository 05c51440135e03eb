"""A node's tiers in temporary directories, and block caches over them."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import trio

from s3proxy.body import Body, FileSlice
from s3proxy.cache.blocks import Geometry, ObjectVersion
from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.cache.counters import Counter
from s3proxy.cache.eviction import Evictor
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.source import Fetched, Source
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import prepare_directory
from s3proxy.cache.usage import TierUsage

UNIT = 64 * 1024
BLOCK = 1024 * 1024
GEOMETRY = Geometry(block_size=BLOCK, unit_size=UNIT)
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Everything of a node but its workers."""

    shared: SharedWords
    tiers: list[Tier]
    geometry: Geometry

    def cache(self, nursery: trio.Nursery, limits: FetchLimits | None = None, *, evicts: bool = False) -> BlockCache:
        """A worker's cache."""
        return BlockCache(
            self.tiers,
            self.geometry,
            nursery=nursery,
            shared=self.shared,
            evictors=self.evictors() if evicts else (),
            limits=limits or FetchLimits(max_fetch_bytes=4 * BLOCK, max_prefetch_bytes=8 * BLOCK),
        )

    def evictors(self) -> list[Evictor]:
        return [Evictor(tier, block_size=self.geometry.block_size, shared=self.shared) for tier in self.tiers]

    def total(self, counter: Counter) -> int:
        return self.shared.total(counter)

    def block_files(self, tier: int = 0) -> list[Path]:
        return sorted((self.tiers[tier].directory / "blocks").iterdir())


@contextmanager
def rig_over(*directories: Path, geometry: Geometry = GEOMETRY, size_bytes: int = 1 << 30) -> Iterator[Rig]:
    """Tiers in these directories, the first one called memory and the second one disk."""
    with ExitStack() as stack:
        shared = SharedWords.create(2)
        stack.callback(shared.close)
        tiers = []
        for number, directory in enumerate(directories):
            stack.callback(os.close, prepare_directory(directory, geometry))
            usage = TierUsage(shared, number, size_bytes)
            tier = Tier(("memory", "disk")[number], directory, usage=usage, shared=shared)
            stack.callback(tier.close)
            tiers.append(tier)
        yield Rig(shared=shared, tiers=tiers, geometry=geometry)


@contextmanager
def memory_directory() -> Iterator[Path]:
    """A directory on tmpfs, where nothing waits for a disk."""
    with TemporaryDirectory(dir="/dev/shm") as directory:
        yield Path(directory)


@asynccontextmanager
async def worker(
    limits: FetchLimits | None = None, *, size_bytes: int = 1 << 30, geometry: Geometry = GEOMETRY, evicts: bool = False
) -> AsyncIterator[tuple[Rig, BlockCache]]:
    """A cache over a memory tier; leaves no descriptor behind."""
    before = open_descriptors()
    with memory_directory() as directory, rig_over(directory, geometry=geometry, size_bytes=size_bytes) as rig:
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery, limits, evicts=evicts)
            yield rig, cache
            nursery.cancel_scope.cancel()
        cache.close()
    assert open_descriptors() == before


def version_of(data: bytes, key: str = "key") -> ObjectVersion:
    return ObjectVersion(store="store", bucket="bucket", key=key, token="token", size=len(data))


async def bytes_of(body: Body) -> bytes:
    """All bytes of a body, which is closed."""
    async with body:
        return b"".join([_bytes(chunk) async for chunk in body])


def _bytes(chunk: bytes | memoryview | FileSlice) -> bytes:
    if not isinstance(chunk, FileSlice):
        return bytes(chunk)
    data = os.pread(chunk.fd, chunk.length, chunk.offset)
    assert len(data) == chunk.length, "a slice beyond the end of its file"
    return data


async def read(  # like BlockCache.read, to the end
    cache: BlockCache,
    data: bytes,
    source: Source,
    span: tuple[int, int] | None = None,
    *,
    fetched: Fetched | None = None,
    store: bool = True,
) -> bytes:
    start, stop = span or (0, len(data))
    body = await cache.read(version_of(data), start, stop, source, fetched=fetched, store=store)
    assert body.length == stop - start
    return await bytes_of(body)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
