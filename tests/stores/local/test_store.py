import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Bucket,
    CompleteMultipartUpload,
    CopyObject,
    CopySource,
    CreateBucket,
    CreateMultipartUpload,
    DeleteObject,
    ListMultipartUploads,
    ObjectMetadata,
    PutObjectTagging,
    UploadId,
    UploadPart,
    UploadPartCopy,
)
from s3proxy.stores.base import ObjectStore
from s3proxy.stores.local.layout import RootError
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import body_of
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, KEY, OWNER, get, head, make_bucket, page, put, put_of, raises

each_check = pytest.mark.parametrize("check", CHECKS, ids=name_of)


@pytest.fixture
async def synced_store(root: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore.open(root)
    yield opened
    await opened.aclose()


@each_check
async def test_local_store_keeps_the_contract(check: Check, store: LocalStore) -> None:
    await check(store)


@each_check
async def test_local_store_that_syncs_keeps_the_contract(check: Check, synced_store: LocalStore) -> None:
    await check(synced_store)


@each_check
async def test_local_store_without_attributes_keeps_the_contract(
    check: Check, without_attributes: None, store: LocalStore
) -> None:
    await check(store)


@each_check
async def test_contract_leaves_nothing_open_and_nothing_behind(check: Check, root: Path) -> None:
    before = open_descriptors()
    store = LocalStore.open(root, fsync=False)
    await check(store)
    assert temporaries(root) == []
    await store.aclose()
    assert open_descriptors() == before
    assert list((root / ".s3proxy" / "tmp").iterdir()) == []


async def test_descriptor_count_stays_flat_over_many_requests(store: LocalStore) -> None:
    # Ceph CVE-2019-19337 and the like: a request that fails must not keep a descriptor.
    await make_bucket(store)
    await put(store, b"data")
    before = open_descriptors()
    for _ in range(50):
        await put(store, b"data")
        await get(store)
        await page(store)
        with raises(ErrorCode.NO_SUCH_KEY):
            await head(store, "missing")
        with raises(ErrorCode.BAD_DIGEST):
            await store.put_object(put_of(), body_of(b"x" * 100_000, md5=bytes(16)))
    assert open_descriptors() <= before + 1


async def test_two_stores_share_a_root(root: Path, store: LocalStore) -> None:
    other = LocalStore.open(root, fsync=False)
    await make_bucket(store)
    await put(other, b"data")
    assert await get(store) == b"data"
    await store.delete_object(DeleteObject(bucket=BUCKET, key=KEY))
    await store.delete_bucket(BUCKET)
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await put(other, b"data")
    await make_bucket(store)
    await put(other, b"again")
    assert await get(store) == b"again"
    await other.aclose()


async def test_read_only_store_reads_and_writes_nothing(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    await store.put_object(put_of(metadata=ObjectMetadata(content_type="a/b")), body_of(b"data"))
    upload_id = await store.create_multipart_upload(
        CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=ObjectMetadata())
    )
    reader = LocalStore.open(root, read_only=True)
    assert await get(reader) == b"data"
    assert (await head(reader)).metadata.content_type == "a/b"
    assert (await reader.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET))).uploads[0].upload_id == upload_id
    await reader.maintain()
    await _refuses_every_write(reader, upload_id)
    await reader.aclose()


async def test_read_only_store_of_a_bare_directory_makes_nothing_in_it(root: Path) -> None:
    (root / BUCKET / "a").mkdir(parents=True)
    (root / BUCKET / KEY).write_bytes(b"data")
    reader = LocalStore.open(root, read_only=True)
    assert await get(reader) == b"data"
    assert (await reader.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET))).uploads == ()
    with raises(ErrorCode.NO_SUCH_UPLOAD):
        await reader.get_upload(BUCKET, KEY, UploadId("0" * 16 + "x" * 24))
    await reader.aclose()
    assert os.listdir(root) == [BUCKET]


async def _refuses_every_write(store: ObjectStore, upload_id: UploadId) -> None:
    source = CopySource(bucket=BUCKET, key=KEY)
    part = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
    copied_part = UploadPartCopy(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1, source=source)
    attempts = (
        store.create_bucket(CreateBucket(bucket=BUCKET), OWNER),
        store.delete_bucket(BUCKET),
        store.put_bucket_tagging(BUCKET, {}),
        put(store, b"new"),
        store.delete_object(DeleteObject(bucket=BUCKET, key=KEY)),
        store.copy_object(CopyObject(bucket=BUCKET, key=KEY, source=source)),
        store.put_object_tagging(PutObjectTagging(bucket=BUCKET, key=KEY, tags={})),
        store.create_multipart_upload(CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=ObjectMetadata())),
        store.upload_part(part, body_of(b"x")),
        store.upload_part_copy(copied_part),
        store.complete_multipart_upload(CompleteMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id, parts=())),
        store.abort_multipart_upload(AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id)),
    )
    for attempt in attempts:
        with raises(ErrorCode.ACCESS_DENIED):
            await attempt


async def test_missing_root_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(RootError, match="missing: does not exist"):
        LocalStore.open(tmp_path / "missing")


async def test_part_source_in_an_unreadable_bucket_is_named(store: LocalStore) -> None:
    # RustFS CVE-2026-39360: the store never takes a source for granted, whoever authorised it.
    await make_bucket(store)
    await put(store, b"data")
    for bucket in ("../bucket", ".s3proxy", "bucket/..", "/"):
        with pytest.raises(S3Error) as caught:
            await store.copy_object(
                CopyObject(bucket=BUCKET, key=KEY, source=CopySource(bucket=Bucket(bucket), key=KEY))
            )
        assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME
