"""The blocks of all tiers for the event loop: the fastest tier first, threads only where a disk may be waited for.

What a tier in memory is asked costs microseconds and is done in place. A tier that fails again and again is left alone
for a while. Nothing here raises because a tier failed, but where a block is to be made or written.
"""

import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Final, TypeVar, TypeVarTuple, Unpack

import trio
from cachetools import LRUCache, TTLCache

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.counters import Counter
from s3proxy.cache.eviction import Evictor
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.open_blocks import OpenBlocks
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier

REST_SECONDS: Final = 10.0
"""For a tier after repeated failures."""

FULL_SECONDS: Final = 1.0
"""For which a tier in which no room could be made is given nothing more; what it has is read."""

_FAILURES: Final = 3  # within that time: a single one may be of one block
_THREADS: Final = 16
_ABSENT_BLOCKS: Final = 256
_ABSENT_SECONDS: Final = 0.05  # for which a block that was nowhere is made without another look
_USES_TO_PROMOTE: Final = 2  # a scan, which reads everything once, must not turn the first tier over
_WATCHED_BLOCKS: Final = 4096
_MAX_PROMOTIONS: Final = 32  # waiting; more are noted again when they are read again

T = TypeVar("T")
B = TypeVar("B", Block, Block | None)
Arguments = TypeVarTuple("Arguments")


class Shelf:
    """All blocks of this process's tiers.

    Args:
        tiers: the fastest first.
        geometry: of the blocks.
        shared: words of the node, where it counts.
        evictors: of tiers that are to keep to their sizes.
    """

    def __init__(
        self, tiers: Sequence[Tier], geometry: Geometry, *, shared: SharedWords, evictors: Sequence[Evictor] = ()
    ) -> None:
        self.tiers: Final = tuple(tiers)
        self.geometry: Final = geometry
        self.shared: Final = shared
        self.open_blocks: Final = OpenBlocks()
        self._threads = trio.CapacityLimiter(_THREADS)
        self.copying: Final = trio.CapacityLimiter(_THREADS)
        """Held for each piece of a file that is copied into a block: bounds the buffers, and files take turns."""
        self.evictors: Final = {evictor.tier.name: evictor for evictor in evictors}
        self._searches: dict[str, trio.Event] = {}
        self._absent: TTLCache[BlockId, bool] = TTLCache(_ABSENT_BLOCKS, _ABSENT_SECONDS, time.monotonic)
        self._failures = {tier.name: deque[float](maxlen=_FAILURES) for tier in tiers}
        self._uses: LRUCache[str, int] = LRUCache(_WATCHED_BLOCKS)
        self._promotable: dict[str, Tier] = {}
        self._rest_until = dict.fromkeys(self._failures, -inf)
        self._full_until = dict.fromkeys(self._failures, -inf)

    def block_at(self, version: ObjectVersion, offset: int) -> BlockId:
        """The block in which the byte at ``offset`` is."""
        return BlockId(version, offset // self.geometry.block_size, self.geometry)

    # Promoting

    def note_use(self, block_id: BlockId, block: Block) -> None:
        """Note that a reader comes to a block; one that is read again from a lower tier is to be promoted."""
        if block.tier == self.tiers[0].name or len(self._promotable) >= _MAX_PROMOTIONS:
            return
        name = block_id.name
        self._uses[name] = uses = self._uses.get(name, 0) + 1
        if uses == _USES_TO_PROMOTE:
            self._promotable[name] = self._tier_of(block)

    def take_promotable(self) -> list[tuple[str, Tier]]:
        """What is to be promoted, with the tier where it is; each is given once."""
        promotable = list(self._promotable.items())
        self._promotable.clear()
        for name, _ in promotable:
            self._uses.pop(name, None)
        return promotable

    # Finding and making

    def opened(self, block_id: BlockId) -> Block | None:
        """The block if this process has it open."""
        block = self.open_blocks.get(block_id.name)
        if block is not None:
            block.touch(time.time_ns())
        return block

    async def find(self, block_id: BlockId) -> Block | None:
        """The block from the first tier that has it. The caller shares it before it waits for anything."""
        block = self.opened(block_id)
        if block is not None:
            return block
        search = self._searches.get(block_id.name)
        if search is None:
            return await self._search(block_id, self._find)
        await search.wait()
        return self.opened(block_id)

    async def look_for(self, block_ids: Iterable[BlockId]) -> None:
        """Open those that are there of blocks that are about to be found or made: one wait for a disk, not one each."""
        unknown = {block_id.name: block_id for block_id in block_ids if self._is_unknown(block_id)}
        if not unknown:
            return
        search = trio.Event()
        self._searches.update(dict.fromkeys(unknown, search))
        try:
            for block_id, block in (await self._find_all(list(unknown.values()))).items():
                self.open_blocks.put(block_id.name, block)
        finally:
            for name in unknown:
                del self._searches[name]
            search.set()

    def _is_unknown(self, block_id: BlockId) -> bool:
        name = block_id.name
        is_known = self.open_blocks.get(name) is not None or block_id in self._absent
        return not is_known and name not in self._searches

    async def find_or_make(self, block_id: BlockId) -> Block:
        """The block as ``find`` gives it, or made in the first tier that takes it.

        Raises:
            CacheIOError: no tier takes it.
        """
        while (block := self.opened(block_id)) is None:
            search = self._searches.get(block_id.name)
            if search is None:
                return await self._search(block_id, self._find_or_make)
            await search.wait()
        if self._is_resting(block.tier):
            raise CacheIOError(f"tier {block.tier} rests")
        return block

    async def _search(self, block_id: BlockId, work: Callable[[BlockId], Awaitable[B]]) -> B:
        """Do what opens a block, while others who want the same block wait."""
        search = self._searches[block_id.name] = trio.Event()
        try:
            block = await work(block_id)
            if block is not None:
                self.open_blocks.put(block_id.name, block)
            return block
        finally:
            del self._searches[block_id.name]
            search.set()

    async def _find(self, block_id: BlockId) -> Block | None:
        return (await self._find_all([block_id])).get(block_id)

    async def _find_all(self, block_ids: Sequence[BlockId]) -> dict[BlockId, Block]:
        """Those that are there, each from the first tier that has it."""
        found: dict[BlockId, Block] = {}
        try:
            for tier in self._working_tiers():
                wanted = [block_id for block_id in block_ids if block_id not in found]
                if not wanted:
                    break
                try:
                    found.update(await self._on(tier, tier.find_all, wanted))
                except CacheIOError:
                    self.note_failure(tier.name)
        except BaseException:
            for block in found.values():
                block.release()
            raise
        self._absent.update((block_id, True) for block_id in block_ids if block_id not in found)
        return found

    async def _find_or_make(self, block_id: BlockId) -> Block:
        found = None if self._absent.pop(block_id, False) else await self._find(block_id)
        if found is not None:
            return found
        for tier in self._takers():
            try:
                return await self._make(tier, block_id)
            except TierFullError:
                self._full_until[tier.name] = trio.current_time() + FULL_SECONDS
            except CacheIOError:
                self.note_failure(tier.name)
        raise CacheIOError("no tier takes a block")

    async def _make(self, tier: Tier, block_id: BlockId) -> Block:
        make = partial(tier.make, block_id)
        try:
            return await self._on(tier, make)
        except TierFullError:
            if not await self.make_room(tier.name, self.geometry.block_size):
                raise
            return await self._on(tier, make)

    # Reading and writing

    def is_sound_now(self, block: Block, start: int, stop: int) -> bool | None:
        """Whether bytes of a block are what was written, None if that cannot be told without waiting for a disk."""
        return block.verify(start, stop) if block.is_in_memory else block.verify_resident(start, stop)

    async def is_sound(self, block_id: BlockId, block: Block, start: int, stop: int) -> bool:
        """Whether bytes of a block, which the caller shares, are what was written; if not, the block is dropped."""
        verdict = self.is_sound_now(block, start, stop)
        if verdict is None:
            verdict = await trio.to_thread.run_sync(block.verify, start, stop, limiter=self._threads)
        if not verdict:
            await self._drop(block_id, block)
        return verdict

    def read_now(self, block: Block, offset: int, length: int) -> bytes | memoryview | None:
        """Bytes of the file of a block; None if that would wait for a disk, or they are gone."""
        try:
            if block.is_in_memory:
                data = os.pread(block.fd, length, offset)
                return data if len(data) == length else None
            buffer = memoryview(bytearray(length))
            return buffer if os.preadv(block.fd, [buffer], offset, os.RWF_NOWAIT) == length else None
        except OSError:
            return None

    async def write(self, block: Block, offset: int, data: memoryview) -> None:
        """Write bytes of a block within a claim.

        Raises:
            CacheIOError: the tier failed.
        """
        try:
            if block.is_in_memory:
                block.write(offset, data)
            else:
                await trio.to_thread.run_sync(block.write, offset, data, limiter=self._threads)
        except CacheIOError:
            self.note_failure(block.tier)
            raise

    async def in_thread(self, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        """Run what may wait for a disk, in one of a bounded number of threads."""
        return await trio.to_thread.run_sync(function, *arguments, limiter=self._threads)

    async def _drop(self, block_id: BlockId, block: Block) -> None:
        if self.open_blocks.get(block_id.name) is block:
            self.open_blocks.forget(block_id.name)
        tier = self._tier_of(block)
        await self._on(tier, tier.drop, block_id.name, block)

    # Tiers

    async def make_room(self, tier_name: str, count: int) -> bool:
        """Evict so that ``count`` bytes fit into a tier; whether they do."""
        evictor = self.evictors.get(tier_name)
        if evictor is None:
            return False
        try:
            has_room = await self.in_thread(evictor.make_room, count)
        except CacheIOError:
            self.note_failure(tier_name)
            return False
        self.open_blocks.close_unlinked(self.open_blocks.names())
        return has_room

    async def _on(self, tier: Tier, function: Callable[[Unpack[Arguments]], T], *arguments: *Arguments) -> T:
        if tier.is_in_memory:
            return function(*arguments)
        return await self.in_thread(function, *arguments)

    def _working_tiers(self) -> Iterator[Tier]:
        return (tier for tier in self.tiers if not self._is_resting(tier.name))

    def _takers(self) -> Iterator[Tier]:
        """The tiers that a block can be made in.

        One above its high watermark leaves it to the next one, so that what it holds is moved there behind the reads
        and not dropped in front of them.
        """
        now = trio.current_time()
        tiers = [tier for tier in self._working_tiers() if now >= self._full_until[tier.name]]
        for tier in tiers:
            evictor = self.evictors.get(tier.name)
            if tier is tiers[-1] or evictor is None or not evictor.is_due:
                yield tier

    def note_failure(self, tier_name: str) -> None:
        """Count a failure of a tier; after some in short order it is left alone."""
        self.shared.add(Counter.CACHE_FAILURES)
        failures = self._failures[tier_name]
        failures.append(trio.current_time())
        if len(failures) == _FAILURES and failures[-1] - failures[0] < REST_SECONDS:
            self._rest_until[tier_name] = trio.current_time() + REST_SECONDS

    def _tier_of(self, block: Block) -> Tier:
        return next(tier for tier in self.tiers if tier.name == block.tier)

    def _is_resting(self, tier_name: str) -> bool:
        return trio.current_time() < self._rest_until[tier_name]
