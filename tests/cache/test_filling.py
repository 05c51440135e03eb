"""Fills: resuming what breaks off, refusing what is too much, ending when nobody waits any more."""

import os
from collections import deque
from pathlib import Path
from typing import Literal

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.body import Body
from s3proxy.cache.cache import FetchLimits
from s3proxy.cache.source import BrokenSourceError, size_of
from tests.cache.rig import BLOCK, UNIT, bytes_of, read, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, StoreFailedError, content

DATA = content(4 * BLOCK + 777)


class Given:
    """How much a body gave before it was closed."""

    bytes = 0

    async def count(self, body: Body, until: int = 1 << 60) -> None:
        async with body:
            async for chunk in body:
                self.bytes += size_of(chunk)
                if self.bytes >= until:
                    break


@pytest.mark.parametrize("kind", ["reset", "short"])
@pytest.mark.parametrize(
    "after", [0, 1, UNIT - 1, UNIT, UNIT + 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK - 1, 4 * BLOCK]
)
async def test_fill_that_breaks_off_goes_on_where_it_was(
    kind: Literal["reset", "short"], after: int, autojump_clock: MockClock
) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind=kind, after=after)]))
        assert await read(cache, DATA, source) == DATA
        assert source.given_bytes == len(DATA)
        assert after == 4 * BLOCK or (after, 4 * BLOCK) in source.fetches
        assert await read(cache, DATA, ScriptedSource(DATA)) == DATA


async def test_fill_with_progress_is_resumed_without_end(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="reset", after=50_000)] * 100))
        assert await read(cache, DATA, source) == DATA


async def test_fill_without_progress_gives_up_with_the_last_failure(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="reset")] * 50))
        body = await cache.read(version_of(DATA), 0, BLOCK, source)
        with pytest.raises(StoreFailedError, match="reset"):
            await bytes_of(body)
        assert len(source.fetches) == 5
        assert source.open_bodies == 0


async def test_refused_resume_ends_the_body_after_the_bytes_that_came(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="reset", after=300_000), *[Fault(kind="refuse")] * 9]))
        body = await cache.read(version_of(DATA), 0, BLOCK, source)
        given = Given()
        with pytest.raises(StoreFailedError, match="refused"):
            await given.count(body)
        assert given.bytes in {4 * UNIT, 300_000}  # who comes after the end of a fill finds whole units


async def test_body_that_is_too_long_gives_nothing_beyond_its_range(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="long", after=5)]))
        assert await read(cache, DATA, source, (0, UNIT)) == DATA[:UNIT]
        assert await read(cache, DATA, source) == DATA
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0


async def test_body_of_another_length_is_not_used(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="announced")]))
        with pytest.raises(BrokenSourceError, match="announced"):
            await cache.read(version_of(DATA), 0, BLOCK, source)
        assert source.given_bytes == source.open_bodies == 0


async def test_fill_is_cancelled_when_its_only_reader_leaves(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, faults=deque([Fault(kind="hang", after=UNIT + 5)]))
        body = await cache.read(version_of(DATA), 0, BLOCK, source)
        await anext(aiter(body))
        await body.aclose()
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0
        assert await read(cache, DATA, source) == DATA
        assert source.fetches[1][0] == UNIT  # the unit that was whole stays


async def test_fill_goes_on_for_the_other_readers(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, latency_seconds=1.0)
        async with trio.open_nursery() as nursery:
            leaving = trio.CancelScope()

            async def leave() -> None:
                with leaving:
                    await read(cache, DATA, source)

            async def stay() -> None:
                assert await read(cache, DATA, source) == DATA

            nursery.start_soon(leave)
            nursery.start_soon(stay)
            await wait_all_tasks_blocked()
            leaving.cancel()
        assert source.given_bytes == len(DATA)


async def test_block_that_is_nearly_whole_is_finished_though_nobody_waits(autojump_clock: MockClock) -> None:
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, chunk_bytes=UNIT, bytes_per_second=1e6)
        body = await cache.read(version_of(DATA), 0, len(DATA), source)
        await Given().count(body, until=BLOCK * 3 // 4)
        await trio.sleep(10)
        assert cache.holds(version_of(DATA), 0, BLOCK)
        assert source.given_bytes <= BLOCK + UNIT
        assert source.open_bodies == 0


async def test_what_is_fetched_ahead_goes_on_though_nobody_waits(autojump_clock: MockClock) -> None:
    async with worker(FetchLimits(max_fetch_bytes=BLOCK, max_prefetch_bytes=BLOCK)) as (_, cache):
        source = ScriptedSource(DATA, bytes_per_second=1e6)
        for start in range(0, 3 * UNIT, UNIT):
            await read(cache, DATA, source, (start, start + UNIT))
        await trio.sleep(60)
        assert cache.holds(version_of(DATA), 0, BLOCK)


async def test_slices_of_a_file_are_copied_into_blocks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    fd = os.open(path, os.O_RDONLY)
    async with worker() as (_, cache):
        source = ScriptedSource(DATA, chunk_bytes=3 * BLOCK + 1, fd=fd)
        assert await read(cache, DATA, source) == DATA
        assert await read(cache, DATA, ScriptedSource(DATA)) == DATA
    os.close(fd)


async def test_file_that_ends_early_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA[:1000])
    fd = os.open(path, os.O_RDONLY)
    async with worker() as (_, cache):
        source = ScriptedSource(DATA[:UNIT], fd=fd)
        with pytest.raises(BrokenSourceError, match="early"):
            await read(cache, DATA[:UNIT], source)
    os.close(fd)
