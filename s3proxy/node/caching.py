"""The block cache of one worker, put together from the configuration."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Never, Self

import trio

from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.cache.eviction import Evictor, Watermarks
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.ghosts import Ghosts
from s3proxy.cache.plan import FIRST_FETCH_BYTES
from s3proxy.cache.policy import LRU, Policy, S3Fifo
from s3proxy.cache.scrub import scrub
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.usage import TierUsage
from s3proxy.config import Config
from s3proxy.node.absences import Absence
from s3proxy.node.commons import Seat, directory_of, geometry_of
from s3proxy.stores.caching.shared_metadata import MetadataTable
from s3proxy.telemetry import log_error

_SCRUB_PAUSE_SECONDS = 600.0
_FETCHES_IN_A_TIER = 16
"""So many readers of large objects do not evict from each other what was fetched and is not read yet."""
_TIERS = ("memory", "disk")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCache:
    """What the stores of one worker are cached in.

    *Closes:* ``aclose``, after the last fill.
    """

    blocks: BlockCache
    tiers: tuple[Tier, ...]
    evictors: tuple[Evictor, ...]
    shared: SharedWords
    limits: FetchLimits
    table: MetadataTable | None
    absent: Mapping[str, Absence]
    """The tiers that could not be opened."""
    _resources: ExitStack

    @classmethod
    def open(cls, config: Config, seat: Seat, nursery: trio.Nursery) -> Self:
        """Open the tiers that can be used; one that cannot be opened after all is left out and mentioned.

        Args:
            config: of the node.
            seat: of this worker.
            nursery: where fills run.
        """
        with ExitStack() as stack:
            tiers, absent = _open_tiers(config, seat, stack)
            evictors = _evictors(config, tiers, seat.shared)
            limits = _fetch_limits(config, tiers)
            blocks = BlockCache(
                tiers,
                geometry_of(config),
                nursery=nursery,
                shared=seat.shared,
                evictors=evictors,
                limits=limits,
            )
            stack.callback(blocks.close)
            table = _open_table(config, seat)
            if table is not None:
                stack.callback(table.close)
            return cls(
                blocks=blocks,
                tiers=tuple(tiers),
                evictors=tuple(evictors),
                shared=seat.shared,
                limits=limits,
                table=table,
                absent=absent,
                _resources=stack.pop_all(),
            )

    async def upkeep(self) -> Never:
        """Keep the tiers to their sizes until cancelled."""
        await self.blocks.upkeep()

    async def scrub(self, bytes_per_second: int) -> Never:
        """Read all blocks again and again, slowly, and drop damaged ones; until cancelled."""
        stop = threading.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_set_when_cancelled, stop)
            while True:
                await trio.sleep(_SCRUB_PAUSE_SECONDS)
                for tier in self.tiers:
                    work = partial(scrub, tier, shared=self.shared, bytes_per_second=bytes_per_second, wait=stop.wait)
                    await _scrub_once(work)

    def close(self) -> None:
        """Close every descriptor."""
        self._resources.close()


async def _set_when_cancelled(stop: threading.Event) -> None:
    try:
        await trio.sleep_forever()
    finally:
        stop.set()


async def _scrub_once(work: Callable[[], object]) -> None:
    try:
        await trio.to_thread.run_sync(work)
    except CacheIOError as error:
        log_error(f"the scrub could not go on: {error}")


def can_open_tier(config: Config, seat: Seat, name: str) -> bool:
    """Whether a tier can be used by now; blocks."""
    try:
        _open_tier(config, seat, name).close()
    except CacheIOError:
        return False
    return True


def _open_tiers(config: Config, seat: Seat, stack: ExitStack) -> tuple[list[Tier], dict[str, Absence]]:
    tiers: list[Tier] = []
    absent: dict[str, Absence] = {}
    for name in seat.tiers:
        try:
            tier = _open_tier(config, seat, name)
        except CacheIOError as error:
            log_error(f"the {name} tier is off: {error}")
            absent[name] = Absence(str(error))
        else:
            stack.callback(tier.close)
            tiers.append(tier)
    return tiers, absent


def _open_tier(config: Config, seat: Seat, name: str) -> Tier:
    chosen = config.memory_tier if name == "memory" else config.disk_tier
    directory = directory_of(config, name)
    usage = TierUsage(seat.shared, _TIERS.index(name), chosen.size)
    policy = _policy(chosen.policy, directory, chosen.size)
    return Tier(name, directory, usage=usage, shared=seat.shared, policy=policy)


def _policy(name: Literal["lru", "s3-fifo"], directory: Path, size: int) -> Policy:
    if name == "lru":
        return LRU
    reach_bytes = int(size * (1 - S3Fifo.SMALL_FRACTION))
    return S3Fifo(Ghosts(directory, tier_bytes=size, reach_bytes=reach_bytes))


def _evictors(config: Config, tiers: Sequence[Tier], shared: SharedWords) -> list[Evictor]:
    """One for each tier; what a faster one evicts goes to the next slower one."""
    watermarks = Watermarks(high=config.cache.high_watermark, low=config.cache.low_watermark)
    made: list[Evictor] = []
    below = None
    for tier in reversed(tiers):
        below = Evictor(tier, block_size=config.cache.block_size, shared=shared, below=below, watermarks=watermarks)
        made.insert(0, below)
    return made


def _open_table(config: Config, seat: Seat) -> MetadataTable | None:
    try:
        return MetadataTable.open(seat.table, run=seat.shared.run, slots=config.cache.metadata_entries)
    except OSError as error:
        log_error(f"the workers share no metadata: {seat.table}: {os.strerror(error.errno or 0)}")
        return None


def _fetch_limits(config: Config, tiers: Sequence[Tier]) -> FetchLimits:
    cache, most = config.cache, config.cache.max_fetch_bytes
    if tiers:
        most = min(most, max(tiers[0].usage.size_bytes // _FETCHES_IN_A_TIER, cache.block_size))
    first = min(most, max(FIRST_FETCH_BYTES, cache.block_size))
    return FetchLimits(
        first_fetch_bytes=first // cache.fragment_size * cache.fragment_size,
        max_fetch_bytes=most // cache.fragment_size * cache.fragment_size,
        max_prefetch_bytes=config.cache.prefetch_bytes,
    )
