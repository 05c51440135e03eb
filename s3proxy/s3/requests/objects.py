"""Requests about one object: read it, describe it, write it, tag it."""

from collections.abc import Mapping
from typing import TypeVar

from s3proxy.s3.conditions import parse_read_conditions
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    NO_READ_CONDITIONS,
    DeleteObjectTagging,
    GetObject,
    GetObjectAcl,
    GetObjectAttributes,
    GetObjectTagging,
    HeadObject,
    PutObject,
    PutObjectTagging,
    ReadConditions,
)
from s3proxy.s3.requests.object_headers import (
    CUSTOMER_KEY,
    UNSUPPORTED_ON_WRITE,
    parse_canned_acl,
    parse_metadata,
    parse_part_number,
    parse_storage_class,
    parse_write_conditions,
    refuse_headers,
)
from s3proxy.s3.requests.tagging import parse_object_tagging, parse_tagging_header
from s3proxy.s3.requests.text import RequestText, check_printable, invalid_argument, parse_number

_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_OVERRIDES = {
    f"response-{name}": name
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}
_Read = TypeVar("_Read", GetObject, HeadObject)

_NO_OVERRIDES: Mapping[str, str] = {}

# The headers that most reads are without.
_CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})
_CACHE = b"x-s3proxy-cache"
_RARE_FIELDS = _CONDITIONS | CUSTOMER_KEY | {b"if-range", b"x-amz-checksum-mode", _CACHE}


def parse_get_object(request: RequestText) -> GetObject:
    """GET /bucket/key.

    Raises:
        S3Error: INVALID_ARGUMENT; INVALID_REQUEST for a range together with a part; NOT_IMPLEMENTED for SSE-C.

    Source: S3 API GetObject.
    """
    return _parse_read(GetObject, request)


def parse_head_object(request: RequestText) -> HeadObject:
    """HEAD /bucket/key.

    Raises:
        S3Error: like ``parse_get_object``.

    Source: S3 API HeadObject.
    """
    return _parse_read(HeadObject, request)


def _parse_read(kind: type[_Read], request: RequestText) -> _Read:
    bucket, key = request.bucket, request.key
    if not request.address.parameters and _RARE_FIELDS.isdisjoint(request.fields):
        return kind(bucket=bucket, key=key, range=request.field(b"range"))
    return kind(
        bucket=bucket,
        key=key,
        version_id=request.version_id,
        range=request.field(b"range"),
        part_number=_part_number(request),
        conditions=_read_conditions(request),
        if_range=request.field(b"if-range"),
        checksum_mode=_is_checksum_mode(request),
        response_headers=_response_headers(request),
        no_store=request.fields.get(_CACHE, b"").lower() == b"no-store",
    )


def _part_number(request: RequestText) -> int | None:
    value = request.address.parameters.get("partNumber")
    if value is None:
        return None
    if b"range" in request.fields:
        raise S3Error(ErrorCode.INVALID_REQUEST, "Cannot specify both Range header and partNumber query parameter")
    return parse_part_number(value)


def _read_conditions(request: RequestText) -> ReadConditions:
    refuse_headers(request.fields, CUSTOMER_KEY)
    return NO_READ_CONDITIONS if _CONDITIONS.isdisjoint(request.fields) else parse_read_conditions(request.fields)


def _is_checksum_mode(request: RequestText) -> bool:
    return request.fields.get(b"x-amz-checksum-mode", b"").upper() == b"ENABLED"


def _response_headers(request: RequestText) -> Mapping[str, str]:
    """The response-* overrides, each fit to be a header as it is (Ceph CVE-2021-3524)."""
    parameters = request.address.parameters
    if _OVERRIDES.keys().isdisjoint(parameters):
        return _NO_OVERRIDES
    found = {name: parameters[parameter] for parameter, name in _OVERRIDES.items() if parameter in parameters}
    for name, value in found.items():
        check_printable(value, f"response-{name}")
        if any(character > "\xff" for character in value):
            message = "Header value cannot be represented using ISO-8859-1."
            raise invalid_argument(message, f"response-{name}", value)
    return found


def parse_get_object_attributes(request: RequestText) -> GetObjectAttributes:
    """GET /bucket/key?attributes.

    Raises:
        S3Error: INVALID_ARGUMENT; INVALID_REQUEST when no attribute is asked for.

    Source: S3 API GetObjectAttributes.
    """
    refuse_headers(request.fields, CUSTOMER_KEY)
    names = frozenset(name.strip() for name in (request.field(b"x-amz-object-attributes") or "").split(",")) - {""}
    if not names:
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
        )
    if not names <= _ATTRIBUTES:
        unknown = min(names - _ATTRIBUTES)
        raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", unknown)
    return GetObjectAttributes(
        bucket=request.bucket,
        key=request.key,
        attributes=names,
        version_id=request.version_id,
        max_parts=min(_number_field(request, b"x-amz-max-parts", 1000), 1000),
        part_number_marker=_number_field(request, b"x-amz-part-number-marker", 0),
        conditions=parse_read_conditions(request.fields),
    )


def _number_field(request: RequestText, name: bytes, default: int) -> int:
    value = request.field(name)
    return default if value is None else parse_number(value, name.decode())


def parse_get_object_acl(request: RequestText) -> GetObjectAcl:
    """GET /bucket/key?acl."""
    return GetObjectAcl(bucket=request.bucket, key=request.key, version_id=request.version_id)


def parse_put_object(request: RequestText) -> PutObject:
    """PUT /bucket/key.

    Raises:
        S3Error: INVALID_ARGUMENT, INVALID_TAG, INVALID_STORAGE_CLASS, METADATA_TOO_LARGE; NOT_IMPLEMENTED for what
            must not be ignored; INVALID_REQUEST for a part without its upload.

    Source: S3 API PutObject.
    """
    if "partNumber" in request.address.parameters:
        raise S3Error(ErrorCode.INVALID_REQUEST, "The partNumber parameter needs the uploadId parameter beside it")
    refuse_headers(request.fields, UNSUPPORTED_ON_WRITE)
    return PutObject(
        bucket=request.bucket,
        key=request.key,
        metadata=parse_metadata(request),
        tags=parse_tagging_header(request),
        conditions=parse_write_conditions(request),
        storage_class=parse_storage_class(request) or "STANDARD",
        acl=parse_canned_acl(request.fields),
    )


def parse_get_object_tagging(request: RequestText) -> GetObjectTagging:
    """GET /bucket/key?tagging."""
    return GetObjectTagging(bucket=request.bucket, key=request.key, version_id=request.version_id)


def parse_put_object_tagging(request: RequestText) -> PutObjectTagging:
    """PUT /bucket/key?tagging.

    Raises:
        S3Error: INVALID_TAG; MALFORMED_XML.

    Source: S3 API PutObjectTagging.
    """
    return PutObjectTagging(
        bucket=request.bucket,
        key=request.key,
        tags=parse_object_tagging(request.xml),
        version_id=request.version_id,
    )


def parse_delete_object_tagging(request: RequestText) -> DeleteObjectTagging:
    """DELETE /bucket/key?tagging."""
    return DeleteObjectTagging(bucket=request.bucket, key=request.key, version_id=request.version_id)
