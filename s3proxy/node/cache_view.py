"""The caches of a node as its commands see them: an ``admin.caches.Caches``."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from s3proxy.admin.caches import CachedBlock, Presence
from s3proxy.admin.command import CommandError
from s3proxy.admin.messages import Counter, Pin, TierUsage
from s3proxy.admin.presence import fetch_spans, locate
from s3proxy.body import Body
from s3proxy.cache import counters
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.pins import Pin as CachePin
from s3proxy.cache.scrub import verify_block
from s3proxy.cache.source import BrokenSourceError
from s3proxy.cache.tier import Tier
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.node.caching import NodeCache
from s3proxy.node.names import Names
from s3proxy.s3 import model
from s3proxy.s3.errors import S3Error
from s3proxy.stores.base import ObjectChangedError, ObjectStore, StoreUnavailableError
from s3proxy.stores.caching.metadata import token_of

_STORE_FAILURES: Final = (S3Error, StoreUnavailableError, ConnectionLostError, BrokenSourceError)


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
                        index=found.index,
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
        """What is pinned, in the names of clients."""
        return [Pin(bucket=bucket, prefix=prefix) for bucket, prefix in map(self._names.of_pin, self._pins())]

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
        return CachePin(place.bucket, place.prefix)

    # Objects

    async def list_objects(self, bucket: str, prefix: str, after: str) -> model.ListPage:
        """One page of the keys, from the store."""
        query = model.ListQuery(prefix=prefix, after=after)
        try:
            return await self._store.list_objects(model.Bucket(bucket), query)
        except _STORE_FAILURES as error:
            raise CommandError(f"s3://{bucket}: {error}") from error

    def presence(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[Presence]:
        """How much of each of these versions is cached."""
        found = []
        with _told():
            for listed in objects:
                located = locate(self._version_of(bucket, listed), self._cache.blocks.geometry, self._cache.tiers)
                missing = sum(stop - start for start, stop in located.missing)
                found.append(Presence(present_bytes=listed.size - missing, cached=located.cached))
        return found

    def missing(self, bucket: str, objects: Sequence[model.ListedObject]) -> list[list[model.ByteRange]]:
        """What is not cached of each of these versions, in spans that are fetched in one go."""
        if not self._is_cached(bucket):
            raise CommandError(f"s3://{bucket} is not read through the cache")
        geometry, most = self._cache.blocks.geometry, self._cache.limits.max_fetch_bytes
        with _told():
            return [
                fetch_spans(
                    locate(self._version_of(bucket, listed), geometry, self._cache.tiers).missing,
                    geometry.block_size,
                    most,
                )
                for listed in objects
            ]

    async def fetch(self, bucket: str, listed: model.ListedObject, span: model.ByteRange) -> None:
        """Read a span as a client does, which caches it."""
        operation = model.GetObject(
            bucket=model.Bucket(bucket), key=listed.key, range=f"bytes={span.start}-{span.stop - 1}"
        )
        try:
            opened = await self._store.get_object(operation)
            try:
                if (opened.info.etag, opened.info.size) != (listed.etag, listed.size):
                    raise CommandError("it changed after it was listed")
                await _read(await opened.read(span))
            finally:
                await opened.aclose()
        except ObjectChangedError as error:
            raise CommandError("it changed after it was listed") from error
        except _STORE_FAILURES as error:
            raise CommandError(str(error)) from error

    def _version_of(self, bucket: str, listed: model.ListedObject) -> ObjectVersion:
        place = self._names.place_of(bucket, listed.key)
        return ObjectVersion(
            store=place.store,
            bucket=place.bucket,
            key=place.prefix,
            token=token_of(listed.etag, listed.last_modified_ns),
            size=listed.size,
        )


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except CacheIOError as error:
        raise CommandError(str(error)) from error


async def _read(body: Body) -> None:
    async with body:
        async for _ in body:
            pass
