import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from awscrt.checksums import crc32c
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.block_layout import layout_of, parse_entries
from s3proxy.cache.failures import CacheIOError, TierFullError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.unit_writer import UnitWriter
from s3proxy.cache.usage import TierUsage
from tests.cache.making import BLOCK, UNIT, block_id, content

LENGTH = 5 * UNIT + 100
SHORT = block_id(1, size=BLOCK + LENGTH)
LAYOUT = layout_of(SHORT)
DATA = content(SHORT)
UNITS = [(number, crc32c(DATA[number * UNIT : (number + 1) * UNIT], LAYOUT.seed)) for number in range(6)]


@pytest.fixture(scope="module")
def fd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    opened = os.open(tmp_path_factory.mktemp("writer") / "block", os.O_RDWR | os.O_CREAT)
    yield opened
    os.close(opened)


@pytest.fixture(scope="module")
def usage() -> Iterator[TierUsage]:
    words = SharedWords.create(0)
    yield TierUsage(words, 0, 1 << 30)
    words.close()


def published(fd: int) -> dict[int, int]:
    return parse_entries(os.pread(fd, 8 * LAYOUT.units, LAYOUT.entries_offset))


@given(cuts=st.lists(st.integers(0, LENGTH), max_size=12))
def test_bytes_in_any_pieces_publish_each_unit_when_it_is_whole(fd: int, usage: TierUsage, cuts: list[int]) -> None:
    os.ftruncate(fd, 0)
    writer = UnitWriter(fd, LAYOUT, usage, reserved=0, present=0)
    edges = sorted({0, *cuts, LENGTH})
    done: list[tuple[int, int]] = []
    for start, stop in pairwise(edges):
        done += writer.write(start, memoryview(DATA)[start:stop])
        assert len(done) == (6 if stop == LENGTH else stop // UNIT)
        assert published(fd) == dict(done)
    assert done == UNITS
    assert os.pread(fd, LENGTH, LAYOUT.data_offset) == DATA


def test_writing_begins_at_any_unit(fd: int, usage: TierUsage) -> None:
    os.ftruncate(fd, 0)
    writer = UnitWriter(fd, LAYOUT, usage, reserved=0, present=0)
    assert writer.write(3 * UNIT, memoryview(DATA)[3 * UNIT : 4 * UNIT + 7]) == UNITS[3:4]
    assert writer.write(UNIT, memoryview(DATA)[UNIT : 2 * UNIT]) == UNITS[1:2]
    assert published(fd) == dict([UNITS[1], UNITS[3]])


def test_bytes_that_neither_go_on_nor_begin_a_unit_are_a_bug(fd: int, usage: TierUsage) -> None:
    with pytest.raises(AssertionError, match="begins a unit"):
        UnitWriter(fd, LAYOUT, usage, reserved=0, present=0).write(1, memoryview(b"x"))


def test_account_is_what_the_file_takes(fd: int, shared: SharedWords) -> None:
    os.ftruncate(fd, 0)
    usage = TierUsage(shared, 0, 1 << 30)
    assert usage.reserve(6 * UNIT)
    writer = UnitWriter(fd, LAYOUT, usage, reserved=6 * UNIT, present=0)
    writer.write(0, memoryview(DATA)[: 2 * UNIT])
    assert usage.used_bytes() >= 6 * UNIT
    writer.close()
    assert usage.used_bytes() == os.fstat(fd).st_blocks * 512 - UNIT  # but for the entries' page: make counts it


@pytest.mark.parametrize(("kind", "device"), [(TierFullError, "/dev/full"), (CacheIOError, "/dev/null")])
def test_refused_write_publishes_nothing(usage: TierUsage, kind: type[CacheIOError], device: str) -> None:
    fd = os.open(device, os.O_RDWR if device == "/dev/full" else os.O_RDONLY)
    try:
        with pytest.raises(kind):
            UnitWriter(fd, LAYOUT, usage, reserved=0, present=0).write(0, memoryview(DATA))
    finally:
        os.close(fd)


def test_bytes_may_be_written_again_after_a_failure(fd: int, usage: TierUsage, tmp_path: Path) -> None:
    os.ftruncate(fd, 0)
    writer = UnitWriter(fd, LAYOUT, usage, reserved=0, present=0)
    writer.write(0, memoryview(DATA)[:100])
    kept = os.dup(fd)
    reader = os.open(tmp_path / "other", os.O_RDONLY | os.O_CREAT)
    os.dup2(reader, fd)
    with pytest.raises(CacheIOError):
        writer.write(100, memoryview(DATA)[100:UNIT])
    os.dup2(kept, fd)
    os.close(kept)
    os.close(reader)
    assert writer.write(100, memoryview(DATA)[100:UNIT]) == UNITS[:1]
