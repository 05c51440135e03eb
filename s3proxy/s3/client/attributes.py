"""The one request that tells of which parts an object was made."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from s3proxy.s3 import xml
from s3proxy.s3.client import answers, objects
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import StoreRequest
from s3proxy.s3.listing import MAX_LISTED
from s3proxy.s3.model import Bucket, ETag, Key, Part

_XML_TYPES: Final = (b"application/xml", b"text/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedParts:
    """Some parts of one version, in order."""

    etag: ETag
    parts: tuple[Part, ...]
    is_truncated: bool


def list_object_parts(bucket: Bucket, key: Key, *, after: int) -> StoreRequest:
    """GET ?attributes for the parts with numbers over ``after``.

    Source: S3 API GetObjectAttributes.
    """
    headers = (
        (b"x-amz-object-attributes", b"ETag,ObjectParts"),
        (b"x-amz-max-parts", b"%d" % MAX_LISTED),
        (b"x-amz-part-number-marker", b"%d" % after),
    )
    return StoreRequest(method=b"GET", bucket=bucket, key=key, query=b"attributes", headers=headers)


def may_be_attributes(status: int, content_type: bytes) -> bool:
    """Whether an answer may be what was asked for: stores that do not know the operation give the object's bytes."""
    return status == 200 and content_type.startswith(_XML_TYPES)


def parse_object_parts(body: bytes, *, after: int) -> ListedParts:
    """The parts that an answer lists: none where the store only counts them.

    Raises:
        MalformedAnswerError: it is no such answer, or the parts are not those that were asked for.
    """
    root = answers.parse_document(body, "GetObjectAttributesResponse", alias="GetObjectAttributesOutput")
    etag = ETag(answers.parse_etag(answers.required(answers.texts(root), "ETag")))
    for element in answers.children(root, "ObjectParts"):
        parts = tuple(map(_parsed_part, answers.children(element, "Part")))
        numbers = [after, *(part.number for part in parts)]
        if len(parts) > MAX_LISTED or any(one >= other for one, other in pairwise(numbers)):
            raise MalformedAnswerError("the parts are not those that were asked for")
        more = answers.parse_boolean(answers.texts(element).get("IsTruncated", "false"))
        return ListedParts(etag=etag, parts=parts, is_truncated=more and bool(parts))
    return ListedParts(etag=etag, parts=(), is_truncated=False)


def _parsed_part(element: xml.Element) -> Part:
    texts = answers.texts(element)
    return Part(
        number=answers.parse_number(answers.required(texts, "PartNumber")),
        size=answers.parse_number(answers.required(texts, "Size")),
        etag=ETag(""),  # which nobody tells of the parts of an object
        last_modified_ns=0,
        checksum=objects.checksum_among(texts),
    )
