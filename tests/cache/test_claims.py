import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.block_file import Block
from s3proxy.cache.failures import TierFullError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from tests.cache.making import BLOCK, UNIT, block_id, content, open_tier


@pytest.fixture
def block(tier: Tier) -> Iterator[Block]:
    made = tier.make(block_id())
    yield made
    made.release()


@pytest.mark.parametrize(
    ("start", "stop", "free"),
    [(0, UNIT, True), (UNIT, 2 * UNIT, True), (2 * UNIT - 1, 2 * UNIT, True), (2 * UNIT, 2 * UNIT + 1, False),
     (0, BLOCK, False), (4 * UNIT - 1, BLOCK, False), (4 * UNIT, BLOCK, True)],
)  # fmt: skip
@pytest.mark.parametrize("is_opened_again", [True, False])
def test_claim_excludes_every_other_one_of_its_units(
    tier: Tier, block: Block, start: int, stop: int, *, free: bool, is_opened_again: bool
) -> None:
    held = block.claim(2 * UNIT + 1, 4 * UNIT - 1)
    assert held is not None
    assert (held.start, held.stop) == (2 * UNIT, 4 * UNIT)
    other = tier.find(block_id()) if is_opened_again else block.share()
    assert other is not None
    assert other.is_claimed(start, stop) is not free
    second = other.claim(start, stop)
    assert (second is not None) is free
    if second is not None:
        second.release()
    other.release()
    held.release()


def test_released_claim_lets_others_have_it_and_the_block_go(tier: Tier, block: Block) -> None:
    claim = block.share().claim(0, BLOCK)
    assert claim is not None
    block.release()
    claim.release()
    claim.release()
    assert not block.is_claimed(0, BLOCK)
    os.fstat(block.fd)


def test_claim_keeps_the_block_open(tier: Tier) -> None:
    block = tier.make(block_id())
    claim = block.claim(0, BLOCK)
    assert claim is not None
    block.release()
    block.write(0, memoryview(content(block_id())))
    claim.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(block.fd)


def test_claim_reserves_room_and_gives_back_what_it_did_not_use(tier: Tier, block: Block) -> None:
    before = tier.usage.used_bytes()
    claim = block.claim(0, BLOCK)
    assert claim is not None
    assert tier.usage.used_bytes() == before + BLOCK
    block.write(0, memoryview(content(block_id()))[:UNIT])
    claim.release()
    assert tier.usage.used_bytes() == before + UNIT


def test_claim_beyond_the_size_of_the_tier_is_refused_and_leaves_nothing(
    tier_directory: Path, shared: SharedWords
) -> None:
    tier = open_tier(tier_directory, shared, size_bytes=BLOCK)
    block = tier.make(block_id())
    before = tier.usage.used_bytes()
    with pytest.raises(TierFullError):
        block.claim(0, BLOCK)
    assert tier.usage.used_bytes() == before
    assert not block.is_claimed(0, BLOCK)
    block.release()
    tier.close()


FILLER = """
import sys
from pathlib import Path
from s3proxy.cache.shared import SharedWords
from tests.cache.making import UNIT, block_id, content, open_tier
block_id = block_id(size=1 << 30)
tier = open_tier(Path(sys.argv[1]), SharedWords.create(0))
block = tier.make(block_id)
claim = block.claim(0, block.length)
assert claim is not None
print("claimed", flush=True)
data = memoryview(content(block_id))
for at in range(0, block.length, 100):
    block.write(at, data[at:at + 100])
    if at % 1000 == 0:
        print(at, flush=True)
print("written", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("lines", [1, 2, 9, 20])
def test_fill_that_is_killed_at_any_moment_leaves_units_that_are_sound_or_missing_and_can_be_taken_over(
    tier_directory: Path, shared: SharedWords, lines: int
) -> None:
    wanted = block_id(size=1 << 30)
    command = [sys.executable, "-c", FILLER, str(tier_directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as filler:
        assert filler.stdout is not None
        for _ in range(lines):
            assert filler.stdout.readline()
        tier = open_tier(tier_directory, shared)
        block = tier.find(wanted)
        assert block is not None
        assert block.is_claimed(0, 1)
        assert block.claim(BLOCK - 1, BLOCK) is None
        filler.kill()
    _, runs = block.snapshot()
    assert all(block.verify(start, stop) for start, stop in runs)
    for start, stop in block.missing(0, BLOCK):
        claim = block.claim(start, stop)
        assert claim is not None
        block.write(start, memoryview(content(wanted))[start:stop])
        claim.release()
    assert block.verify(0, BLOCK)
    assert os.pread(block.fd, BLOCK, block.data_offset) == content(wanted)
    block.release()
    tier.close()
