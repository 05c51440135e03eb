"""Packed names: the same names in the same order as a list has."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from s3proxy.stores.local.packed_names import PackedNames

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=20).map(sorted)


@given(NAMES)
def test_names_are_those_that_were_packed(names: list[str]) -> None:
    packed = PackedNames.of(names)
    assert [packed[index] for index in range(len(packed))] == names


@given(NAMES, st.text(max_size=4))
def test_names_from_a_bound_are_those_that_are_not_below_it(names: list[str], lower: str) -> None:
    packed = PackedNames.of(names)
    assert packed.count_below(lower) == bisect_left(names, lower)
    assert list(packed.names_from(lower)) == [name for name in names if name >= lower]


@given(NAMES, st.integers(0, 20), st.integers(0, 20))
def test_between_is_a_slice(names: list[str], start: int, length: int) -> None:
    start = min(start, len(names))
    stop = min(start + length, len(names))
    packed = PackedNames.of(names).between(start, stop)
    assert list(packed.names_from("")) == names[start:stop]
    assert packed.size == PackedNames.of(names[start:stop]).size


def test_names_take_four_bytes_each_beside_their_text() -> None:
    assert PackedNames.of(["a", "é", "longer"]).size == 1 + 2 + 6 + 4 * 4
