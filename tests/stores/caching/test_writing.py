import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from s3proxy.cache.counters import Counter
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    CompletedPart,
    CompleteMultipartUpload,
    CopyObject,
    CopySource,
    CreateMultipartUpload,
    Key,
    PutObjectTagging,
    UploadPart,
)
from s3proxy.stores.base import ObjectChangedError, ObjectStore, StoreUnavailableError
from s3proxy.stores.caching.store import CachingStore
from s3proxy.stores.caching.writing import CacheThrough, SetAside
from tests.stores.bodies import body_of, bytes_of
from tests.stores.caching.asking import DATA, filled, read
from tests.stores.caching.fakes import MemoryBlocks
from tests.stores.caching.node import Node, settings
from tests.stores.fakes import Asked, MemoryStore
from tests.stores.vocabulary import BUCKET, KEY, NO_METADATA, delete, get, head, keys_of, put, put_of, raises

NEW = b"new" * 50_000
NEVER_EXPIRES = settings(math.inf)


async def put_new(store: ObjectStore) -> None:
    await put(store, NEW)


async def copy_new(store: ObjectStore) -> None:
    await put(store, NEW, "source")
    await store.copy_object(CopyObject(bucket=BUCKET, key=KEY, source=CopySource(bucket=BUCKET, key=Key("source"))))


async def complete_new(store: ObjectStore) -> None:
    upload_id = await store.create_multipart_upload(CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=NO_METADATA))
    part = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
    etag = (await store.upload_part(part, body_of(NEW))).etag
    parts = (CompletedPart(number=1, etag=etag),)
    await store.complete_multipart_upload(
        CompleteMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id, parts=parts)
    )


# What a write ends


@pytest.mark.parametrize("write", [put_new, copy_new, complete_new])
async def test_write_through_one_worker_is_read_through_all(
    write: Callable[[ObjectStore], Awaitable[None]], node: Node, store: MemoryStore
) -> None:
    await filled(store)
    first, second = (node.worker(NEVER_EXPIRES) for _ in range(2))
    for worker in (first, second):
        assert await read(worker) == DATA
    await write(first)
    for worker in (first, second):
        assert await read(worker) == NEW
        assert (await head(worker)).size == len(NEW)


async def test_deleted_object_is_gone_through_all_workers(node: Node, store: MemoryStore) -> None:
    await filled(store)
    first, second = (node.worker(NEVER_EXPIRES) for _ in range(2))
    for worker in (first, second):
        await read(worker)
    await delete(first)
    for worker in (first, second):
        with raises(ErrorCode.NO_SUCH_KEY):
            await read(worker)


async def test_new_tags_are_counted_at_once_and_the_blocks_stay(node: Node, store: MemoryStore) -> None:
    await filled(store)
    blocks = MemoryBlocks()
    first, second = (node.worker(NEVER_EXPIRES, blocks) for _ in range(2))
    for worker in (first, second):
        await read(worker)
    kept = blocks.units
    await first.put_object_tagging(PutObjectTagging(bucket=BUCKET, key=KEY, tags={"a": "b"}))
    for worker in (first, second):
        assert (await head(worker)).tag_count == 1
        assert await read(worker) == DATA
    assert blocks.units == kept


@pytest.mark.parametrize("outcome", ["fails", "is cancelled"])
async def test_write_that_comes_to_no_end_ends_entries_all_the_same(
    outcome: str, node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    # The store may have committed it, whatever was heard of that.
    await filled(store)
    first, second = (node.worker(NEVER_EXPIRES) for _ in range(2))

    async def commit_and_lose() -> None:
        await put(store, NEW)
        await read(second)  # learns of it, or of the old one, in the middle of the write
        if outcome == "fails":
            raise StoreUnavailableError("lost")
        await trio.sleep_forever()

    await read(second)
    with trio.move_on_after(1.0), suppress(StoreUnavailableError):
        await first.put_object(put_of(), body_of(b"x", before_end=commit_and_lose))
    assert await read(first) == await read(second) == NEW


async def test_reader_who_asks_in_the_middle_of_a_write_leaves_nothing_stale(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    # The interleaving of metadata.py: asked between the two changes of the stamp, answered by the store before it
    # committed, kept after the write was acknowledged.
    await filled(store)
    first, second = (node.worker(NEVER_EXPIRES) for _ in range(2))
    store.gate = trio.Event()
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            nursery.start_soon(read, second)
            await trio.testing.wait_all_tasks_blocked()

        await first.put_object(put_of(), body_of(NEW, before_end=ask))
        store.gate.set()
        store.gate = None
    assert await read(first) == await read(second) == NEW


async def test_listing_after_a_write_shows_it(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(NEVER_EXPIRES)
    await put(worker, b"x", "b")
    await delete(worker, KEY)
    assert await keys_of(worker) == ["b"]


async def test_store_read_through_still_tells_the_others(node: Node, store: MemoryStore) -> None:
    await filled(store)
    cached = node.worker(NEVER_EXPIRES)
    through = node.worker(replace(NEVER_EXPIRES, read="through"))
    assert await read(cached) == await read(through) == await read(through) == DATA
    assert len(store.asked) == 3
    await head(through)
    assert store.asked[3:] == [Asked("HEAD", KEY)]
    await put(through, NEW)
    assert await read(cached) == NEW


# Cache-through


@asynccontextmanager
async def writing_through(node: Node, directory: Path, max_bytes: int = 1 << 20) -> AsyncIterator[CachingStore]:
    """A worker that caches what it writes; at the end all of that is done."""
    async with trio.open_nursery() as nursery:
        through = CacheThrough(nursery=nursery, directory=directory, max_bytes=max_bytes)
        yield node.worker(replace(NEVER_EXPIRES, write=through))


async def test_body_that_was_written_is_read_without_a_byte_from_the_store(
    node: Node, store: MemoryStore, tmp_path: Path
) -> None:
    await filled(store)
    async with writing_through(node, tmp_path) as worker:
        await put(worker, NEW)
    assert store.asked == [Asked("HEAD", KEY)]
    assert await read(worker) == NEW
    assert store.asked == [Asked("HEAD", KEY)]
    assert store.given_bytes == 0


async def test_body_that_another_write_replaced_is_not_cached(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path) as worker:
        await put(worker, NEW)
        await put(store, DATA)
    assert await read(worker) == DATA


async def test_body_that_was_refused_is_not_cached(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path) as worker:
        before = len(os.listdir("/proc/self/fd"))
        with raises(ErrorCode.BAD_DIGEST):
            await worker.put_object(put_of(), body_of(NEW, md5=bytes(16)))
    assert store.asked == []
    assert await get(worker) == DATA
    assert len(os.listdir("/proc/self/fd")) == before


async def test_body_without_room_goes_to_the_store_alone(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path, max_bytes=len(NEW) - 1) as worker:
        assert await read(worker) == DATA
        store.asked.clear()
        await put(worker, NEW)
        await worker.put_object(put_of("unannounced"), body_of(b"x", is_announced=False))
    assert store.asked == []
    assert await read(worker) == NEW


async def test_room_is_given_back(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path, max_bytes=len(NEW)) as worker:
        for number in range(3):
            await put(worker, NEW, f"{number}")
            await trio.testing.wait_all_tasks_blocked()
        with raises(ErrorCode.BAD_DIGEST):
            await worker.put_object(put_of(), body_of(NEW, md5=bytes(16)))
        await put(worker, NEW, "last")
    assert [asked.key for asked in store.asked] == ["0", "1", "2", "last"]


async def test_write_is_none_the_worse_for_a_failing_cache(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path / "missing") as worker:
        await put(worker, NEW)
    assert node.words.total(Counter.CACHE_FAILURES) == 1
    assert await read(worker) == NEW


async def test_write_is_none_the_worse_for_an_outage_after_it(node: Node, store: MemoryStore, tmp_path: Path) -> None:
    await filled(store)
    async with writing_through(node, tmp_path) as worker:
        await put(worker, NEW)
        store.outage = StoreUnavailableError("out")
    store.outage = None
    assert node.words.total(Counter.CACHE_FAILURES) == 1
    assert await read(worker) == NEW


def test_copy_that_could_not_be_written_is_never_whole() -> None:
    copy = SetAside(os.open("/dev/full", os.O_RDWR), 3)
    copy.append(memoryview(b"abc"))
    assert not copy.is_whole
    copy.close()


async def test_copy_that_was_freed_gives_nothing_but_to_who_has_it() -> None:
    copy = SetAside(os.memfd_create("copy"), 6)
    copy.append(memoryview(b"abc"))
    copy.append(memoryview(b"def"))
    assert copy.is_whole
    body = await copy.fetch(1, 5)
    copy.close()
    assert await bytes_of(body) == b"bcde"
    with pytest.raises(ObjectChangedError):
        await copy.fetch(0, 1)
