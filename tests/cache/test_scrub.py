import os
from collections.abc import Callable

import pytest

from s3proxy.cache.blocks import PAGE_BYTES
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.scrub import Scrubbed, scrub, verify_block
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from tests.cache.making import BLOCK, UNIT, block_id, names, path_of, put


def flip_last_byte(tier: Tier, index: int) -> None:
    path = path_of(tier, block_id(index))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def never(_seconds: float) -> bool:
    return False


def test_scrub_drops_the_damaged_and_keeps_the_rest(tier: Tier, shared: SharedWords) -> None:
    put(tier, block_id(0))
    put(tier, block_id(1), [(0, UNIT), (3 * UNIT, 4 * UNIT)])
    put(tier, block_id(2))
    put(tier, block_id(3))
    flip_last_byte(tier, 2)
    path_of(tier, block_id(3)).rename(path_of(tier, block_id(4)))
    found = scrub(tier, shared=shared, bytes_per_second=1 << 40, wait=never)
    assert found == Scrubbed(blocks=4, bytes=3 * BLOCK + 2 * UNIT + 4 * PAGE_BYTES, bad=2)
    assert names(tier) == {block_id(0).name, block_id(1).name}
    assert shared.total(Counter.CORRUPT_BLOCKS) == 2
    assert shared.total(Counter.SCRUBBED_BLOCKS) == 4


def test_scrub_waits_as_long_as_its_rate_demands(tier: Tier, shared: SharedWords) -> None:
    put(tier, block_id(0))
    put(tier, block_id(1))
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    scrub(tier, shared=shared, bytes_per_second=(BLOCK + PAGE_BYTES) // 8, wait=wait)
    assert waits[0] == 0
    assert 7.5 < waits[1] <= 8


def test_scrub_stops_when_it_is_told_to(tier: Tier, shared: SharedWords) -> None:
    put(tier, block_id(0))
    assert scrub(tier, shared=shared, bytes_per_second=1, wait=lambda _: True) == Scrubbed()


def test_block_that_cannot_be_opened_is_left_out(
    tier: Tier, shared: SharedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tier, block_id(0))

    def refuse(_name: str) -> None:
        raise CacheIOError("no")

    monkeypatch.setattr(tier, "find_named", refuse)
    assert scrub(tier, shared=shared, bytes_per_second=1, wait=never) == Scrubbed()


@pytest.mark.parametrize(
    ("tamper", "is_sound"),
    [
        (lambda path: None, True),
        (os.unlink, True),
        (lambda path: os.truncate(path, BLOCK), False),
        (lambda path: path.write_bytes(b"garbage"), False),
    ],
)
def test_verified_block_is_sound_or_gone_or_dropped(
    tier: Tier, tamper: Callable[[object], None], is_sound: bool
) -> None:
    put(tier, block_id())
    tamper(path_of(tier, block_id()))
    assert verify_block(tier, block_id().name) is is_sound
    assert is_sound or not names(tier)
