import errno
import os
import shutil
from pathlib import Path

import pytest
import trio

from s3proxy.cache.counters import Counter
from s3proxy.node import caching
from s3proxy.stores.caching.shared_metadata import MetadataTable
from tests.node.configuring import MIB, all_tiers, configured, opened, tier
from tests.stores.vocabulary import get, make_bucket, put

CACHED = {"read": "cache"}


async def test_what_is_read_twice_comes_from_the_memory_tier(tmp_path: Path) -> None:
    async with opened(configured(tmp_path / "root", cache=CACHED, **all_tiers(tmp_path))) as stores:
        assert stores.cache is not None
        await make_bucket(stores.store)
        await put(stores.store, b"x" * MIB)
        for _ in range(2):
            assert await get(stores.store) == b"x" * MIB
        total = stores.cache.shared.total
        assert (total(Counter.FILL_BYTES), total(Counter.HITS)) == (MIB, 1)


async def test_blocks_and_metadata_outlive_the_node(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", cache=CACHED, **all_tiers(tmp_path))
    async with opened(config) as stores:
        await make_bucket(stores.store)
        await put(stores.store, b"x" * MIB)
        await get(stores.store)
    async with opened(config) as stores:
        assert stores.cache is not None
        assert await get(stores.store) == b"x" * MIB
        assert stores.cache.shared.total(Counter.FILL_BYTES) == 0


async def test_disk_tier_alone_is_a_cache(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", cache=CACHED, disk_tier=tier(tmp_path / "disk"))
    async with opened(config) as stores:
        assert stores.cache is not None
        assert [each.name for each in stores.cache.tiers] == ["disk"]
        await make_bucket(stores.store)
        await put(stores.store, b"x" * MIB)
        assert await get(stores.store) == b"x" * MIB


async def test_each_tier_evicts_as_its_own_policy_says(tmp_path: Path) -> None:
    tables = all_tiers(tmp_path) | {"disk_tier": {**tier(tmp_path / "disk"), "policy": "s3-fifo"}}
    async with opened(configured(tmp_path / "root", cache=CACHED, **tables)) as stores:
        assert stores.cache is not None
        assert [type(each.policy).__name__ for each in stores.cache.tiers] == ["Lru", "S3Fifo"]


@pytest.mark.parametrize(
    ("memory_mib", "longest_mib"),
    [(16, 4), (256, 16), (2048, 64)],
    ids=["one block at least", "a sixteenth of the fastest tier", "what is configured at most"],
)
async def test_a_fetch_is_bounded_by_the_fastest_tier(tmp_path: Path, memory_mib: int, longest_mib: int) -> None:
    tables = all_tiers(tmp_path) | {"memory_tier": tier(tmp_path / "memory", memory_mib * MIB)}
    async with opened(configured(tmp_path / "root", cache=CACHED, **tables)) as stores:
        assert stores.cache is not None
        assert stores.cache.limits.max_fetch_bytes == longest_mib * MIB
        assert stores.cache.limits.first_fetch_bytes == min(16, longest_mib) * MIB


async def test_metadata_that_cannot_be_shared_is_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(MetadataTable, "open", refuse)
    async with opened(configured(tmp_path / "root", cache=CACHED, **all_tiers(tmp_path))) as stores:
        assert stores.cache is not None
        assert stores.cache.table is None
        await make_bucket(stores.store)
        await put(stores.store, b"data")
        assert await get(stores.store) == b"data"
    assert "the workers share no metadata" in capsys.readouterr().err


async def test_scrub_drops_what_decayed_and_ends_when_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caching, "_SCRUB_PAUSE_SECONDS", 0.01)
    async with opened(configured(tmp_path / "root", cache=CACHED, **all_tiers(tmp_path))) as stores:
        cache = stores.cache
        assert cache is not None
        await make_bucket(stores.store)
        await put(stores.store, b"x" * MIB)
        await get(stores.store)
        damage(tmp_path / "memory" / "blocks")
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cache.scrub, 10**9)
                while not cache.shared.total(Counter.CORRUPT_BLOCKS):  # noqa: ASYNC110 (counted in a thread)
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()
        assert list((tmp_path / "memory" / "blocks").iterdir()) == []
        assert await get(stores.store) == b"x" * MIB


async def test_scrub_of_a_tier_that_is_gone_is_mentioned_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(caching, "_SCRUB_PAUSE_SECONDS", 0.01)
    async with opened(configured(tmp_path / "root", cache=CACHED, **all_tiers(tmp_path))) as stores:
        assert stores.cache is not None
        shutil.rmtree(tmp_path / "memory")
        with trio.move_on_after(0.3):
            await stores.cache.scrub(10**9)
    assert capsys.readouterr().err.count("the scrub could not go on") > 1


def damage(blocks: Path) -> None:
    (block,) = blocks.iterdir()
    with block.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"y")
