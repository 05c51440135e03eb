"""What of a version is where, for the commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.blocks import BlockId
from s3proxy.cache.presence import BlockPresence, missing_in, presence, remove_blocks
from s3proxy.cache.tier import Tier
from tests.cache.rig import BLOCK, GEOMETRY, UNIT, Rig, memory_directory, rig_over, version_of
from tests.cache.sources import content

DATA = content(3 * BLOCK + 100)
VERSION = version_of(DATA)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with memory_directory() as directory, rig_over(directory, tmp_path) as made:
        yield made


def fill(tier: Tier, index: int, start: int, stop: int) -> None:
    block_id = BlockId(VERSION, index, GEOMETRY)
    block = tier.make(block_id)
    claim = block.claim(start, stop)
    assert claim is not None
    block.write(start, memoryview(DATA)[block_id.start + start : block_id.start + stop])
    claim.release()
    block.release()


def test_missing_is_what_no_tier_has(rig: Rig) -> None:
    fill(rig.tiers[0], 0, 0, BLOCK)
    fill(rig.tiers[0], 1, 0, 2 * UNIT)
    fill(rig.tiers[1], 1, UNIT, 4 * UNIT)
    fill(rig.tiers[1], 3, 0, 100)
    assert missing_in(rig.tiers, GEOMETRY, VERSION, (0, len(DATA))) == [(BLOCK + 4 * UNIT, 3 * BLOCK)]
    assert missing_in(rig.tiers, GEOMETRY, VERSION, (10, BLOCK + 5)) == []
    assert missing_in(rig.tiers, GEOMETRY, VERSION, (2 * BLOCK + 5, 2 * BLOCK + 6)) == [(2 * BLOCK + 5, 2 * BLOCK + 6)]


def test_presence_tells_tier_by_tier(rig: Rig) -> None:
    fill(rig.tiers[0], 1, 0, 2 * UNIT)
    fill(rig.tiers[1], 1, UNIT, 4 * UNIT)
    found = list(presence(rig.tiers, GEOMETRY, VERSION, (0, len(DATA))))
    assert [each.missing for each in found] == [
        {},
        {"memory": [(2 * UNIT, BLOCK)], "disk": [(0, UNIT), (4 * UNIT, BLOCK)]},
        {},
        {},
    ]
    assert found[1].missing_everywhere == [(4 * UNIT, BLOCK)]
    assert found[3].missing_everywhere == [(0, 100)]


def test_whole_block_in_one_tier_is_missing_nowhere() -> None:
    block_id = BlockId(VERSION, 0, GEOMETRY)
    found = BlockPresence(block_id=block_id, missing={"memory": [], "disk": [(0, BLOCK)]})
    assert found.missing_everywhere == []


def test_blocks_that_match_are_removed_from_every_tier(rig: Rig) -> None:
    for tier in rig.tiers:
        fill(tier, 0, 0, UNIT)
        fill(tier, 1, 0, UNIT)
    names = remove_blocks(rig.tiers, lambda block: block.number == 0 and block.version.key == "key")
    assert names == [BlockId(VERSION, 0, GEOMETRY).name] * 2
    assert missing_in(rig.tiers, GEOMETRY, VERSION, (0, UNIT)) == [(0, UNIT)]
    assert missing_in(rig.tiers, GEOMETRY, VERSION, (BLOCK, BLOCK + UNIT)) == []
