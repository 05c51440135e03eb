import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s3proxy.cache.block_file import TOUCH_SECONDS, Block
from s3proxy.cache.block_layout import layout_of
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.tier import Tier
from tests.cache.making import BLOCK, UNIT, block_id, content, fill, path_of, put

ID = block_id()
LAYOUT = layout_of(ID)
DATA = LAYOUT.data_offset
ENTRIES_END = LAYOUT.entries_offset + 8 * LAYOUT.units
RUNS = [(UNIT, 2 * UNIT), (4 * UNIT, 6 * UNIT)]


def opened(tier: Tier) -> Block:
    block = tier.find(ID)
    assert block is not None
    return block


@pytest.fixture
def partly(tier: Tier) -> Iterator[Block]:
    """A block of which ``RUNS`` are there."""
    put(tier, ID, RUNS)
    block = opened(tier)
    yield block
    block.release()


@pytest.fixture
def whole(tier: Tier) -> Iterator[Block]:
    """A whole block whose file is old enough for its modification time to be trusted."""
    put(tier, ID)
    age(path_of(tier, ID), 3600)
    block = opened(tier)
    yield block
    block.release()


def age(path: Path, seconds: float) -> None:
    then = time.time_ns() - round(seconds * 1e9)
    os.utime(path, ns=(then, then))


# What is there


@pytest.mark.parametrize(
    ("start", "stop", "until"),
    [
        (0, BLOCK, 0),
        (UNIT, BLOCK, 2 * UNIT),
        (UNIT + 5, UNIT + 7, UNIT + 7),
        (2 * UNIT - 1, 3 * UNIT, 2 * UNIT),
        (2 * UNIT, 3 * UNIT, 2 * UNIT),
        (4 * UNIT + 1, BLOCK, 6 * UNIT),
        (BLOCK - 1, BLOCK, BLOCK - 1),
    ],
)
def test_present_until_ends_where_a_unit_is_missing(partly: Block, start: int, stop: int, until: int) -> None:
    assert partly.present_until(start, stop) == until


@pytest.mark.parametrize(
    ("start", "stop", "missing"),
    [
        (0, BLOCK, [(0, UNIT), (2 * UNIT, 4 * UNIT), (6 * UNIT, BLOCK)]),
        (UNIT, 2 * UNIT, []),
        (UNIT, 2 * UNIT + 1, [(2 * UNIT, 3 * UNIT)]),
        (3 * UNIT - 1, 3 * UNIT + 1, [(2 * UNIT, 4 * UNIT)]),
        (5, 5, []),
    ],
)
def test_missing_is_whole_units_joined(partly: Block, start: int, stop: int, missing: list[tuple[int, int]]) -> None:
    assert partly.missing(start, stop) == missing


def test_snapshot_is_the_header_with_the_entries_of_what_is_there(tier: Tier, partly: Block) -> None:
    header, runs = partly.snapshot()
    assert runs == RUNS
    assert header == path_of(tier, ID).read_bytes()[:ENTRIES_END]


def test_last_block_ends_with_the_object(tier: Tier) -> None:
    last = block_id(1, size=BLOCK + UNIT + 1)
    put(tier, last, [(UNIT, UNIT + 1)])
    block = tier.find(last)
    assert block is not None
    assert block.missing(0, block.length) == [(0, UNIT)]
    assert block.present_until(UNIT, UNIT + 1) == UNIT + 1
    assert block.verify(UNIT, UNIT + 1)
    block.release()


def test_what_another_publishes_is_seen(tier: Tier, partly: Block) -> None:
    other = opened(tier)
    fill(other, content(ID), [(2 * UNIT, 4 * UNIT)])
    assert partly.present_until(UNIT, BLOCK) == 6 * UNIT
    assert partly.verify(UNIT, 6 * UNIT)
    other.release()


# Whether it is sound


def test_whole_block_is_sound_and_then_known_to_be(whole: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    assert whole.verify(0, BLOCK)
    monkeypatch.setattr(os, "preadv", None)
    assert whole.verify(0, BLOCK)
    assert whole.verify_resident(UNIT, UNIT + 1)


def test_only_what_is_asked_for_is_read(whole: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    preadv = os.preadv

    def noted(fd: int, buffers: list[memoryview], offset: int, flags: int) -> int:
        reads.append(offset - DATA)
        return preadv(fd, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", noted)
    assert whole.verify(UNIT + 1, 2 * UNIT + 1)
    assert whole.verify(0, 2 * UNIT)
    assert reads == [UNIT, 2 * UNIT, 0]


def test_file_that_changed_a_moment_ago_is_verified_each_time(
    tier: Tier, whole: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.13 two changes within a tick leave the same modification time."""
    age(path_of(tier, ID), 0.005)
    assert whole.verify(0, BLOCK)
    before = os.stat(path_of(tier, ID))
    damage(tier, DATA)
    os.utime(path_of(tier, ID), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not whole.verify(0, BLOCK)


def test_missing_units_are_not_sound(partly: Block) -> None:
    assert partly.verify(*RUNS[1])
    assert not partly.verify(0, BLOCK)


def test_resident_tells_or_says_that_it_cannot(whole: Block) -> None:
    assert whole.verify_resident(0, BLOCK) in {True, None}  # None on tmpfs


def damage(tier: Tier, at: int) -> None:
    with path_of(tier, ID).open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ 1]))


def cut(tier: Tier, length: int) -> None:
    os.truncate(path_of(tier, ID), length)


def write_in_pieces(block: Block, stops: tuple[int, ...], after_first: Callable[[], None] = lambda: None) -> None:
    """Claim the beginning and write it up to each of these offsets in turn."""
    claim = block.claim(0, stops[-1])
    assert claim is not None
    start = 0
    for stop in stops:
        block.write(start, memoryview(content(ID))[start:stop])
        if start == 0:
            after_first()
        start = stop
    claim.release()


def overwrite_by_another_block(tier: Tier) -> None:
    put(tier, block_id(1))
    path_of(tier, ID).write_bytes(path_of(tier, block_id(1)).read_bytes())


def overwrite_all_but_the_header(tier: Tier) -> None:
    put(tier, block_id(1))
    header = LAYOUT.header
    path_of(tier, ID).write_bytes(header + path_of(tier, block_id(1)).read_bytes()[len(header) :])


def exchange_two_units(tier: Tier) -> None:
    data = bytearray(path_of(tier, ID).read_bytes())
    data[DATA : DATA + UNIT], data[DATA + UNIT : DATA + 2 * UNIT] = (
        data[DATA + UNIT : DATA + 2 * UNIT],
        data[DATA : DATA + UNIT],
    )
    path_of(tier, ID).write_bytes(data)


def exchange_two_units_and_their_entries(tier: Tier) -> None:
    exchange_two_units(tier)
    data = bytearray(path_of(tier, ID).read_bytes())
    at = LAYOUT.entries_offset
    data[at : at + 16] = data[at + 8 : at + 16] + data[at : at + 8]
    path_of(tier, ID).write_bytes(data)


TAMPERING: list[Callable[[Tier], None]] = [
    *(lambda tier, at=at: damage(tier, at) for at in (0, 9, 40, len(LAYOUT.header) - 1)),
    *(lambda tier, at=at: damage(tier, at) for at in (LAYOUT.entries_offset, LAYOUT.entries_offset + 7)),
    *(lambda tier, at=at: damage(tier, at) for at in (DATA, DATA + UNIT - 1)),
    *(
        lambda tier, length=length: cut(tier, length)
        for length in (0, 10, LAYOUT.entries_offset, DATA, DATA + UNIT - 1)
    ),
    overwrite_by_another_block,
    overwrite_all_but_the_header,
    exchange_two_units,
    exchange_two_units_and_their_entries,
]


@pytest.mark.parametrize("tamper", TAMPERING)
@pytest.mark.parametrize("is_known", [True, False])
def test_tampered_block_is_not_sound(tier: Tier, whole: Block, tamper: Callable[[Tier], None], is_known: bool) -> None:
    if is_known:
        assert whole.verify(0, BLOCK)
    tamper(tier)
    assert not whole.verify(0, UNIT)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 8 * (DATA + BLOCK) - 1))
def test_changed_bit_anywhere_is_found_or_changes_nothing(tier: Tier, whole: Block, bit: int) -> None:
    path = path_of(tier, ID)
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    place = bit // 8
    matters = place < len(LAYOUT.header) or LAYOUT.entries_offset <= place < ENTRIES_END or place >= DATA
    assert whole.verify(0, BLOCK) is not matters
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    assert whole.verify(0, BLOCK)


def test_damage_elsewhere_in_the_block_does_not_matter(tier: Tier, whole: Block) -> None:
    damage(tier, DATA + 3 * UNIT)
    assert whole.verify(0, 3 * UNIT)
    assert not whole.verify(0, 3 * UNIT + 1)


def test_file_that_was_swapped_under_its_name_leaves_the_open_one_sound(tier: Tier, whole: Block) -> None:
    put(tier, block_id(1))
    path_of(tier, block_id(1)).rename(path_of(tier, ID))
    assert whole.verify(0, BLOCK)
    assert whole.is_unlinked
    assert tier.find(ID) is None


def test_file_that_was_deleted_stays_sound_for_who_has_it_open(tier: Tier, whole: Block) -> None:
    path_of(tier, ID).unlink()
    assert whole.verify(0, BLOCK)
    assert whole.is_unlinked


# Writing, use and end


def test_write_of_a_file_system_that_refuses_is_a_cache_error(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    block = tier.make(ID)
    claim = block.claim(0, BLOCK)
    assert claim is not None

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(CacheIOError, match="Input/output"):
            block.write(0, memoryview(content(ID)))
    assert block.missing(0, BLOCK) == [(0, BLOCK)]
    claim.release()
    block.release()


def test_touch_sets_the_access_time_every_few_seconds_and_nothing_else(tier: Tier, whole: Block) -> None:
    before = os.stat(path_of(tier, ID))
    later = before.st_atime_ns + TOUCH_SECONDS * 1_000_000_000
    for now_ns, seen in [(later - 1, before.st_atime_ns), (later, later), (later + 1, later)]:
        whole.touch(now_ns)
        after = os.stat(path_of(tier, ID))
        assert (after.st_atime_ns, after.st_mtime_ns) == (seen, before.st_mtime_ns)


def test_reading_does_not_count_as_use(tier: Tier, whole: Block) -> None:
    before = os.fstat(whole.fd).st_atime_ns
    assert whole.verify(0, BLOCK)
    assert os.fstat(whole.fd).st_atime_ns == before


def test_block_is_closed_when_all_have_released_it(tier: Tier) -> None:
    block = tier.make(ID)
    assert block.share() is block
    block.release()
    os.fstat(block.fd)
    block.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(block.fd)


def test_what_this_process_has_just_written_is_not_read_back(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    block = tier.make(ID)
    fill(block, content(ID), [(0, 2 * UNIT)])
    monkeypatch.setattr(os, "preadv", None)
    assert block.verify(0, 2 * UNIT)
    block.release()


def test_unit_that_this_process_wrote_in_pieces_is_not_read_back(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    block = tier.make(ID)
    write_in_pieces(block, (100, UNIT - 100, UNIT + 100, 2 * UNIT))
    monkeypatch.setattr(os, "preadv", None)
    assert block.verify(0, 2 * UNIT)
    block.release()


@pytest.mark.parametrize("pieces", [(100, UNIT), (100, 200, UNIT), (100, UNIT + 100, 2 * UNIT)])
@pytest.mark.parametrize("is_looked_at", [False, True])
def test_unit_that_was_cut_off_while_it_was_written_is_found(
    tier: Tier, pieces: tuple[int, ...], is_looked_at: bool
) -> None:
    block = tier.make(ID)

    def disturb() -> None:
        cut(tier, DATA)
        if is_looked_at:  # a reader may come upon it before the writer does
            block.verify(0, UNIT)

    write_in_pieces(block, pieces, after_first=disturb)
    assert not block.verify(0, UNIT)
    block.release()


def test_what_somebody_else_wrote_between_two_of_our_writes_is_found(tier: Tier) -> None:
    block = tier.make(ID)
    fill(block, content(ID), [(0, UNIT)])
    damage(tier, DATA + 10)
    fill(block, content(ID), [(UNIT, 2 * UNIT)])
    assert not block.verify(0, UNIT)
    block.release()
