"""The caches of a node as its commands see them: an ``admin.caches.Caches``."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

import trio

from s3proxy.admin.caches import CachedBlock, Presence
from s3proxy.admin.command import CommandError
from s3proxy.admin.fetch_spans import fetch_spans
from s3proxy.admin.messages import Counter, Pin, TierUsage
from s3proxy.admin.store_reads import list_page, read_through
from s3proxy.cache import counters
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.pins import Pin as CachePin
from s3proxy.cache.plan import Run
from s3proxy.cache.presence import missing_in, presence
from s3proxy.cache.scrub import verify_block
from s3proxy.cache.tier import Tier
from s3proxy.node.caching import NodeCache
from s3proxy.node.names import Names
from s3proxy.s3 import model
from s3proxy.stores.base import ObjectStore


class CacheView:
    """The tiers of this node, and its stores through them.

    Args:
        cache: of this worker.
        store: what clients read from.
        names: of what is cached.
        is_cached: whether a bucket is read through the cache.
    """

    def __init__(self, cache: NodeCache, store: ObjectStore, names: Names, is_cached: Callable[[str], bool]) -> None:
        self._cache = cache
        self._store = store
        self._names = names
        self._is_cached = is_cached
        self._tiers: dict[str, Tier] = {tier.name: tier for tier in cache.tiers}

    # The whole

    def tiers(self) -> Sequence[TierUsage]:
        """The tiers, fastest first."""
        with _told():
            return [
                TierUsage(
                    tier=tier.name,
                    directory=str(tier.directory),
                    size_bytes=tier.usage.size_bytes,
                    used_bytes=tier.usage.used_bytes(),
                    blocks=sum(1 for _ in tier.scan()),
                )
                for tier in self._cache.tiers
            ]

    def counters(self) -> Sequence[Counter]:
        """What all workers of the node counted."""
        total = self._cache.shared.total
        return [Counter(name=each.name.lower(), value=total(each)) for each in counters.Counter]

    # Blocks

    def blocks(self, bucket: str | None, prefix: str) -> Generator[CachedBlock, None, None]:
        """The blocks of every version of the keys that start with ``prefix``, in no order; all without a bucket."""
        place = None if bucket is None else self._names.place_of(bucket, prefix)
        pinned = self._pins()
        with _told():
            for tier in self._cache.tiers:
                for entry in tier.scan():
                    found = tier.identify(entry.name)
                    if found is None or (place is not None and not place.holds(found.version)):
                        continue
                    seen_bucket, key = self._names.of_version(found.version)
                    yield CachedBlock(
                        tier=tier.name,
                        name=entry.name,
                        bucket=seen_bucket,
                        key=key,
                        index=found.number,
                        bytes=entry.allocated,
                        is_pinned=any(pin.covers(found.version) for pin in pinned),
                    )

    def drop(self, block: CachedBlock) -> None:
        """Remove a block; who is reading it goes on reading."""
        with _told():
            self._tiers[block.tier].remove(block.name)

    def verify(self, block: CachedBlock) -> bool:
        """Read a block and compare it with its checksums; a bad one is dropped. True for one that is gone."""
        with _told():
            return verify_block(self._tiers[block.tier], block.name)

    # Pins

    def pins(self) -> Sequence[Pin]:
        """What is pinned, in the names of clients. Pins of stores that were replaced wait for their return."""
        named = filter(None, map(self._names.of_pin, self._pins()))
        return [Pin(bucket=bucket, prefix=prefix) for bucket, prefix in named]

    def pin(self, pin: Pin) -> bool:
        """Keep these blocks from eviction in every tier."""
        wanted = self._pin_of(pin)
        with _told():
            changed = [evictor.pins.add(wanted) for evictor in self._cache.evictors]
        return any(changed)

    def unpin(self, pin: Pin) -> bool:
        """Take back exactly this pin."""
        unwanted = self._pin_of(pin)
        with _told():
            changed = [evictor.pins.remove(unwanted) for evictor in self._cache.evictors]
        return any(changed)

    def _pins(self) -> list[CachePin]:
        return sorted({pin for evictor in self._cache.evictors for pin in evictor.pins.all()})

    def _pin_of(self, pin: Pin) -> CachePin:
        place = self._names.place_of(pin.bucket, pin.prefix)
        return CachePin(store=place.store, bucket=place.bucket, prefix=place.prefix)

    # Objects

    async def list_objects(self, bucket: str, prefix: str, after: str) -> model.ListPage:
        """One page of the keys, from the store."""
        return await list_page(self._store, bucket, model.ListQuery(prefix=prefix, after=after))

    def presence(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[Presence]:
        """How much of each of these versions is cached."""
        with _told():
            return [self._presence_of(self._names.version_of(bucket, listed)) for listed in objects]

    def missing(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[list[model.ByteRange]]:
        """What is not cached of each of these versions, in spans that are fetched in one go."""
        if not self._is_cached(bucket):
            raise CommandError(f"s3://{bucket} is not read through the cache")
        block_size, most = self._cache.blocks.geometry.block_size, self._cache.limits.max_fetch_bytes
        with _told():
            return [
                fetch_spans(self._missing_of(bucket, listed, (0, listed.size)), block_size, most) for listed in objects
            ]

    async def fetch(self, bucket: str, listed: model.ListedObject, span: model.ByteRange) -> None:
        """Read a span as a client does, which caches it, and look whether it did."""
        await read_through(self._store, bucket, listed, span)
        with _told():
            missing = await trio.to_thread.run_sync(self._missing_of, bucket, listed, (span.start, span.stop))
        if missing:
            raise CommandError("it was read, but no tier has kept it")

    def _presence_of(self, version: ObjectVersion) -> Presence:
        cached = dict.fromkeys(self._tiers, 0)
        missing_bytes = 0
        for found in presence(self._cache.tiers, self._cache.blocks.geometry, version, (0, version.size)):
            missing_bytes += sum(stop - start for start, stop in found.missing_everywhere)
            for tier, held_bytes in found.held.items():
                cached[tier] += held_bytes
        return Presence(present_bytes=version.size - missing_bytes, cached=cached)

    def _missing_of(self, bucket: str, listed: model.ListedObject, span: Run) -> list[Run]:
        version = self._names.version_of(bucket, listed)
        return missing_in(self._cache.tiers, self._cache.blocks.geometry, version, span)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CacheIOError as error:
        raise CommandError(str(error)) from error
