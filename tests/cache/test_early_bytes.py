"""What came along with an answer goes out before there are blocks for it, and is in the cache all the same."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.cache.cache import BlockCache
from s3proxy.cache.counters import Counter
from s3proxy.cache.early_bytes import EARLY_BYTES, PeekedBody
from s3proxy.cache.source import Fetched
from tests.cache.rig import BLOCK, UNIT, bytes_of, read, rig_over, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

DATA = content(3 * BLOCK + 77)
VERSION = version_of(DATA)


class Gate:
    """Keeps whoever looks into the tiers waiting."""

    def __init__(self, cache: BlockCache, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = trio.Event()
        look_for = cache.shelf.look_for

        async def wait_and_look(block_ids: object) -> None:
            await self.opened.wait()
            await look_for(block_ids)  # type: ignore[arg-type]

        monkeypatch.setattr(cache.shelf, "look_for", wait_and_look)


@asynccontextmanager
async def gated(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[BlockCache, Gate]]:
    async with worker() as (_, cache):
        yield cache, Gate(cache, monkeypatch)


async def fetched_of(source: ScriptedSource, start: int = 0, stop: int = len(DATA)) -> Fetched:
    return Fetched(start=start, stop=stop, body=await source.fetch(start, stop))


async def test_first_bytes_go_out_before_the_tiers_were_looked_into(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with gated(monkeypatch) as (cache, gate):
        source = ScriptedSource(DATA)
        body = await cache.read(VERSION, 0, len(DATA), source, fetched=await fetched_of(source))
        chunks = aiter(body)
        first = await anext(chunks)
        assert first == DATA[:EARLY_BYTES]
        gate.opened.set()
        assert await bytes_of(body) == DATA[EARLY_BYTES:]
        assert len(source.fetches) == 1


async def test_who_has_read_all_of_a_span_finds_it_in_the_cache(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        source = ScriptedSource(DATA)
        assert await read(cache, DATA, source, (7, 99), fetched=await fetched_of(source, 0, UNIT)) == DATA[7:99]
        assert cache.holds(VERSION, 7, 99)
        assert rig.total(Counter.MISSES) == 1
        assert rig.total(Counter.STORE_BYTES) == 92


async def test_others_are_told_when_the_bytes_are_on_their_way_and_not_before(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with gated(monkeypatch) as (cache, gate), trio.open_nursery() as nursery:
        source = ScriptedSource(DATA, bytes_per_second=1e6)
        told = trio.Event()

        async def read_too() -> None:
            await told.wait()
            assert await read(cache, DATA, source) == DATA

        nursery.start_soon(read_too)
        fetched = Fetched(start=0, stop=len(DATA), body=await source.fetch(0, len(DATA)), on_settled=told.set)
        body = await cache.read(VERSION, 0, len(DATA), source, fetched=fetched)
        await wait_all_tasks_blocked()
        assert not told.is_set()
        gate.opened.set()
        assert await bytes_of(body) == DATA
        assert len(source.fetches) == 1


async def test_body_that_breaks_before_its_first_byte_is_asked_for_again(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="reset")]))
        assert await read(cache, DATA, source, fetched=await fetched_of(source)) == DATA
        assert source.fetches == [(0, len(DATA)), (0, len(DATA))]
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0


async def test_body_that_ends_before_its_first_byte_is_asked_for_again(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="short")]))
        assert await read(cache, DATA, source, fetched=await fetched_of(source)) == DATA


async def test_without_a_tier_the_bytes_at_hand_are_not_given_twice(autojump_clock: MockClock) -> None:
    with rig_over() as rig:
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery)
            source = ScriptedSource(DATA)
            opened = await fetched_of(source)
            assert await read(cache, DATA, source, (100, len(DATA)), fetched=opened) == DATA[100:]
            assert len(source.fetches) == 1
            assert source.open_bodies == 0


async def test_what_the_source_refuses_later_is_raised_after_the_first_bytes(autojump_clock: MockClock) -> None:
    with rig_over() as rig:
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery)
            source = ScriptedSource(DATA, faults=deque([None, Fault(kind="refuse")]))
            opened = await fetched_of(source, 0, UNIT)
            body = await cache.read(VERSION, 0, len(DATA), source, fetched=opened)
            chunks = aiter(body)
            assert await anext(chunks) == DATA[:EARLY_BYTES]
            with pytest.raises(StoreFailedError):
                await anext(chunks)
            await body.aclose()
            assert source.open_bodies == 0


async def test_body_that_is_closed_in_a_hurry_is_closed_when_it_is_begun(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with gated(monkeypatch) as (cache, gate):
        source = ScriptedSource(DATA)
        body = await cache.read(VERSION, 0, len(DATA), source, fetched=await fetched_of(source))
        assert not body.closes_at_once
        with trio.move_on_after(1) as scope:
            await body.aclose()
        assert scope.cancelled_caught
        gate.opened.set()
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0
        assert repr(cache).startswith("<BlockCache: 0 fills, ")


async def test_read_that_is_cancelled_before_the_first_byte_closes_and_tells(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="hang")]))
        told = trio.Event()
        fetched = Fetched(start=0, stop=len(DATA), body=await source.fetch(0, len(DATA)), on_settled=told.set)
        with trio.move_on_after(1):
            await cache.read(VERSION, 0, len(DATA), source, fetched=fetched)
        assert told.is_set()
        assert source.open_bodies == 0


@pytest.mark.parametrize(("offset", "count", "found"), [(0, 5, 5), (10, 500, 90), (100, 1, 0), (500, 1, 0)])
async def test_peeking_copies_what_the_first_chunk_has(offset: int, count: int, found: int) -> None:
    source = ScriptedSource(DATA, chunk_bytes=100)
    async with PeekedBody(await source.fetch(0, 1000)) as body:
        assert await body.peek(offset, count) == DATA[offset : offset + found]
        assert await bytes_of(body) == DATA[:1000]
