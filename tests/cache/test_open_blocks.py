import os

import pytest

from s3proxy.cache.block_file import Block
from s3proxy.cache.open_blocks import OpenBlocks
from s3proxy.cache.tier import Tier
from tests.cache.making import block_id


def made(tier: Tier, count: int) -> list[Block]:
    return [tier.make(block_id(index)) for index in range(count)]


def is_open(block: Block) -> bool:
    try:
        os.fstat(block.fd)
    except OSError:
        return False
    return True


def test_the_block_used_least_recently_is_released(tier: Tier) -> None:
    blocks = OpenBlocks(2)
    first, second, third = made(tier, 3)
    blocks.put("1", first)
    blocks.put("2", second)
    assert blocks.get("1") is first
    blocks.put("3", third)
    assert [is_open(block) for block in (first, second, third)] == [True, False, True]
    assert blocks.get("2") is None
    assert len(blocks) == 2
    blocks.close()
    assert not is_open(first)
    assert len(blocks) == 0


def test_block_that_somebody_shares_outlives_its_place(tier: Tier) -> None:
    blocks = OpenBlocks(1)
    (block,) = made(tier, 1)
    blocks.put("1", block)
    block.share()
    blocks.forget("1")
    assert is_open(block)
    block.release()
    assert not is_open(block)


def test_block_put_in_place_of_another_releases_that(tier: Tier) -> None:
    blocks = OpenBlocks(2)
    first, second = made(tier, 2)
    blocks.put("1", first)
    blocks.put("1", second)
    assert not is_open(first)
    assert blocks.get("1") is second
    blocks.close()


@pytest.mark.parametrize("name", ["1", "absent"])
def test_forget_of_a_name_is_quiet(tier: Tier, name: str) -> None:
    blocks = OpenBlocks(2)
    (block,) = made(tier, 1)
    blocks.put("1", block)
    blocks.forget(name)
    assert (blocks.get("1") is None) == (name == "1")
    blocks.close()


def test_blocks_without_a_name_are_closed(tier: Tier) -> None:
    blocks = OpenBlocks(4)
    kept, removed = made(tier, 2)
    blocks.put("0", kept)
    blocks.put("1", removed)
    assert blocks.close_unlinked(blocks.names()) == 0
    tier.remove(block_id(1).name)
    assert blocks.close_unlinked(["0", "absent"]) == 0
    assert blocks.close_unlinked(blocks.names()) == 1
    assert [is_open(kept), is_open(removed)] == [True, False]
    blocks.close()


def test_looking_for_names_is_no_use_of_a_block(tier: Tier) -> None:
    blocks = OpenBlocks(2)
    for number, block in enumerate(made(tier, 2)):
        blocks.put(str(number), block)
    assert blocks.get("0") is not None
    blocks.close_unlinked(["0", "1"])
    (third,) = made(tier, 1)
    blocks.put("2", third)
    assert sorted(blocks.names()) == ["0", "2"]
    blocks.close()
