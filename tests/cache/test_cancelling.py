"""Cancelling a reader at every await: nothing is left open, claimed or counted, and the others are served."""

from collections import deque
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from s3proxy.cache.blocks import BlockId
from s3proxy.cache.cache import BlockCache
from s3proxy.cache.source import Fetched
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, open_descriptors, read, version_of, worker
from tests.cache.sources import Fault, ScriptedSource, content

DATA = content(2 * BLOCK + 99)

Reader = Callable[[BlockCache, ScriptedSource], Awaitable[None]]


class CancelAfter(trio.abc.Instrument):
    """Cancels a scope when the task that asked for it was scheduled so many times."""

    def __init__(self, scope: trio.CancelScope, steps: int) -> None:
        self.left = steps
        self._scope = scope
        self._task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self.left -= 1
            if not self.left:
                self._scope.cancel()


async def cold(cache: BlockCache, source: ScriptedSource) -> None:
    assert await read(cache, DATA, source) == DATA


async def broken(cache: BlockCache, source: ScriptedSource) -> None:
    source.faults = deque([Fault(kind="reset", after=UNIT + 1)])
    assert await read(cache, DATA, source) == DATA


async def adopting(cache: BlockCache, source: ScriptedSource) -> None:
    opened = Fetched(start=0, stop=len(DATA), body=await source.fetch(0, len(DATA)))
    assert await read(cache, DATA, source, fetched=opened) == DATA


async def past_the_cache(cache: BlockCache, source: ScriptedSource) -> None:
    assert await read(cache, DATA, source, store=False) == DATA


async def run_cancelled(reader: Reader, steps: int, *, with_other: bool) -> bool:
    """Whether the reader was done before it was cancelled."""
    async with worker() as (_, cache):
        before = open_descriptors()
        source = ScriptedSource(DATA, chunk_bytes=128 * 1024)
        async with trio.open_nursery() as nursery:
            if with_other:
                nursery.start_soon(cold, cache, source)
            with trio.CancelScope() as scope:
                instrument = CancelAfter(scope, steps)
                trio.lowlevel.add_instrument(instrument)
                try:
                    await reader(cache, source)
                finally:
                    trio.lowlevel.remove_instrument(instrument)
        await trio.sleep(5)
        await wait_all_tasks_blocked()
        assert source.open_bodies == 0
        assert repr(cache).startswith("<BlockCache: 0 fills, ")
        for index in range(3):
            block = cache.shelf.open_blocks.get(BlockId(version_of(DATA), index, GEOMETRY).name)
            assert block is None or not block.is_claimed(0, block.length)
        assert open_descriptors() - before == len(cache.shelf.open_blocks)
        assert await read(cache, DATA, ScriptedSource(DATA)) == DATA
        assert cache.holds(version_of(DATA), 0, len(DATA))
        return not scope.cancelled_caught


@pytest.mark.parametrize("with_other", [False, True], ids=["alone", "beside another"])
@pytest.mark.parametrize("reader", [cold, broken, adopting, past_the_cache])
async def test_reader_that_is_cancelled_anywhere_leaves_nothing(
    reader: Reader, with_other: bool, autojump_clock: MockClock
) -> None:
    steps = 1
    while not await run_cancelled(reader, steps, with_other=with_other):
        steps += 1
    assert steps > 3
