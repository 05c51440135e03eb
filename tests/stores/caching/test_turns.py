"""Readers that come together, in one worker and in several."""

from pathlib import Path

import pytest
import trio
import trio.testing

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket, Key
from s3proxy.stores.base import ObjectStore, StoreUnavailableError
from s3proxy.stores.caching.shared_metadata import MetadataTable
from s3proxy.stores.caching.turns import PATIENCE_SECONDS, Turns
from tests.stores.caching.asking import DATA, GET, WHOLE, filled, read
from tests.stores.caching.fakes import MemoryBlocks
from tests.stores.caching.node import Node, settings
from tests.stores.fakes import Asked, MemoryStore
from tests.stores.vocabulary import KEY, make_bucket, refusal_of

PLACE = (Bucket("bucket"), Key("key"))


async def test_herd_asks_once_for_an_unknown_object(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await filled(store)
    blocks = MemoryBlocks()
    workers = [node.worker(settings(), blocks) for _ in range(2)]
    store.gate = trio.Event()
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(_read_into, got, workers[number % 2])
        await trio.testing.wait_all_tasks_blocked(0.0001)
        store.gate.set()
    assert got == [DATA] * 20
    assert store.asked == [Asked("GET", KEY, WHOLE)]
    assert store.given_bytes == len(DATA)


async def test_herd_whose_first_goes_away_is_served(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await filled(store)
    worker = node.worker(settings())
    store.gate = trio.Event()
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()
        nursery.start_soon(_read_within, first, worker)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(5):
            nursery.start_soon(_read_into, got, worker)
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()
        await trio.testing.wait_all_tasks_blocked()
        store.gate.set()
    assert got == [DATA] * 5
    assert len(store.asked) == 2


async def test_herd_of_a_missing_object_is_refused_with_one_request(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await make_bucket(store)
    worker = node.worker(settings())
    refused: list[ErrorCode | None] = []
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(_refusal_into, refused, worker)
    assert refused == [ErrorCode.NO_SUCH_KEY] * 5
    assert len(store.asked) == 1


async def test_herd_in_an_outage_fails_together(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await filled(store)
    store.outage = StoreUnavailableError("out")
    worker = node.worker(settings(0.0))
    failed: list[str] = []

    async def fail() -> None:
        with pytest.raises(StoreUnavailableError) as caught:
            await read(worker)
        failed.append(str(caught.value))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(fail)
    assert failed == ["out"] * 5
    assert len(store.asked) == 1


async def test_heads_of_ttl_0_do_not_wait_for_each_other(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await filled(store)
    worker = node.worker(settings(0.0))
    await read(worker)
    store.asked.clear()
    store.gate = trio.Event()
    got: list[bytes] = []
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(_read_into, got, worker)
        await trio.testing.wait_all_tasks_blocked()
        assert store.asked == [Asked("HEAD", KEY)] * 5
        store.gate.set()
    assert got == [DATA] * 5


async def test_reader_whose_turn_never_comes_asks_for_itself(
    node: Node, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    await filled(store)
    worker, other = (node.worker(settings()) for _ in range(2))
    stuck = await worker.get_object(GET)  # and never read
    assert await read(worker) == DATA
    assert await read(other) == DATA
    await stuck.aclose()


async def test_turn_is_one_for_each_object() -> None:
    turns = Turns("store", None)
    turn = turns.begin(PLACE)
    assert turn is not None
    assert turns.begin(PLACE) is None
    assert turns.begin((Bucket("bucket"), Key("other"))) is not None
    turn.end()
    turn.end()
    assert turns.begin(PLACE) is not None


async def test_turn_of_another_worker_is_waited_for(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    tables = [MetadataTable.open(tmp_path / "table", run=bytes(16)) for _ in range(2)]
    first, second = (Turns("store", table).begin(PLACE) for table in tables)
    assert first is not None
    assert second is not None
    await first.wait_for_workers()
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(second.wait_for_workers)
        await trio.sleep(1.0)
        first.end()
    assert 1.0 <= trio.current_time() - started < 1.1
    for table in tables:
        table.close()


async def test_turn_of_another_worker_that_never_ends_is_waited_for_so_long(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    tables = [MetadataTable.open(tmp_path / "table", run=bytes(16)) for _ in range(2)]
    first, second = (Turns("store", table).begin(PLACE) for table in tables)
    assert first is not None
    assert second is not None
    await first.wait_for_workers()
    started = trio.current_time()
    await second.wait_for_workers()
    assert trio.current_time() - started == pytest.approx(PATIENCE_SECONDS, abs=0.1)
    second.end()
    for table in tables:
        table.close()


async def _read_into(got: list[bytes], worker: ObjectStore) -> None:
    got.append(await read(worker))


async def _read_within(scope: trio.CancelScope, worker: ObjectStore) -> None:
    with scope:
        await read(worker)


async def _refusal_into(refused: list[ErrorCode | None], worker: ObjectStore) -> None:
    refused.append(await refusal_of(worker.get_object(GET)))
