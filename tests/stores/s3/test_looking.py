from dataclasses import replace

import pytest

from s3proxy.s3 import responses
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    ByteRange,
    ETag,
    GetObject,
    GetObjectAttributes,
    HeadObject,
    ObjectInfo,
    Part,
    ReadConditions,
    SelectedPart,
)
from tests.stores.s3.scripted import answer, described, refusal, s3_of, spanned, stored
from tests.stores.vocabulary import BUCKET, KEY, NO_METADATA, head, raises

GET = GetObject(bucket=BUCKET, key=KEY)
NO_TAGS = refusal(404, "NoSuchTagSet")


@pytest.mark.parametrize(
    ("operation", "given", "asked_for"),
    [
        (GET, stored(b"data"), (None, None)),
        (replace(GET, range="bytes=1-2"), spanned(b"at", 1, 4), ("bytes=1-2", None)),
        (replace(GET, range="BYTES=1-" + "9" * 20), spanned(b"ata", 1, 4), (f"bytes=1-{2**63 - 1}", None)),
        (replace(GET, conditions=ReadConditions(if_match=("e",))), described(4), (None, '"e"')),
        (replace(GET, conditions=ReadConditions(if_match=("*",))), described(4), (None, "*")),
    ],
)
async def test_read_that_the_store_can_judge_is_one_request(
    operation: GetObject, given: bytes, asked_for: tuple[str | None, str | None]
) -> None:
    given = given if given[-4:] != b"\r\n\r\n" else given + b"data"
    async with s3_of(given) as (store, script):
        await (await store.get_object(operation)).aclose()
    assert script.asked() == ["GET /bucket/a/key"]
    assert (script.header("range"), script.header("if-match")) == asked_for


@pytest.mark.parametrize(
    "operation",
    [
        replace(GET, conditions=ReadConditions(if_none_match=("e",))),
        replace(GET, conditions=ReadConditions(if_match=("e", "f"))),
        replace(GET, conditions=ReadConditions(if_match=())),
        replace(GET, conditions=ReadConditions(if_match=("e",), if_unmodified_since=0)),
        replace(GET, range="bytes=0-1", if_range='"e"'),
        replace(GET, range="bytes=0-1,3-4"),
        replace(GET, range="bytes=-0"),
        replace(GET, range="lines=1-2"),
    ],
)
async def test_read_that_the_gateway_has_to_judge_begins_with_a_head(operation: GetObject) -> None:
    async with s3_of(described(4)) as (store, script):
        opened = await store.get_object(operation)
        assert opened.info.size == 4
        await opened.aclose()
    assert script.asked() == ["HEAD /bucket/a/key"]


async def test_range_that_cannot_be_satisfied_tells_the_size() -> None:
    async with s3_of(answer(416, b"", {"Content-Range": "bytes */4"})) as (store, _):
        with pytest.raises(S3Error) as caught:
            await store.get_object(replace(GET, range="bytes=9-"))
    assert (caught.value.code, caught.value.headers) == (ErrorCode.INVALID_RANGE, {"Content-Range": "bytes */4"})


async def test_read_of_a_part_learns_where_it_lies() -> None:
    fields = {"Content-Length": "2", "Content-Range": "bytes 2-3/9", "x-amz-mp-parts-count": "4"}
    part = answer(206, b"", {"ETag": '"e-4"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT", **fields})
    async with s3_of(part, spanned(b"ta", 2, 9, etag="e-4")) as (store, script):
        opened = await store.get_object(replace(GET, part_number=2))
        assert (opened.info.size, opened.info.selected_part) == (9, SelectedPart(2, ByteRange(2, 4), 4))
        await (await opened.read(ByteRange(2, 4))).aclose()
    assert script.asked() == ["HEAD /bucket/a/key?partNumber=2", "GET /bucket/a/key"]


async def test_part_that_is_missing_is_named() -> None:
    async with s3_of(answer(416)) as (store, _):
        with raises(ErrorCode.INVALID_PART_NUMBER):
            await store.head_object(HeadObject(bucket=BUCKET, key=KEY, part_number=9))


async def test_missing_object_and_missing_bucket_are_told_apart_where_no_document_says() -> None:
    async with s3_of(answer(404), NO_TAGS, answer(200), answer(404)) as (store, script):
        for _ in range(2):
            with raises(ErrorCode.NO_SUCH_KEY):
                await head(store)
    assert len(script.requests) == 4  # the bucket is known by then
    async with s3_of(answer(404), refusal(404, "NoSuchBucket")) as (store, _):
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await head(store)
    async with s3_of(answer(404), refusal(403, "AccessDenied")) as (store, _):
        with raises(ErrorCode.NO_SUCH_KEY):
            await head(store)


async def test_head_that_is_refused_is_denied() -> None:
    async with s3_of(answer(403)) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await head(store)


# Attributes

ATTRIBUTES = GetObjectAttributes(bucket=BUCKET, key=KEY, attributes=frozenset({"ETag", "ObjectParts"}))
PARTS = tuple(Part(number=number, size=2, etag=ETag(""), last_modified_ns=0) for number in (1, 5))
OF_PARTS = described(4, etag="e-2")
_XML = {"Content-Type": "application/xml"}


def attributes_of(parts: tuple[Part, ...], etag: str = "e-2", max_parts: int = 1000, marker: int = 0) -> bytes:
    info = ObjectInfo(size=4, etag=ETag(etag), last_modified_ns=0, metadata=NO_METADATA, parts=parts)
    operation = replace(ATTRIBUTES, max_parts=max_parts, part_number_marker=marker)
    body = responses.get_object_attributes(operation, info).body
    assert isinstance(body, bytes)
    return answer(200, body, _XML)


async def test_attributes_list_the_parts_over_pages() -> None:
    pages = (attributes_of(PARTS, max_parts=1), attributes_of(PARTS, marker=1))
    async with s3_of(OF_PARTS, *pages) as (store, script):
        info = await store.get_object_attributes(ATTRIBUTES)
    assert (info.size, info.etag, info.parts) == (4, "e-2", PARTS)
    assert script.asked() == ["HEAD /bucket/a/key", *["GET /bucket/a/key?attributes"] * 2]
    assert script.header("x-amz-part-number-marker") == "1"


@pytest.mark.parametrize("operation", [replace(ATTRIBUTES, attributes=frozenset({"ETag"})), ATTRIBUTES])
async def test_attributes_without_parts_cost_a_head(operation: GetObjectAttributes) -> None:
    of_one_piece = operation is ATTRIBUTES
    async with s3_of(described(4) if of_one_piece else OF_PARTS) as (store, script):
        assert (await store.get_object_attributes(operation)).parts == ()
    assert script.asked() == ["HEAD /bucket/a/key"]


@pytest.mark.parametrize(
    "given",
    [
        refusal(501, "NotImplemented"),
        refusal(405, "MethodNotAllowed"),
        refusal(400, "InvalidArgument"),
        refusal(403, "AccessDenied"),
        stored(b"data"),  # as Ceph 16 answers
        stored(b"<data/>", _XML),
        attributes_of(PARTS, etag="other-2"),  # replaced meanwhile
        attributes_of(PARTS[:1]),  # not all of them
    ],
)
async def test_store_that_does_not_list_the_parts_is_asked_how_many_there_are(given: bytes) -> None:
    fields = {"Content-Length": "2", "Content-Range": "bytes 0-1/4", "x-amz-mp-parts-count": "2"}
    first = answer(206, b"", {"ETag": '"e-2"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT", **fields})
    async with s3_of(OF_PARTS, given, first) as (store, script):
        info = await store.get_object_attributes(ATTRIBUTES)
    assert (info.parts, info.selected_part) == ((), SelectedPart(1, ByteRange(0, 2), 2))
    assert script.asked()[-1] == "HEAD /bucket/a/key?partNumber=1"
