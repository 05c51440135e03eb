import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from s3proxy.body import Body
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    ByteRange,
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    CompletedPart,
    CompleteMultipartUpload,
    CopyObject,
    CopyResult,
    CopySource,
    CreateMultipartUpload,
    GetObject,
    Key,
    ObjectInfo,
    UploadPartCopy,
)
from s3proxy.stores import relaying
from s3proxy.stores.base import ObjectChangedError, OpenObject, StoreUnavailableError
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.relaying import relay_object, relay_part
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.fakes import MemoryStore
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, KEY, NO_METADATA, get, head, make_bucket, put, raises

COPY = CopyObject(bucket=BUCKET, key=Key("copy"), source=CopySource(bucket=BUCKET, key=KEY))


class RelayedLocalStore(LocalStore):
    """Copies as if source and target were two stores."""

    async def copy_object(self, operation: CopyObject) -> CopyResult:
        return await relay_object(self, self, operation)

    async def upload_part_copy(self, operation: UploadPartCopy) -> CopyResult:
        return await relay_part(self, self, operation)


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalStore]:
    (tmp_path / "root").mkdir()
    store = LocalStore.open(tmp_path / "root", fsync=False)
    await make_bucket(store)
    yield store
    await store.aclose()


@pytest.fixture
async def memory() -> MemoryStore:
    store = MemoryStore()
    await make_bucket(store)
    return store


@pytest.mark.parametrize("check", [each for each in CHECKS if "copy" in name_of(each)], ids=name_of)
async def test_relayed_copies_keep_the_contract(check: Check, tmp_path: Path) -> None:
    before = open_descriptors()
    store = RelayedLocalStore.open(tmp_path, fsync=False)
    await check(store)
    assert temporaries(tmp_path) == []
    await store.aclose()
    assert open_descriptors() == before


@pytest.mark.parametrize("size", [0, 1, 65536, 700_000, 3_000_001])
async def test_object_of_any_size_arrives_in_the_other_store(local: LocalStore, memory: MemoryStore, size: int) -> None:
    data = (hashlib.sha256(b"%d" % size).digest() * (size // 32 + 1))[:size]
    await put(local, data, algorithm=ChecksumAlgorithm.CRC32C)
    result = await relay_object(local, memory, COPY)
    assert await get(memory, "copy") == data
    assert result.etag == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert result.checksum == (await head(local)).checksum
    await relay_object(memory, local, replace(COPY, key=Key("back"), source=replace(COPY.source, key=Key("copy"))))
    assert await get(local, "back") == data
    assert memory.open_bodies == 0


async def test_range_of_an_object_is_asked_for_and_becomes_a_part(memory: MemoryStore, local: LocalStore) -> None:
    await put(memory, bytes(range(256)))
    upload_id = await local.create_multipart_upload(
        CreateMultipartUpload(bucket=BUCKET, key=Key("joined"), metadata=NO_METADATA)
    )
    copy = UploadPartCopy(
        bucket=BUCKET, key=Key("joined"), upload_id=upload_id, part_number=1, source=COPY.source, range=ByteRange(3, 9)
    )
    result = await relay_part(memory, local, copy)
    await local.complete_multipart_upload(
        CompleteMultipartUpload(
            bucket=BUCKET, key=Key("joined"), upload_id=upload_id, parts=(CompletedPart(number=1, etag=result.etag),)
        )
    )
    assert await get(local, "joined") == bytes(range(3, 9))
    assert [asked.range for asked in memory.asked] == ["bytes=3-8"]


async def test_range_of_what_may_not_be_read_is_refused_without_telling_its_size(
    memory: MemoryStore, local: LocalStore
) -> None:
    # RustFS CVE-2026-39360.
    await put(memory, b"data")
    upload_id = await local.create_multipart_upload(
        CreateMultipartUpload(bucket=BUCKET, key=Key("joined"), metadata=NO_METADATA)
    )
    source = replace(COPY.source, readable_acls=frozenset({CannedAcl.PUBLIC_READ}))
    copy = UploadPartCopy(
        bucket=BUCKET, key=Key("joined"), upload_id=upload_id, part_number=1, source=source, range=ByteRange(100, 200)
    )
    with raises(ErrorCode.ACCESS_DENIED):
        await relay_part(memory, local, copy)


class Altered(MemoryStore):
    """Gives objects whose info, or behaviour when they are read, is another one."""

    checksum: Checksum | None = None
    changes = 0

    async def get_object(self, operation: GetObject) -> OpenObject:
        opened = await super().get_object(operation)
        if self.checksum is not None:
            opened.info = replace(opened.info, checksum=self.checksum)
        if self.changes:
            self.changes -= 1
            return Changed(opened)
        return opened


class Changed(OpenObject):
    def __init__(self, opened: OpenObject) -> None:
        self.info: ObjectInfo = opened.info
        self._opened = opened

    async def read(self, span: ByteRange) -> Body:
        raise ObjectChangedError

    async def aclose(self) -> None:
        await self._opened.aclose()


async def altered() -> Altered:
    store = Altered()
    await make_bucket(store)
    await put(store, b"data", algorithm=ChecksumAlgorithm.CRC32)
    return store


async def test_source_that_is_not_what_its_checksum_says_is_not_stored(local: LocalStore) -> None:
    source = await altered()
    source.checksum = Checksum(ChecksumAlgorithm.CRC32, "AAAAAA==")
    with pytest.raises(StoreUnavailableError, match="not what it should be"):
        await relay_object(source, local, COPY)
    with raises(ErrorCode.NO_SUCH_KEY):
        await head(local, "copy")
    assert source.open_bodies == 0


async def test_source_that_is_replaced_while_it_is_opened_is_opened_again(local: LocalStore) -> None:
    source = await altered()
    source.changes = 3
    await relay_object(source, local, COPY)
    assert await get(local, "copy") == b"data"


async def test_source_that_is_replaced_all_the_time_is_given_up(local: LocalStore) -> None:
    source = await altered()
    source.changes = 4
    with raises(ErrorCode.SLOW_DOWN):
        await relay_object(source, local, COPY)


async def test_source_that_is_too_large_for_one_copy_is_refused(
    memory: MemoryStore, local: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "MAX_COPY_BYTES", 3)
    await put(memory, b"data")
    with raises(ErrorCode.INVALID_REQUEST):
        await relay_object(memory, local, COPY)
    assert memory.open_bodies == 0


async def test_target_that_refuses_leaves_nothing_open(memory: MemoryStore, local: LocalStore) -> None:
    await put(memory, b"x" * 1_000_000)
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await relay_object(memory, local, replace(COPY, bucket=type(BUCKET)("missing")))
    assert memory.open_bodies == 0
