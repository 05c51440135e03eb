"""What objects hold."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.content import GIB, KIB, MIB, content, pieces, samples_of, size_name, things


def test_content_of_a_word_is_the_number_above_its_position() -> None:
    assert content(7, 16, 24) == struct.pack("<Q", (7 << 40) | 2)


@settings(max_examples=50)
@given(start=st.integers(0, 5000), length=st.integers(0, 5000))
def test_content_of_any_range_is_that_slice_of_the_whole(start: int, length: int) -> None:
    assert content(3, start, start + length) == content(3, 0, 10_000)[start : start + length]


def test_pieces_of_an_object_add_up_to_its_content() -> None:
    thing = things("a", 3 * MIB // 2, 1)[0]
    assert b"".join(pieces(thing)) == content(thing.number, 0, thing.size)


@given(size=st.integers(1, 1 << 34))
def test_samples_of_an_object_cover_both_ends_and_stay_inside(size: int) -> None:
    samples = samples_of(size)
    assert (samples[0][0], samples[-1][1]) == (0, size)
    assert all(0 <= start < stop <= size for start, stop in samples)
    assert len(set(samples)) == len(samples) <= 9


def test_things_of_all_sizes_have_numbers_of_their_own() -> None:
    numbers = [each.number for size in (4 * KIB, 64 * KIB, MIB, 64 * MIB, 256 * MIB) for each in things("a", size, 256)]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("size", "name"), [(4096, "4KiB"), (65536, "64KiB"), (MIB, "1MiB"), (64 * MIB, "64MiB"), (GIB, "1GiB")]
)
def test_size_name_uses_the_largest_whole_unit(size: int, name: str) -> None:
    assert size_name(size) == name
