from dataclasses import replace

import pytest

from s3proxy.s3 import model, responses
from s3proxy.s3.client import attributes
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ETag, Part
from tests.s3.client.asking import asked

BUCKET, KEY = model.Bucket("bucket"), model.Key("a/key ü")
PARTS = (
    Part(number=1, size=5, etag=ETag(""), last_modified_ns=0, checksum=Checksum(ChecksumAlgorithm.CRC32, "AAAAAA==")),
    Part(number=9, size=2, etag=ETag(""), last_modified_ns=0),
)
INFO = model.ObjectInfo(size=7, etag=ETag("e-2"), last_modified_ns=0, metadata=model.ObjectMetadata(), parts=PARTS)
OPERATION = model.GetObjectAttributes(bucket=BUCKET, key=KEY, attributes=frozenset({"ETag", "ObjectParts"}))


def rendered(operation: model.GetObjectAttributes, info: model.ObjectInfo = INFO) -> bytes:
    """The answer of a store that is one of ours."""
    body = responses.get_object_attributes(operation, info).body
    assert isinstance(body, bytes)
    return body


def test_request_is_read_as_its_operation() -> None:
    assert asked(attributes.list_object_parts(BUCKET, KEY, after=3)) == replace(OPERATION, part_number_marker=3)


def test_parts_are_those_that_were_rendered() -> None:
    listed = attributes.parse_object_parts(rendered(OPERATION), after=0)
    assert (listed.etag, listed.parts, listed.is_truncated) == ("e-2", PARTS, False)


def test_page_of_parts_tells_that_there_are_more() -> None:
    listed = attributes.parse_object_parts(rendered(replace(OPERATION, max_parts=1)), after=0)
    assert (listed.parts, listed.is_truncated) == (PARTS[:1], True)


@pytest.mark.parametrize(
    "info",
    [
        replace(INFO, parts=()),
        replace(INFO, parts=(), selected_part=model.SelectedPart(1, model.ByteRange(0, 5), 2)),  # which only counts
    ],
)
def test_object_whose_parts_are_not_listed_has_none(info: model.ObjectInfo) -> None:
    assert attributes.parse_object_parts(rendered(OPERATION, info), after=0).parts == ()


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (b"", 0),
        (b"the bytes of an object", 0),
        (b"<GetObjectAttributesResponse/>", 0),
        (rendered(OPERATION), 1),  # a page that was had before: it would be asked for without end
        (rendered(OPERATION).replace(b"<Size>5", b"<Size>-5"), 0),
        (rendered(OPERATION).replace(b">false<", b">maybe<"), 0),
    ],
)
def test_answer_that_is_none_is_malformed(body: bytes, after: int) -> None:
    with pytest.raises(MalformedAnswerError):
        attributes.parse_object_parts(body, after=after)


@pytest.mark.parametrize(
    ("status", "content_type", "expected"),
    [
        (200, b"application/xml", True),
        (200, b"text/xml; charset=utf-8", True),
        (200, b"binary/octet-stream", False),
        (200, b"", False),
        (206, b"application/xml", False),
    ],
)
def test_bytes_of_an_object_are_told_from_its_attributes(status: int, content_type: bytes, expected: bool) -> None:
    assert attributes.may_be_attributes(status, content_type) is expected
