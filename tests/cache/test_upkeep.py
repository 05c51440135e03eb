"""Evicting, closing what was evicted, promoting."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId
from s3proxy.cache.counters import Counter
from s3proxy.cache.eviction import Evictor
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.shelf import Shelf
from s3proxy.cache.upkeep import INTERVAL_SECONDS, LOOK_SECONDS, close_unlinked, evict, keep_up, promote
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, Rig, memory_directory, rig_over, version_of
from tests.cache.sources import content

DATA = content(BLOCK)


def shelf_of(rig: Rig) -> Shelf:
    return Shelf(rig.tiers, GEOMETRY, shared=rig.shared, evictors=rig.evictors())


async def fill(shelf: Shelf, key: str) -> BlockId:
    block_id = BlockId(version_of(DATA, key), 0, GEOMETRY)
    block = await shelf.find_or_make(block_id)
    claim = block.claim(0, BLOCK)
    assert claim is not None
    block.write(0, memoryview(DATA))
    claim.release()
    return block_id


async def test_tier_above_its_mark_is_evicted_from_and_what_went_is_closed() -> None:
    with memory_directory() as directory, rig_over(directory, size_bytes=16 * BLOCK) as rig:
        shelf = shelf_of(rig)
        blocks = [await fill(shelf, str(number)) for number in range(14)]
        await evict(shelf)
        await close_unlinked(shelf)
        assert rig.total(Counter.EVICTED_BLOCKS) > 0
        assert len(shelf.open_blocks) == len(rig.block_files()) < len(blocks)
        shelf.open_blocks.close()


async def test_what_another_worker_evicted_is_closed(autojump_clock: MockClock) -> None:
    with memory_directory() as directory, rig_over(directory) as rig:
        shelf = shelf_of(rig)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_up, shelf)
            for key in ("1", "2"):
                block_id = await fill(shelf, key)
                await trio.sleep(1)
                rig.tiers[0].remove(block_id.name)
                await trio.sleep(2 * INTERVAL_SECONDS)
                assert len(shelf.open_blocks) == 0
            nursery.cancel_scope.cancel()


async def test_what_somebody_else_than_a_worker_removed_is_closed(autojump_clock: MockClock) -> None:
    with memory_directory() as directory, rig_over(directory) as rig:
        shelf = shelf_of(rig)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_up, shelf)
            await fill(shelf, "key")
            await trio.sleep(1)
            rig.block_files()[0].unlink()
            await trio.sleep(LOOK_SECONDS)
            assert len(shelf.open_blocks) == 0
            nursery.cancel_scope.cancel()


async def test_open_blocks_are_not_looked_at_while_none_is_removed(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with memory_directory() as directory, rig_over(directory) as rig:
        shelf = shelf_of(rig)
        await fill(shelf, "key")
        looks: list[Block] = []

        def note(block: Block) -> bool:
            looks.append(block)
            return False

        monkeypatch.setattr(Block, "is_unlinked", property(note))
        with trio.move_on_after(2 * LOOK_SECONDS + 1):
            await keep_up(shelf)
        assert len(looks) == 3
        shelf.open_blocks.close()


async def test_failure_of_an_evictor_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with memory_directory() as directory, rig_over(directory, size_bytes=16 * BLOCK) as rig:
        shelf = shelf_of(rig)
        for number in range(14):
            await fill(shelf, str(number))

        def fail(self: Evictor) -> int:
            raise CacheIOError("input/output error")

        monkeypatch.setattr(Evictor, "run", fail)
        await evict(shelf)
        assert rig.total(Counter.CACHE_FAILURES) == 1
        shelf.open_blocks.close()


@pytest.mark.parametrize("error", [None, TierFullError("full")])
async def test_block_is_promoted_if_there_is_room(
    error: TierFullError | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rig_over(tmp_path) as rig:
        shelf = shelf_of(rig)
        block_id = await fill(shelf, "key")
        shelf.open_blocks.close()
    with memory_directory() as directory, rig_over(directory, tmp_path) as rig:
        shelf = shelf_of(rig)
        for _ in range(2):
            block = await shelf.find(block_id)
            assert block is not None
            shelf.note_use(block_id, block)
        if error is not None:
            monkeypatch.setattr(type(rig.tiers[0].usage), "reserve", lambda *_: False)
        await promote(shelf)
        assert rig.total(Counter.PROMOTED_BLOCKS) == (error is None)
        found = await shelf.find(block_id)
        assert found is not None
        assert found.tier == ("memory" if error is None else "disk")
        assert found.verify(0, UNIT)
        shelf.open_blocks.close()
