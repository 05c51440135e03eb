"""Cancelled at every point where it can be, a write leaves the old object or the new one, and nothing else."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from s3proxy.s3.model import CopyObject, CopySource, Key
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import Arriving, body_of
from tests.stores.contracts_of_uploads import begin, completion_of, upload
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, KEY, get, make_bucket, put, put_of

OLD, NEW = b"old", b"new" * 100_000


class _CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when its task has gone through the scheduler so many times."""

    def __init__(self, steps: int, scope: trio.CancelScope) -> None:
        self._task = trio.lowlevel.current_task()
        self._left = steps
        self._scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


async def cancelled_at(steps: int, write: Callable[[], Awaitable[object]]) -> bool:
    """Run ``write`` and cancel it at a step; whether there was such a step."""
    with trio.CancelScope() as scope:
        instrument = _CancelAtStep(steps, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await write()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancel_called


async def check_cancellation(root: Path, store: LocalStore, write: Callable[[], Awaitable[object]]) -> None:
    before = open_descriptors()
    steps = 0
    seen = set()
    is_cancelled = True
    while is_cancelled:
        steps += 1
        await put(store, OLD)
        is_cancelled = await cancelled_at(steps, write)
        assert (temporaries(root), open_descriptors()) == ([], before)
        seen.add(await get(store))
    assert seen == {OLD, NEW}
    assert steps > 2


@pytest.fixture
async def ready(store: LocalStore) -> LocalStore:
    await make_bucket(store)
    await put(store, NEW, "source")
    await get(store, "source")
    return store


async def test_cancelled_put_leaves_nothing_behind(root: Path, ready: LocalStore) -> None:
    class Pausing(Arriving):
        async def receive_into(self, buffer: memoryview) -> int:
            await trio.lowlevel.checkpoint()
            return await super().receive_into(buffer)

    async def write() -> None:
        body = body_of(NEW)
        body._stream = Pausing(NEW, (50_000,))
        await ready.put_object(put_of(), body)

    await check_cancellation(root, ready, write)


async def test_cancelled_copy_leaves_nothing_behind(root: Path, ready: LocalStore) -> None:
    operation = CopyObject(bucket=BUCKET, key=KEY, source=CopySource(bucket=BUCKET, key=Key("source")))
    await check_cancellation(root, ready, lambda: ready.copy_object(operation))


async def test_cancelled_completion_leaves_the_upload_or_the_object(root: Path, ready: LocalStore) -> None:
    async def write() -> None:
        upload_id = await begin(ready)
        part = await upload(ready, upload_id, 1, NEW)
        await ready.complete_multipart_upload(completion_of(upload_id, (1, part.etag)))

    await check_cancellation(root, ready, write)
