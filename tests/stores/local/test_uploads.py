import os
import re
from pathlib import Path

import pytest
import trio

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import AbortMultipartUpload, CompleteMultipartUpload, ListParts, UploadPart
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import body_of
from tests.stores.contracts_of_uploads import begin, completion_of, upload
from tests.stores.local.leftovers import temporaries
from tests.stores.vocabulary import BUCKET, KEY, get, make_bucket, raises, refusal_of


async def test_upload_ids_sort_by_time_and_cannot_be_guessed(store: LocalStore) -> None:
    await make_bucket(store)
    ids = [await begin(store) for _ in range(5)]
    assert ids == sorted(ids)
    assert len({upload_id[16:] for upload_id in ids}) == 5
    assert all(re.fullmatch(r"[0-9a-f]{16}[A-Za-z0-9_-]{24}", upload_id) for upload_id in ids)


async def test_part_of_an_upload_aborted_meanwhile_is_refused(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    for size in (10, 200_000):
        upload_id = await begin(store)
        abort = AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id)

        async def abort_it(abort: AbortMultipartUpload = abort) -> None:
            await store.abort_multipart_upload(abort)

        operation = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.upload_part(operation, body_of(b"x" * size, before_end=abort_it))
    assert temporaries(root) == []


async def test_part_stored_twice_at_once_is_one_of_both(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    other = LocalStore.open(root, fsync=False)
    for _ in range(10):
        upload_id = await begin(store)
        async with trio.open_nursery() as nursery:
            for one, data in ((store, b"1" * 10), (other, b"22")):
                nursery.start_soon(upload, one, upload_id, 1, data)
        (part,) = (await store.list_parts(ListParts(bucket=BUCKET, key=KEY, upload_id=upload_id))).parts
        await store.complete_multipart_upload(completion_of(upload_id, (1, part.etag)))
        assert await get(store) == (b"1" * 10 if part.size == 10 else b"22")
    await other.aclose()


async def test_part_changed_behind_our_back_is_no_part(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    part = await upload(store, upload_id, 1, b"data")
    (path,) = (root / ".s3proxy" / "uploads").glob("*/*/00001")
    path.write_bytes(b"other")
    assert (await store.list_parts(ListParts(bucket=BUCKET, key=KEY, upload_id=upload_id))).parts == ()
    with raises(ErrorCode.INVALID_PART):
        await store.complete_multipart_upload(completion_of(upload_id, (1, part.etag)))


async def test_abort_and_complete_at_once_end_one_way(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    other = LocalStore.open(root, fsync=False)
    refusals: dict[str, ErrorCode | None] = {}
    for number in range(20):
        upload_id = await begin(store)
        part = await upload(store, upload_id, 1, b"%d" % number)

        completion = completion_of(upload_id, (1, part.etag))
        aborting = AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id)

        async def complete(operation: CompleteMultipartUpload = completion) -> None:
            refusals["complete"] = await refusal_of(store.complete_multipart_upload(operation))

        async def abort(operation: AbortMultipartUpload = aborting) -> None:
            refusals["abort"] = await refusal_of(other.abort_multipart_upload(operation))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(abort)
            nursery.start_soon(complete)
        assert set(refusals.values()) == {None, ErrorCode.NO_SUCH_UPLOAD}
    await other.aclose()


@pytest.mark.parametrize("idle", [True, False])
async def test_sweep_aborts_idle_uploads_only(root: Path, idle: bool) -> None:
    store = LocalStore.open(root, fsync=False, upload_idle_seconds=3600)
    await make_bucket(store)
    upload_id = await begin(store)
    await upload(store, upload_id, 1, b"data")
    directory = root / ".s3proxy" / "uploads" / BUCKET / upload_id
    for path in (directory / "record", directory):
        os.utime(path, ns=(0, 0))
    if not idle:
        await upload(store, upload_id, 2, b"more")
    await store.sweep()
    assert directory.exists() is not idle
    await store.aclose()


async def test_part_for_a_bucket_deleted_meanwhile_is_refused(root: Path, store: LocalStore) -> None:
    for size in (10, 200_000):
        await make_bucket(store)
        upload_id = await begin(store)
        operation = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.upload_part(operation, body_of(b"x" * size, before_end=lambda: store.delete_bucket(BUCKET)))
    assert temporaries(root) == []
    assert os.listdir(root / ".s3proxy" / "uploads") == []


async def test_uploads_begun_while_the_bucket_is_deleted_do_not_outlive_it(root: Path, store: LocalStore) -> None:
    other = LocalStore.open(root, fsync=False)
    for _ in range(30):
        await make_bucket(store)
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(refusal_of, begin(other))
            nursery.start_soon(store.delete_bucket, BUCKET)
        assert list((root / ".s3proxy" / "uploads").glob("*/*")) == []
    await other.aclose()
