"""CopyObject, and the copy source that UploadPartCopy shares with it."""

from s3proxy.s3.addressing import decode_path
from s3proxy.s3.conditions import parse_read_conditions
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import CopyObject, CopySource
from s3proxy.s3.names import parse_bucket, parse_key
from s3proxy.s3.requests.object_headers import (
    UNSUPPORTED_ON_WRITE,
    parse_canned_acl,
    parse_checksum_algorithm,
    parse_metadata,
    parse_storage_class,
    parse_write_conditions,
    refuse_headers,
)
from s3proxy.s3.requests.tagging import parse_tagging_header
from s3proxy.s3.requests.text import RequestText, header_not_implemented, invalid_argument

COPY_SOURCE = b"x-amz-copy-source"

SOURCE_CUSTOMER_KEY = frozenset({
    b"x-amz-copy-source-server-side-encryption-customer-algorithm",
    b"x-amz-copy-source-server-side-encryption-customer-key",
    b"x-amz-copy-source-server-side-encryption-customer-key-md5",
})  # fmt: skip
_UNSUPPORTED = UNSUPPORTED_ON_WRITE | SOURCE_CUSTOMER_KEY
_REDIRECT = b"x-amz-website-redirect-location"


def parse_copy_source(request: RequestText) -> CopySource:
    """Where a copy reads: ``[/]bucket/key[?versionId=id]``, percent-encoded once.

    Raises:
        S3Error: INVALID_ARGUMENT when it is not of that form; INVALID_BUCKET_NAME; KEY_TOO_LONG_ERROR; NOT_IMPLEMENTED
            for an access point.

    Source: S3 API CopyObject, x-amz-copy-source.
    """
    header = request.fields[COPY_SOURCE]
    if header.startswith(b"arn:"):
        raise header_not_implemented(COPY_SOURCE)
    path, _, version_id = header.partition(b"?versionId=")
    try:
        # Some clients escape the slash after the bucket too, so the path is split when it is decoded.
        bucket, _, key = decode_path(path).removeprefix("/").partition("/")
        version = decode_path(version_id)
    except S3Error:
        raise _invalid_copy_source(header) from None
    if not bucket or not key:
        raise _invalid_copy_source(header)
    return CopySource(
        bucket=parse_bucket(bucket),
        key=parse_key(key),
        version_id=version or None,
        conditions=parse_read_conditions(request.fields, b"x-amz-copy-source-"),
    )


def _invalid_copy_source(header: bytes) -> S3Error:
    return invalid_argument(
        "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        COPY_SOURCE.decode(),
        header.decode("latin-1"),
    )


def parse_copy_object(request: RequestText) -> CopyObject:
    """PUT /bucket/key with x-amz-copy-source.

    Raises:
        S3Error: like ``parse_put_object`` and ``parse_copy_source``; INVALID_REQUEST for a copy of an object to itself
            that changes nothing.

    Source: S3 API CopyObject.
    """
    refuse_headers(request.fields, _UNSUPPORTED)
    replaces_metadata = _is_replace(request, b"x-amz-metadata-directive", "Unknown metadata directive.")
    replaces_tags = _is_replace(request, b"x-amz-tagging-directive", "Unknown tagging directive.")
    if _REDIRECT in request.fields and not replaces_metadata:
        # The redirect is not part of what COPY copies, and this server keeps it with what is.
        raise header_not_implemented(_REDIRECT)
    operation = CopyObject(
        bucket=request.bucket,
        key=request.key,
        source=parse_copy_source(request),
        metadata=parse_metadata(request) if replaces_metadata else None,
        tags=parse_tagging_header(request) if replaces_tags else None,
        checksum_algorithm=parse_checksum_algorithm(request),
        conditions=parse_write_conditions(request),
        storage_class=parse_storage_class(request),
        acl=parse_canned_acl(request.fields),
    )
    if _changes_nothing(operation):
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    return operation


def _is_replace(request: RequestText, name: bytes, message: str) -> bool:
    directive = request.field(name) or "COPY"
    if directive not in {"COPY", "REPLACE"}:
        raise invalid_argument(message, name.decode(), directive)
    return directive == "REPLACE"


def _changes_nothing(operation: CopyObject) -> bool:
    source = operation.source
    return (
        (source.bucket, source.key) == (operation.bucket, operation.key)
        and source.version_id in {None, "null"}
        and operation.metadata is None
        and operation.tags is None
        and operation.checksum_algorithm is None
        and operation.storage_class is None
    )
