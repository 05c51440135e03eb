"""Responses that give or describe an object."""

import re
from collections.abc import Mapping
from functools import lru_cache

from s3proxy.body import Body
from s3proxy.http1.messages import Header, Response
from s3proxy.s3 import xml
from s3proxy.s3.dates import http_date
from s3proxy.s3.model import (
    ByteRange,
    GetObject,
    GetObjectAttributes,
    HeadObject,
    ObjectInfo,
    ObjectMetadata,
)
from s3proxy.s3.ranges import content_range
from s3proxy.s3.responses.fields import (
    checksum_element,
    checksum_elements,
    checksum_header,
    checksum_headers,
    checksum_type_header,
    etag_header,
    header_value,
    xml_response,
)

_ACCEPT_RANGES: Header = (b"accept-ranges", b"bytes")
_DEFAULT_CONTENT_TYPE = "binary/octet-stream"
_CONTENT_HEADERS = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
    "x-amz-website-redirect-location",
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def get_object(operation: GetObject, info: ObjectInfo, span: ByteRange | None, body: Body) -> Response:
    """200 with the whole object, or 206 with a span of it.

    Args:
        operation: as asked.
        info: the version that ``body`` is of.
        span: what ``body`` gives; None for all of it.
        body: the bytes; the server closes it.

    Source: S3 API GetObject.
    """
    return Response(200 if span is None else 206, _object_headers(operation, info, span), body)


def head_object(operation: HeadObject, info: ObjectInfo, span: ByteRange | None) -> Response:
    """What the same GET would answer, without the bytes.

    Source: S3 API HeadObject.
    """
    return Response(
        200 if span is None else 206,
        _object_headers(operation, info, span),
        content_length=info.size if span is None else span.length,
    )


def not_modified(info: ObjectInfo) -> Response:
    """304, with what a cache needs to go on using what it has.

    Source: RFC 9110 section 15.4.5.
    """
    headers = [*_version_headers(info.last_modified_ns, info.etag)]
    if info.metadata.cache_control:
        headers.append((b"cache-control", header_value(info.metadata.cache_control)))
    if info.metadata.expires:
        headers.append((b"expires", header_value(info.metadata.expires)))
    return Response(304, headers)


def _object_headers(operation: GetObject | HeadObject, info: ObjectInfo, span: ByteRange | None) -> list[Header]:
    headers = [*_version_headers(info.last_modified_ns, info.etag), _ACCEPT_RANGES]
    if span is not None:
        headers.append((b"content-range", content_range(span, info.size).encode()))
    headers += _content_headers(info.metadata, operation.response_headers)
    if info.metadata.user:
        _add_user_metadata(headers, info.metadata.user)
    if info.tag_count:
        headers.append((b"x-amz-tagging-count", b"%d" % info.tag_count))
    if info.storage_class != "STANDARD":
        headers.append((b"x-amz-storage-class", header_value(info.storage_class)))
    if operation.part_number is not None and (count := _part_count(info)):
        headers.append((b"x-amz-mp-parts-count", b"%d" % count))
    if operation.checksum_mode:
        headers += _checksums(operation.part_number, info, span)
    return headers


@lru_cache(maxsize=1024)
def _version_headers(last_modified_ns: int, etag: str) -> tuple[Header, Header]:
    return (b"last-modified", http_date(last_modified_ns).encode()), etag_header(etag)


def _part_count(info: ObjectInfo) -> int:
    """How many parts the object has; 0 when it was not made of parts, or nobody can tell."""
    return len(info.parts) if info.selected_part is None else info.selected_part.count


def _content_headers(metadata: ObjectMetadata, overrides: Mapping[str, str]) -> tuple[Header, ...]:
    values = (
        metadata.content_type or _DEFAULT_CONTENT_TYPE,
        metadata.content_encoding,
        metadata.content_language,
        metadata.content_disposition,
        metadata.cache_control,
        metadata.expires,
        metadata.website_redirect_location,
    )
    return _named(tuple(map(overrides.get, _CONTENT_HEADERS, values)) if overrides else values)


@lru_cache(maxsize=256)
def _named(values: tuple[str | None, ...]) -> tuple[Header, ...]:
    """The values of the content headers with their names, but for those that there are not."""
    pairs = zip(_CONTENT_HEADERS, values, strict=True)
    return tuple((name.encode(), header_value(value)) for name, value in pairs if value)


def _add_user_metadata(headers: list[Header], user: Mapping[str, str]) -> None:
    """Give back x-amz-meta-*, and count the entries whose name can be no header: another program made them."""
    missing = 0
    for name, value in user.items():
        if _TOKEN.fullmatch(name) is None:
            missing += 1
        else:
            headers.append((b"x-amz-meta-" + name.lower().encode(), header_value(value)))
    if missing:
        headers.append((b"x-amz-missing-meta", b"%d" % missing))


def _checksums(part_number: int | None, info: ObjectInfo, span: ByteRange | None) -> list[Header]:
    """The checksum of exactly the bytes in the answer: SDKs verify it, so there is none for a range."""
    selected = info.selected_part
    if selected is not None:
        return checksum_headers(selected.checksum) if selected.checksum and selected.number == part_number else []
    if info.checksum is None:
        return []
    if part_number is not None and info.parts:
        for part in info.parts:
            if part.number == part_number and part.checksum is not None:
                return [checksum_header(part.checksum), checksum_type_header(info.checksum.type)]
        return []
    return checksum_headers(info.checksum) if span is None else []


def get_object_attributes(operation: GetObjectAttributes, info: ObjectInfo) -> Response:
    """The attributes asked for; those that the object does not have are left out.

    Source: S3 API GetObjectAttributes.
    """
    wanted = operation.attributes
    checksum = checksum_elements(info.checksum)
    document = xml.document(
        "GetObjectAttributesResponse",
        xml.element("ETag", info.etag) if "ETag" in wanted else "",  # the one place where S3 does not quote it
        f"<Checksum>{checksum}</Checksum>" if "Checksum" in wanted and checksum else "",
        _object_parts(operation, info) if "ObjectParts" in wanted and _part_count(info) else "",
        xml.element("StorageClass", info.storage_class) if "StorageClass" in wanted else "",
        xml.element("ObjectSize", info.size) if "ObjectSize" in wanted else "",
    )
    return xml_response(document, [(b"last-modified", http_date(info.last_modified_ns).encode())])


def _object_parts(operation: GetObjectAttributes, info: ObjectInfo) -> str:
    if not info.parts:
        # As S3 answers of parts that were uploaded without checksums: how many, and not which.
        return f"<ObjectParts><PartsCount>{_part_count(info)}</PartsCount></ObjectParts>"
    following = [part for part in info.parts if part.number > operation.part_number_marker]
    page = following[: operation.max_parts]
    last = page[-1].number if page else operation.part_number_marker
    rows = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><Size>{part.size}</Size>{checksum_element(part.checksum)}</Part>"
        for part in page
    )
    return (
        f"<ObjectParts><PartsCount>{len(info.parts)}</PartsCount>"
        f"<PartNumberMarker>{operation.part_number_marker}</PartNumberMarker>"
        f"<NextPartNumberMarker>{last}</NextPartNumberMarker><MaxParts>{operation.max_parts}</MaxParts>"
        f"<IsTruncated>{'true' if len(following) > len(page) else 'false'}</IsTruncated>{rows}</ObjectParts>"
    )
