import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.block_layout import (
    build_entry,
    header_bytes,
    layout_of,
    parse_entries,
    parse_header,
)
from s3proxy.cache.blocks import PAGE_BYTES, BlockId, Geometry
from tests.cache.making import BLOCK, GEOMETRY, UNIT, block_id

WORDS = st.integers(0, 2**32 - 1)
UNITS = st.integers(0, 1023)


@pytest.mark.parametrize(
    ("geometry", "key", "pages"),
    [
        (GEOMETRY, "key", 1),
        (Geometry(), "k" * 1024, 1),
        (Geometry(), "\u2028" * 341, 1),
        (Geometry(), "\x01" * 1024, 2),
        (Geometry(block_size=64 << 20), "key", 3),
    ],
)
def test_data_begins_at_a_unit_after_header_and_entries(geometry: Geometry, key: str, pages: int) -> None:
    layout = layout_of(BlockId(block_id(key=key, size=1 << 30).version, 0, geometry))
    assert len(layout.header) <= layout.entries_offset
    assert layout.entries_offset + 8 * layout.units <= layout.head_bytes == pages * PAGE_BYTES <= layout.data_offset
    assert layout.data_offset % geometry.unit_size == 0


def test_data_of_a_single_unit_follows_at_the_next_page() -> None:
    layout = layout_of(BlockId(block_id(size=100).version, 0, Geometry()))
    assert layout.data_offset == layout.head_bytes == PAGE_BYTES


@given(key=st.text(max_size=1024), index=st.integers(0, 10), size=st.integers(10 * BLOCK + 1, 2**50))
def test_header_says_which_block_it_is_of(key: str, index: int, size: int) -> None:
    block = block_id(index, key=key, size=size)
    assert parse_header(layout_of(block).header + b"more") == block


def test_header_of_a_key_that_is_not_unicode_is_read_back() -> None:
    block = block_id(key="\udcff")
    assert parse_header(layout_of(block).header) == block


HEADER = layout_of(block_id()).header


@given(st.integers(0, 8 * len(HEADER) - 1))
def test_header_with_a_changed_bit_is_none(bit: int) -> None:
    changed = bytearray(HEADER)
    changed[bit // 8] ^= 1 << bit % 8
    assert parse_header(bytes(changed)) is None


@pytest.mark.parametrize("length", [0, 7, 8, 35, 36, len(HEADER) - 1])
def test_header_that_ends_early_is_none(length: int) -> None:
    assert parse_header(HEADER[:length]) is None


@given(st.binary(max_size=200))
def test_garbage_is_no_header(garbage: bytes) -> None:
    assert parse_header(garbage) is None
    assert parse_header(HEADER[:8] + garbage) is None


def test_header_of_absurd_length_is_none() -> None:
    assert header_bytes(HEADER[:24] + b"\xff\xff\xff\xff" + HEADER[28:]) is None


def alone(entry: bytes, unit: int) -> bytes:
    """Entries of which all but that of ``unit`` are empty."""
    return bytes(8 * unit) + entry


@given(crc=WORDS, unit=UNITS, other=UNITS)
def test_entry_counts_for_its_own_unit_only(crc: int, unit: int, other: int) -> None:
    assert parse_entries(alone(build_entry(crc, unit), other)) == ({unit: crc} if unit == other else {})


@given(crc=WORDS, unit=UNITS, bit=st.integers(0, 63))
def test_entry_with_a_changed_bit_does_not_count(crc: int, unit: int, bit: int) -> None:
    entry = bytearray(build_entry(crc, unit))
    entry[bit // 8] ^= 1 << bit % 8
    assert parse_entries(alone(bytes(entry), unit)) == {}


@pytest.mark.parametrize("written", range(8))
def test_entry_of_which_part_is_written_does_not_count(written: int) -> None:
    assert parse_entries(alone(build_entry(0x01020304, 5)[:written].ljust(8, b"\0"), 5)) == {}


def test_zeros_say_that_nothing_is_there() -> None:
    assert parse_entries(bytes(8 * 16384)) == {}


def test_entries_may_end_early() -> None:
    assert parse_entries(build_entry(7, 0) + build_entry(9, 1)[:5]) == {0: 7}


def test_seeds_of_two_blocks_differ_so_that_equal_bytes_do_not_prove_the_other() -> None:
    assert layout_of(block_id(0)).seed != layout_of(block_id(1)).seed


def test_last_block_has_fewer_units() -> None:
    assert layout_of(block_id(1, size=BLOCK + UNIT + 1)).units == 2
