"""Following what another process fills, and taking over from it."""

import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from s3proxy.cache.blocks import BlockId
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.following import STALL_SECONDS, Followers
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, bytes_of, memory_directory, read, rig_over, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, content

DATA = content(2 * BLOCK)


async def test_units_of_another_worker_are_given_as_they_come(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache), trio.open_nursery() as fills:
        other = rig.cache(fills)
        source = ScriptedSource(DATA, chunk_bytes=UNIT, faults=deque([Fault(kind="hang", after=3 * UNIT + 5)]))
        filling = await cache.read(version_of(DATA), 0, len(DATA), source)
        following = await other.read(version_of(DATA), 0, len(DATA), source)
        given = b""
        with trio.move_on_after(1):
            async for chunk in following:
                given += (
                    bytes(chunk)
                    if isinstance(chunk, bytes | memoryview)
                    else os.pread(chunk.fd, chunk.length, chunk.offset)
                )
        assert given == DATA[: 3 * UNIT]
        assert len(source.fetches) == 1
        await filling.aclose()
        assert await bytes_of(following) == DATA[3 * UNIT :]  # taken over
        assert source.fetches[1][0] == 3 * UNIT
        fills.cancel_scope.cancel()
        other.close()


async def test_polling_costs_one_task_for_all_readers_of_a_block(autojump_clock: MockClock) -> None:
    async with worker() as (rig, _), trio.open_nursery() as nursery:
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(0, BLOCK)
        assert claim is not None
        followers = Followers(nursery)
        async with trio.open_nursery() as waiting:
            for number in range(100):
                waiting.start_soon(followers.wait, block, number % 4 * UNIT)
            await trio.sleep(0.1)
            assert len(nursery.child_tasks) == 1
            assert len(waiting.child_tasks) == 100
            block.write(0, memoryview(DATA)[: 3 * UNIT])
            await trio.sleep(0.02)
            assert len(waiting.child_tasks) == 25
            claim.release()
        await trio.sleep(1)
        assert not nursery.child_tasks
        block.release()


async def test_waiter_that_is_cancelled_is_not_polled_for(autojump_clock: MockClock) -> None:
    async with worker() as (rig, _), trio.open_nursery() as nursery:
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(0, BLOCK)
        assert claim is not None
        followers = Followers(nursery)
        with trio.move_on_after(0.1):
            await followers.wait(block, 0)
        await trio.sleep(1)
        assert not nursery.child_tasks
        claim.release()
        block.release()


async def test_reader_goes_to_the_store_when_a_claimed_block_does_not_grow(autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(0, BLOCK)
        assert claim is not None
        block.write(0, memoryview(DATA)[:UNIT])
        source = ScriptedSource(DATA)
        with trio.fail_after(STALL_SECONDS + 1):
            assert await read(cache, DATA, source) == DATA
        assert trio.current_time() >= STALL_SECONDS
        assert source.fetches[-1] == (UNIT, len(DATA))
        with trio.fail_after(1):  # who comes later knows already
            assert await read(cache, DATA, source, (BLOCK // 2, BLOCK)) == DATA[BLOCK // 2 : BLOCK]
        claim.release()
        assert await read(cache, DATA, source) == DATA
        assert cache.holds(version_of(DATA), 0, len(DATA))
        block.release()


async def test_slow_fill_is_waited_for_and_one_that_goes_on_again_too(autojump_clock: MockClock) -> None:
    async with worker() as (rig, _), trio.open_nursery() as nursery:
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(0, BLOCK)
        assert claim is not None
        followers = Followers(nursery)
        for written in range(4):
            with trio.move_on_after(0.8 * STALL_SECONDS) as waiting:
                await followers.wait(block, 8 * UNIT)
            assert waiting.cancelled_caught
            block.write(written * 1000, memoryview(DATA)[written * 1000 :][:1000])
        with pytest.raises(CacheIOError):
            await followers.wait(block, 8 * UNIT)
        with pytest.raises(CacheIOError):
            await followers.wait(block, 9 * UNIT)
        block.write(4000, memoryview(DATA)[4000:][:1000])
        await trio.sleep(1)
        with trio.move_on_after(1) as waiting:
            await followers.wait(block, 8 * UNIT)
        assert waiting.cancelled_caught
        claim.release()
        await trio.sleep(1)
        assert not nursery.child_tasks
        block.release()


async def test_stalled_fill_is_watched_until_it_is_given_up(autojump_clock: MockClock) -> None:
    async with worker() as (rig, _), trio.open_nursery() as nursery:
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(0, BLOCK)
        assert claim is not None
        followers = Followers(nursery)
        with pytest.raises(CacheIOError):
            await followers.wait(block, 0)
        await trio.sleep(10 * STALL_SECONDS)
        assert len(nursery.child_tasks) == 1
        claim.release()
        await trio.sleep(1)
        assert not nursery.child_tasks
        block.release()


FILLER = """
import sys, trio
from pathlib import Path
from collections import deque
from s3proxy.cache.cache import BlockCache
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.usage import TierUsage
from tests.cache.rig import GEOMETRY, version_of
from tests.cache.sources import Fault, ScriptedSource, content

async def main():
    shared = SharedWords.create(1)
    tier = Tier("memory", Path(sys.argv[1]), usage=TierUsage(shared, 0, 1 << 30), shared=shared)
    data = content(int(sys.argv[2]))
    source = ScriptedSource(data, faults=deque([Fault(kind="hang", after=300_000)]))
    async with trio.open_nursery() as nursery:
        cache = BlockCache([tier], GEOMETRY, nursery=nursery, shared=shared)
        body = await cache.read(version_of(data), 0, len(data), source)
        async for chunk in body:
            print(flush=True)

trio.run(main)
"""


def start_filler(directory: Path) -> "subprocess.Popen[bytes]":
    """A process that has filled at least 256 KiB and waits for more."""
    arguments = [sys.executable, "-c", FILLER, str(directory), str(len(DATA))]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert process.stdout is not None
    process.stdout.readline()
    return process


async def test_fill_of_a_killed_process_is_taken_over() -> None:
    with memory_directory() as directory, rig_over(directory) as rig:
        process = start_filler(directory)
        async with trio.open_nursery() as nursery:
            cache = rig.cache(nursery)
            source = ScriptedSource(DATA)
            body = await cache.read(version_of(DATA), 0, len(DATA), source)
            with trio.move_on_after(0.3) as waiting:
                await anext(aiter(body))
                while True:
                    await anext(aiter(body))
            assert waiting.cancelled_caught
            assert source.fetches == []
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert len(await bytes_of(body)) == len(DATA) - 4 * UNIT
            assert source.fetches == [(4 * UNIT, len(DATA))]
            assert await read(cache, DATA, source) == DATA
            assert rig.total(Counter.CORRUPT_BLOCKS) == 0
            nursery.cancel_scope.cancel()
        cache.close()


@pytest.mark.parametrize("place", [0, 5 * UNIT])
async def test_block_that_somebody_fills_in_part_is_filled_around_it(place: int, autojump_clock: MockClock) -> None:
    async with worker() as (rig, cache):
        block = rig.tiers[0].make(BlockId(version_of(DATA), 0, GEOMETRY))
        claim = block.claim(place, place + UNIT)
        assert claim is not None
        source = ScriptedSource(DATA)
        async with trio.open_nursery() as nursery:

            async def check() -> None:
                assert await read(cache, DATA, source) == DATA

            nursery.start_soon(check)
            await trio.sleep(0.1)
            assert (source.given_bytes > 0) == (place > 0)
            claim.release()
        assert source.given_bytes == len(DATA)
        block.release()
