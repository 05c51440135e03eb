from dataclasses import replace

import pytest

from s3proxy.s3 import responses
from s3proxy.s3.checksums import multipart_etag
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    AbortMultipartUpload,
    ChecksumAlgorithm,
    CompletedPart,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ETag,
    ListMultipartUploads,
    ListParts,
    Part,
    PartsPage,
    PutResult,
    Upload,
    UploadId,
)
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.s3.scripted import Cut, answer, described, refusal, s3_of
from tests.stores.vocabulary import BUCKET, KEY, NO_METADATA, raises

ID = UploadId("id")
PART_ETAG = ETag("0" * 32)
WHOLE = multipart_etag([PART_ETAG])
COMPLETE = CompleteMultipartUpload(
    bucket=BUCKET, key=KEY, upload_id=ID, parts=(CompletedPart(number=1, etag=PART_ETAG),)
)
CREATE = CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=NO_METADATA, checksum_algorithm=ChecksumAlgorithm.CRC32)
GONE = refusal(404, "NoSuchUpload")


def _document(body: object) -> bytes:
    assert isinstance(body, bytes)
    return answer(200, body)


def parts(*sizes: int, start: int = 1, is_truncated: bool = False) -> bytes:
    upload = Upload(key=KEY, upload_id=ID, initiated_ns=0)
    found = tuple(
        Part(number=number, size=size, etag=PART_ETAG, last_modified_ns=0) for number, size in enumerate(sizes, start)
    )
    page = PartsPage(upload=upload, parts=found, is_truncated=is_truncated, next_part_number_marker=found[-1].number)
    return _document(responses.list_parts(ListParts(bucket=BUCKET, key=KEY, upload_id=ID), page, None).body)


CREATED = _document(responses.create_multipart_upload(CREATE, ID).body)
COMPLETED = _document(responses.complete_multipart_upload(COMPLETE, PutResult(etag=WHOLE, size=4), "http://x").body)
OBJECT = described(4, etag=WHOLE)


async def test_upload_that_was_created_here_is_known() -> None:
    async with s3_of(CREATED) as (store, script):
        await store.create_multipart_upload(CREATE)
        assert (await store.get_upload(BUCKET, KEY, ID)).checksum_algorithm is ChecksumAlgorithm.CRC32
    assert len(script.requests) == 1


async def test_upload_that_was_created_elsewhere_is_asked_for_once() -> None:
    async with s3_of(parts(5)) as (store, script):
        for _ in range(2):
            assert (await store.get_upload(BUCKET, KEY, ID)).upload_id == ID
    assert script.asked() == ["GET /bucket/a/key?max-parts=1&part-number-marker=0&uploadId=id"]


async def test_aborted_upload_is_not_known_any_more() -> None:
    async with s3_of(CREATED, answer(204), GONE) as (store, _):
        await store.create_multipart_upload(CREATE)
        await store.abort_multipart_upload(AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=ID))
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.get_upload(BUCKET, KEY, ID)


async def test_complete_tells_what_became_of_the_upload() -> None:
    async with s3_of(parts(4), COMPLETED, OBJECT) as (store, _):
        assert await store.complete_multipart_upload(COMPLETE) == PutResult(etag=WHOLE, size=4)


async def test_complete_of_what_was_completed_before_answers_the_same() -> None:
    async with s3_of(GONE, OBJECT) as (store, _):
        assert await store.complete_multipart_upload(COMPLETE) == PutResult(etag=WHOLE, size=4)
    async with s3_of(parts(4), Cut(), GONE, OBJECT) as (store, _):  # the first answer was lost
        assert await store.complete_multipart_upload(COMPLETE) == PutResult(etag=WHOLE, size=4)


@pytest.mark.parametrize("current", [described(4, etag="other"), refusal(404, "")])
async def test_complete_of_an_unknown_upload_is_named(current: bytes) -> None:
    async with s3_of(GONE, current, refusal(404, "NoSuchTagSet"), answer(200)) as (store, _):
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.complete_multipart_upload(COMPLETE)


async def test_complete_that_fails_behind_a_200_is_repeated_or_refused() -> None:
    late = answer(200, b'<?xml version="1.0"?>\n' + b" " * 100 + b"<Error><Code>InternalError</Code></Error>")
    async with s3_of(parts(4), late, COMPLETED, OBJECT) as (store, _):
        assert (await store.complete_multipart_upload(COMPLETE)).etag == WHOLE
    wrong = answer(200, b"<Error><Code>InvalidPart</Code></Error>")
    async with s3_of(parts(4), wrong) as (store, _):
        with raises(ErrorCode.INVALID_PART):
            await store.complete_multipart_upload(COMPLETE)


async def test_complete_that_is_answered_with_nonsense_is_unavailable() -> None:
    async with s3_of(parts(4), answer(200, b"<html/>")) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.complete_multipart_upload(COMPLETE)


async def test_complete_with_a_size_adds_up_the_listed_parts() -> None:
    pages = (parts(4, 9, is_truncated=True), parts(7, start=3))
    async with s3_of(*pages, COMPLETED, OBJECT) as (store, _):
        await store.complete_multipart_upload(replace(COMPLETE, object_size=4))
    async with s3_of(*pages) as (store, _):
        with raises(ErrorCode.INVALID_REQUEST):
            await store.complete_multipart_upload(replace(COMPLETE, object_size=20))


async def test_complete_without_parts_or_out_of_order_is_refused_at_once() -> None:
    two = (CompletedPart(number=2, etag=PART_ETAG), *COMPLETE.parts)
    async with s3_of() as (store, script):
        with raises(ErrorCode.MALFORMED_XML):
            await store.complete_multipart_upload(replace(COMPLETE, parts=()))
        with raises(ErrorCode.INVALID_PART_ORDER):
            await store.complete_multipart_upload(replace(COMPLETE, parts=two))
    assert script.requests == []


async def test_uploads_of_a_deleted_bucket_are_forgotten() -> None:
    async with s3_of(CREATED, answer(204), GONE) as (store, _):
        await store.create_multipart_upload(CREATE)
        await store.delete_bucket(BUCKET)
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.get_upload(BUCKET, KEY, ID)


async def test_list_of_uploads_is_the_store_s() -> None:
    empty = b"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
    async with s3_of(answer(200, empty)) as (store, script):
        page = await store.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET, prefix="a"))
    assert page.uploads == ()
    assert script.asked() == ["GET /bucket?uploads&max-uploads=1000&encoding-type=url&prefix=a"]
