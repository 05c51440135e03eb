"""A store behind a cache keeps the contract of stores, whatever the cache is like."""

import math
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from s3proxy.s3.model import ByteRange
from s3proxy.s3.ranges import resolve_range
from s3proxy.stores.local.store import LocalStore
from tests.stores.caching.asking import DATA, filled, read
from tests.stores.caching.fakes import UNIT
from tests.stores.caching.node import block_caches, running, settings
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.fakes import Asked, MemoryStore
from tests.stores.local.leftovers import open_descriptors
from tests.stores.vocabulary import KEY

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


async def test_herd_over_two_workers_has_each_byte_once_from_the_store(tmp_path: Path) -> None:
    store = MemoryStore(latency_seconds=0.002)
    data = random.Random(1).randbytes(9 * 1024 * 1024 + 5)
    headers = [
        None,
        "bytes=-70000",
        "bytes=4000000-6000000",
        *(f"bytes={n}-{n + 9999}" for n in range(0, 9_000_000, 10**6)),
    ]
    await filled(store, data)
    with running(store, tmp_path) as node:
        async with block_caches(tmp_path, [node.view(0), node.view(1)]) as caches:
            workers = [node.worker(settings(), cache) for cache in caches]

            async def check(number: int, header: str | None) -> None:
                span = ByteRange(0, len(data)) if header is None else resolve_range(header, len(data))
                assert span is not None
                assert await read(workers[number % 2], header) == data[span.start : span.stop]

            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(check, number, headers[(number * 7) % len(headers)])
    assert store.given_bytes <= 1.01 * len(data)


@pytest.mark.parametrize("ttl", [0.0, 10.0])
async def test_small_cold_range_costs_a_unit_and_a_warm_one_nothing(ttl: float, tmp_path: Path) -> None:
    store = MemoryStore()
    await filled(store, DATA * 100)
    with running(store, tmp_path) as node:
        async with block_caches(tmp_path, [node.words]) as [blocks]:
            worker = node.worker(settings(ttl), blocks)
            for _ in range(3):
                assert await read(worker, "bytes=10000000-10000007") == DATA[10**7 % len(DATA) :][:8]
    heads = [] if ttl else [Asked("HEAD", KEY)] * 2
    assert store.asked == [Asked("GET", KEY, "bytes=9961472-10027007"), *heads]
    assert store.given_bytes == UNIT


async def test_footer_of_an_unknown_object_is_one_request_and_then_none(tmp_path: Path) -> None:
    # As a reader of Parquet has it: the last eight bytes, then the footer before them.
    store = MemoryStore()
    await filled(store, DATA * 100)
    with running(store, tmp_path) as node:
        async with block_caches(tmp_path, [node.words]) as [blocks]:
            worker = node.worker(settings(), blocks)
            assert await read(worker, "bytes=-8") == DATA[-8:]
            assert await read(worker, "bytes=-60000") == DATA[-60000:]
            assert await read(worker, "bytes=26200000-26214399") == DATA[-14400:]
    assert [asked.method for asked in store.asked] == ["GET"]
    assert store.given_bytes < 2 * UNIT


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
