from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from s3proxy.admin.command import CommandError
from s3proxy.admin.messages import Pin
from s3proxy.node.cache_view import CacheView
from s3proxy.node.names import Names
from s3proxy.node.stores import Stores
from s3proxy.s3.model import ByteRange, ETag, ListedObject
from tests.node.configuring import MIB, configured, opened, tier
from tests.stores.vocabulary import get, make_bucket, put

SIZE = 6 * MIB


@asynccontextmanager
async def view_of(tmp_path: Path) -> AsyncIterator[tuple[CacheView, Stores]]:
    """The bucket ``lake`` is the prefix raw/ of the bucket ``deep``, and is cached; nothing else is."""
    config = configured(
        tmp_path / "root",
        cache={"read": "through"},
        mount=[{"bucket": "lake", "target_bucket": "deep", "prefix": "raw/", "read": "cache"}],
        memory_tier=tier(tmp_path / "memory", 256 * MIB),
        disk_tier=tier(tmp_path / "disk"),
    )
    async with opened(config) as stores:
        assert stores.cache is not None
        await make_bucket(stores.store, "deep")
        for key in ("a", "b"):
            await put(stores.store, key.encode() * SIZE, key, bucket="lake")
        names = Names(stores.routes, stores.identity_of)
        yield CacheView(stores.cache, stores.store, names, lambda bucket: bucket == "lake"), stores


async def listed(view: CacheView) -> tuple[ListedObject, ...]:
    return (await view.list_objects("lake", "", "")).objects


async def test_listing_is_that_of_the_store(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        assert [each.key for each in await listed(view)] == ["a", "b"]
        assert [each.key for each in (await view.list_objects("lake", "", "a")).objects] == ["b"]
        with pytest.raises(CommandError, match=r"s3://absent: NoSuchBucket"):
            await view.list_objects("absent", "", "")


async def test_what_is_missing_is_fetched_and_then_present(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        objects = await listed(view)
        assert view.missing("lake", objects) == [[ByteRange(0, SIZE)]] * 2
        assert [each.present_bytes for each in view.presence("lake", objects)] == [0, 0]
        await view.fetch("lake", objects[0], ByteRange(0, SIZE))
        assert view.missing("lake", objects) == [[], [ByteRange(0, SIZE)]]
        present = view.presence("lake", objects)[0]
        assert (present.present_bytes, present.cached) == (SIZE, {"memory": SIZE, "disk": 0})


async def test_what_clients_read_is_present(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, stores):
        await get(stores.store, "b", "lake")
        assert view.missing("lake", await listed(view))[1] == []


async def test_bucket_that_is_not_cached_cannot_be_loaded(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        with pytest.raises(CommandError, match="s3://deep is not read through the cache"):
            view.missing("deep", ())


async def test_object_that_changed_is_not_fetched(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        first, *_rest = await listed(view)
        with pytest.raises(CommandError, match="changed"):
            await view.fetch("lake", replace(first, etag=ETag("other")), ByteRange(0, SIZE))
        with pytest.raises(CommandError, match="NoSuchKey"):
            await view.fetch("lake", replace(first, key=type(first.key)("c")), ByteRange(0, SIZE))


async def test_blocks_are_told_in_the_names_of_clients_and_dropped(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, stores):
        await get(stores.store, "a", "lake")
        blocks = sorted(view.blocks("lake", "a"), key=lambda block: block.index)
        assert [(block.bucket, block.key, block.index) for block in blocks] == [("lake", "a", 0), ("lake", "a", 1)]
        assert list(view.blocks(None, "")) != []
        assert list(view.blocks("lake", "b")) == list(view.blocks("deep", "raw/b")) == []
        assert all(view.verify(block) for block in blocks)
        for block in blocks:
            view.drop(block)
            assert view.verify(block)
        assert list(view.blocks(None, "")) == []


async def test_pins_are_told_in_the_names_of_clients_and_hold_for_blocks(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, stores):
        pin = Pin(bucket="lake", prefix="a")
        assert [view.pin(pin), view.pin(pin)] == [True, False]
        assert view.pins() == [pin]
        for key in ("a", "b"):
            await get(stores.store, key, "lake")
        assert {(block.key, block.is_pinned) for block in view.blocks("lake", "")} == {("a", True), ("b", False)}
        assert [view.unpin(pin), view.unpin(pin)] == [True, False]
        assert view.pins() == []


async def test_tiers_and_counters_are_those_of_the_node(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, stores):
        await get(stores.store, "a", "lake")
        memory, disk = view.tiers()
        assert (memory.tier, memory.directory, memory.size_bytes) == ("memory", str(tmp_path / "memory"), 256 * MIB)
        assert memory.blocks == 2
        assert memory.used_bytes >= SIZE
        assert disk.blocks == 0
        assert {counter.name: counter.value for counter in view.counters()}["fill_bytes"] == SIZE
