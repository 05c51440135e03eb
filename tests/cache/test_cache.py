"""The facade: bodies that are open already, loading, dropping, tiers that fail or are full."""

from collections import deque
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.cache.block_file import Block
from s3proxy.cache.cache import BlockCache, FetchLimits
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.source import Fetched
from s3proxy.cache.upkeep import promote
from tests.cache.rig import BLOCK, UNIT, Rig, bytes_of, memory_directory, read, rig_over, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

DATA = content(5 * BLOCK + 4321)


async def fetched_of(source: ScriptedSource, start: int, stop: int) -> Fetched:
    return Fetched(start=start, stop=stop, body=await source.fetch(start, stop))


# Bodies that are open already


@pytest.mark.parametrize(
    ("fetched", "span"),
    [
        ((0, len(DATA)), (0, len(DATA))),
        ((0, UNIT), (5, 100)),
        ((UNIT, 4 * UNIT), (UNIT + 7, 4 * UNIT)),
        ((UNIT, 4 * UNIT), (UNIT + 7, 3 * BLOCK)),
        ((5 * BLOCK, len(DATA)), (len(DATA) - 8, len(DATA))),
        ((BLOCK - UNIT, BLOCK + UNIT), (BLOCK - 1, BLOCK + 1)),
    ],
)
async def test_open_body_fills_the_cache(
    fetched: tuple[int, int], span: tuple[int, int], autojump_clock: MockClock
) -> None:
    async with worker() as (_, cache):
        first, later = ScriptedSource(DATA), ScriptedSource(DATA)
        opened = await fetched_of(first, *fetched)
        assert await read(cache, DATA, later, span, fetched=opened) == DATA[slice(*span)]
        await wait_all_tasks_blocked()
        assert first.open_bodies == 0
        assert all(start >= min(fetched[1], 4 * BLOCK) for start, _ in later.fetches)
        assert cache.holds(version_of(DATA), *span)


async def test_open_body_of_what_is_there_is_closed(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        source = ScriptedSource(DATA)
        assert await read(cache, DATA, source, fetched=await fetched_of(source, 0, len(DATA))) == DATA
        assert source.given_bytes == source.chunk_bytes  # what had come already
        assert source.open_bodies == 0


async def test_open_body_of_what_another_worker_fetches_is_closed(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache), trio.open_nursery() as fills:
        other = rig.cache(fills)
        source = ScriptedSource(DATA, latency_seconds=1.0)
        opened = await fetched_of(source, 0, len(DATA))

        async def check(cache: BlockCache, opened: Fetched | None) -> None:
            assert await read(cache, DATA, source, fetched=opened) == DATA

        async with trio.open_nursery() as nursery:
            nursery.start_soon(check, other, None)
            await wait_all_tasks_blocked()
            nursery.start_soon(check, cache, opened)
        assert source.given_bytes == len(DATA) + source.chunk_bytes  # of which the first had come already
        assert source.open_bodies == 0
        fills.cancel_scope.cancel()
        other.close()


async def test_open_body_is_given_out_where_nothing_is_to_be_stored(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        opened = await fetched_of(source, UNIT, 3 * UNIT)
        assert (
            await read(cache, DATA, source, (UNIT + 1, 2 * UNIT), fetched=opened, store=False)
            == DATA[UNIT + 1 : 2 * UNIT]
        )
        assert len(source.fetches) == 1
        assert source.open_bodies == 0
        assert not cache.holds(version_of(DATA), UNIT, UNIT + 1)


async def test_open_body_of_odd_borders_is_given_out_and_not_stored(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        opened = await fetched_of(source, 10, 2 * UNIT)
        opened_short = await fetched_of(source, 10, 20)
        assert await read(cache, DATA, source, (11, 1000), fetched=opened) == DATA[11:1000]
        assert await read(cache, DATA, source, (11, 1000), fetched=opened_short) == DATA[11:1000]
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0


async def test_open_body_that_breaks_off_is_resumed_from_the_source(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="reset", after=100_000)]))
        opened = await fetched_of(source, 0, len(DATA))
        assert await read(cache, DATA, source, fetched=opened) == DATA
        assert source.fetches[1] == (100_000, 4 * BLOCK)


async def test_open_body_is_closed_when_the_read_is_cancelled(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        opened = await fetched_of(source, 0, UNIT)
        with trio.CancelScope() as scope:
            scope.cancel()
            await read(cache, DATA, source, (0, UNIT), fetched=opened)
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0


# Tiers that fail


async def test_no_tier_at_all_is_reading_from_the_source(autojump_clock: MockClock) -> None:
    with rig_over() as rig:
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery)
            source = ScriptedSource(DATA)
            assert await read(cache, DATA, source) == DATA
            opened = await fetched_of(source, 0, len(DATA))
            assert await read(cache, DATA, source, fetched=opened) == DATA
            assert source.fetches == [(0, 4 * BLOCK), (4 * BLOCK, len(DATA)), (0, len(DATA))]
            assert rig.total(Counter.MISSES) == 2
            nursery.cancel_scope.cancel()


async def test_full_tier_is_read_past(autojump_clock: MockClock) -> None:
    async with worker(size_bytes=3 * BLOCK) as (rig, cache):
        for _ in range(2):
            source = ScriptedSource(DATA)
            assert await read(cache, DATA, source) == DATA
        assert rig.total(Counter.DIRECT_READS) == 2
        assert rig.total(Counter.MEMORY_BYTES) > 0  # what was stored before it was full


async def test_refusal_past_the_cache_is_raised_by_read(autojump_clock: MockClock) -> None:
    with rig_over() as rig:
        async with trio.open_nursery() as nursery:
            source = ScriptedSource(DATA, faults=deque([Fault(kind="refuse")]))
            with pytest.raises(StoreFailedError):
                await rig.cache(nursery).read(version_of(DATA), 0, 1, source)


async def test_write_error_is_read_past_and_the_tier_rests(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker() as (rig, cache):
        source = ScriptedSource(DATA)

        def fail(block: Block, offset: int, data: memoryview) -> None:
            raise CacheIOError("no space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(Block, "write", fail)
            for number in range(5):
                assert (
                    await read(cache, DATA, source, (number * BLOCK, number * BLOCK + 10))
                    == DATA[number * BLOCK : number * BLOCK + 10]
                )
        assert rig.total(Counter.CACHE_FAILURES) == 3
        assert await read(cache, DATA, source) == DATA
        assert not cache.holds(version_of(DATA), 0, 1)
        await trio.sleep(11)
        assert await read(cache, DATA, source) == DATA
        assert cache.holds(version_of(DATA), 0, len(DATA))


async def test_directory_that_vanishes_is_read_past(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        for path in rig.block_files():
            path.unlink()
        (rig.tiers[0].directory / "blocks").rmdir()
        assert await read(cache, DATA, ScriptedSource(DATA)) == DATA


# Tiers in order


async def test_blocks_of_the_second_tier_are_read_and_promoted_when_read_again(tmp_path: Path) -> None:
    with rig_over(tmp_path) as rig:
        async with trio.open_nursery() as nursery:
            await read(rig.cache(nursery), DATA, ScriptedSource(DATA))
            nursery.cancel_scope.cancel()
    with memory_directory() as directory, rig_over(directory, tmp_path) as rig:
        await check_promotion(rig)


async def check_promotion(rig: Rig) -> None:
    async with trio.open_nursery() as nursery:
        cache = rig.cache(nursery)
        source = ScriptedSource(DATA)
        assert await read(cache, DATA, source) == DATA
        assert rig.total(Counter.DISK_BYTES) == len(DATA)
        assert await read(cache, DATA, source) == DATA
        await promote(cache.shelf)
        assert rig.total(Counter.PROMOTED_BLOCKS) == 6
        assert await read(cache, DATA, source) == DATA
        assert rig.total(Counter.MEMORY_BYTES) == len(DATA)
        assert source.given_bytes == 0
        nursery.cancel_scope.cancel()
    cache.close()


async def test_disk_tier_alone_caches_too(tmp_path: Path) -> None:
    with rig_over(tmp_path) as rig:
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery)
            source = ScriptedSource(DATA)
            for _ in range(2):
                assert await read(cache, DATA, source) == DATA
            assert source.given_bytes == len(DATA)
            nursery.cancel_scope.cancel()
        cache.close()


async def test_tier_keeps_to_its_size_while_much_more_is_read() -> None:
    data = content(64 * BLOCK)
    limits = FetchLimits(max_fetch_bytes=4 * BLOCK)
    size = 24 * BLOCK
    async with worker(limits, size_bytes=size, evicts=True) as (rig, cache), trio.open_nursery() as nursery:
        nursery.start_soon(cache.upkeep)
        source = ScriptedSource(data, bytes_per_second=200e6)
        for _ in range(2):
            assert await read(cache, data, source) == data
        assert rig.total(Counter.EVICTED_BLOCKS) > 0
        assert sum(path.stat().st_blocks * 512 for path in rig.block_files()) <= size
        assert rig.total(Counter.DIRECT_READS) == 0
        nursery.cancel_scope.cancel()


# Commands


async def test_load_makes_blocks_whole(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA)
        await read(cache, DATA, source, (3 * UNIT, 3 * UNIT + 1))
        await cache.load(version_of(DATA), 0, len(DATA), source)
        assert cache.holds(version_of(DATA), 0, len(DATA))
        assert source.given_bytes == len(DATA)


async def test_load_without_a_tier_is_an_error(autojump_clock: MockClock) -> None:
    with rig_over() as rig:
        async with trio.open_nursery() as nursery:
            with pytest.raises(CacheIOError):
                await rig.cache(nursery).load(version_of(DATA), 0, len(DATA), ScriptedSource(DATA))


async def test_drop_takes_the_blocks_that_match(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        assert await cache.drop(lambda block: block.number < 2) == 2
        assert not cache.holds(version_of(DATA), 0, 1)
        assert cache.holds(version_of(DATA), 2 * BLOCK, len(DATA))


async def test_restart_finds_the_blocks(autojump_clock: MockClock) -> None:
    with memory_directory() as directory:
        for expected in (len(DATA), 0):
            with rig_over(directory) as rig:
                async with trio.open_nursery() as nursery:
                    cache = rig.cache(nursery)
                    source = ScriptedSource(DATA)
                    assert await read(cache, DATA, source) == DATA
                    assert source.given_bytes == expected
                    nursery.cancel_scope.cancel()
                cache.close()


async def test_body_outlives_the_cache_being_closed(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        await read(cache, DATA, ScriptedSource(DATA))
        body = await cache.read(version_of(DATA), 0, BLOCK, ScriptedSource(DATA))
        cache.close()
        assert await bytes_of(body) == DATA[:BLOCK]
