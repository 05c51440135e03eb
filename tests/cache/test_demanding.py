"""How fills begin: what is claimed, joined, left to others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from s3proxy.cache.blocks import BlockId
from s3proxy.cache.demanding import Demand, Fills
from s3proxy.cache.failures import TierFullError
from s3proxy.cache.shelf import Shelf
from s3proxy.cache.source import Fetched
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, Rig, memory_directory, rig_over, version_of
from tests.cache.sources import ScriptedSource, content

DATA = content(6 * BLOCK)
VERSION = version_of(DATA)


@asynccontextmanager
async def demanding(*, size_bytes: int = 1 << 30) -> AsyncIterator[tuple[Rig, Fills]]:
    """Fills over a memory tier, of which a single one makes them busy."""
    with memory_directory() as directory, rig_over(directory, size_bytes=size_bytes) as rig:
        shelf = Shelf(rig.tiers, GEOMETRY, shared=rig.shared)
        async with trio.open_nursery() as nursery:
            fills = Fills(shelf, nursery=nursery, first_fetch_bytes=2 * BLOCK, max_fetch_bytes=2 * BLOCK, busy_fills=1)
            yield rig, fills
            nursery.cancel_scope.cancel()
        shelf.open_blocks.close()


def demand(start: int, stop: int, *, is_sequential: bool = False, is_exact: bool = False) -> Demand:
    """Of a source that never agrees."""
    return Demand(
        version=VERSION,
        source=ScriptedSource(DATA, latency_seconds=inf),
        start=start,
        stop=stop,
        is_sequential=is_sequential,
        is_exact=is_exact,
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (demand(5, 10), (0, UNIT)),
        (demand(BLOCK - 5, BLOCK + 10), (BLOCK - UNIT, BLOCK + UNIT)),
        (demand(BLOCK // 4, 6 * BLOCK), (0, 2 * BLOCK)),
        (demand(BLOCK + 5, BLOCK + 10, is_sequential=True), (BLOCK, 2 * BLOCK)),
        (demand(UNIT, 3 * UNIT, is_exact=True), (UNIT, 3 * UNIT)),
    ],
)
async def test_one_fetch_covers_adjacent_blocks_up_to_its_bound(asked: Demand, expected: tuple[int, int]) -> None:
    async with demanding() as (_, fills):
        fill = await fills.obtain(asked)
        assert fill is not None
        assert (fill.start, fill.stop) == expected
        assert await fills.obtain(asked) is fill


async def test_fetch_ends_before_what_is_there_or_on_its_way() -> None:
    async with demanding() as (_, fills):
        later = await fills.obtain(demand(BLOCK + 4 * UNIT, BLOCK + 4 * UNIT + 1))
        fill = await fills.obtain(demand(0, 2 * BLOCK))
        assert later is not None
        assert fill is not None
        assert fill.start == 0
        assert BLOCK < fill.stop <= BLOCK + 4 * UNIT
        assert fills.covering(VERSION, BLOCK + 4 * UNIT) is later


async def test_nothing_begins_where_somebody_else_has_the_claim() -> None:
    async with demanding() as (rig, fills):
        block = rig.tiers[0].make(BlockId(VERSION, 0, GEOMETRY))
        claim = block.claim(0, UNIT)
        assert claim is not None
        assert await fills.obtain(demand(0, 10)) is None
        assert await fills.reach(demand(0, 10)) == (BLOCK, None)
        assert fills.covering(VERSION, 0) is None
        claim.release()
        block.release()


async def test_full_tier_is_an_error_only_where_nothing_was_claimed() -> None:
    async with demanding(size_bytes=BLOCK + BLOCK // 2) as (_, fills):
        fill = await fills.obtain(demand(0, 2 * BLOCK))
        assert fill is not None
        assert (fill.start, fill.stop) == (0, BLOCK)
        with pytest.raises(TierFullError):
            await fills.obtain(demand(BLOCK, 2 * BLOCK))
        assert await fills.reach(demand(BLOCK, 2 * BLOCK)) == (2 * BLOCK, None)


async def test_open_body_is_adopted_only_by_who_claims_its_start() -> None:
    async with demanding() as (_, fills):
        source = ScriptedSource(DATA, latency_seconds=0.01)
        exact = demand(0, BLOCK, is_exact=True)
        bodies = [Fetched(start=0, stop=BLOCK, body=await source.fetch(0, BLOCK)) for _ in range(2)]
        assert [await fills.adopt(exact, fetched) for fetched in bodies] == [True, False]
        await bodies[1].body.aclose()
        await wait_all_tasks_blocked()
        assert source.given_bytes == BLOCK
        assert str(fills) == "0 fills"


async def test_fills_are_busy_from_a_stated_number_on() -> None:
    async with demanding() as (_, fills):
        assert not fills.is_busy
        await fills.obtain(demand(0, UNIT))
        assert fills.is_busy
