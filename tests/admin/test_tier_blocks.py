import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s3proxy.admin.messages import Counter
from s3proxy.admin.presence import Located, locate
from s3proxy.admin.tier_blocks import block_files, counted, is_sound, remove, usage_of
from s3proxy.cache import counters
from s3proxy.cache.blocks import BlockId, Geometry, ObjectVersion
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import prepare_directory
from s3proxy.cache.usage import TierUsage

UNIT = 4096
GEOMETRY = Geometry(block_size=4 * UNIT, unit_size=UNIT)
VERSION = ObjectVersion(store="s", bucket="b", key="k", token="t", size=6 * UNIT)
FIRST, SECOND = BlockId(VERSION, 0, GEOMETRY), BlockId(VERSION, 1, GEOMETRY)


@pytest.fixture
def shared() -> Iterator[SharedWords]:
    words = SharedWords.create(1)
    yield words
    words.close()


@pytest.fixture
def tier(tmp_path: Path, shared: SharedWords) -> Iterator[Tier]:
    """With the first two units of the first block, and all of the second."""
    lock_fd = prepare_directory(tmp_path, GEOMETRY)
    tier = Tier("disk", tmp_path, usage=TierUsage(shared, 0, 1 << 20), shared=shared)
    fill(tier, FIRST, 2 * UNIT)
    fill(tier, SECOND, SECOND.length)
    yield tier
    tier.close()
    os.close(lock_fd)


def fill(tier: Tier, block_id: BlockId, stop: int) -> None:
    block = tier.make(block_id)
    claim = block.claim(0, stop)
    assert claim is not None
    block.write(0, memoryview(b"x" * stop))
    claim.release()
    block.release()


def damage(tier: Tier, block: BlockId, place: int) -> None:
    """Change a byte of its file, counted from the end when negative."""
    path = next(tier.directory.rglob(block.name))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_usage_of_a_tier_counts_its_blocks(tier: Tier) -> None:
    usage = usage_of(tier)
    assert (usage.tier, usage.size_bytes, usage.blocks) == ("disk", 1 << 20, 2)
    assert usage.used_bytes >= 4 * UNIT


def test_counted_names_every_counter(shared: SharedWords) -> None:
    shared.add(counters.Counter.STORE_BYTES, 7)
    found = counted(shared)
    assert Counter(name="store_bytes", value=7) in found
    assert len(found) == len(counters.Counter)


def test_block_files_tell_whose_blocks_they_are(tier: Tier) -> None:
    with closing(block_files([tier])) as found:
        assert sorted(each.block.index for each in found if each.block.version == VERSION) == [0, 1]


def test_remove_of_a_block_that_is_gone_is_no_error(tier: Tier) -> None:
    remove(tier, FIRST.name)
    remove(tier, FIRST.name)
    assert usage_of(tier).blocks == 1


def test_is_sound_of_blocks_filled_in_part_and_wholly(tier: Tier) -> None:
    assert is_sound(tier, FIRST)
    assert is_sound(tier, SECOND)
    assert usage_of(tier).blocks == 2


def test_is_sound_of_a_damaged_block_drops_it(tier: Tier) -> None:
    damage(tier, SECOND, -1)
    assert not is_sound(tier, SECOND)
    assert usage_of(tier).blocks == 1
    assert is_sound(tier, SECOND)  # gone


def test_locate_finds_what_real_tiers_hold(tier: Tier) -> None:
    found = locate(VERSION, GEOMETRY, [tier])
    assert found == Located(cached={"disk": 4 * UNIT}, missing=[(2 * UNIT, 4 * UNIT)])
