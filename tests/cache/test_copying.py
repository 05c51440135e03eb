import os

import pytest

from s3proxy.cache.copying import copy_block
from s3proxy.cache.failures import CacheIOError, DamagedBlockError
from s3proxy.cache.tier import Tier
from tests.cache.making import BLOCK, UNIT, WHOLE, block_id, content, names, path_of, put, set_atime

ID = block_id()


@pytest.mark.parametrize("runs", [WHOLE, ((UNIT, 2 * UNIT), (5 * UNIT, BLOCK))])
def test_copy_has_what_was_there_and_was_last_used_when_that_was(
    tier: Tier, lower: Tier, runs: tuple[tuple[int, int], ...]
) -> None:
    put(tier, ID, runs)
    set_atime(tier, ID, 1000)
    assert copy_block(ID.name, tier, lower)
    block = lower.find(ID)
    assert block is not None
    assert tuple(block.snapshot()[1]) == runs
    for start, stop in runs:
        assert block.verify(start, stop)
        assert os.pread(block.fd, stop - start, block.data_offset + start) == content(ID)[start:stop]
    assert os.fstat(block.fd).st_atime_ns == 1000 * 10**9
    block.release()
    assert ID.name in names(tier)


def test_block_that_is_there_already_is_not_copied(tier: Tier, lower: Tier) -> None:
    put(tier, ID, ((UNIT, 2 * UNIT),))
    put(lower, ID)
    before = path_of(lower, ID).stat()
    assert copy_block(ID.name, tier, lower)
    assert path_of(lower, ID).stat() == before


@pytest.mark.parametrize("is_damaged", [True, False])
def test_block_with_less_or_damaged_is_replaced(tier: Tier, lower: Tier, is_damaged: bool) -> None:
    put(tier, ID)
    put(lower, ID, ((0, UNIT),))
    if is_damaged:
        path_of(lower, ID).write_bytes(b"garbage")
    assert copy_block(ID.name, tier, lower)
    block = lower.find(ID)
    assert block is not None
    assert block.verify(0, BLOCK)
    block.release()


def test_empty_or_absent_block_is_not_copied(tier: Tier, lower: Tier) -> None:
    assert not copy_block(ID.name, tier, lower)
    tier.make(ID).release()
    assert not copy_block(ID.name, tier, lower)
    assert not names(lower)


def test_damage_is_copied_with_the_entries_that_tell_it(tier: Tier, lower: Tier) -> None:
    put(tier, ID)
    with path_of(tier, ID).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(bytes([content(ID)[-1] ^ 1]))
    assert copy_block(ID.name, tier, lower)
    block = lower.find(ID)
    assert block is not None
    assert block.verify(0, BLOCK - UNIT)
    assert not block.verify(0, BLOCK)
    block.release()


def test_damaged_or_shortened_block_is_a_cache_error_and_leaves_nothing(tier: Tier, lower: Tier) -> None:
    put(tier, ID)
    os.truncate(path_of(tier, ID), BLOCK)
    with pytest.raises(CacheIOError, match="ends before"):
        copy_block(ID.name, tier, lower)
    path_of(tier, ID).write_bytes(b"garbage")
    with pytest.raises(DamagedBlockError):
        copy_block(ID.name, tier, lower)
    assert not names(lower)
