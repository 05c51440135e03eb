"""What every tier does, on tmpfs and on a disk."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import PAGE_BYTES
from s3proxy.cache.counters import Counter
from s3proxy.cache.failures import CacheIOError, DamagedBlockError, TierFullError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.tier_directory import TEMPORARIES, prepare_directory
from s3proxy.cache.usage import TierUsage
from tests.cache.making import BLOCK, GEOMETRY, UNIT, block_id, content, open_tier, path_of, put

ID = block_id()


def test_block_that_was_made_and_filled_is_found(tier: Tier) -> None:
    assert tier.find(ID) is None
    put(tier, ID)
    for block in (tier.find(ID), tier.find_named(ID.name)):
        assert block is not None
        assert block.tier == tier.name
        assert block.verify(0, BLOCK)
        assert os.pread(block.fd, BLOCK, block.data_offset) == content(ID)
        block.release()
    assert tier.identify(ID.name) == ID


def test_block_of_a_long_key_is_found(tier: Tier) -> None:
    long = block_id(key="\x01" * 1024)
    put(tier, long)
    block = tier.find(long)
    assert block is not None
    assert block.data_offset > PAGE_BYTES
    block.release()
    assert tier.identify(long.name) == long


def test_second_to_make_a_block_gets_that_of_the_first(tier: Tier) -> None:
    first, second = tier.make(ID), tier.make(ID)
    assert os.path.samestat(os.fstat(first.fd), os.fstat(second.fd))
    assert os.fstat(first.fd).st_size == PAGE_BYTES
    claim = first.claim(0, UNIT)
    assert claim is not None
    assert second.claim(0, UNIT) is None
    claim.release()
    first.release()
    second.release()
    assert not list((tier.directory / TEMPORARIES).iterdir())


def test_block_that_is_found_empty_has_nothing(tier: Tier) -> None:
    tier.make(ID).release()
    block = tier.find(ID)
    assert block is not None
    assert block.missing(0, BLOCK) == [(0, BLOCK)]
    block.release()


@pytest.mark.parametrize("damage", ["empty", "garbage", "short", "long", "other", "link", "fifo"])
@pytest.mark.parametrize("by_name", [True, False])
def test_file_that_is_not_the_block_of_its_name_is_removed_and_counted(
    tier: Tier, shared: SharedWords, damage: str, by_name: bool
) -> None:
    put(tier, ID)
    put(tier, block_id(1))
    path = path_of(tier, ID)
    data = path.read_bytes()
    path.unlink()
    if damage == "link":
        path.symlink_to(path_of(tier, block_id(1)))
    elif damage == "fifo":
        os.mkfifo(path)
    else:
        other = path_of(tier, block_id(1)).read_bytes()
        path.write_bytes(
            {"empty": b"", "garbage": b"x" * 9000, "short": data[:4095], "long": data + b"x", "other": other}[damage]
        )
    if by_name and damage != "link":
        with pytest.raises(DamagedBlockError):
            tier.find_named(ID.name)
    else:
        assert (tier.find_named(ID.name) if by_name else tier.find(ID)) is None
    assert not path.exists()
    assert shared.total(Counter.CORRUPT_BLOCKS) == 1
    tier.make(ID).release()


def test_dropped_block_is_removed_and_counted_unless_another_has_its_name(tier: Tier, shared: SharedWords) -> None:
    put(tier, ID)
    block = tier.find(ID)
    assert block is not None
    path = path_of(tier, ID)
    path.rename(path.with_name("aside"))
    put(tier, ID)
    tier.drop(ID.name, block)
    assert path.exists()
    path.with_name("aside").rename(path)
    tier.drop(ID.name, block)
    assert not path.exists()
    assert shared.total(Counter.CORRUPT_BLOCKS) == 2
    block.release()


def test_removed_block_is_gone_for_others_but_not_for_its_readers(tier: Tier) -> None:
    empty = tier.usage.used_bytes()
    put(tier, ID)
    block = tier.find(ID)
    assert block is not None
    assert tier.remove(ID.name)
    assert not tier.remove(ID.name)
    assert tier.find(ID) is None
    assert tier.find_named(ID.name) is None
    assert tier.identify(ID.name) is None
    assert tier.usage.used_bytes() == empty
    assert block.verify(0, BLOCK)
    block.release()


def test_scan_gives_names_sizes_and_access_times(tier: Tier) -> None:
    put(tier, ID)
    put(tier, block_id(1), [(0, UNIT)])
    os.utime(path_of(tier, ID), ns=(123_000_000_000, 5))
    path_of(tier, ID).with_name("directory").mkdir()
    found = {entry.name: entry for entry in tier.scan()}
    assert set(found) == {ID.name, block_id(1).name}
    assert found[ID.name].atime_ns == 123_000_000_000
    assert found[ID.name].allocated == PAGE_BYTES + BLOCK
    assert found[block_id(1).name].allocated == PAGE_BYTES + UNIT


def allocated(directory: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in [directory, *directory.rglob("*")])


def test_usage_is_what_the_directory_takes_and_a_count_agrees(tier: Tier) -> None:
    for index in range(5):
        put(tier, block_id(index), [(0, UNIT), (3 * UNIT, (4 + index % 3) * UNIT)])
    tier.remove(block_id(2).name)
    believed = tier.usage.used_bytes()
    assert believed == allocated(tier.directory)
    tier.recount()
    assert tier.usage.used_bytes() == believed


def test_first_who_opens_a_tier_after_a_restart_counts_what_it_holds(
    tier: Tier, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tier, ID)
    words = SharedWords.create(1)
    first = Tier("memory", tier.directory, usage=TierUsage(words, 0, 1 << 30), shared=words)
    assert first.usage.used_bytes() == allocated(tier.directory)
    monkeypatch.setattr(Tier, "recount", None)
    second = Tier("memory", tier.directory, usage=TierUsage(words, 0, 1 << 30), shared=words)
    assert second.usage.used_bytes() == first.usage.used_bytes()
    for each in (first, second):
        each.close()
    words.close()


def test_full_tier_makes_nothing_and_still_finds(tier_directory: Path, shared: SharedWords) -> None:
    put(tier := open_tier(tier_directory, shared), ID)
    tier.close()
    full = open_tier(tier_directory, shared, size_bytes=BLOCK)
    before = full.usage.used_bytes()
    with pytest.raises(TierFullError):
        full.make(block_id(1))
    with pytest.raises(TierFullError):
        full.adopt("name", UNIT, lambda _: None)
    assert full.usage.used_bytes() == before
    found = full.find(ID)
    assert found is not None
    found.release()
    full.close()


def test_adopted_file_takes_the_place_of_another_and_a_failed_one_leaves_nothing(tier: Tier) -> None:
    put(tier, ID)
    before = tier.usage.used_bytes()
    image = path_of(tier, ID).read_bytes()
    tier.adopt(ID.name, len(image), lambda fd: _write(fd, image))
    assert tier.usage.used_bytes() == before

    def fail(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(CacheIOError):
        tier.adopt("other", UNIT, fail)
    assert tier.usage.used_bytes() == before
    assert [entry.name for entry in tier.scan()] == [ID.name]
    assert not list((tier.directory / TEMPORARIES).iterdir())


def _write(fd: int, image: bytes) -> None:
    os.write(fd, image)


def test_directory_that_is_not_there_is_a_cache_error(tmp_path: Path, shared: SharedWords) -> None:
    with pytest.raises(CacheIOError):
        Tier("memory", tmp_path / "none", usage=TierUsage(shared, 0, 1), shared=shared)


# File systems that refuse


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 1 MiB, ready for a tier."""
    directory = tmp_path / "small"
    directory.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory], check=False, stderr=subprocess.DEVNULL
        ).returncode
    ):
        pytest.skip("only root may mount a file system")
    try:
        lock_fd = prepare_directory(directory, GEOMETRY)
        yield directory
        os.close(lock_fd)
    finally:
        subprocess.run(["umount", directory], check=True)


def write_each_unit(block: Block, data: bytes) -> None:
    for at in range(0, BLOCK, UNIT):
        block.write(at, memoryview(data)[at : at + UNIT])


def make_many(tier: Tier) -> None:
    for index in range(2, 20):
        tier.make(block_id(index)).release()


def test_file_system_that_is_full_is_a_full_tier_whose_blocks_stay_sound(small: Path, shared: SharedWords) -> None:
    tier = open_tier(small, shared, size_bytes=1 << 30)
    put(tier, ID)
    (small / "other").write_bytes(bytes(tier.free_bytes() - BLOCK // 2))
    block = tier.make(block_id(1))
    claim = block.claim(0, BLOCK)
    assert claim is not None
    with pytest.raises(TierFullError):
        write_each_unit(block, content(block_id(1)))
    claim.release()
    present = block.present_until(0, BLOCK)
    assert 0 < present < BLOCK
    assert block.verify(0, present)
    block.release()
    with pytest.raises(TierFullError):
        make_many(tier)
    kept = tier.find(ID)
    assert kept is not None
    assert kept.verify(0, BLOCK)
    kept.release()
    tier.close()


def test_file_system_that_becomes_read_only_still_gives_its_blocks(small: Path, shared: SharedWords) -> None:
    tier = open_tier(small, shared)
    put(tier, ID)
    block = tier.find(ID)
    made = tier.make(block_id(1))
    assert block is not None
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    assert block.verify(0, BLOCK)
    block.touch(1 << 62)
    for each in (block, made):
        with pytest.raises(CacheIOError):
            each.claim(0, BLOCK)
        assert not each.is_claimed(0, BLOCK)
    again = tier.find(ID)
    assert again is not None
    assert again.verify(0, BLOCK)
    for refused in (lambda: tier.make(block_id(2)), lambda: tier.remove(ID.name)):
        with pytest.raises(CacheIOError):
            refused()
    tier.drop(ID.name, block)
    for each in (block, made, again):
        each.release()
    tier.close()


def test_no_descriptor_is_left_whatever_fails(
    tier: Tier, tier_directory: Path, shared: SharedWords, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tier, ID)
    path_of(tier, block_id(1)).write_bytes(b"garbage")
    before = len(os.listdir("/proc/self/fd"))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("pwrite", "link", "rename", "fstat", "pread"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            for action in (
                lambda: tier.make(block_id(2)).release(),
                lambda: tier.find(block_id(1)),
                lambda: tier.find_named(block_id(1).name),
                lambda: tier.identify(block_id(1).name),
                lambda: tier.adopt("name", UNIT, lambda fd: None),
            ):
                with contextlib.suppress(CacheIOError):
                    action()
        tier.remove(block_id(2).name)
        path_of(tier, block_id(1)).write_bytes(b"garbage")
    assert len(os.listdir("/proc/self/fd")) == before
