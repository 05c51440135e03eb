from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from s3proxy.admin.command import CommandError
from s3proxy.node.commons import geometry_of
from s3proxy.node.names import Names
from s3proxy.node.storage_view import StorageView
from s3proxy.node.stores import Stores
from s3proxy.s3.model import ListQuery
from tests.node.configuring import MIB, all_tiers, configured, opened
from tests.stores.vocabulary import get, make_bucket, put

BOTH = {"memory": 0, "disk": 0}


@asynccontextmanager
async def view_of(tmp_path: Path, **tables: object) -> AsyncIterator[tuple[StorageView, Stores]]:
    """The bucket ``lake`` is the prefix raw/ of ``deep``; of its objects ``large`` has two blocks and ``small`` one."""
    config = configured(
        tmp_path / "root",
        mount=[{"bucket": "lake", "target_bucket": "deep", "prefix": "raw/", "read": "cache"}],
        **tables,
    )
    async with opened(config) as stores:
        await make_bucket(stores.store, "deep")
        await put(stores.store, b"l" * 6 * MIB, "large", bucket="lake")
        await put(stores.store, b"s", "small", bucket="lake")
        yield StorageView(stores, Names(stores.routes, stores.identity_of), geometry_of(config)), stores


async def test_blocks_are_looked_for_in_the_names_of_the_store(tmp_path: Path) -> None:
    async with view_of(tmp_path, **all_tiers(tmp_path)) as (view, stores):
        await get(stores.store, "large", "lake")
        page = await view.list_page("lake", ListQuery())
        assert await view.held_of_each("lake", page.objects, 100) == [{"memory": 6 * MIB, "disk": 0}, BOTH]
        found = await view.find("lake", "large")
        assert await view.held_by_block("lake", found, 100) == [{"memory": 4 * MIB}, {"memory": 2 * MIB}]


async def test_no_more_blocks_are_looked_for_than_allowed(tmp_path: Path) -> None:
    async with view_of(tmp_path, **all_tiers(tmp_path)) as (view, stores):
        await get(stores.store, "large", "lake")
        page = await view.list_page("lake", ListQuery())
        assert await view.held_of_each("lake", page.objects, 1) == [None, BOTH]
        assert await view.held_by_block("lake", await view.find("lake", "large"), 1) == [{"memory": 4 * MIB}]


async def test_node_without_tiers_holds_nothing(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        page = await view.list_page("lake", ListQuery())
        assert await view.held_of_each("lake", page.objects, 100) == [{}, {}]
        assert not view.is_cached("lake")


async def test_object_that_is_not_there_is_told_in_the_names_of_clients(tmp_path: Path) -> None:
    async with view_of(tmp_path) as (view, _):
        with pytest.raises(CommandError, match="s3://lake/absent: NoSuchKey"):
            await view.find("lake", "absent")
