"""What the store said of buckets: asked for with every request, to see whose they are.

It counts as long as what was said of objects does (metadata.py): a bucket that is made or deleted through this node is
seen at once, a change made straight at the store after the time to live.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from s3proxy.cache.shared import SharedWords
from s3proxy.s3.model import Bucket, BucketInfo, Key
from s3proxy.stores.base import ObjectStore
from s3proxy.stores.caching.turns import Turns

_MAX_BUCKETS: Final = 10_000
_NO_KEY: Final = Key("")  # no object is called so: its stamp is that of the bucket


@dataclass(frozen=True, slots=True)
class _Known:
    info: BucketInfo
    fresh_until: float
    stamp: int


class Buckets:
    """The buckets of one store, in this process.

    Args:
        store: which has them.
        shared: the stamps.
        ttl_seconds: for how long an answer counts.
        clock: seconds, monotonic.
    """

    def __init__(
        self, store: ObjectStore, shared: SharedWords, *, ttl_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._shared = shared
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._known: LRUCache[Bucket, _Known] = LRUCache(_MAX_BUCKETS)
        self._turns = Turns("", None)

    async def get(self, bucket: Bucket) -> BucketInfo:
        """What is known of a bucket; see ``ObjectStore.get_bucket``. Requests that come together ask once."""
        info = self._find(bucket)
        if info is not None:
            return info
        if self._ttl_seconds <= 0:
            return await self._store.get_bucket(bucket)
        turn = self._turns.begin((bucket, _NO_KEY))
        if turn is None:
            await self._turns.wait((bucket, _NO_KEY))
            return self._find(bucket) or await self._ask(bucket)
        try:
            return await self._ask(bucket)
        finally:
            turn.end()

    def _find(self, bucket: Bucket) -> BucketInfo | None:
        try:
            known = self._known[bucket]
        except KeyError:
            return None
        if self._clock() >= known.fresh_until or known.stamp != self._shared.stamp(bucket, _NO_KEY):
            return None
        return known.info

    async def _ask(self, bucket: Bucket) -> BucketInfo:
        fresh_until, stamp = self._clock() + self._ttl_seconds, self._shared.stamp(bucket, _NO_KEY)
        info = await self._store.get_bucket(bucket)
        self._known[bucket] = _Known(info, fresh_until, stamp)
        return info
