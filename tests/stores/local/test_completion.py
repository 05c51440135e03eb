from pathlib import Path

import pytest
import trio

from s3proxy.s3.model import ByteRange, CompleteMultipartUpload, ETag, ListMultipartUploads, Part, PutResult
from s3proxy.stores.local import completion
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.local.uploads import Uploads
from tests.stores.contracts_of_uploads import FIRST, LAST, begin, completion_of, stored_two, upload
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, get, make_bucket


def part_of(number: int, size: int) -> Part:
    return Part(number=number, size=size, etag=ETag(""), last_modified_ns=0)


def test_batches_cover_the_parts_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "PIECE_BYTES", 10)
    batches = list(
        completion._batches_of((part_of(1, 4), part_of(2, 17), part_of(5, 0), part_of(9, 9), part_of(10, 1)))
    )
    assert batches == [
        [(1, ByteRange(0, 4)), (2, ByteRange(0, 6))],
        [(2, ByteRange(6, 16))],
        [(2, ByteRange(16, 17)), (9, ByteRange(0, 9))],
        [(10, ByteRange(0, 1))],
    ]


async def test_completion_that_crashed_before_its_end_is_ended_by_the_retry(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_bucket(store)
    operation = await stored_two(store)
    with monkeypatch.context() as crash:
        crash.setattr(Uploads, "destroy", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await store.complete_multipart_upload(operation)
    assert await get(store) == FIRST + LAST  # published, but the upload is still there
    listing = ListMultipartUploads(bucket=BUCKET)
    assert len((await store.list_multipart_uploads(listing)).uploads) == 1
    result = await store.complete_multipart_upload(operation)
    assert result.size == len(FIRST + LAST)
    assert (await store.list_multipart_uploads(listing)).uploads == ()


async def test_completions_at_once_answer_the_same(root: Path, store: LocalStore) -> None:
    other = LocalStore.open(root, fsync=False)
    await make_bucket(store)
    for _ in range(10):
        upload_id = await begin(store)
        part = await upload(store, upload_id, 1, b"data")
        operation = completion_of(upload_id, (1, part.etag))
        results: list[PutResult] = []

        async def complete(
            one: LocalStore, operation: CompleteMultipartUpload = operation, results: list[PutResult] = results
        ) -> None:
            results.append(await one.complete_multipart_upload(operation))

        async with trio.open_nursery() as nursery:
            for one in (store, other, store):
                nursery.start_soon(complete, one)
        assert len(results) == 3
        assert len(set(results)) == 1
    await other.aclose()


async def test_completion_that_fails_leaves_the_upload(
    root: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_bucket(store)
    operation = await stored_two(store)
    before = open_descriptors()
    with monkeypatch.context() as failing:
        failing.setattr(completion, "append_range", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await store.complete_multipart_upload(operation)
    assert (temporaries(root), open_descriptors()) == ([], before)
    await store.complete_multipart_upload(operation)
    assert await get(store) == FIRST + LAST
