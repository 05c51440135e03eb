"""A store behind a cache keeps the contract of stores, whatever the cache is like."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from s3proxy.stores.local.store import LocalStore
from tests.stores.caching.asking import DATA, filled, read
from tests.stores.caching.node import block_caches, running, settings
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.fakes import MemoryStore
from tests.stores.local.leftovers import open_descriptors

each_check = pytest.mark.parametrize("check", CHECKS, ids=name_of)


@pytest.fixture
async def local_store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    (tmp_path / "root").mkdir()
    opened = LocalStore.open(tmp_path / "root", fsync=False)
    yield opened
    await opened.aclose()


@each_check
@pytest.mark.parametrize("ttl", [0.0, 10.0, math.inf])
async def test_store_at_a_distance_behind_a_cache_keeps_the_contract(check: Check, ttl: float, tmp_path: Path) -> None:
    with running(MemoryStore(), tmp_path) as node:
        async with block_caches(tmp_path, [node.words]) as [blocks]:
            await check(node.worker(settings(ttl), blocks))


@each_check
@pytest.mark.parametrize("ttl", [0.0, 10.0, math.inf])
async def test_local_store_behind_a_cache_keeps_the_contract(
    check: Check, ttl: float, local_store: LocalStore, tmp_path: Path
) -> None:
    with running(local_store, tmp_path) as node:
        async with block_caches(tmp_path, [node.words]) as [blocks]:
            await check(node.worker(settings(ttl), blocks))


@each_check
@pytest.mark.parametrize("tiers", [(), ("memory",), ("disk",)], ids=["no tier", "memory", "disk"])
async def test_store_behind_a_cache_without_some_tier_keeps_the_contract(
    check: Check, tiers: tuple[str, ...], tmp_path: Path
) -> None:
    with running(MemoryStore(), tmp_path) as node:
        async with block_caches(tmp_path, [node.words], tiers=tiers) as [blocks]:
            await check(node.worker(settings(), blocks))


async def test_nothing_stays_open_after_reads(tmp_path: Path) -> None:
    before = open_descriptors()
    store = MemoryStore()
    with running(store, tmp_path) as node:
        async with block_caches(tmp_path, [node.words]) as [blocks]:
            await filled(store)
            worker = node.worker(settings(), blocks)
            for header in (None, "bytes=5-70000", "bytes=-3", "bytes=0-0"):
                assert (
                    await read(worker, header)
                    == (
                        {None: DATA, "bytes=5-70000": DATA[5:70001], "bytes=-3": DATA[-3:], "bytes=0-0": DATA[:1]}[
                            header
                        ]
                    )
                )
            assert [asked.method for asked in store.asked] == ["GET"]
    assert store.open_bodies == 0
    assert open_descriptors() == before
