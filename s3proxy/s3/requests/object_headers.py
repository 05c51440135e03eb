"""The headers that object operations share: metadata, storage class, access, encryption, checksums, conditions.

Rule: a header that asks for what this server does not do is refused by name. Ignoring it would store an object open
that was to be encrypted, or replace one that was to be kept.
"""

from s3proxy.s3 import checksums
from s3proxy.s3.conditions import parse_etags
from s3proxy.s3.dates import parse_timestamp
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    NO_WRITE_CONDITIONS,
    CannedAcl,
    ChecksumAlgorithm,
    ChecksumType,
    ObjectMetadata,
    WriteConditions,
)
from s3proxy.s3.requests.text import (
    Fields,
    RequestText,
    check_printable,
    header_not_implemented,
    invalid_argument,
    parse_number,
)

MAX_METADATA_BYTES = 2048
MAX_OBJECT_BYTES = 2**63 - 1

_META_PREFIX = b"x-amz-meta-"
_AWS_CHUNKED = "aws-chunked"

_STORAGE_CLASSES = frozenset({
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
})  # fmt: skip

# An object belongs to the owner of its bucket, so the last two ask for nothing more than private.
_ACLS = {acl.value.encode(): acl for acl in CannedAcl} | {
    b"bucket-owner-read": CannedAcl.PRIVATE,
    b"bucket-owner-full-control": CannedAcl.PRIVATE,
}
_REFUSED_ACLS = frozenset({b"aws-exec-read", b"log-delivery-write"})  # they grant something to services of AWS

GRANTS = frozenset({
    b"x-amz-grant-full-control",
    b"x-amz-grant-read",
    b"x-amz-grant-read-acp",
    b"x-amz-grant-write",
    b"x-amz-grant-write-acp",
})  # fmt: skip
CUSTOMER_KEY = frozenset({
    b"x-amz-server-side-encryption-customer-algorithm",
    b"x-amz-server-side-encryption-customer-key",
    b"x-amz-server-side-encryption-customer-key-md5",
})  # fmt: skip
_ENCRYPTION = CUSTOMER_KEY | {
    b"x-amz-server-side-encryption",
    b"x-amz-server-side-encryption-aws-kms-key-id",
    b"x-amz-server-side-encryption-bucket-key-enabled",
    b"x-amz-server-side-encryption-context",
}
_OBJECT_LOCK = frozenset({
    b"x-amz-object-lock-legal-hold",
    b"x-amz-object-lock-mode",
    b"x-amz-object-lock-retain-until-date",
})  # fmt: skip
_UNSUPPORTED_CONDITIONS = frozenset({b"if-modified-since", b"if-unmodified-since"})

# What no request that makes an object may carry.
UNSUPPORTED_ON_WRITE = _ENCRYPTION | _OBJECT_LOCK | GRANTS | _UNSUPPORTED_CONDITIONS | {b"x-amz-write-offset-bytes"}
UNSUPPORTED_ON_DELETE = _UNSUPPORTED_CONDITIONS | {b"if-none-match"}


def refuse_headers(fields: Fields, unsupported: frozenset[bytes]) -> None:
    """Refuse a request that carries a header of ``unsupported``.

    Raises:
        S3Error: NOT_IMPLEMENTED, naming the header.
    """
    if not unsupported.isdisjoint(fields):
        raise header_not_implemented(min(unsupported.intersection(fields)))


def parse_canned_acl(fields: Fields) -> CannedAcl:
    """The x-amz-acl; private without one.

    Raises:
        S3Error: NOT_IMPLEMENTED for one that cannot be honoured; INVALID_ARGUMENT for one that S3 does not know.
    """
    name = fields.get(b"x-amz-acl")
    if name is None:
        return CannedAcl.PRIVATE
    if name in _REFUSED_ACLS:
        raise header_not_implemented(b"x-amz-acl")
    acl = _ACLS.get(name)
    if acl is None:
        raise invalid_argument("", "x-amz-acl", name.decode("latin-1"))
    return acl


def parse_metadata(request: RequestText) -> ObjectMetadata:
    """What is stored beside the bytes.

    Raises:
        S3Error: METADATA_TOO_LARGE; INVALID_ARGUMENT at a control character.

    Source: S3 API PutObject; Amazon S3 User Guide, "Working with object metadata".
    """
    return ObjectMetadata(
        content_type=_stored(request, b"content-type"),
        content_encoding=_content_encoding(request),
        content_language=_stored(request, b"content-language"),
        content_disposition=_stored(request, b"content-disposition"),
        cache_control=_stored(request, b"cache-control"),
        expires=_stored(request, b"expires"),
        website_redirect_location=_stored(request, b"x-amz-website-redirect-location"),
        user=_user_metadata(request.fields),
    )


def _stored(request: RequestText, name: bytes) -> str | None:
    value = request.fields.get(name)
    # An empty header says nothing: Content-Type has a default, and the others are not given back.
    return check_printable(value.decode("latin-1"), name.decode()) if value else None


def _content_encoding(request: RequestText) -> str | None:
    """The Content-Encoding of the object: ``aws-chunked`` is how it was sent, not what it is."""
    value = _stored(request, b"content-encoding")
    if value is None or _AWS_CHUNKED not in value.lower():
        return value
    codings = (coding.strip() for coding in value.split(","))
    return ", ".join(coding for coding in codings if coding.lower() != _AWS_CHUNKED) or None


def _user_metadata(fields: Fields) -> dict[str, str]:
    user: dict[str, str] = {}
    size = 0
    for name, value in fields.items():
        if name.startswith(_META_PREFIX):
            suffix = name[len(_META_PREFIX) :].decode("latin-1")
            user[suffix] = check_printable(value.decode("latin-1"), suffix)
            size += len(suffix) + len(value)
    if size > MAX_METADATA_BYTES:
        raise S3Error(
            ErrorCode.METADATA_TOO_LARGE, detail={"Size": str(size), "MaxSizeAllowed": str(MAX_METADATA_BYTES)}
        )
    return user


def parse_storage_class(request: RequestText) -> str | None:
    """The storage class asked for, or None.

    Raises:
        S3Error: INVALID_STORAGE_CLASS.
    """
    storage_class = request.field(b"x-amz-storage-class")
    if storage_class is not None and storage_class not in _STORAGE_CLASSES:
        raise S3Error(ErrorCode.INVALID_STORAGE_CLASS, detail={"StorageClassRequested": storage_class})
    return storage_class


def parse_checksum_algorithm(request: RequestText) -> ChecksumAlgorithm | None:
    """The x-amz-checksum-algorithm of a copy or an upload, or None.

    Raises:
        S3Error: INVALID_REQUEST for one that S3 does not know.
    """
    name = request.field(b"x-amz-checksum-algorithm")
    return None if name is None else checksums.parse_checksum_algorithm(name)


def parse_checksum_type(request: RequestText) -> ChecksumType | None:
    """The x-amz-checksum-type, or None.

    Raises:
        S3Error: INVALID_REQUEST for one that S3 does not know.
    """
    name = request.field(b"x-amz-checksum-type")
    if name is None:
        return None
    try:
        return ChecksumType(name.upper())
    except ValueError:
        raise S3Error(ErrorCode.INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.") from None


def parse_write_conditions(request: RequestText) -> WriteConditions:
    """The preconditions of a write: If-None-Match or If-Match, each ``*`` or one entity tag.

    AWS takes only ``*`` in If-None-Match; Ceph and RFC 9110 take a tag as well.

    Raises:
        S3Error: NOT_IMPLEMENTED for a list, or for both headers, as AWS answers.
    """
    if_match, if_none_match = request.fields.get(b"if-match"), request.fields.get(b"if-none-match")
    if if_match is None and if_none_match is None:
        return NO_WRITE_CONDITIONS
    if if_none_match is not None:
        if if_match is not None:
            raise header_not_implemented(b"If-None-Match")
        return WriteConditions(if_none_match=_single_etag(request, b"if-none-match"))
    return WriteConditions(if_match=_single_etag(request, b"if-match"))


def parse_delete_conditions(request: RequestText) -> WriteConditions:
    """The preconditions of DeleteObject.

    Raises:
        S3Error: INVALID_ARGUMENT for a time or a size that is none; NOT_IMPLEMENTED for a list of entity tags.
    """
    modified = request.field(b"x-amz-if-match-last-modified-time")
    size = request.field(b"x-amz-if-match-size")
    if modified is None and size is None and b"if-match" not in request.fields:
        return NO_WRITE_CONDITIONS
    seconds = None
    if modified is not None:
        seconds = parse_timestamp(modified)
        if seconds is None:
            raise invalid_argument("Invalid timestamp", "x-amz-if-match-last-modified-time", modified)
    return WriteConditions(
        if_match=_single_etag(request, b"if-match"),
        if_match_last_modified=seconds,
        if_match_size=None if size is None else parse_object_size(size, "x-amz-if-match-size"),
    )


def parse_object_size(value: str, name: str) -> int:
    """A number of bytes.

    Raises:
        S3Error: INVALID_ARGUMENT.
    """
    if not value.isascii() or not value.isdigit() or len(value) > len(str(MAX_OBJECT_BYTES)):
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, value)
    return int(value)


def _single_etag(request: RequestText, name: bytes) -> str | None:
    header = request.field(name)
    if header is None:
        return None
    etags = parse_etags(header, strong=True)
    if len(etags) > 1:
        raise header_not_implemented(name)
    return etags[0] if etags else ""  # no object has the empty tag: a header that names none matches none


def parse_part_number(value: str) -> int:
    """A part number, 1 to 10,000.

    Raises:
        S3Error: INVALID_ARGUMENT.
    """
    try:
        return parse_number(value, "partNumber", low=1, high=10_000)
    except S3Error:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive", "partNumber", value
        ) from None
