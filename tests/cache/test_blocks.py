from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from tests.cache.making import BLOCK, GEOMETRY, block_id


@pytest.mark.parametrize(
    ("block_size", "unit_size"),
    [(0, 4096), (-65536, 4096), (65536, 0), (65536, 1000), (65536, 131072), (65536 + 4096, 65536), (1 << 31, 65536)],
)
def test_geometry_of_impossible_sizes_is_refused(block_size: int, unit_size: int) -> None:
    with pytest.raises(ValueError, match="_size"):
        Geometry(block_size=block_size, unit_size=unit_size)


@pytest.mark.parametrize(("length", "count"), [(1, 1), (4096, 1), (4097, 2), (BLOCK, 8)])
def test_units_of_a_length_include_the_cut_one(length: int, count: int) -> None:
    assert GEOMETRY.unit_count(length) == count


VERSIONS = [
    ("s", "b", "k", "t", 1),
    ("s2", "b", "k", "t", 1),
    ("s", "b2", "k", "t", 1),
    ("s", "b", "k2", "t", 1),
    ("s", "b", "k", "t2", 1),
    ("s", "b", "k", "t", 2),
    ("sb", "", "k", "t", 1),
    ("s", "bk", "", "t", 1),
    ("s", "b", 'k","t', "", 1),
    ("s", "b", "k\udcff", "t", 1),
]


def version(store: str, bucket: str, key: str, token: str, size: int) -> ObjectVersion:
    return ObjectVersion(store=store, bucket=bucket, key=key, token=token, size=size)


def test_versions_that_differ_in_anything_have_different_digests() -> None:
    assert len({version(*fields).digest for fields in VERSIONS}) == len(VERSIONS)


def test_digest_is_the_same_in_every_process() -> None:
    assert version(*VERSIONS[0]).digest == "4046368103dc871d8b889f0b1897d49d"


@given(size=st.integers(1, 5 * BLOCK))
def test_blocks_of_an_object_are_adjacent_and_cover_it(size: int) -> None:
    whole = block_id(size=size).version
    blocks = [BlockId(whole, index, GEOMETRY) for index in range(-(-size // BLOCK))]
    assert blocks[0].start == 0
    assert blocks[-1].stop == size
    assert all(block.stop == following.start for block, following in pairwise(blocks))
    assert all(block.length == block.stop - block.start > 0 for block in blocks)
    assert len({block.name for block in blocks}) == len(blocks)
