import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from s3proxy.s3.model import ByteRange, CopyObject, CopySource, Key
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.local import copies
from s3proxy.stores.local.copying import append_range
from s3proxy.stores.local.staging import Temporary
from s3proxy.stores.local.store import LocalStore
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, KEY, get, head, keys_of, make_bucket, put

COPY = CopyObject(bucket=BUCKET, key=Key("copy"), source=CopySource(bucket=BUCKET, key=KEY))


async def test_copy_of_a_program_s_file_has_the_md5_of_its_bytes(root: Path, store: LocalStore) -> None:
    (root / BUCKET / "a").mkdir(parents=True)
    (root / BUCKET / KEY).write_bytes(b"data")
    result = await store.copy_object(COPY)
    assert result.etag == hashlib.md5(b"data", usedforsecurity=False).hexdigest()
    assert await get(store, "copy") == b"data"


async def test_copy_of_a_plain_object_reads_nothing_again(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await make_bucket(store)
    await put(store, b"data")
    monkeypatch.setattr(copies, "CopyDigest", None)
    assert (await store.copy_object(COPY)).etag == (await head(store)).etag


async def test_copy_of_a_source_that_changes_meanwhile_is_given_up(
    root: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_and_append(
        source_fd: int, span: ByteRange, target: Temporary, digest: Callable[[memoryview], None] | None = None
    ) -> None:
        os.utime(root / BUCKET / KEY, ns=(0, 0))
        append_range(source_fd, span, target, digest)

    await make_bucket(store)
    await put(store, b"data")
    monkeypatch.setattr(copies, "append_range", change_and_append)
    before = open_descriptors()
    with pytest.raises(StoreUnavailableError):
        await store.copy_object(COPY)
    assert (await keys_of(store), temporaries(root), open_descriptors()) == ([KEY], [], before)
