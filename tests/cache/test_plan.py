"""What is fetched for a read: units or blocks, cut into fetches, and how far ahead of a run of reads."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.plan import LOOK_BACK_UNITS, ReadHistory, blocks_of, cut_to, fetch_bytes, halved, run_at, wanted

UNIT = 64 * 1024
BLOCK = 4 * 1024 * 1024
MIB = 1024 * 1024
_MOST = BLOCK * 3 // 4


@given(st.integers(1, 50), st.integers(0, 500), st.integers(1, 500))
def test_blocks_of_a_span_are_ordered_and_cover_it(block_size: int, start: int, length: int) -> None:
    ranges = [(i * block_size + a, i * block_size + b) for i, a, b in blocks_of(block_size, start, start + length)]
    assert ranges[0][0] == start
    assert ranges[-1][1] == start + length
    assert all(stop == following for (_, stop), (following, _) in pairwise(ranges))
    assert all(0 <= a < b <= block_size for _, a, b in blocks_of(block_size, start, start + length))


@pytest.mark.parametrize(
    ("start", "stop", "present", "expected"),
    [
        (0, 1, 0, (0, UNIT)),
        (UNIT - 1, UNIT + 1, 0, (0, 2 * UNIT)),
        (5 * UNIT, 5 * UNIT + 8192, 0, (5 * UNIT, 6 * UNIT)),
        (0, _MOST - 1, 0, (0, _MOST)),
        (0, _MOST, 0, (0, BLOCK)),
        (0, 1, _MOST - 1, (0, UNIT)),
        (0, 1, _MOST, (0, BLOCK)),
        (0, BLOCK, 0, (0, BLOCK)),
        (BLOCK - _MOST, BLOCK, 0, (BLOCK - _MOST - LOOK_BACK_UNITS * UNIT, BLOCK)),
        (BLOCK - 1, BLOCK, _MOST, (BLOCK - UNIT - LOOK_BACK_UNITS * UNIT, BLOCK)),
    ],
)
def test_block_is_wanted_whole_when_most_of_it_is_read_or_there(
    start: int, stop: int, present: int, expected: tuple[int, int]
) -> None:
    assert wanted(BLOCK, UNIT, start, stop, present=present, is_sequential=False) == expected


@pytest.mark.parametrize(
    ("read", "expected"),
    [(0, 4 * UNIT), (4 * UNIT, 4 * UNIT), (6 * UNIT - 1, 5 * UNIT), (9 * UNIT, 9 * UNIT), (99 * UNIT, 16 * UNIT)],
)
def test_a_fetch_is_as_long_as_what_was_read(read: int, expected: int) -> None:
    assert fetch_bytes(read, UNIT, first=4 * UNIT, most=16 * UNIT) == expected


def test_sequential_reader_wants_the_block_from_where_it_is() -> None:
    assert wanted(BLOCK, UNIT, 3 * UNIT + 5, 3 * UNIT + 6, present=0, is_sequential=True) == (3 * UNIT, BLOCK)


def test_small_object_is_wanted_whole_whatever_is_read_of_it() -> None:
    length = 2 * UNIT - 7
    assert wanted(length, UNIT, length - 8, length, present=0, is_sequential=False) == (0, length)


def test_object_below_a_block_is_wanted_whole_when_most_of_it_is_read() -> None:
    assert wanted(8 * UNIT + 1, UNIT, 2 * UNIT, 8 * UNIT + 1, present=0, is_sequential=False) == (0, 8 * UNIT + 1)
    assert wanted(8 * UNIT + 1, UNIT, 8 * UNIT, 8 * UNIT + 1, present=0, is_sequential=False) == (
        8 * UNIT,
        8 * UNIT + 1,
    )


@given(
    st.integers(1, 4096), st.integers(1, 64), st.integers(0, 4096), st.integers(1, 4096), st.integers(0), st.booleans()
)
def test_wanted_range_is_of_units_and_contains_what_is_read(
    length: int, unit: int, start: int, size: int, present: int, is_sequential: bool
) -> None:
    start %= length
    stop = min(start + size, length)
    a, b = wanted(length, unit, start, stop, present=present % (length + 1), is_sequential=is_sequential)
    assert 0 <= a <= start < stop <= b <= length
    assert a % unit == 0
    assert b % unit == 0 or b == length
    assert start - a < (LOOK_BACK_UNITS + 1) * unit or length <= 2 * unit


def test_run_is_the_missing_piece_around_the_offset() -> None:
    missing = [(0, 10), (20, 40), (50, 60)]
    assert run_at(missing, 25, (0, 60)) == (20, 40)
    assert run_at(missing, 25, (22, 30)) == (22, 30)
    assert run_at(missing, 15, (0, 60)) is None
    assert run_at([], 15, (0, 60)) is None


@given(st.integers(0, 30), st.integers(1, 70), st.integers(0, 200))
def test_halving_a_refused_range_ends_at_the_one_unit_that_is_needed(first: int, units: int, place: int) -> None:
    unit = 16
    start, stop = first * unit, (first + units) * unit - 3
    needed = start + place % (stop - start)
    run: tuple[int, int] | None = (start, stop)
    last = (start, stop)
    turns = 0
    while run is not None:
        last = run
        assert start <= run[0] <= needed < run[1] <= stop
        run = halved(*run, needed, unit)
        turns += 1
    assert last[0] == needed // unit * unit
    assert last[1] - last[0] <= unit
    assert turns <= 9


def test_three_reads_in_a_row_are_sequential() -> None:
    history = ReadHistory(UNIT)
    found = [history.note("v", i * MIB, (i + 1) * MIB).is_sequential(UNIT) for i in range(4)]
    assert found == [False, False, True, True]


def test_tiny_reads_are_sequential_once_they_span_two_units() -> None:
    history = ReadHistory(UNIT)
    found = [history.note("v", i * 8192, (i + 1) * 8192).is_sequential(UNIT) for i in range(17)]
    assert found.index(True) == 15


def test_same_read_over_and_over_is_not_sequential() -> None:
    history = ReadHistory(UNIT)
    assert not any(history.note("v", 0, MIB).is_sequential(UNIT) for _ in range(10))


def test_backward_reads_are_not_sequential() -> None:
    history = ReadHistory(UNIT)
    assert not any(history.note("v", i * MIB, (i + 1) * MIB).is_sequential(UNIT) for i in range(10, 0, -1))


def test_interleaved_runs_of_one_version_are_told_apart() -> None:
    history = ReadHistory(UNIT)
    found = []
    for i in range(3):
        found = [history.note("v", base + i * MIB, base + (i + 1) * MIB) for base in (0, 100 * MIB, 200 * MIB)]
    assert all(reads.is_sequential(UNIT) for reads in found)
    assert len(set(map(id, found))) == 3


def test_versions_do_not_continue_each_other() -> None:
    history = ReadHistory(UNIT)
    found = [history.note(str(i), i * MIB, (i + 1) * MIB) for i in range(5)]
    assert not any(reads.is_sequential(UNIT) for reads in found)


def test_history_is_bounded_in_versions_and_in_runs() -> None:
    history = ReadHistory(UNIT)
    for i in range(5000):
        history.note(str(i), 0, 10)
    for i in range(100):
        history.note("v", i * 50 * MIB, i * 50 * MIB + 1)
    assert len(history._versions) == 4096
    assert len(history._versions["v"]) == 4


def test_prefetch_grows_with_what_was_read_up_to_its_bound() -> None:
    history = ReadHistory(UNIT)
    size = 400 * MIB
    asked = []
    for i in range(200):
        reads = history.note("v", i * MIB, (i + 1) * MIB)
        run = reads.prefetch(32 * MIB, BLOCK, size) if reads.is_sequential(UNIT) else None
        if run is not None:
            assert run[1] % BLOCK == 0
            assert run[1] - (i + 1) * MIB <= 32 * MIB
            asked.append(run)
    assert asked[0] == (3 * MIB, 8 * MIB)
    assert all(stop == following for (_, stop), (following, _) in pairwise(asked))
    assert max(stop - start for start, stop in asked) >= 16 * MIB
    assert len(asked) < 20


def test_prefetch_ends_with_the_object() -> None:
    reads = ReadHistory(UNIT).note("v", 0, 10 * MIB)
    assert reads.prefetch(32 * MIB, BLOCK, 11 * MIB) == (10 * MIB, 11 * MIB)
    assert reads.prefetch(32 * MIB, BLOCK, 11 * MIB) is None


def test_prefetch_of_nothing_is_off() -> None:
    assert ReadHistory(UNIT).note("v", 0, 10 * MIB).prefetch(0, BLOCK, 100 * MIB) is None


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 640), st.integers(1, 8))
def test_run_is_cut_around_what_is_needed(first: int, units: int, place: int, room: int) -> None:
    unit = 16
    run = (first * unit, (first + units) * unit - 3)
    needed = (run[0] + place % (run[1] - run[0])) // unit * unit
    start, stop = cut_to(run, needed, room * unit)
    assert run[0] <= start <= needed < stop <= run[1]
    assert stop - start <= room * unit
    assert start % unit == 0
    assert stop % unit == 0 or stop == run[1]


def test_what_was_prefetched_and_read_is_told_from_what_was_wasted() -> None:
    history = ReadHistory(UNIT)
    reads = history.note("v", 0, 2 * MIB)
    assert reads.prefetch(32 * MIB, BLOCK, 100 * MIB) == (2 * MIB, 4 * MIB)
    history.note("v", 2 * MIB, 3 * MIB)
    assert reads.used_bytes == MIB
    for i in range(1, 5):
        history.note("v", i * 20 * MIB, i * 20 * MIB + 1)
    assert history.wasted_bytes == MIB
