"""Reads as accesses to blocks, and what a tier of some size would have had of them."""

from hypothesis import given
from hypothesis import strategies as st

from bench.replay.policies import Lru
from bench.replay.simulation import Replay, Tally, accesses_of, footprint_of
from bench.replay.trace import Read
from s3proxy.cache.blocks import PAGE_BYTES, Geometry

UNIT = PAGE_BYTES
BLOCK = 16 * UNIT
GEOMETRY = Geometry(block_size=BLOCK, unit_size=UNIT)


def read(start: int, stop: int, *, at: float = 0.0, key: str = "k", etag: str = "e", size: int = 4 * BLOCK) -> Read:
    return Read(at=at, bucket="b", key=key, etag=etag, size=size, start=start, stop=stop)


def tally_of(*reads: Read, capacity: int = 1 << 40) -> Tally:
    return Replay(Lru(capacity), GEOMETRY).run(accesses_of(reads, GEOMETRY))


def test_read_is_an_access_to_each_block_that_it_touches() -> None:
    first, second, third = accesses_of([read(BLOCK - 5, 2 * BLOCK + 7)], GEOMETRY)
    assert (first.start, first.stop, first.length) == (BLOCK - 5, BLOCK, BLOCK)
    assert (second.start, second.stop) == (0, BLOCK)
    assert (third.start, third.stop) == (0, 7)
    assert len({first.block, second.block, third.block}) == 3


def test_last_block_is_as_long_as_the_object() -> None:
    (access,) = accesses_of([read(0, 10, size=10)], GEOMETRY)
    assert (access.length, access.stop) == (10, 10)


def test_another_version_or_key_has_other_blocks() -> None:
    reads = [read(0, 1), read(0, 1, etag="f"), read(0, 1, key="l"), read(0, 1)]
    assert [access.block for access in accesses_of(reads, GEOMETRY)] == [0, 1, 2, 0]


def test_small_range_fetches_the_units_that_it_touches() -> None:
    tally = tally_of(read(UNIT + 1, 2 * UNIT + 1))
    assert (tally.hits, tally.hit_bytes, tally.asked_bytes, tally.fetched_bytes) == (0, 0, UNIT, 2 * UNIT)


def test_range_of_most_of_a_block_fetches_it_whole() -> None:
    most = BLOCK * 3 // 4
    tally = tally_of(read(0, most), read(most, BLOCK))
    assert (tally.accesses, tally.hits, tally.fetched_bytes) == (2, 1, BLOCK)
    assert (tally.hit_ratio, tally.byte_hit_ratio) == (0.5, 0.25)


def test_access_of_which_a_part_is_there_is_no_hit_but_its_bytes_are() -> None:
    tally = tally_of(read(0, UNIT), read(UNIT - 3, UNIT + 5))
    assert (tally.hits, tally.hit_bytes, tally.asked_bytes) == (0, 3, UNIT + 8)


def test_sequential_reads_fetch_the_rest_of_the_block() -> None:
    reads = [read(number * UNIT, (number + 1) * UNIT) for number in range(5)]
    tally = tally_of(*reads)
    assert tally.fetched_bytes == BLOCK
    assert tally.hits == 2


def test_block_that_was_evicted_begins_empty() -> None:
    whole = read(0, BLOCK)
    other = read(0, BLOCK, key="other")
    tally = tally_of(whole, other, whole, capacity=BLOCK + PAGE_BYTES)
    assert (tally.hits, tally.fetched_bytes) == (0, 3 * BLOCK)


def test_accesses_soon_after_each_other_are_one_use() -> None:
    seen: list[bool] = []

    class Watching(Lru):
        def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
            seen.append(is_again)
            return super().access(name, weight, is_again=is_again)

    times = (0.0, 1.0, 4.9, 5.0, 9.0, 20.0)
    Replay(Watching(1 << 40), GEOMETRY).run(accesses_of([read(0, 1, at=at) for at in times], GEOMETRY))
    assert seen == [False, True, True, False, True, False]


def test_footprint_is_what_all_blocks_take() -> None:
    assert footprint_of(accesses_of([read(0, BLOCK), read(BLOCK, BLOCK + 1)], GEOMETRY), GEOMETRY) == (
        BLOCK + UNIT + 2 * PAGE_BYTES
    )


@given(
    spans=st.lists(st.tuples(st.integers(0, 4 * BLOCK - 2), st.integers(1, 2 * BLOCK)), min_size=1, max_size=60),
    capacity=st.integers(BLOCK, 5 * BLOCK),
)
def test_bytes_add_up(spans: list[tuple[int, int]], capacity: int) -> None:
    size = 4 * BLOCK - 1
    reads = [read(start, min(start + length, size), size=size) for start, length in spans]
    tally = tally_of(*reads, capacity=capacity)
    missed = tally.asked_bytes - tally.hit_bytes
    assert tally.asked_bytes == sum(each.stop - each.start for each in reads)
    assert 0 <= missed <= tally.asked_bytes
    assert missed <= tally.fetched_bytes
    assert tally.hits <= tally.accesses
    assert (missed == 0) == (tally.hits == tally.accesses)
