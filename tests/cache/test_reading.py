"""Reading through the cache: every byte right and fetched once, as early as it can be had, and nothing too much."""

import math
import random
from collections import deque

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.body import FileSlice
from s3proxy.cache.cache import FetchLimits
from s3proxy.cache.counters import Counter
from s3proxy.cache.reading import INLINE_BYTES
from s3proxy.cache.source import BrokenSourceError
from tests.cache.rig import BLOCK, MIB, UNIT, bytes_of, read, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

DATA = content(6 * BLOCK + 12_345)


async def test_cold_read_gives_the_bytes_and_warm_read_asks_for_none(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        source = ScriptedSource(DATA)
        assert await read(cache, DATA, source) == DATA
        assert source.fetches == [(0, 4 * BLOCK), (4 * BLOCK, len(DATA))]
        assert await read(cache, DATA, source) == DATA
        assert source.given_bytes == len(DATA)
        assert rig.total(Counter.STORE_BYTES) == rig.total(Counter.MEMORY_BYTES) == len(DATA)
        assert (rig.total(Counter.HITS), rig.total(Counter.MISSES)) == (1, 1)


@pytest.mark.parametrize(
    "span",
    [(0, 1), (UNIT - 1, UNIT + 1), (BLOCK - 1, BLOCK + 1), (BLOCK // 2, 3 * BLOCK), (len(DATA) - 1, len(DATA))],
)
async def test_any_span_is_given_cold_and_warm(span: tuple[int, int], autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        for _ in range(2):
            assert await read(cache, DATA, ScriptedSource(DATA), span) == DATA[span[0] : span[1]]


async def test_warm_read_waits_for_nothing() -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        with trio.CancelScope() as scope:
            scope.cancel()  # the first checkpoint would raise
            assert await read(cache, DATA, ScriptedSource(DATA), (5, 3 * BLOCK)) == DATA[5 : 3 * BLOCK]
        assert not scope.cancelled_caught


async def test_short_span_comes_as_bytes_and_long_one_as_slices_of_the_file() -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        for stop, kind in ((INLINE_BYTES, bytes), (INLINE_BYTES + 1, FileSlice)):
            async with await cache.read(version_of(DATA), 0, stop, ScriptedSource(DATA)) as body:
                assert [type(chunk) async for chunk in body] == [kind]


async def test_first_bytes_are_given_before_a_unit_is_whole(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="hang", after=1000)]))
        async with await cache.read(version_of(DATA), 0, BLOCK, source) as body:
            assert bytes(await anext(aiter(body))) == DATA[:1000]


async def test_read_returns_when_the_source_has_agreed(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, latency_seconds=2.0, faults=deque([Fault(kind="hang")]))
        body = await cache.read(version_of(DATA), 0, BLOCK, source)
        assert trio.current_time() == pytest.approx(2.0, abs=0.1)
        await body.aclose()


async def test_refusal_of_the_source_is_raised_by_read_in_every_reader(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, latency_seconds=1.0, faults=deque([Fault(kind="refuse")]))
        refused = 0

        async def refuse() -> None:
            nonlocal refused
            with pytest.raises(StoreFailedError, match="refused"):
                await cache.read(version_of(DATA), 0, BLOCK, source)
            refused += 1

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(refuse)
        assert refused == 10
        assert len(source.fetches) == 1
        assert await read(cache, DATA, source) == DATA  # nothing of it stays


async def test_herd_of_a_hundred_readers_fetches_every_byte_once(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        source = ScriptedSource(DATA, latency_seconds=0.004, bytes_per_second=250e6)
        checked = 0

        async def check() -> None:
            nonlocal checked
            assert await read(cache, DATA, source) == DATA
            checked += 1

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(check)
        assert checked == 100
        assert source.given_bytes == len(DATA)
        assert rig.total(Counter.COALESCED_WAITS) in {99, 100}  # who began may join what another began ahead


async def test_herd_in_two_workers_fetches_every_byte_once(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache), trio.open_nursery() as fills:
        other = rig.cache(fills)
        source = ScriptedSource(DATA, latency_seconds=0.004, bytes_per_second=250e6)

        async def check(number: int) -> None:
            assert await read((cache, other)[number % 2], DATA, source) == DATA

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(check, number)
        assert source.given_bytes == len(DATA)
        fills.cancel_scope.cancel()
        other.close()


async def test_slow_reader_pulls_no_more_than_a_fetch_and_the_window(autojump_clock: MockClock) -> None:
    data = content(40 * BLOCK)
    async with worker(FetchLimits(max_fetch_bytes=4 * BLOCK)) as (_, cache):
        source = ScriptedSource(data)
        async with await cache.read(version_of(data), 0, len(data), source) as body:
            await anext(aiter(body))
            await trio.sleep(60)
            assert source.given_bytes <= 6 * BLOCK


async def test_fast_reader_keeps_the_link_busy(autojump_clock: MockClock) -> None:
    data = content(64 * MIB)
    async with worker(FetchLimits()) as (_, cache):
        source = ScriptedSource(data, latency_seconds=0.004, bytes_per_second=250e6)
        begun = trio.current_time()
        body = await cache.read(version_of(data), 0, len(data), source)
        await anext(aiter(body))
        assert trio.current_time() - begun < 0.004 + 0.002  # the first chunk
        assert len(await bytes_of(body)) + 256 * 1024 == len(data)
        assert trio.current_time() - begun <= (0.004 + len(data) / 250e6) / 0.95


async def test_random_small_reads_fetch_only_the_units_they_touch(autojump_clock: MockClock) -> None:
    data = content(16 * BLOCK)
    chance = random.Random(7)
    async with worker() as (_, cache):
        source = ScriptedSource(data)
        asked = 0
        for _ in range(60):
            start = chance.randrange(len(data) - 8192)
            assert await read(cache, data, source, (start, start + 8192)) == data[start : start + 8192]
            asked += 8192
        assert source.given_bytes <= 16 * asked
        assert all(stop - start <= 2 * UNIT for start, stop in source.fetches)


async def test_fragments_of_one_block_are_fetched_side_by_side(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, latency_seconds=1.0)
        async with trio.open_nursery() as nursery:
            for place in (0, 5 * UNIT, 9 * UNIT):
                nursery.start_soon(read, cache, DATA, source, (place, place + 100))
        assert trio.current_time() < 1.5
        assert sorted(source.fetches) == [(p, p + UNIT) for p in (0, 5 * UNIT, 9 * UNIT)]


async def test_small_object_is_fetched_whole_for_any_part_of_it(autojump_clock: MockClock) -> None:
    data = content(UNIT + 17)
    async with worker() as (_, cache):
        source = ScriptedSource(data)
        assert await read(cache, data, source, (len(data) - 8, len(data))) == data[-8:]
        assert await read(cache, data, source) == data
        assert source.fetches == [(0, len(data))]


async def test_block_is_finished_for_a_reader_of_most_of_it(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        await read(cache, DATA, source, (0, BLOCK - BLOCK // 4))
        await wait_all_tasks_blocked()
        assert cache.holds(version_of(DATA), 0, BLOCK)
        assert source.fetches == [(0, BLOCK)]


async def test_fetches_grow_as_a_reader_reads_on(autojump_clock: MockClock) -> None:
    data = content(12 * BLOCK)
    async with worker(FetchLimits(first_fetch_bytes=BLOCK, max_fetch_bytes=4 * BLOCK)) as (_, cache):
        source = ScriptedSource(data)
        assert await read(cache, data, source) == data
        assert [(start // BLOCK, stop // BLOCK) for start, stop in source.fetches] == [
            *((0, 1), (1, 2), (2, 4), (4, 8), (8, 12)),
        ]


async def test_sequential_reads_are_fetched_ahead_of_them(autojump_clock: MockClock) -> None:
    data = content(32 * BLOCK)
    async with worker(FetchLimits(max_fetch_bytes=4 * BLOCK, max_prefetch_bytes=8 * BLOCK)) as (rig, cache):
        source = ScriptedSource(data, latency_seconds=0.1)
        waits = []
        for start in range(0, len(data), MIB // 4):
            before = trio.current_time()
            assert await read(cache, data, source, (start, start + MIB // 4)) == data[start : start + MIB // 4]
            waits.append(trio.current_time() - before)
            await trio.sleep(0.05)
            reached = max(stop for _, stop in source.fetches)
            assert reached - start <= 9 * BLOCK
        assert sum(wait > 0.01 for wait in waits) <= 8
        assert source.given_bytes == len(data)
        assert rig.total(Counter.PREFETCHED_BYTES) > len(data) // 2
        assert rig.total(Counter.PREFETCH_USED_BYTES) > len(data) // 2


async def test_prefetching_can_be_off(autojump_clock: MockClock) -> None:
    async with worker(FetchLimits(max_fetch_bytes=BLOCK, max_prefetch_bytes=0)) as (_, cache):
        source = ScriptedSource(DATA)
        for start in range(0, 3 * BLOCK, BLOCK):
            await read(cache, DATA, source, (start, start + BLOCK))
        await wait_all_tasks_blocked()
        assert source.given_bytes == 3 * BLOCK


async def test_read_that_must_not_be_stored_fills_nothing_but_serves_what_is_there(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        assert await read(cache, DATA, source, store=False) == DATA
        assert not cache.holds(version_of(DATA), 0, 1)
        await read(cache, DATA, source, (0, BLOCK))
        before = source.given_bytes
        assert await read(cache, DATA, source, (0, BLOCK), store=False) == DATA[:BLOCK]
        assert source.given_bytes == before


async def test_block_that_is_evicted_while_it_is_read_is_read_to_its_end(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        async with await cache.read(version_of(DATA), 0, 2 * BLOCK, ScriptedSource(DATA)) as body:
            assert await cache.drop(lambda _: True) == math.ceil(len(DATA) / BLOCK)
            chunks = aiter(body)
            first = await anext(chunks)
            assert isinstance(first, FileSlice)
        assert await read(cache, DATA, ScriptedSource(DATA)) == DATA


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "swap"])
async def test_damaged_block_files_are_dropped_and_fetched_again(damage: str, autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        source = ScriptedSource(DATA)
        await read(cache, DATA, source)
        await wait_all_tasks_blocked()
        for path in rig.block_files()[:3]:
            if damage == "flip":
                with path.open("r+b") as file:
                    file.seek(100_000)
                    old = file.read(1)
                    file.seek(100_000)
                    file.write(bytes([old[0] ^ 1]))
            elif damage == "truncate":
                with path.open("r+b") as file:
                    file.truncate(300_000)
            elif damage == "delete":
                path.unlink()
            else:
                path.write_bytes(rig.block_files()[3].read_bytes())
        for _ in range(2):
            assert await read(cache, DATA, source) == DATA
        if damage in {"flip", "truncate"}:
            assert rig.total(Counter.CORRUPT_BLOCKS) == 3


async def test_body_of_a_broken_source_is_cut_short(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="short", after=100_000)] + [Fault(kind="short")] * 9))
        body = await cache.read(version_of(DATA), 0, BLOCK, source)
        with pytest.raises(BrokenSourceError):
            await bytes_of(body)


async def test_closing_a_body_twice_is_harmless() -> None:
    async with worker() as (_, cache):
        body = await cache.read(version_of(DATA), 0, BLOCK, ScriptedSource(DATA))
        await body.aclose()
        await body.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(aiter(body))
