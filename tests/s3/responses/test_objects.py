from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from s3proxy.body import Body, Chunk
from s3proxy.s3 import responses
from s3proxy.s3.model import (
    Bucket,
    ByteRange,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    ETag,
    GetObject,
    GetObjectAttributes,
    HeadObject,
    Key,
    ObjectInfo,
    ObjectMetadata,
    Part,
    SelectedPart,
)
from tests.s3.responses.reading import headers_of, read

GET = GetObject(bucket=Bucket("bucket"), key=Key("key"))
HEAD = HeadObject(bucket=Bucket("bucket"), key=Key("key"))
INFO = ObjectInfo(size=11, etag=ETag("abc"), last_modified_ns=784111777_900_000_000, metadata=ObjectMetadata())
COMPOSITE = Checksum(ChecksumAlgorithm.SHA256, "whole=-2", ChecksumType.COMPOSITE)
PARTS = tuple(
    Part(
        number=number,
        size=size,
        etag=ETag("p"),
        last_modified_ns=0,
        checksum=Checksum(ChecksumAlgorithm.SHA256, f"part{number}="),
    )
    for number, size in ((1, 5), (2, 6))
)
MULTIPART = replace(INFO, parts=PARTS, checksum=COMPOSITE)


class NoBody(Body):
    length: int | None = 0

    def __aiter__(self) -> AsyncIterator[Chunk]:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


BODY = NoBody()


def _headers(operation: GetObject, info: ObjectInfo, span: ByteRange | None = None) -> dict[str, str]:
    return headers_of(responses.get_object(operation, info, span, BODY))


def test_get_object_has_the_headers_of_a_plain_object() -> None:
    response = responses.get_object(GET, INFO, None, BODY)
    assert (response.status, response.body) == (200, BODY)
    assert headers_of(response) == {
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "etag": '"abc"',
        "accept-ranges": "bytes",
        "content-type": "binary/octet-stream",
    }


def test_get_of_a_span_is_206_with_content_range() -> None:
    response = responses.get_object(GET, INFO, ByteRange(4, 8), BODY)
    assert response.status == 206
    assert headers_of(response)["content-range"] == "bytes 4-7/11"


@pytest.mark.parametrize(("span", "status", "length"), [(None, 200, 11), (ByteRange(4, 8), 206, 4)])
def test_head_announces_the_length_without_a_body(span: ByteRange | None, status: int, length: int) -> None:
    response = responses.head_object(HEAD, INFO, span)
    assert (response.status, response.content_length, response.body) == (status, length, b"")
    assert headers_of(response) == _headers(GET, INFO, span)


def test_stored_metadata_is_given_back() -> None:
    metadata = ObjectMetadata(
        content_type="text/plain",
        content_encoding="gzip",
        content_language="de",
        content_disposition="attachment",
        cache_control="no-cache",
        expires="soon",
        website_redirect_location="/x",
        user={"meta1": "Hello World\xe9", "empty": "", "Upper": "u"},
    )
    info = replace(INFO, metadata=metadata, tag_count=2, storage_class="GLACIER")
    headers = _headers(GET, info)
    assert (
        headers.items()
        >= {
            "content-type": "text/plain",
            "content-encoding": "gzip",
            "content-language": "de",
            "content-disposition": "attachment",
            "cache-control": "no-cache",
            "expires": "soon",
            "x-amz-website-redirect-location": "/x",
            "x-amz-meta-meta1": "Hello World\xe9",
            "x-amz-meta-empty": "",
            "x-amz-meta-upper": "u",
            "x-amz-tagging-count": "2",
            "x-amz-storage-class": "GLACIER",
        }.items()
    )


def test_metadata_that_is_no_header_cannot_become_one() -> None:
    # Ceph CVE-2020-10753: metadata that another program wrote beside the file
    user = {"a": "x\r\nset-cookie: y", "b\r\nset-cookie": "z", "": "empty", "ü": "name"}
    headers = _headers(GET, replace(INFO, metadata=ObjectMetadata(content_type="a\nb", user=user)))
    assert headers["x-amz-meta-a"] == "x  set-cookie: y"
    assert headers["content-type"] == "a b"
    assert headers["x-amz-missing-meta"] == "3"
    assert not any("cookie" in name for name in headers)


def test_overrides_replace_what_is_stored() -> None:
    operation = replace(
        GET, response_headers={"content-type": "foo/bar", "cache-control": "no-cache", "expires": "123"}
    )
    info = replace(INFO, metadata=ObjectMetadata(content_type="text/plain", content_language="de"))
    headers = _headers(operation, info)
    assert (headers["content-type"], headers["cache-control"], headers["expires"]) == ("foo/bar", "no-cache", "123")
    assert headers["content-language"] == "de"


WITH_MODE = replace(GET, checksum_mode=True)


@pytest.mark.parametrize(
    ("operation", "span", "expected"),
    [
        (GET, None, {}),
        (WITH_MODE, None, {"x-amz-checksum-sha256": "whole=-2", "x-amz-checksum-type": "COMPOSITE"}),
        (WITH_MODE, ByteRange(0, 5), {}),
        (
            replace(WITH_MODE, part_number=2),
            ByteRange(5, 11),
            {"x-amz-checksum-sha256": "part2=", "x-amz-checksum-type": "COMPOSITE"},
        ),
        (replace(GET, part_number=2), ByteRange(5, 11), {}),
    ],
)
def test_checksum_is_that_of_the_bytes_in_the_answer(
    operation: GetObject, span: ByteRange | None, expected: dict[str, str]
) -> None:
    headers = _headers(operation, MULTIPART, span)
    assert {name: value for name, value in headers.items() if "checksum" in name} == expected


def test_part_without_a_checksum_has_none_in_the_answer() -> None:
    info = replace(MULTIPART, parts=tuple(replace(part, checksum=None) for part in PARTS))
    headers = _headers(replace(WITH_MODE, part_number=2), info, ByteRange(5, 11))
    assert not any("checksum" in name for name in headers)


@pytest.mark.parametrize(("info", "expected"), [(MULTIPART, "2"), (INFO, None)])
def test_parts_count_comes_with_a_part_number(info: ObjectInfo, expected: str | None) -> None:
    assert _headers(replace(GET, part_number=1), info).get("x-amz-mp-parts-count") == expected
    assert "x-amz-mp-parts-count" not in _headers(GET, info)


def test_not_modified_has_what_a_cache_needs() -> None:
    metadata = ObjectMetadata(cache_control="no-cache", expires="soon", content_type="text/plain")
    response = responses.not_modified(replace(INFO, metadata=metadata))
    assert (response.status, response.body, response.content_length) == (304, b"", None)
    assert headers_of(response) == {
        "etag": '"abc"',
        "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "cache-control": "no-cache",
        "expires": "soon",
    }
    assert headers_of(responses.not_modified(INFO)).keys() == {"etag", "last-modified"}


ATTRIBUTES = GetObjectAttributes(
    bucket=GET.bucket,
    key=GET.key,
    attributes=frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}),
    max_parts=1,
)


def _attributes(info: ObjectInfo, operation: GetObjectAttributes = ATTRIBUTES) -> dict[str, Any]:
    parsed = read("GetObjectAttributes", responses.get_object_attributes(operation, info))
    assert parsed.pop("LastModified").isoformat() == "1994-11-06T08:49:37+00:00"
    return parsed


def test_attributes_of_a_plain_object_leave_out_what_it_has_not() -> None:
    assert _attributes(INFO) == {"ETag": "abc", "StorageClass": "STANDARD", "ObjectSize": 11}
    assert _attributes(INFO, replace(ATTRIBUTES, attributes=frozenset({"ObjectSize"}))) == {"ObjectSize": 11}


def test_attributes_page_through_parts() -> None:
    parsed = _attributes(MULTIPART)
    assert parsed["Checksum"] == {"ChecksumSHA256": "whole=-2", "ChecksumType": "COMPOSITE"}
    assert parsed["ObjectParts"] == {
        "TotalPartsCount": 2,
        "PartNumberMarker": 0,
        "NextPartNumberMarker": 1,
        "MaxParts": 1,
        "IsTruncated": True,
        "Parts": [{"PartNumber": 1, "Size": 5, "ChecksumSHA256": "part1="}],
    }
    rest = _attributes(MULTIPART, replace(ATTRIBUTES, part_number_marker=1))["ObjectParts"]
    assert (rest["IsTruncated"], [part["PartNumber"] for part in rest["Parts"]]) == (False, [2])


SELECTED = replace(INFO, selected_part=SelectedPart(2, ByteRange(5, 9), 3))


def test_part_of_a_store_that_only_counts_parts_has_their_count() -> None:
    response = responses.head_object(replace(HEAD, part_number=2), SELECTED, ByteRange(5, 9))
    assert dict(response.headers)[b"x-amz-mp-parts-count"] == b"3"


def test_attributes_of_a_store_that_only_counts_parts_are_their_count() -> None:
    operation = GetObjectAttributes(bucket=GET.bucket, key=GET.key, attributes=frozenset({"ObjectParts"}))
    body = responses.get_object_attributes(operation, SELECTED).body
    assert isinstance(body, bytes)
    assert b"<ObjectParts><PartsCount>3</PartsCount></ObjectParts>" in body
