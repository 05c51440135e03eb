import os
import time
from pathlib import Path

import pytest
import trio

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import GetObjectTagging
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.local.sweeping import Sweeper
from tests.stores.bodies import body_of
from tests.stores.vocabulary import BUCKET, KEY, OWNER, delete, get, make_bucket, put, put_of

TAGS = {f"{number}" * 128: "é" * 256 for number in range(10)}


def age(directory: Path) -> int:
    """Make everything in ``directory`` a day old; how much that is."""
    paths = list(directory.iterdir())
    for path in paths:
        os.utime(path, (0, time.time_ns() / 1e9 - 24 * 3600))
    return len(paths)


async def test_opening_a_store_removes_what_a_crash_left(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    dead = root / ".s3proxy" / "tmp" / "0123456789abcdef"
    dead.mkdir()
    (dead / "0").write_bytes(b"half an object")

    async def open_another() -> None:
        other = LocalStore.open(root, fsync=False)
        await other.aclose()

    # While one process writes, another one starts.
    await store.put_object(put_of(), body_of(b"x" * 200_000, before_end=open_another))
    assert not dead.exists()
    assert await get(store) == b"x" * 200_000


async def test_sweep_removes_records_of_objects_that_are_gone(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    for key in ("deleted", "replaced", KEY):
        await store.put_object(put_of(key, tags=TAGS), body_of(b"data"))
    await delete(store, "deleted")
    await put(store, b"new", "replaced")
    hidden = root / ".s3proxy" / "metadata"
    await store.sweep()
    assert age(hidden) == 3  # those just written were left alone
    await store.sweep()
    assert len(list(hidden.iterdir())) == 1
    assert await store.get_object_tagging(GetObjectTagging(bucket=BUCKET, key=KEY)) == TAGS


async def test_sweep_removes_records_of_buckets_that_are_gone(
    without_attributes: None, root: Path, store: LocalStore
) -> None:
    for name in ("gone", "kept"):
        await make_bucket(store, name)
    (root / "gone").rmdir()
    hidden = root / ".s3proxy" / "buckets"
    assert age(hidden) == 2
    await store.sweep()
    assert len(list(hidden.iterdir())) == 1
    (info,) = await store.list_buckets()
    assert info.owner == OWNER


async def test_maintain_goes_on_after_a_sweep_that_failed(
    store: LocalStore,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    swept: list[float] = []

    async def sweep(_: Sweeper) -> None:
        swept.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        raise S3Error(ErrorCode.SERVICE_UNAVAILABLE)

    monkeypatch.setattr(Sweeper, "sweep", sweep)
    start = trio.current_time()
    with trio.move_on_after(7300):
        await store.maintain()
    assert [each - start for each in swept] == [0, 3600, 7200]
    assert "the sweep of the store failed" in caplog.text
