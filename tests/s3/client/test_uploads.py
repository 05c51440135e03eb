from dataclasses import replace

import pytest

from s3proxy.s3 import model, responses
from s3proxy.s3.client import uploads
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType, ETag, UploadId
from tests.s3.client.asking import asked
from tests.stores.vocabulary import raises

BUCKET, KEY, ID = model.Bucket("bucket"), model.Key("a/key ü"), UploadId("2~a+/=")
CRC = Checksum(ChecksumAlgorithm.CRC32, "AAAAAA==")
CREATE = model.CreateMultipartUpload(
    bucket=BUCKET,
    key=KEY,
    metadata=model.ObjectMetadata(content_type="text/plain", user={"a": "b"}),
    tags={"t": "u"},
    checksum_algorithm=ChecksumAlgorithm.CRC32,
    checksum_type=ChecksumType.FULL_OBJECT,
    storage_class="GLACIER",
)
COMPLETE = model.CompleteMultipartUpload(
    bucket=BUCKET,
    key=KEY,
    upload_id=ID,
    parts=(model.CompletedPart(number=1, etag=ETag("a"), checksum=CRC), model.CompletedPart(number=9, etag=ETag("b"))),
    checksum=CRC,
    checksum_type=ChecksumType.FULL_OBJECT,
    object_size=12,
    conditions=model.WriteConditions(if_none_match="*"),
)
PART = model.UploadPart(bucket=BUCKET, key=KEY, upload_id=ID, part_number=3)
LIST_PARTS = model.ListParts(bucket=BUCKET, key=KEY, upload_id=ID, max_parts=2, part_number_marker=1)
LIST = model.ListMultipartUploads(
    bucket=BUCKET, prefix="a", delimiter="/", key_marker="a b", upload_id_marker="x", max_uploads=3, encoding_type="url"
)
SOURCE = model.CopySource(bucket=BUCKET, key=model.Key("source"))


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (uploads.create_multipart_upload(CREATE), CREATE),
        (uploads.upload_part(PART), PART),
        (uploads.complete_multipart_upload(COMPLETE), COMPLETE),
        (
            uploads.abort_multipart_upload(model.AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=ID)),
            model.AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=ID),
        ),
        (uploads.list_parts(LIST_PARTS), LIST_PARTS),
        (uploads.list_multipart_uploads(LIST), LIST),
    ],
)
def test_request_is_read_as_its_operation(request_: StoreRequest, operation: model.Operation) -> None:
    assert asked(request_) == operation


def test_part_copy_is_pinned_to_the_version_and_range() -> None:
    copy = model.UploadPartCopy(
        bucket=BUCKET, key=KEY, upload_id=ID, part_number=1, source=SOURCE, range=model.ByteRange(2, 5)
    )
    info = model.ObjectInfo(size=9, etag=ETag("e"), last_modified_ns=0, metadata=model.ObjectMetadata())
    pinned = replace(SOURCE, conditions=model.ReadConditions(if_match=("e",)))
    assert asked(uploads.upload_part_copy(copy, info)) == replace(copy, source=pinned)


@pytest.mark.parametrize("text", ["", "a b", "a\0b", "é", "x" * 1025])
def test_upload_id_that_looks_like_none_is_never_sent(text: str) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg; with an empty id, a part would be put in place of the object
    with raises(ErrorCode.NO_SUCH_UPLOAD):
        uploads.upload_part(replace(PART, upload_id=UploadId(text)))


def test_created_upload_is_read_as_it_was_rendered() -> None:
    body = responses.create_multipart_upload(CREATE, ID).body
    assert isinstance(body, bytes)
    assert uploads.parse_created_upload(body) == ID
    with pytest.raises(MalformedAnswerError):
        uploads.parse_created_upload(body.replace(ID.encode(), b"a b"))


def test_completed_object_is_read_as_it_was_rendered() -> None:
    result = model.PutResult(etag=ETag("a-2"), size=7, checksum=CRC)
    body = responses.complete_multipart_upload(COMPLETE, result, "http://x").body
    assert isinstance(body, bytes)
    assert uploads.parse_completed(body, 7) == result
    assert uploads.parse_completed(b"\n  \n " + body, 7) == result  # what kept the connection alive


def _page_of_parts(*numbers: int, is_truncated: bool = False) -> bytes:
    upload = model.Upload(key=KEY, upload_id=ID, initiated_ns=0, checksum_algorithm=ChecksumAlgorithm.CRC32)
    parts = tuple(
        model.Part(number=number, size=5, etag=ETag("e"), last_modified_ns=10**18, checksum=CRC) for number in numbers
    )
    page = model.PartsPage(
        upload=upload, parts=parts, is_truncated=is_truncated, next_part_number_marker=numbers[-1] if numbers else 0
    )
    body = responses.list_parts(LIST_PARTS, page, None).body
    assert isinstance(body, bytes)
    assert not numbers or numbers[0] <= 1 or len(numbers) > 2 or uploads.parse_parts(LIST_PARTS, body) == page
    return body


def test_parts_are_read_as_they_were_rendered() -> None:
    page = uploads.parse_parts(LIST_PARTS, _page_of_parts(2, 3, is_truncated=True))
    assert ([part.number for part in page.parts], page.is_truncated, page.next_part_number_marker) == ([2, 3], True, 3)


@pytest.mark.parametrize(
    ("numbers", "is_truncated"), [((1,), False), ((2, 3, 4), False), ((2, 2, 2), False), ((), True)]
)
def test_parts_that_were_not_asked_for_are_malformed(numbers: tuple[int, ...], is_truncated: bool) -> None:
    with pytest.raises(MalformedAnswerError):
        uploads.parse_parts(LIST_PARTS, _page_of_parts(*numbers, is_truncated=is_truncated))


def _page_of_uploads(*keys: str, prefixes: tuple[str, ...] = (), is_truncated: bool = False) -> bytes:
    found = tuple(model.Upload(key=model.Key(key), upload_id=ID, initiated_ns=10**18) for key in keys)
    page = model.UploadsPage(
        uploads=found,
        common_prefixes=prefixes,
        is_truncated=is_truncated,
        next_key_marker="a b",
        next_upload_id_marker=ID,
    )
    body = responses.list_multipart_uploads(LIST, page, None).body
    assert isinstance(body, bytes)
    return body


def test_uploads_are_read_as_they_were_rendered() -> None:
    page = uploads.parse_uploads(LIST, _page_of_uploads("a b", "aé", prefixes=("a/",), is_truncated=True))
    assert [(upload.key, upload.upload_id, upload.initiated_ns) for upload in page.uploads] == [
        ("a b", ID, 10**18),
        ("aé", ID, 10**18),
    ]
    assert (page.common_prefixes, page.next_key_marker, page.next_upload_id_marker) == (("a/",), "a b", ID)


def test_page_of_no_uploads_is_the_last() -> None:
    assert not uploads.parse_uploads(LIST, _page_of_uploads(is_truncated=True)).is_truncated


@pytest.mark.parametrize("keys", [("b",), ("a1", "a2", "a3", "a4")])
def test_uploads_that_were_not_asked_for_are_malformed(keys: tuple[str, ...]) -> None:
    with pytest.raises(MalformedAnswerError):
        uploads.parse_uploads(LIST, _page_of_uploads(*keys))


def test_missing_key_of_an_upload_is_a_missing_upload() -> None:
    with raises(ErrorCode.NO_SUCH_UPLOAD), uploads.as_no_such_upload():
        raise S3Error(ErrorCode.NO_SUCH_KEY)
    with raises(ErrorCode.ACCESS_DENIED), uploads.as_no_such_upload():
        raise S3Error(ErrorCode.ACCESS_DENIED)
