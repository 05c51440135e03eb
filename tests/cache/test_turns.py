"""Turns at a source: who reads much that is cold delays others by a request each, whether or not a tier works."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.body import Body, Chunk
from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.stores.fairness import FairLimiter, Slot
from s3proxy.telemetry import current_client
from tests.cache.rig import UNIT, rig_over, version_of, worker
from tests.cache.sources import ScriptedSource, content

DATA = content(64 * UNIT)
LIMITS = FetchLimits(max_fetch_bytes=4 * UNIT, max_prefetch_bytes=0)


class LimitedBody(Body):
    """Holds a slot until it is closed, as bodies of an S3 store do."""

    def __init__(self, body: Body, slot: Slot) -> None:
        self.length = body.length
        self._chunks = aiter(body)
        self._body = body
        self._slot: Slot | None = slot

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self._chunks

    async def __anext__(self) -> Chunk:
        return await anext(self._chunks)

    async def aclose(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            await slot.__aexit__(None, None, None)
        await self._body.aclose()


@dataclass
class LimitedSource:
    """A source that takes a second for each request and lets one through at a time."""

    source: ScriptedSource
    limiter: FairLimiter

    async def fetch(self, start: int, stop: int) -> Body:
        slot = self.limiter.slot()
        await slot.__aenter__()
        return LimitedBody(await self.source.fetch(start, stop), slot)


@asynccontextmanager
async def caches(*, has_tier: bool) -> AsyncIterator[BlockCache]:
    if has_tier:
        async with worker(LIMITS) as (_, cache):
            yield cache
    else:
        with rig_over() as rig:
            async with trio.open_nursery() as nursery:
                yield rig.cache(nursery, LIMITS)


@dataclass
class Clients:
    """Clients that read, and when each had all that it asked for."""

    cache: BlockCache
    source: LimitedSource
    done: dict[str, float]

    async def read(self, client: str, start: int, stop: int) -> None:
        current_client.set(client)
        async with await self.cache.read(version_of(DATA), start, stop, self.source) as body:
            async for _ in body:
                pass
        self.done[client] = trio.current_time()


@pytest.mark.parametrize("has_tier", [True, False], ids=["filling", "past the cache"])
async def test_client_with_many_cold_reads_does_not_starve_another(has_tier: bool, autojump_clock: MockClock) -> None:
    source = LimitedSource(ScriptedSource(DATA, latency_seconds=1.0), FairLimiter(1))
    async with caches(has_tier=has_tier) as cache:
        clients = Clients(cache, source, {})
        async with trio.open_nursery() as nursery:
            for number in range(20):
                # so far apart that they are no run, whatever order they come in: it would be fetched in one
                nursery.start_soon(clients.read, "greedy", 3 * number * UNIT, (3 * number + 1) * UNIT - 1)
            await wait_all_tasks_blocked()
            nursery.start_soon(clients.read, "modest", 62 * UNIT, 63 * UNIT)
    assert clients.done["modest"] <= 3.0
    assert clients.done["greedy"] == pytest.approx(21.0, abs=0.5)


@pytest.mark.parametrize("has_tier", [True, False], ids=["filling", "past the cache"])
async def test_long_read_passes_its_turn_on_after_each_fetch(has_tier: bool, autojump_clock: MockClock) -> None:
    source = LimitedSource(ScriptedSource(DATA, latency_seconds=1.0), FairLimiter(1))
    async with caches(has_tier=has_tier) as cache:
        clients = Clients(cache, source, {})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clients.read, "long", 0, 20 * UNIT)
            await wait_all_tasks_blocked()
            nursery.start_soon(clients.read, "short", 23 * UNIT, 24 * UNIT)
    assert clients.done["short"] <= 3.0
    assert clients.done["long"] > clients.done["short"]


async def test_fills_and_reads_past_the_cache_take_turns_with_each_other(autojump_clock: MockClock) -> None:
    limiter = FairLimiter(1)
    source = LimitedSource(ScriptedSource(DATA, latency_seconds=1.0), limiter)
    async with caches(has_tier=True) as filling, caches(has_tier=False) as direct:
        done: dict[str, float] = {}
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(Clients(direct, source, done).read, "past", number * UNIT, (number + 1) * UNIT)
            await wait_all_tasks_blocked()
            nursery.start_soon(Clients(filling, source, done).read, "filling", 12 * UNIT, 13 * UNIT)
    assert done["filling"] <= 3.0
