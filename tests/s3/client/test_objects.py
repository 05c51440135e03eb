from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model, responses
from s3proxy.s3.client import objects
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.model import ByteRange, CannedAcl, ETag, ObjectInfo, ObjectMetadata, WriteConditions
from tests.s3.client.asking import asked
from tests.stores.s3.scripted import MODIFIED, MODIFIED_NS

BUCKET, KEY = model.Bucket("bucket"), model.Key("a/../key ü%?")
HEAD = model.HeadObject(bucket=BUCKET, key=KEY, checksum_mode=True)
METADATA = st.builds(
    ObjectMetadata,
    content_type=st.none() | st.just("text/plain"),
    content_encoding=st.none() | st.just("gzip"),
    content_disposition=st.none() | st.just('attachment; filename="é"'),
    expires=st.none() | st.just("never"),
    website_redirect_location=st.none() | st.just("/x"),
    user=st.dictionaries(
        st.text("abc-", min_size=1, max_size=5), st.text("abc é=", max_size=9).map(str.strip), max_size=3
    ),
)
INFO = st.builds(
    ObjectInfo,
    size=st.integers(0, 2**40),
    etag=st.sampled_from([ETag("abc"), ETag("abc-2")]),
    last_modified_ns=st.integers(1, 2**31).map(lambda seconds: seconds * 10**9),
    metadata=METADATA,
    checksum=st.none()
    | st.sampled_from(
        [
            model.Checksum(model.ChecksumAlgorithm.CRC32, "AAAAAA=="),
            model.Checksum(model.ChecksumAlgorithm.CRC32C, "AAAAAA==-2", model.ChecksumType.COMPOSITE),
        ]
    ),
    tag_count=st.integers(0, 10),
    storage_class=st.sampled_from(["STANDARD", "GLACIER"]),
)
FIELDS = ((b"etag", b'"e"'), (b"last-modified", MODIFIED.encode()))


@given(METADATA, st.dictionaries(st.text("ab é+=", min_size=1, max_size=5), st.text("ab é+", max_size=5), max_size=3))
@settings(max_examples=50)
def test_put_object_is_read_as_its_operation(metadata: ObjectMetadata, tags: model.Tags) -> None:
    operation = model.PutObject(
        bucket=BUCKET,
        key=KEY,
        metadata=metadata,
        tags=tags,
        conditions=WriteConditions(if_none_match="*"),
        storage_class="GLACIER",
    )
    assert asked(objects.put_object(operation)) == operation


@given(INFO)
@settings(max_examples=50)
def test_head_is_read_as_it_was_rendered(info: ObjectInfo) -> None:
    response = responses.head_object(HEAD, info, None)
    assert objects.parse_head(200, response.headers, response.content_length, None) == info


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (objects.head_object(BUCKET, KEY), HEAD),
        (objects.head_object(BUCKET, KEY, part_number=3), replace(HEAD, part_number=3)),
        (
            objects.get_object(BUCKET, KEY, span="bytes=1-2", if_match="e"),
            model.GetObject(
                bucket=BUCKET,
                key=KEY,
                range="bytes=1-2",
                conditions=model.ReadConditions(if_match=("e",)),
                checksum_mode=True,
            ),
        ),
        (objects.delete_object(BUCKET, KEY), model.DeleteObject(bucket=BUCKET, key=KEY)),
        (
            objects.delete_object(BUCKET, KEY, if_match="e"),
            model.DeleteObject(bucket=BUCKET, key=KEY, conditions=WriteConditions(if_match="e")),
        ),
    ],
)
def test_request_is_read_as_its_operation(request_: StoreRequest, operation: model.Operation) -> None:
    assert asked(request_) == operation


def test_copy_names_the_version_and_describes_the_copy_anew() -> None:
    source = ObjectInfo(
        size=1,
        etag=ETag("e"),
        last_modified_ns=0,
        metadata=ObjectMetadata(content_type="text/plain", user={"a": "b"}),
        acl=CannedAcl.PUBLIC_READ,
    )
    place = model.CopySource(bucket=BUCKET, key=KEY)
    copy = model.CopyObject(bucket=BUCKET, key=model.Key("copy"), source=place)
    pinned = replace(place, conditions=model.ReadConditions(if_match=("e",)))
    read = asked(objects.copy_object(copy, source, None))
    assert read == replace(copy, source=pinned, metadata=source.metadata)  # without the ACL of the source
    read = asked(objects.copy_object(replace(copy, acl=CannedAcl.PUBLIC_READ), source, {"t": "u"}))
    hidden = replace(source.metadata, user={"a": "b", "s3proxy-acl": "public-read"})
    assert read == replace(copy, source=pinned, metadata=hidden, tags={"t": "u"})


def test_copy_result_is_read_past_the_progress_that_ceph_reports() -> None:
    result = model.CopyResult(etag=ETag("e"), last_modified_ns=10**18)
    body = responses.copy_object(result).body
    assert isinstance(body, bytes)
    assert objects.parse_copy(body) == result
    with_progress = body.replace(b"<LastModified>", b"<Progress>1</Progress><Progress>2</Progress><LastModified>", 1)
    assert objects.parse_copy(with_progress) == result


# What a GET says


def _get(status: int, length: int | None, asked_for: str | None, *fields: tuple[bytes, bytes]) -> objects.Arriving:
    return objects.parse_get(status, [*FIELDS, *fields], length, asked_for)


def test_get_tells_which_bytes_follow() -> None:
    assert _get(200, 10, None).span == ByteRange(0, 10)
    arriving = _get(206, 3, "bytes=2-4", (b"content-range", b"bytes 2-4/10"))
    assert (arriving.span, arriving.info.size, arriving.info.last_modified_ns) == (ByteRange(2, 5), 10, MODIFIED_NS)
    assert _get(206, 4, "bytes=-4", (b"content-range", b"bytes 6-9/10")).span == ByteRange(6, 10)
    assert _get(200, 10, "bytes=0-").span == ByteRange(0, 10)
    assert _get(200, 0, "bytes=0-9").span == ByteRange(0, 0)


@pytest.mark.parametrize(
    ("status", "length", "asked_for", "content_range"),
    [
        (200, 10, "bytes=2-4", None),
        (206, 3, None, b"bytes 2-4/10"),
        (206, 3, "bytes=2-4", None),
        (206, 3, "bytes=2-4", b"bytes 3-5/10"),
        (206, 3, "bytes=2-4", b"bytes 2-4/*"),
        (206, 3, "bytes=2-4", b"bytes 2-5/10"),
        (206, 4, "bytes=2-4", b"bytes 2-4/10"),
        (206, 3, "bytes=2-4", b"bytes 2-4/4"),
        (206, 2, "bytes=2-4", b"bytes 2-3/10"),
        (206, 3, "bytes=2-4", b"bytes 4-2/10"),
        (200, None, None, None),
        (204, 0, None, None),
    ],
)
def test_get_that_is_answered_with_other_bytes_is_malformed(
    status: int, length: int | None, asked_for: str | None, content_range: bytes | None
) -> None:
    # rclone CVE-2026-71310: 200 to a Range, a wrong length
    fields = () if content_range is None else ((b"content-range", content_range),)
    with pytest.raises(MalformedAnswerError):
        _get(status, length, asked_for, *fields)


@pytest.mark.parametrize("fields", [((b"etag", b'"e"'),), (*FIELDS, (b"x-amz-tagging-count", b"many"))])
def test_head_that_says_too_little_is_malformed(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(MalformedAnswerError):
        objects.parse_head(200, fields, 1, None)


def test_head_of_a_part_tells_where_it_lies() -> None:
    fields = (
        *FIELDS,
        (b"content-range", b"bytes 5-9/12"),
        (b"x-amz-mp-parts-count", b"3"),
        (b"x-amz-checksum-crc32", b"AAAAAA=="),
    )
    info = objects.parse_head(206, fields, 5, 2)
    checksum = model.Checksum(model.ChecksumAlgorithm.CRC32, "AAAAAA==")
    assert (info.size, info.checksum) == (12, None)
    assert info.selected_part == model.SelectedPart(2, ByteRange(5, 10), 3, checksum)
    assert objects.parse_head(200, FIELDS, 12, 2).selected_part is None  # Ceph 16


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?UTF-8?Q?=FC?=", "\xfc"),  # Ceph
        (b"=?UTF-8?B?w7w=?=", "\xc3\xbc"),  # Amazon
        (b"=?UTF-8?Q?ascii?=", "=?UTF-8?Q?ascii?="),
        (b"=?UTF-8?B?x", "=?UTF-8?B?x"),
        (b"=?x?q?=FC?=", "\xfc"),
    ],
)
def test_metadata_is_the_bytes_that_were_stored(value: bytes, text: str) -> None:
    info = objects.parse_head(200, (*FIELDS, (b"x-amz-meta-a", value)), 1, None)
    assert info.metadata.user == {"a": text}


@pytest.mark.parametrize("value", ["AAAA", "AAAAAA==-x", "AAAAAA==-", "é"])
def test_checksum_that_is_none_is_left_out(value: str) -> None:
    assert objects.checksum_of(model.ChecksumAlgorithm.CRC32, value, "") is None
