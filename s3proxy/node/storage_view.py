"""What is stored and what of it is cached, as the dashboard's browser asks for it: an ``admin.browsing.Storage``."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import trio

from s3proxy.admin import store_reads
from s3proxy.admin.browsing import Held
from s3proxy.admin.command import CommandError
from s3proxy.cache.blocks import Geometry, ObjectVersion
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.presence import presence
from s3proxy.node.names import Names
from s3proxy.node.stores import Stores
from s3proxy.s3 import model

_THREADS: Final = 2
"""That look into tiers at once, those included that hang."""

_T = TypeVar("_T")


class StorageView:
    """The stores and tiers of a node.

    Args:
        stores: of this process.
        names: of what is cached.
        geometry: of the blocks.
    """

    def __init__(self, stores: Stores, names: Names, geometry: Geometry) -> None:
        self._stores = stores
        self._names = names
        self._geometry = geometry
        self._tiers = () if stores.cache is None else stores.cache.tiers
        self._threads = trio.CapacityLimiter(_THREADS)

    @property
    def block_size(self) -> int:
        """Of the cache."""
        return self._geometry.block_size

    async def list_buckets(self) -> Sequence[str]:
        """The names of all buckets, in order."""
        return await store_reads.list_buckets(self._stores.store)

    def is_cached(self, bucket: str) -> bool:
        """Whether it is read through the cache."""
        return self._stores.is_cached(self._stores.routes.mount_of(bucket))

    async def list_page(self, bucket: str, query: model.ListQuery) -> model.ListPage:
        """One page of keys."""
        return await store_reads.list_page(self._stores.store, bucket, query)

    async def find(self, bucket: str, key: str) -> model.ListedObject:
        """What is known of an object."""
        return await store_reads.find(self._stores.store, bucket, key)

    async def held_of_each(
        self, bucket: str, objects: Sequence[model.ListedObject], most_looks: int
    ) -> list[Held | None]:
        """What the tiers hold of each of these versions; None of those that have too many blocks to look for."""
        versions = [self._names.version_of(bucket, listed) for listed in objects]
        return await self._in_thread(lambda: self._sums(versions, most_looks))

    async def held_by_block(self, bucket: str, listed: model.ListedObject, most_looks: int) -> list[Held]:
        """What the tiers hold of each of the first blocks of a version."""
        version = self._names.version_of(bucket, listed)
        stop = min(version.size, most_looks * self.block_size)
        return await self._in_thread(lambda: self._by_block(version, stop))

    def _sums(self, versions: Sequence[ObjectVersion], most_looks: int) -> list[Held | None]:
        sums: list[Held | None] = []
        for version in versions:
            looks = -(-version.size // self.block_size)
            if looks > most_looks:
                sums.append(None)
                continue
            most_looks -= looks
            held = self._by_block(version, version.size)
            sums.append({tier.name: sum(each.get(tier.name, 0) for each in held) for tier in self._tiers})
        return sums

    def _by_block(self, version: ObjectVersion, stop: int) -> list[Held]:
        return [found.held for found in presence(self._tiers, self._geometry, version, (0, stop))]

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._threads)
        except CacheIOError as error:
            raise CommandError(str(error)) from error
