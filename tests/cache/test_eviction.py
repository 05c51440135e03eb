import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.blocks import PAGE_BYTES, BlockId
from s3proxy.cache.counters import Counter
from s3proxy.cache.eviction import PINNED_FRACTION, Evictor, Watermarks
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.ghosts import Ghosts
from s3proxy.cache.pins import Pin
from s3proxy.cache.policy import S3Fifo
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import EVICTOR, TEMPORARIES
from s3proxy.cache.usage import TierUsage
from tests.cache.making import BLOCK, UNIT, block_id, names, open_tier, path_of, put, set_atime

FILE = BLOCK + PAGE_BYTES
MIB = 1 << 20


@pytest.mark.parametrize(
    ("size", "high", "low"),
    [
        (100 * MIB, 95 * MIB, 85 * MIB),
        (20 * MIB, 16 * MIB, 12 * MIB),
        (6 * MIB, 3 * MIB, 3 * MIB // 2),
    ],
)
def test_watermarks_are_fractions_but_some_blocks_below_a_small_size(size: int, high: int, low: int) -> None:
    marks = Watermarks()
    assert marks.high_bytes(size, MIB) == high
    assert marks.low_bytes(size, MIB) == low


def blocks(count: int, *, key: str = "key") -> list[BlockId]:
    return [block_id(index, key=key) for index in range(count)]


def full_evictor(
    tier: Tier, shared: SharedWords, held: list[BlockId], *, spare: int = 0, below: Evictor | None = None
) -> Evictor:
    """An evictor of ``tier`` with a size that these blocks, used in this order, fill but for ``spare`` bytes."""
    for age, block in enumerate(held):
        put(tier, block)
        set_atime(tier, block, 1000 + age)
    tier.recount()
    sized = open_tier(tier.directory, shared, size_bytes=tier.usage.used_bytes() + spare)
    return Evictor(sized, block_size=BLOCK, shared=shared, below=below, watermarks=Watermarks(high=0.9, low=0.5))


def test_tier_below_its_high_watermark_is_left_alone(tier: Tier, shared: SharedWords) -> None:
    held = blocks(12)
    evictor = full_evictor(tier, shared, held, spare=20 * FILE)
    assert not evictor.is_due
    assert evictor.run() == 0
    assert names(tier) == {block.name for block in held}


def test_least_recently_used_go_first_down_to_the_low_watermark(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held[::-1])
    assert evictor.is_due
    count = evictor.run()
    assert names(tier) == {block.name for block in held[: 20 - count]}
    usage = evictor.tier.usage
    assert usage.used_bytes() <= usage.size_bytes // 2 < usage.used_bytes() + FILE
    assert shared.total(Counter.EVICTED_BLOCKS) == count
    assert shared.total(Counter.EVICTED_BYTES) == count * FILE
    assert not evictor.is_due


def test_order_is_by_use_not_by_age_of_the_file(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held)
    block = tier.find(held[0])
    assert block is not None
    block.touch(time.time_ns())
    evictor.run()
    assert held[0].name in names(tier)
    assert held[1].name not in names(tier)
    block.release()


def test_block_that_is_being_filled_stays(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held)
    block = tier.find(held[0])
    assert block is not None
    claim = block.claim(0, UNIT) or pytest.fail("claimed by nobody")
    evictor.run()
    assert held[0].name in names(tier)
    claim.release()
    block.release()


def test_count_is_corrected_before_anything_goes(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held, spare=20 * FILE)
    evictor.tier.usage.allocated(19 * FILE)
    assert evictor.is_due
    assert evictor.run() == 0
    assert not evictor.is_due


def test_what_the_dead_left_is_removed(tier: Tier, shared: SharedWords) -> None:
    temporary = tier.directory / TEMPORARIES / "x"
    temporary.write_bytes(bytes(BLOCK))
    os.utime(temporary, (0, 0))
    full_evictor(tier, shared, blocks(20)).run()
    assert not temporary.exists()


def test_only_one_evicts_at_a_time(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held)
    with (tier.directory / EVICTOR).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert evictor.run() == 0
        assert not evictor.make_room(FILE, patience_seconds=0.01)
    assert len(names(tier)) == 20
    assert evictor.run() > 0


def test_make_room_waits_for_whoever_is_evicting(tier: Tier, shared: SharedWords) -> None:
    evictor = full_evictor(tier, shared, blocks(20))
    other = (tier.directory / EVICTOR).open("w")
    fcntl.flock(other, fcntl.LOCK_EX)
    timer = threading.Timer(0.05, other.close)
    timer.start()
    assert evictor.make_room(FILE, patience_seconds=10)
    timer.join()


def test_make_room_removes_the_oldest_without_copying_and_no_more_than_a_few(
    tier: Tier, lower: Tier, shared: SharedWords
) -> None:
    held = blocks(30)
    evictor = full_evictor(tier, shared, held, below=Evictor(lower, block_size=BLOCK, shared=shared))
    assert evictor.make_room(2 * FILE)
    left = names(tier)
    assert 20 <= len(left) <= 28
    assert left == {block.name for block in held[-len(left) :]}
    assert not names(lower)
    assert evictor.tier.usage.reserve(2 * FILE)
    evictor.tier.usage.unreserve(2 * FILE)


def test_make_room_goes_on_with_the_same_list_but_not_with_what_was_used_since(
    tier: Tier, shared: SharedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = blocks(40)
    evictor = full_evictor(tier, shared, held)
    assert evictor.make_room(FILE)
    monkeypatch.setattr(evictor.tier, "recount", None)
    used = held[len(held) - len(names(tier))]
    set_atime(tier, used, 5000)
    evictor.tier.usage.allocated(evictor.tier.usage.size_bytes - evictor.tier.usage.used_bytes())
    assert evictor.make_room(FILE)
    assert used.name in names(tier)


def test_make_room_of_more_than_there_is_fails(tier: Tier, shared: SharedWords) -> None:
    evictor = full_evictor(tier, shared, blocks(4))
    assert not evictor.make_room(100 * FILE)


def test_room_that_is_there_costs_nothing(tier: Tier, shared: SharedWords) -> None:
    evictor = full_evictor(tier, shared, blocks(4), spare=2 * FILE)
    assert evictor.make_room(FILE)
    assert len(names(tier)) == 4


def test_full_file_system_makes_room_as_well(tier: Tier, shared: SharedWords, monkeypatch: pytest.MonkeyPatch) -> None:
    evictor = full_evictor(tier, shared, blocks(30), spare=1000 * FILE)
    monkeypatch.setattr(evictor.tier, "free_bytes", lambda: (30 - len(names(tier))) * FILE)
    assert evictor.make_room(2 * FILE)
    assert 20 <= len(names(tier)) <= 28


def test_blocks_of_the_memory_tier_go_to_the_disk_tier(tier: Tier, lower: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held, spare=2 * FILE, below=Evictor(lower, block_size=BLOCK, shared=shared))
    count = evictor.run()
    assert names(lower) == {block.name for block in held[:count]}
    assert shared.total(Counter.DEMOTED_BLOCKS) == count
    assert path_of(lower, held[0]).stat().st_atime == 1000


def test_disk_tier_makes_room_first_and_where_it_refuses_blocks_are_dropped(
    tier: Tier, tmp_path: Path, lower: Tier, shared: SharedWords
) -> None:
    old = blocks(8, key="old")
    below = full_evictor(lower, shared, old)
    below = Evictor(
        Tier("disk", lower.directory, usage=TierUsage(shared, 1, FILE), shared=shared),
        block_size=BLOCK, shared=shared,
    )  # fmt: skip
    held = blocks(20)
    evictor = full_evictor(tier, shared, held, spare=2 * FILE, below=below)
    count = evictor.run()
    assert count > 0
    assert names(tier) == {block.name for block in held[count:]}
    assert not names(lower) & {block.name for block in held}
    assert shared.total(Counter.DEMOTED_BLOCKS) == 0


def test_nothing_is_copied_while_fills_wait_for_room(tier: Tier, lower: Tier, shared: SharedWords) -> None:
    evictor = full_evictor(tier, shared, blocks(20), below=Evictor(lower, block_size=BLOCK, shared=shared))
    assert evictor.tier.usage.used_bytes() == evictor.tier.usage.size_bytes
    count = evictor.run()
    assert 0 < count - len(names(lower)) <= 2


def test_promoted_block_is_in_both_tiers(tier: Tier, lower: Tier, shared: SharedWords) -> None:
    wanted = block_id(key="wanted")
    put(lower, wanted)
    evictor = full_evictor(tier, shared, blocks(20), below=Evictor(lower, block_size=BLOCK, shared=shared))
    assert evictor.promote(wanted.name)
    assert wanted.name in names(tier) & names(lower)
    assert not evictor.promote("absent")
    assert shared.total(Counter.PROMOTED_BLOCKS) == 1


def test_pinned_blocks_stay(tier: Tier, shared: SharedWords) -> None:
    pinned, others = blocks(4, key="pinned/key"), blocks(16)
    evictor = full_evictor(tier, shared, [*pinned, *others])
    evictor.pins.add(Pin(store="store", bucket="bucket", prefix="pinned/"))
    count = evictor.run()
    assert names(tier) == {block.name for block in [*pinned, *others[count:]]}
    assert shared.total(Counter.PINS_IGNORED) == 0


def test_pins_of_nearly_everything_are_kept_only_in_part(tier: Tier, shared: SharedWords) -> None:
    held = blocks(20)
    evictor = full_evictor(tier, shared, held)
    evictor.pins.add(Pin(store="store", bucket="bucket", prefix=""))
    count = evictor.run()
    assert 0 < count == shared.total(Counter.PINS_IGNORED)
    assert len(names(tier)) * FILE == pytest.approx(PINNED_FRACTION * evictor.tier.usage.size_bytes, abs=2 * FILE)


def test_tier_that_cannot_be_locked_is_a_cache_error(tier: Tier, shared: SharedWords) -> None:
    evictor = full_evictor(tier, shared, blocks(20))
    (tier.directory / EVICTOR).unlink()
    (tier.directory / EVICTOR).mkdir()
    with pytest.raises(CacheIOError):
        evictor.run()


# S3-FIFO: what the order is, test_policy.py tells; here it is that of files


def s3_fifo_tier(directory: Path, shared: SharedWords, size_bytes: int) -> Tier:
    policy = S3Fifo(Ghosts(directory, tier_bytes=size_bytes, reach_bytes=size_bytes))
    return Tier("memory", directory, usage=TierUsage(shared, 0, size_bytes), shared=shared, policy=policy)


def use(tier: Tier, block: BlockId, *, after_seconds: int) -> None:
    found = tier.find(block) or pytest.fail("it is not there")
    found.touch(time.time_ns() + after_seconds * 10**9)
    found.release()


@pytest.fixture
def fifo_tier(tier_directory: Path, shared: SharedWords) -> Iterator[Tier]:
    opened = s3_fifo_tier(tier_directory, shared, 24 * FILE)
    yield opened
    opened.close()


def test_s3_fifo_scan_does_not_drive_out_what_is_used_again(fifo_tier: Tier, shared: SharedWords) -> None:
    evictor = Evictor(fifo_tier, block_size=BLOCK, shared=shared)
    hot = blocks(8, key="hot")
    for block in hot:
        put(fifo_tier, block)
        use(fifo_tier, block, after_seconds=10)
        use(fifo_tier, block, after_seconds=20)
    for block in blocks(100, key="scan"):
        assert evictor.make_room(FILE)
        put(fifo_tier, block)
        evictor.run()
        assert fifo_tier.usage.used_bytes() <= fifo_tier.usage.size_bytes
    assert {block.name for block in hot} <= names(fifo_tier)


def test_s3_fifo_use_counts_once_whichever_workers_note_it(fifo_tier: Tier, shared: SharedWords) -> None:
    block = block_id()
    put(fifo_tier, block)
    opened = [fifo_tier.find(block) or pytest.fail("it is not there") for _ in range(3)]
    for each in opened:
        each.touch(time.time_ns() + 10 * 10**9)
        each.release()
    (entry,) = fifo_tier.scan()
    assert fifo_tier.policy.standing(entry.atime_ns).uses == 1


def test_s3_fifo_order_is_kept_across_a_restart(fifo_tier: Tier, shared: SharedWords, tier_directory: Path) -> None:
    hot, others = blocks(3, key="hot"), blocks(20)
    for block in [*hot, *others]:
        put(fifo_tier, block)
    for block in hot:
        use(fifo_tier, block, after_seconds=10)
        use(fifo_tier, block, after_seconds=20)
    again = s3_fifo_tier(tier_directory, shared, 24 * FILE)
    assert Evictor(again, block_size=BLOCK, shared=shared, watermarks=Watermarks(high=0.5, low=0.3)).run() > 10
    assert {block.name for block in hot} <= names(again)
    gone = next(block for block in others if block.name not in names(again))
    put(again, gone)  # it comes back
    assert {entry.name: again.policy.standing(entry.atime_ns).is_main for entry in again.scan()}[gone.name]
    again.close()


def test_s3_fifo_pinned_blocks_and_those_being_filled_stay(fifo_tier: Tier, shared: SharedWords) -> None:
    pinned, filled = block_id(key="pinned/key"), block_id(key="filled")
    for block in (pinned, filled, *blocks(20)):
        put(fifo_tier, block)
    evictor = Evictor(fifo_tier, block_size=BLOCK, shared=shared, watermarks=Watermarks(high=0.3, low=0.01))
    evictor.pins.add(Pin(store="store", bucket="bucket", prefix="pinned/"))
    opened = fifo_tier.find(filled) or pytest.fail("it is not there")
    claim = opened.claim(0, UNIT) or pytest.fail("claimed by nobody")
    assert evictor.run() > 0
    assert {pinned.name, filled.name} <= names(fifo_tier)
    claim.release()
    opened.release()


def test_block_goes_from_s3_fifo_to_lru_below_with_its_last_use(
    fifo_tier: Tier, lower: Tier, shared: SharedWords
) -> None:
    held = blocks(20)
    for block in held:
        put(fifo_tier, block)
    set_atime(fifo_tier, held[0], time.time_ns() // 10**9 - 50)
    use(fifo_tier, held[0], after_seconds=100)
    evictor = Evictor(
        fifo_tier, block_size=BLOCK, shared=shared, below=Evictor(lower, block_size=BLOCK, shared=shared),
        watermarks=Watermarks(high=0.3, low=0.3),
    )  # fmt: skip
    evictor.run()
    assert held[0].name in names(lower)
    assert path_of(lower, held[0]).stat().st_atime == pytest.approx(time.time_ns() / 1e9 + 100, abs=30)
