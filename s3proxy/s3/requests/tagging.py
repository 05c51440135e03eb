"""Tags, from the x-amz-tagging header and from XML.

Source: S3 API PutObjectTagging, PutBucketTagging; Amazon S3 User Guide, "Categorizing objects using tags".
"""

import re
from collections.abc import Iterable

from s3proxy.s3 import xml
from s3proxy.s3.addressing import parse_query
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Tags
from s3proxy.s3.requests.text import RequestText, invalid_argument

MAX_OBJECT_TAGS = 10
MAX_BUCKET_TAGS = 50
MAX_TAGGING_BYTES = 256 * 1024  # 50 tags of 384 characters of four bytes, and as much again for markup and escapes

_MAX_KEY_LENGTH = 128
_MAX_VALUE_LENGTH = 256
_ELEMENTS_PER_TAG = 3
# Letters, digits and spaces of any script, and these marks.
_ALLOWED = re.compile("[\\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\\-@]*")


def parse_tagging_header(request: RequestText) -> Tags:
    """The tags of the x-amz-tagging header, which is written like a query; none without it.

    Raises:
        S3Error: INVALID_TAG; INVALID_ARGUMENT when the header cannot be decoded.
    """
    header = request.fields.get(b"x-amz-tagging")
    if header is None:
        return {}
    try:
        pairs = parse_query(header)
    except S3Error:
        raise invalid_argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.",
            "x-amz-tagging",
            header.decode("latin-1"),
        ) from None
    return _checked_tags(pairs, MAX_OBJECT_TAGS, "Object")


def parse_object_tagging(body: bytes) -> Tags:
    """The tags of a Tagging document for an object.

    Raises:
        S3Error: INVALID_TAG; MALFORMED_XML.
    """
    return _checked_tags(_tag_set(body), MAX_OBJECT_TAGS, "Object")


def parse_bucket_tagging(body: bytes) -> Tags:
    """The tags of a Tagging document for a bucket.

    Raises:
        S3Error: INVALID_TAG; MALFORMED_XML.
    """
    return _checked_tags(_tag_set(body), MAX_BUCKET_TAGS, "Bucket")


def _tag_set(body: bytes) -> Iterable[tuple[str, str]]:
    # One more tag than allowed has to get through, to be answered by its own error.
    most = _ELEMENTS_PER_TAG * 2 * MAX_BUCKET_TAGS
    root = xml.parse(body, "Tagging", max_bytes=MAX_TAGGING_BYTES, max_elements=most)
    if len(root) != 1 or xml.local_name(root[0]) != "TagSet":
        raise xml.malformed()
    pairs = []
    for element in root[0]:
        tag = xml.texts(element)
        if xml.local_name(element) != "Tag" or tag.keys() != {"Key", "Value"}:
            raise xml.malformed()
        pairs.append((tag["Key"], tag["Value"]))
    return pairs


def _checked_tags(pairs: Iterable[tuple[str, str]], most: int, kind: str) -> Tags:
    tags: dict[str, str] = {}
    for key, value in pairs:
        if key in tags:
            raise _invalid_tag("Cannot provide multiple Tags with the same key", key)
        _check_tag(key, value)
        tags[key] = value
    if len(tags) > most:
        raise S3Error(ErrorCode.INVALID_TAG, f"{kind} tags cannot be greater than {most}")
    return tags


def _check_tag(key: str, value: str) -> None:
    if not 1 <= len(key) <= _MAX_KEY_LENGTH or _ALLOWED.fullmatch(key) is None:
        raise _invalid_tag("The TagKey you have provided is invalid", key)
    if len(value) > _MAX_VALUE_LENGTH or _ALLOWED.fullmatch(value) is None:
        raise S3Error(
            ErrorCode.INVALID_TAG, "The TagValue you have provided is invalid", {"TagKey": key, "TagValue": value}
        )
    if key.lower().startswith("aws:"):
        raise _invalid_tag("System tags cannot be added/updated by requester", key)


def _invalid_tag(message: str, key: str) -> S3Error:
    return S3Error(ErrorCode.INVALID_TAG, message, {"TagKey": key})
