"""The block cache of one worker: reads of object versions through the tiers that all workers of the node share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Never

import trio

from s3proxy.body import Body
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.counters import Counter
from s3proxy.cache.demanding import Demand, Fills
from s3proxy.cache.early_bytes import EarlyBody, PeekedBody
from s3proxy.cache.eviction import Evictor
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.plan import FIRST_FETCH_BYTES, ReadHistory, Reads, Run
from s3proxy.cache.presence import missing_in, remove_blocks
from s3proxy.cache.reading import CachedBody
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.shelf import Shelf
from s3proxy.cache.source import Fetched, Source, close_body
from s3proxy.cache.tier import Tier
from s3proxy.cache.upkeep import keep_up


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What is asked of sources.

    Attributes:
        first_fetch_bytes: the longest range of the first fetch for a reader, a multiple of the unit size.
        max_fetch_bytes: that of later ones, as it reads on.
        max_prefetch_bytes: fetched ahead of a sequential reader at most; 0 is off.
        busy_fills: with so many under way in this process nothing is fetched ahead.
    """

    first_fetch_bytes: int = FIRST_FETCH_BYTES
    max_fetch_bytes: int = 64 << 20
    max_prefetch_bytes: int = 32 << 20
    busy_fills: int = 32


class BlockCache:
    """Blocks of object versions in tiers, filled from sources.

    Closes: the fills run in ``nursery`` and end with it; ``close`` then frees the descriptors.

    Args:
        tiers: the fastest first; none is allowed, and then everything comes from the sources.
        geometry: of the blocks.
        nursery: where fills run, those of reads that are long over too.
        shared: words of the node, where it counts.
        evictors: one for each tier that is to keep to its size.
        limits: of what is asked of sources.
    """

    def __init__(
        self,
        tiers: Sequence[Tier],
        geometry: Geometry,
        *,
        nursery: trio.Nursery,
        shared: SharedWords,
        evictors: Sequence[Evictor] = (),
        limits: FetchLimits = FetchLimits(),
    ) -> None:
        assert limits.first_fetch_bytes % geometry.unit_size == limits.max_fetch_bytes % geometry.unit_size == 0
        self.geometry: Final = geometry
        self.shelf: Final = Shelf(tiers, geometry, shared=shared, evictors=evictors)
        self._fills = Fills(
            self.shelf,
            nursery=nursery,
            first_fetch_bytes=limits.first_fetch_bytes,
            max_fetch_bytes=limits.max_fetch_bytes,
            busy_fills=limits.busy_fills,
        )
        self._history = ReadHistory(geometry.unit_size)
        self._nursery = nursery
        self._max_prefetch_bytes = limits.max_prefetch_bytes

    def __repr__(self) -> str:
        return f"<BlockCache: {self._fills}, {len(self.shelf.open_blocks)} open blocks>"

    def close(self) -> None:
        """Close the blocks that are kept open. Bodies that are not closed yet keep theirs."""
        self.shelf.open_blocks.close()

    # Reading

    async def read(
        self,
        version: ObjectVersion,
        start: int,
        stop: int,
        source: Source,
        *,
        fetched: Fetched | None = None,
        store: bool = True,
    ) -> Body:
        """Give ``[start, stop)`` of a version, from blocks as far as they go and from ``source`` where they do not.

        Args:
            version: of which object.
            start: first byte.
            stop: end, more than ``start`` and at most the size.
            source: of that version.
            fetched: a body that is open already and in which the byte at ``start`` is, taken over: what is missing of
                its range is filled from it.
            store: whether to keep what is missing.

        Returns:
            A body whose first bytes are there, or for which the source has agreed to give them.

        Raises:
            Exception: what the source raised before that.
        """
        assert 0 <= start < stop <= version.size
        reads = self._history.note(version.digest, start, stop)
        is_sequential = reads.is_sequential(self.geometry.unit_size)
        body = CachedBody(self._fills, version, source, (start, stop), is_sequential=is_sequential, store=store)
        if fetched is not None:
            return await self._read_fetched(fetched, body, reads, source)
        if not body.is_at_hand():
            await self._begin(body, source)
        self._prefetch_after(body, reads, source)
        return body

    async def load(self, version: ObjectVersion, start: int, stop: int, source: Source) -> None:
        """Return when the blocks of a span are there, as far as fetching them whole makes sense.

        Raises:
            CacheIOError: no tier takes them.
            Exception: what the source raised.
        """
        async with CachedBody(self._fills, version, source, (start, stop), is_sequential=True, store=True) as body:
            async for _ in body:
                if body.is_direct:
                    raise CacheIOError("no tier takes the blocks")

    def holds(self, version: ObjectVersion, start: int, stop: int) -> bool:
        """Whether all of a span is there, be it sound or not. Blocks the thread where a disk tier has to be asked."""
        return not missing_in(self.shelf.tiers, self.geometry, version, (start, stop))

    async def drop(self, matches: Callable[[BlockId], bool]) -> int:
        """Remove blocks from every tier; who reads one goes on reading it.

        Args:
            matches: which; called in a thread.

        Returns:
            How many they were.

        Raises:
            CacheIOError: a tier cannot be read or written.
        """
        names = await self.shelf.in_thread(remove_blocks, self.shelf.tiers, matches)
        for name in names:
            self.shelf.open_blocks.forget(name)
        return len(names)

    async def upkeep(self) -> Never:
        """Keep the tiers below their sizes, and promote what is read from a slow one again; runs until cancelled."""
        await keep_up(self.shelf)

    # Beginning a read

    async def _begin(self, body: CachedBody, source: Source, fetched: Fetched | None = None) -> None:
        try:
            if fetched is not None:
                await self._take_over(fetched, body, source)
            await body.begin()
        except BaseException:
            await body.aclose()
            raise

    async def _read_fetched(self, fetched: Fetched, body: CachedBody, reads: Reads, source: Source) -> Body:
        """Give out what has come already of a body that is open, and have the rest begun meanwhile."""
        peeked = PeekedBody(fetched.body)
        fetched = replace(fetched, body=peeked)

        async def begin() -> None:
            await self._begin(body, source, fetched)
            self._prefetch_after(body, reads, source)

        try:
            first = await peeked.peek(body.start - fetched.start, body.length or 0)
        except BaseException:
            await close_body(peeked)
            fetched.on_settled()
            raise
        if first:
            return EarlyBody(first, body, begin, self._nursery)
        await begin()
        return body

    async def _take_over(self, fetched: Fetched, body: CachedBody, source: Source) -> None:
        """Fill from a body that is open already, or have it read as it is, or close it."""
        version, is_taken = body.version, False
        try:
            if body.store and self._is_of_units(fetched, version):
                demand = Demand(version=version, source=source, start=fetched.start, stop=fetched.stop, is_exact=True)
                is_taken = await self._fills.adopt(demand, fetched)
            else:
                is_taken = body.take(fetched)
        except CacheIOError:
            is_taken = body.take(fetched)
        finally:
            try:
                if not is_taken:
                    await close_body(fetched.body)
            finally:
                fetched.on_settled()

    def _is_of_units(self, fetched: Fetched, version: ObjectVersion) -> bool:
        unit = self.geometry.unit_size
        return fetched.start % unit == 0 and (fetched.stop % unit == 0 or fetched.stop == version.size)

    # Reading ahead

    def _prefetch_after(self, body: CachedBody, reads: Reads, source: Source) -> None:
        if not (body.store and body.is_sequential):
            return
        version = body.version
        if reads.used_bytes:
            self.shelf.shared.add(Counter.PREFETCH_USED_BYTES, reads.used_bytes)
            reads.used_bytes = 0
        if self._history.wasted_bytes:
            self.shelf.shared.add(Counter.PREFETCH_WASTED_BYTES, self._history.wasted_bytes)
            self._history.wasted_bytes = 0
        run = reads.prefetch(self._max_prefetch_bytes, self.geometry.block_size, version.size)
        if run is not None:
            self._nursery.start_soon(self._prefetch, reads, run, version, source)

    async def _prefetch(self, reads: Reads, run: Run, version: ObjectVersion, source: Source) -> None:
        """Fetch ahead of a run of reads, unless that would keep those waiting who need something now."""
        offset, stop = run
        while offset < stop and not self._fills.is_busy:
            demand = Demand(version=version, source=source, start=offset, stop=stop, is_sequential=True, is_kept=True)
            begun = offset
            offset, fill = await self._fills.reach(demand)
            if fill is not None:
                self.shelf.shared.add(Counter.PREFETCHED_BYTES, offset - begun)
        reads.ahead_until = min(reads.ahead_until, max(offset, run[0]))
