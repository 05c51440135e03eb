"""Versions stay apart: what an opened object gives is never of two."""

import math
from dataclasses import replace

import pytest

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, CannedAcl
from s3proxy.stores.base import ObjectChangedError, StoreUnavailableError
from tests.stores.bodies import body_of, bytes_of
from tests.stores.caching.asking import DATA, GET, filled, read
from tests.stores.caching.fakes import Clock
from tests.stores.caching.node import Node, settings
from tests.stores.fakes import MemoryStore
from tests.stores.vocabulary import BUCKET, KEY, delete, head, put, put_of, raises

FIRST = ByteRange(0, 10)


async def test_version_gone_before_its_bytes_were_read_is_told(node: Node, store: MemoryStore) -> None:
    await filled(store)
    first, second = (node.worker(settings(math.inf)) for _ in range(2))
    await head(first)
    await head(second)
    await put(store, b"new")
    opened = await first.get_object(GET)
    with pytest.raises(ObjectChangedError):
        await opened.read(FIRST)
    await opened.aclose()
    assert await read(first) == b"new"
    assert await read(second) == b"new"  # whom nobody told but the first


async def test_version_deleted_before_its_bytes_were_read_is_told(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings(math.inf))
    await head(worker)
    await delete(store)
    opened = await worker.get_object(GET)
    with pytest.raises(ObjectChangedError):
        await opened.read(FIRST)
    with raises(ErrorCode.NO_SUCH_KEY):
        await worker.get_object(GET)


async def test_version_of_a_store_that_judges_no_conditions_is_compared(
    node: Node, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store)
    worker = node.worker(settings(math.inf))
    await head(worker)
    await put(store, b"new" * 10)
    monkeypatch.setattr("s3proxy.s3.conditions.evaluate", lambda *_: None)
    opened = await worker.get_object(GET)
    with pytest.raises(ObjectChangedError):
        await opened.read(FIRST)
    assert await read(worker) == b"new" * 10


async def test_blocks_of_the_old_version_are_not_given_for_the_new(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings(math.inf))
    assert await read(worker) == DATA
    changed = DATA[::-1]
    await put(worker, changed)
    assert await read(worker, "bytes=100-199") == changed[100:200]
    assert await read(worker) == changed


async def test_other_failures_of_the_store_are_the_reader_s(
    node: Node, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(store)
    worker = node.worker(settings())
    await head(worker)
    for failure in (S3Error(ErrorCode.ACCESS_DENIED), StoreUnavailableError("out")):
        store.outage = failure
        opened = await worker.get_object(GET)
        with pytest.raises(type(failure)):
            await opened.read(FIRST)
        await opened.aclose()
    store.outage = None
    store.asked.clear()
    assert await read(worker) == DATA
    assert [asked.method for asked in store.asked] == ["GET"]  # the entry was good all the time


async def test_empty_span_needs_nobody(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings())
    await head(worker)
    opened = await worker.get_object(GET)
    body = await opened.read(ByteRange(5, 5))
    assert await bytes_of(body) == b""
    await body.aclose()
    assert [asked.method for asked in store.asked] == ["HEAD"]


async def test_span_outside_of_what_arrives_is_read_all_the_same(node: Node, store: MemoryStore) -> None:
    await filled(store)
    opened = await node.worker(settings()).get_object(replace(GET, range="bytes=0-9"))
    assert await bytes_of(await opened.read(ByteRange(200_000, 200_010))) == DATA[200_000:200_010]
    await opened.aclose()
    assert store.open_bodies == 0


async def test_acl_is_that_of_the_version_that_is_served(node: Node, store: MemoryStore, clock: Clock) -> None:
    # What the gateway decides by comes with the entry: a cache hit is no way around it.
    await filled(store)
    first, second = (node.worker(settings(math.inf)) for _ in range(2))
    for acl in (CannedAcl.PUBLIC_READ, CannedAcl.PRIVATE):
        await first.put_object(replace(put_of(), acl=acl), body_of(DATA))
        for worker in (first, second, first):
            opened = await worker.get_object(GET)
            assert opened.info.acl is acl is store.current(BUCKET, KEY).info.acl
            await opened.aclose()
