"""Blocks of all tiers: the fastest first, one search for all who want the same, tiers that fail left alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.shelf import REST_SECONDS, Shelf
from s3proxy.cache.tier import Tier
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, Rig, memory_directory, open_descriptors, rig_over, version_of
from tests.cache.sources import content

DATA = content(2 * BLOCK)
FIRST = BlockId(version_of(DATA), 0, GEOMETRY)
SECOND = BlockId(version_of(DATA), 1, GEOMETRY)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with memory_directory() as directory, rig_over(directory, tmp_path) as made:
        yield made


@pytest.fixture
def shelf(rig: Rig) -> Iterator[Shelf]:
    made = Shelf(rig.tiers, GEOMETRY, shared=rig.shared)
    yield made
    made.open_blocks.close()


def filled(tier: Tier) -> Block:
    block = tier.make(FIRST)
    claim = block.claim(0, UNIT)
    assert claim is not None
    block.write(0, memoryview(DATA)[:UNIT])
    claim.release()
    return block


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """The names of the tiers whose method of this name is called."""
    calls: list[str] = []
    real = getattr(Tier, name)

    def counted(self: Tier, *arguments: object, **others: object) -> object:
        calls.append(self.name)
        return real(self, *arguments, **others)

    monkeypatch.setattr(Tier, name, counted)
    return calls


def fail(self: Tier, *_: object, **__: object) -> Block:
    raise CacheIOError("input/output error")


async def test_block_is_made_in_the_fastest_tier_and_kept_open(shelf: Shelf) -> None:
    block = await shelf.find_or_make(FIRST)
    assert block.tier == "memory"
    assert block.is_in_memory
    assert shelf.opened(FIRST) is block
    assert await shelf.find(FIRST) is block


async def test_block_that_is_nowhere_is_not_found(shelf: Shelf) -> None:
    assert shelf.opened(FIRST) is None
    assert await shelf.find(FIRST) is None


async def test_block_of_the_slow_tier_is_found_there(shelf: Shelf, rig: Rig) -> None:
    filled(rig.tiers[1]).release()
    block = await shelf.find_or_make(FIRST)
    assert block.tier == "disk"
    assert not block.is_in_memory
    assert await shelf.is_sound(FIRST, block, 0, UNIT)
    assert shelf.read_now(block, block.data_offset, 10) == DATA[:10]


async def test_many_who_look_for_a_block_open_it_once(shelf: Shelf, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(rig.tiers[1]).release()
    calls = count_calls(monkeypatch, "find")
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(shelf.find, FIRST)
    assert calls == ["memory", "disk"]


async def test_many_who_want_a_new_block_make_it_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch, "make")
    found = set()

    async def want() -> None:
        found.add(await shelf.find_or_make(FIRST))

    async with trio.open_nursery() as nursery:
        for _ in range(25):
            nursery.start_soon(want)
            nursery.start_soon(shelf.find, FIRST)
    assert calls == ["memory"]
    assert len(found) == 1


async def test_blocks_that_are_wanted_next_are_looked_for_at_once(
    shelf: Shelf, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(rig.tiers[1]).release()
    calls = count_calls(monkeypatch, "find_all")
    await shelf.look_for([FIRST, SECOND])
    await shelf.look_for([FIRST, SECOND])

    assert (await shelf.find_or_make(FIRST)).tier == "disk"
    assert (await shelf.find_or_make(SECOND)).tier == "memory"
    assert calls == ["memory", "disk"]


async def test_block_that_was_nowhere_is_found_as_soon_as_it_is_there(shelf: Shelf, rig: Rig) -> None:
    await shelf.look_for([FIRST])
    assert await shelf.find(FIRST) is None
    filled(rig.tiers[1]).release()

    block = await shelf.find(FIRST)

    assert block is not None
    assert block.tier == "disk"


async def test_who_wants_a_block_that_is_being_looked_for_waits(
    shelf: Shelf, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(rig.tiers[1]).release()
    calls = count_calls(monkeypatch, "find_all")
    found = []

    async def want() -> None:
        found.append(await shelf.find(FIRST))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shelf.look_for, [FIRST, SECOND])
        await trio.lowlevel.checkpoint()
        nursery.start_soon(want)
        nursery.start_soon(want)
    assert calls == ["memory", "disk"]
    assert found == [shelf.opened(FIRST)] * 2


async def test_search_that_is_given_up_leaves_nothing_open(
    shelf: Shelf, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(rig.tiers[0]).release()
    before = open_descriptors()

    def given_up(self: Tier, _blocks: object) -> dict[BlockId, Block]:
        raise KeyboardInterrupt

    real = Tier.find_all
    monkeypatch.setattr(
        Tier, "find_all", lambda self, blocks: (real if self.name == "memory" else given_up)(self, blocks)
    )
    with pytest.raises(KeyboardInterrupt):
        await shelf.look_for([FIRST, SECOND])

    assert open_descriptors() == before
    assert shelf.opened(FIRST) is None


async def test_unsound_block_is_dropped(shelf: Shelf, rig: Rig) -> None:
    filled(rig.tiers[0]).release()
    block = await shelf.find(FIRST)
    assert block is not None
    with rig.block_files()[0].open("r+b") as file:
        file.seek(block.data_offset)
        file.write(b"\0\1")
    block.share()
    assert not await shelf.is_sound(FIRST, block, 0, 10)
    block.release()
    assert await shelf.find(FIRST) is None
    assert rig.total(Counter.CORRUPT_BLOCKS) == 1


async def test_tier_that_cannot_make_is_passed_over_and_rests(
    shelf: Shelf, rig: Rig, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Tier.make
    monkeypatch.setattr(Tier, "make", lambda self, *a, **k: (fail if self.name == "memory" else real)(self, *a, **k))
    names = [BlockId(version_of(DATA, str(n)), 0, GEOMETRY) for n in range(6)]
    for name in names[:4]:
        assert (await shelf.find_or_make(name)).tier == "disk"
    assert rig.total(Counter.CACHE_FAILURES) == 3
    await trio.sleep(REST_SECONDS)
    assert (await shelf.find_or_make(names[4])).tier == "disk"
    assert rig.total(Counter.CACHE_FAILURES) == 4
    monkeypatch.undo()
    assert (await shelf.find_or_make(names[5])).tier == "memory"


async def test_no_tier_that_can_make_is_an_error(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tier, "make", fail)
    for _ in range(5):
        with pytest.raises(CacheIOError):
            await shelf.find_or_make(FIRST)


async def test_tier_that_cannot_find_is_passed_over(shelf: Shelf, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(rig.tiers[1]).release()
    real = Tier.find
    monkeypatch.setattr(Tier, "find", lambda self, block: (fail if self.name == "memory" else real)(self, block))
    block = await shelf.find(FIRST)
    assert block is not None
    assert block.tier == "disk"


async def test_open_block_of_a_resting_tier_is_read_but_not_filled(shelf: Shelf) -> None:
    block = await shelf.find_or_make(FIRST)
    for _ in range(3):
        shelf.note_failure("memory")
    with pytest.raises(CacheIOError, match="rests"):
        await shelf.find_or_make(FIRST)
    assert shelf.opened(FIRST) is block


async def test_full_tier_is_passed_over_for_a_second(
    shelf: Shelf, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Tier.make

    def full(self: Tier, block: BlockId) -> Block:
        if self.name == "memory":
            raise TierFullError("full")
        return real(self, block)

    monkeypatch.setattr(Tier, "make", full)
    assert (await shelf.find_or_make(FIRST)).tier == "disk"
    monkeypatch.undo()
    assert (await shelf.find_or_make(BlockId(FIRST.version, 1, GEOMETRY))).tier == "disk"
    await trio.sleep(1)
    other = BlockId(version_of(DATA, "other"), 0, GEOMETRY)
    assert (await shelf.find_or_make(other)).tier == "memory"


async def test_what_a_full_tier_holds_is_found(
    shelf: Shelf, rig: Rig, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(rig.tiers[0]).release()

    def full(*_: object, **__: object) -> Block:
        raise TierFullError("full")

    monkeypatch.setattr(Tier, "make", full)
    with pytest.raises(CacheIOError):
        await shelf.find_or_make(BlockId(FIRST.version, 1, GEOMETRY))
    found = await shelf.find(FIRST)
    assert found is not None
    assert found.tier == "memory"


async def test_tier_above_its_high_watermark_leaves_new_blocks_to_the_next(rig: Rig) -> None:
    shelf = Shelf(rig.tiers, GEOMETRY, shared=rig.shared, evictors=rig.evictors())
    usage = rig.tiers[0].usage
    assert usage.reserve(usage.size_bytes - BLOCK)
    assert (await shelf.find_or_make(FIRST)).tier == "disk"
    usage.unreserve(usage.size_bytes - BLOCK)
    assert (await shelf.find_or_make(BlockId(FIRST.version, 1, GEOMETRY))).tier == "memory"
    shelf.open_blocks.close()


async def test_last_tier_takes_new_blocks_above_its_high_watermark(rig: Rig) -> None:
    shelf = Shelf(rig.tiers[:1], GEOMETRY, shared=rig.shared, evictors=rig.evictors()[:1])
    usage = rig.tiers[0].usage
    assert usage.reserve(usage.size_bytes - 2 * BLOCK)
    assert (await shelf.find_or_make(FIRST)).tier == "memory"
    shelf.open_blocks.close()


async def test_bytes_beyond_the_end_of_a_truncated_block_are_not_read(shelf: Shelf, rig: Rig) -> None:
    filled(rig.tiers[0]).release()
    block = await shelf.find(FIRST)
    assert block is not None
    os.truncate(rig.block_files()[0], block.data_offset + 10)
    assert shelf.read_now(block, block.data_offset, 20) is None


async def test_block_of_a_lower_tier_is_to_be_promoted_when_it_is_used_again(shelf: Shelf, rig: Rig) -> None:
    filled(rig.tiers[1]).release()
    block = await shelf.find(FIRST)
    assert block is not None
    shelf.note_use(FIRST, block)
    assert shelf.take_promotable() == []
    shelf.note_use(FIRST, block)
    assert shelf.take_promotable() == [(FIRST.name, rig.tiers[1])]
    assert shelf.take_promotable() == []
