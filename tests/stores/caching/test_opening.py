"""What opening an object costs at the store: exact counts, by situation."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import GetObject, HeadObject, ReadConditions
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.caching.opening import widened
from tests.stores.caching.asking import DATA, GET, WHOLE, filled, read
from tests.stores.caching.fakes import UNIT, Clock, MemoryBlocks
from tests.stores.caching.node import Node, running, settings
from tests.stores.fakes import Asked, MemoryStore
from tests.stores.vocabulary import BUCKET, KEY, get, head, put, raises, refusal_of

# What is not known


async def test_get_of_an_unknown_object_is_one_request(node: Node, store: MemoryStore) -> None:
    await filled(store)
    assert await read(node.worker(settings())) == DATA
    assert store.asked == [Asked("GET", KEY, WHOLE)]


@pytest.mark.parametrize(
    ("header", "asked", "expected"),
    [
        ("bytes=70000-70003", "bytes=65536-131071", DATA[70000:70004]),
        ("bytes=65536-131071", "bytes=65536-131071", DATA[65536:131072]),
        ("bytes=65535-65536", "bytes=0-131071", DATA[65535:65537]),
        ("bytes=200000-", "bytes=196608-16973823", DATA[200000:]),
        ("bytes=200000-999999", "bytes=196608-1048575", DATA[200000:]),
        ("bytes=-8", f"bytes=-{8 + UNIT - 1}", DATA[-8:]),
        ("bytes=-9999999", f"bytes=-{9999999 + UNIT - 1}", DATA),
        ("bytes=1-2,5-6", WHOLE, DATA),
    ],
)
async def test_ranged_get_of_an_unknown_object_is_one_request_for_whole_units(
    header: str, asked: str, expected: bytes, node: Node, store: MemoryStore
) -> None:
    await filled(store)
    worker = node.worker(settings())
    assert await read(worker, header) == expected
    assert store.asked == [Asked("GET", KEY, asked)]
    assert await read(worker, header) == expected
    assert len(store.asked) == 1


def test_widened_asks_for_no_more_than_it_may() -> None:
    assert widened(None, UNIT, 4 * UNIT) == f"bytes=0-{4 * UNIT - 1}"
    assert widened("bytes=5-", UNIT, 4 * UNIT) == f"bytes=0-{4 * UNIT - 1}"
    assert widened(f"bytes={UNIT + 5}-{9 * UNIT}", UNIT, 4 * UNIT) == f"bytes={UNIT}-{5 * UNIT - 1}"
    assert widened(f"bytes=-{3 * UNIT + 1}", UNIT, 4 * UNIT) == f"bytes=-{4 * UNIT}"
    assert widened(f"bytes=-{3 * UNIT + 2}", UNIT, 4 * UNIT) is None
    assert widened(f"bytes={10**19}-", UNIT, 4 * UNIT) is None


async def test_get_of_an_empty_object_asks_twice_when_unknown(node: Node, store: MemoryStore) -> None:
    await filled(store, b"")
    worker = node.worker(settings())
    assert await read(worker) == b""
    assert store.asked == [Asked("GET", KEY, WHOLE), Asked("HEAD", KEY)]
    assert await read(worker) == b""
    assert len(store.asked) == 2


async def test_range_beyond_the_end_of_an_unknown_object_is_left_to_the_gateway(node: Node, store: MemoryStore) -> None:
    await filled(store, b"0123")
    opened = await node.worker(settings()).get_object(replace(GET, range="bytes=70000-"))
    assert opened.info.size == 4
    await opened.aclose()


@pytest.mark.parametrize(
    "operation",
    [
        replace(GET, conditions=ReadConditions(if_none_match=("other",))),
        replace(GET, range="bytes=0-1", if_range='"other"'),
    ],
    ids=["conditions", "if-range"],
)
async def test_conditional_get_of_an_unknown_object_begins_with_a_head(
    operation: GetObject, node: Node, store: MemoryStore
) -> None:
    await filled(store)
    assert await read(node.worker(settings()), operation.range, operation)
    assert [asked.method for asked in store.asked] == ["HEAD", "GET"]


async def test_missing_object_is_asked_for_each_time(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings(math.inf))
    for _ in range(2):
        with raises(ErrorCode.NO_SUCH_KEY):
            await get(worker, "missing")
        with raises(ErrorCode.NO_SUCH_KEY):
            await head(worker, "missing")
    assert len(store.asked) == 4


async def test_object_closed_unread_costs_no_bytes(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings())
    opened = await worker.get_object(GET)
    await opened.aclose()
    await opened.aclose()
    assert store.given_bytes == 0
    assert (await head(worker)).size == len(DATA)  # and its turn is over


# What is known


async def test_known_object_costs_no_request_while_fresh(node: Node, store: MemoryStore, clock: Clock) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    clock.now += 9.9
    assert await read(worker) == DATA
    assert await read(worker, "bytes=-8") == DATA[-8:]
    conditional = replace(GET, conditions=ReadConditions(if_match=("*",)))
    assert await read(worker, None, conditional) == DATA
    assert len(store.asked) == 1


async def test_expired_object_costs_one_head_and_keeps_its_blocks(node: Node, store: MemoryStore, clock: Clock) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    for _ in range(2):
        clock.now += 10.0
        store.asked.clear()
        assert await read(worker) == DATA
        assert await read(worker) == DATA
        assert store.asked == [Asked("HEAD", KEY)]


async def test_changed_object_is_seen_when_the_old_one_expires(node: Node, store: MemoryStore, clock: Clock) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    await put(store, b"new")
    assert await read(worker) == DATA
    clock.now += 10.0
    assert await read(worker) == b"new"


async def test_ttl_of_0_asks_each_time(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings(0.0))
    await read(worker)
    await put(store, b"new")
    assert await read(worker) == b"new"
    assert await read(worker) == b"new"
    assert [asked.method for asked in store.asked] == ["GET", "HEAD", "GET", "HEAD"]


async def test_endless_ttl_never_asks_again(node: Node, store: MemoryStore, clock: Clock) -> None:
    await filled(store)
    worker = node.worker(settings(math.inf))
    await read(worker)
    await put(store, b"new")
    clock.now += 10**9
    assert await read(worker) == DATA
    assert len(store.asked) == 1


async def test_expired_object_of_an_unreachable_store_is_not_served(
    node: Node, store: MemoryStore, clock: Clock
) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    store.outage = StoreUnavailableError("out")
    assert await read(worker) == DATA
    clock.now += 10.0
    with pytest.raises(StoreUnavailableError):
        await read(worker)


async def test_head_costs_one_request_and_then_none(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings())
    info = await head(worker)
    assert await head(worker) == info == store.current(BUCKET, KEY).info
    assert store.asked == [Asked("HEAD", KEY)]
    assert await read(worker, "bytes=0-0") == DATA[:1]
    assert store.asked[1:] == [Asked("GET", KEY, f"bytes=0-{UNIT - 1}")]


async def test_head_after_a_get_that_told_of_no_checksum_asks_the_store(node: Node, store: MemoryStore) -> None:
    # S3 tells the checksum of an object with HEAD, not with a part of its bytes.
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    await head(worker)
    await head(worker)
    assert [asked.method for asked in store.asked] == ["GET", "HEAD"]


async def test_part_is_asked_of_the_store_and_read_from_blocks(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    store.asked.clear()
    assert await read(worker, None, replace(GET, part_number=1)) == DATA
    await worker.head_object(HeadObject(bucket=BUCKET, key=KEY, part_number=1))
    assert store.asked == [Asked("HEAD", KEY)] * 2


async def test_version_id_goes_straight_to_the_store(node: Node, store: MemoryStore) -> None:
    await filled(store)
    worker = node.worker(settings())
    await read(worker)
    assert await refusal_of(worker.get_object(replace(GET, version_id="other"))) is ErrorCode.NO_SUCH_VERSION
    other = HeadObject(bucket=BUCKET, key=KEY, version_id="other")
    assert await refusal_of(worker.head_object(other)) is ErrorCode.NO_SUCH_VERSION


async def test_no_store_keeps_nothing_and_uses_what_is_there(node: Node, store: MemoryStore) -> None:
    await filled(store)
    blocks = MemoryBlocks()
    worker = node.worker(settings(), blocks)
    in_passing = replace(GET, no_store=True)
    assert await read(worker, "bytes=5-9", in_passing) == DATA[5:10]
    assert store.asked == [Asked("GET", KEY, "bytes=5-9")]
    await head(worker)
    assert await read(worker, "bytes=5-9", in_passing) == DATA[5:10]
    assert blocks.units == {}
    await read(worker)
    store.asked.clear()
    assert await read(worker, "bytes=5-9", in_passing) == DATA[5:10]
    assert store.asked == []


async def test_object_without_etag_is_not_cached(tmp_path: Path) -> None:
    store = MemoryStore(has_etags=False)
    await filled(store)
    with running(store, tmp_path) as node:
        blocks = MemoryBlocks()
        worker = node.worker(settings(math.inf), blocks)
        for data in (DATA, b"new", b"newer"):
            await put(store, data)
            assert await read(worker) == data
            assert (await head(worker)).size == len(data)
            assert await read(worker, None, replace(GET, part_number=1)) == data
            assert await read(worker, None, replace(GET, conditions=ReadConditions(if_none_match=("x",)))) == data
        assert blocks.units == {}


# Between workers and runs


async def test_worker_opens_what_another_has_opened_without_a_request(node: Node, store: MemoryStore) -> None:
    await filled(store)
    blocks = MemoryBlocks()
    first, second = (node.worker(settings(), blocks) for _ in range(2))
    assert await read(first) == await read(second) == DATA
    assert len(store.asked) == 1


async def test_object_is_known_after_a_restart_but_asked_for(tmp_path: Path, store: MemoryStore) -> None:
    await filled(store)
    blocks = MemoryBlocks()
    for expected in (["GET"], ["HEAD"]):
        store.asked.clear()
        with running(store, tmp_path) as node:
            assert await read(node.worker(settings(math.inf), blocks)) == DATA
        assert [asked.method for asked in store.asked] == expected
