import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.block_layout import (
    build_entry,
    entry_words,
    header_bytes,
    layout_of,
    parse_entry,
    parse_header,
)
from s3proxy.cache.blocks import PAGE_BYTES, BlockId, Geometry
from tests.cache.making import BLOCK, GEOMETRY, UNIT, block_id

WORDS = st.integers(0, 2**32 - 1)


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
def test_data_begins_at_a_page_after_header_and_entries(geometry: Geometry, key: str, pages: int) -> None:
    layout = layout_of(BlockId(block_id(key=key, size=1 << 30).version, 0, geometry))
    assert layout.data_offset == pages * PAGE_BYTES
    assert len(layout.header) <= layout.entries_offset
    assert layout.entries_offset + 8 * layout.units == layout.data_offset


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


@given(crc=WORDS, unit=st.integers(0, 2**20), other=st.integers(0, 2**20))
def test_entry_counts_for_its_own_unit_only(crc: int, unit: int, other: int) -> None:
    (word,) = entry_words(build_entry(crc, unit))
    assert parse_entry(word, unit) == crc
    assert (parse_entry(word, other) == crc) == (unit == other)


@given(crc=WORDS, unit=st.integers(0, 2**20), bit=st.integers(0, 63))
def test_entry_with_a_changed_bit_is_none(crc: int, unit: int, bit: int) -> None:
    (word,) = entry_words(build_entry(crc, unit))
    assert parse_entry(word ^ 1 << bit, unit) is None


@pytest.mark.parametrize("written", range(8))
def test_entry_of_which_part_is_written_is_none(written: int) -> None:
    entry = build_entry(0x01020304, 5)
    (word,) = entry_words(entry[:written].ljust(8, b"\0"))
    assert parse_entry(word, 5) is None


@given(st.integers(0, 2**20))
def test_zeros_are_no_entry_of_any_unit(unit: int) -> None:
    assert parse_entry(0, unit) is None


def test_seeds_of_two_blocks_differ_so_that_equal_bytes_do_not_prove_the_other() -> None:
    assert layout_of(block_id(0)).seed != layout_of(block_id(1)).seed


def test_last_block_has_fewer_units() -> None:
    assert layout_of(block_id(1, size=BLOCK + UNIT + 1)).units == 2
