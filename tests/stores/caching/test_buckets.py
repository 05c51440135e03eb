import math

import pytest
import trio
import trio.testing

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import CreateBucket, Owner
from tests.stores.caching.fakes import Clock
from tests.stores.caching.node import Node, settings
from tests.stores.fakes import MemoryStore
from tests.stores.vocabulary import BUCKET, OWNER, make_bucket, put, raises

BOB = Owner("bob-id", "Bob")


async def test_bucket_is_asked_for_once_in_its_time_to_live(node: Node, store: MemoryStore, clock: Clock) -> None:
    worker = node.worker(settings())
    await make_bucket(store)
    for _ in range(3):
        assert (await worker.get_bucket(BUCKET)).owner == OWNER
    assert store.bucket_requests == 1
    clock.now += 10.0
    await worker.get_bucket(BUCKET)
    assert store.bucket_requests == 2


async def test_bucket_is_asked_for_each_time_at_0(node: Node, store: MemoryStore) -> None:
    worker = node.worker(settings(0.0))
    await make_bucket(store)
    for _ in range(3):
        await worker.get_bucket(BUCKET)
    assert store.bucket_requests == 3


async def test_missing_bucket_is_not_remembered(node: Node, store: MemoryStore) -> None:
    worker = node.worker(settings(math.inf))
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await worker.get_bucket(BUCKET)
    await make_bucket(store)
    assert (await worker.get_bucket(BUCKET)).owner == OWNER


async def test_bucket_made_or_deleted_through_one_worker_is_seen_by_all(node: Node) -> None:
    first, second = (node.worker(settings(math.inf)) for _ in range(2))
    await make_bucket(first)
    assert (await second.get_bucket(BUCKET)).owner == OWNER
    await first.delete_bucket(BUCKET)
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await second.get_bucket(BUCKET)
    await second.create_bucket(CreateBucket(bucket=BUCKET), BOB)
    assert (await first.get_bucket(BUCKET)).owner == BOB


async def test_new_owner_of_a_bucket_deleted_at_the_store_is_seen_at_once(node: Node, store: MemoryStore) -> None:
    worker = node.worker(settings(math.inf))
    await make_bucket(worker)
    await worker.get_bucket(BUCKET)
    await store.delete_bucket(BUCKET)
    await worker.create_bucket(CreateBucket(bucket=BUCKET), BOB)
    assert (await worker.get_bucket(BUCKET)).owner == BOB


async def test_write_of_a_key_leaves_its_bucket_known(node: Node, store: MemoryStore) -> None:
    worker = node.worker(settings(math.inf))
    await make_bucket(worker)
    await worker.get_bucket(BUCKET)
    await put(worker, b"data")
    await worker.get_bucket(BUCKET)
    assert store.bucket_requests == 1


@pytest.mark.parametrize("ttl", [10.0, math.inf])
async def test_requests_that_come_together_ask_once(
    ttl: float, node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    worker = node.worker(settings(ttl))
    await make_bucket(store)
    store.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(worker.get_bucket, BUCKET)
        await trio.testing.wait_all_tasks_blocked()
        store.gate.set()
    assert store.bucket_requests == 1


async def test_request_outlives_one_that_went_away(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    worker = node.worker(settings())
    await make_bucket(store)
    store.gate = trio.Event()
    scope = trio.CancelScope()

    async def go_away() -> None:
        with scope:
            await worker.get_bucket(BUCKET)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go_away)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(worker.get_bucket, BUCKET)
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        store.gate.set()
    assert store.bucket_requests == 2
