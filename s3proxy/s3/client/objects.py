"""Requests about one object, each with how its answer is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from typing import Final
from urllib.parse import quote, urlencode

from s3proxy.http1.messages import Header
from s3proxy.s3.checksums import is_checksum, trailer_name
from s3proxy.s3.client import answers, hidden
from s3proxy.s3.client.answers import Fields, MalformedAnswerError
from s3proxy.s3.client.request import (
    StoreRequest,
    etag_value,
    query,
    quoted_path,
    text_header,
    write_etag_value,
)
from s3proxy.s3.errors import S3Error
from s3proxy.s3.model import (
    Bucket,
    ByteRange,
    CannedAcl,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CopyObject,
    CopyResult,
    CopySource,
    ETag,
    Key,
    ObjectInfo,
    ObjectMetadata,
    PutObject,
    SelectedPart,
    Tags,
    WriteConditions,
)
from s3proxy.s3.ranges import resolve_range
from s3proxy.s3.responses.fields import header_value

DEFAULT_CONTENT_TYPE: Final = b"binary/octet-stream"
"""What S3 says of an object that was stored without a type, and so do we."""

_META_PREFIX = b"x-amz-meta-"
_CHECKSUM_MODE: Header = (b"x-amz-checksum-mode", b"ENABLED")
_CHECKSUMS = {trailer_name(algorithm): algorithm for algorithm in ChecksumAlgorithm}
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


# Reads


def head_object(
    bucket: Bucket, key: Key, *, part_number: int | None = None, if_match: str | None = None
) -> StoreRequest:
    """HEAD of an object, or of one of its parts.

    Source: S3 API HeadObject.
    """
    return _read(b"HEAD", bucket, key, None if part_number is None else query(partNumber=part_number), None, if_match)


def get_object(bucket: Bucket, key: Key, *, span: str | None = None, if_match: str | None = None) -> StoreRequest:
    """GET of an object, or of a range of it in the form of the Range header.

    Source: S3 API GetObject.
    """
    return _read(b"GET", bucket, key, None, span, if_match)


def _read(
    method: bytes, bucket: Bucket, key: Key, parameters: bytes | None, span: str | None, if_match: str | None
) -> StoreRequest:
    headers = [_CHECKSUM_MODE]
    if span is not None:
        headers.append((b"range", span.encode()))
    if if_match is not None:
        headers.append((b"if-match", etag_value(if_match)))
    return StoreRequest(method=method, bucket=bucket, key=key, query=parameters or b"", headers=tuple(headers))


def parse_head(status: int, headers: Sequence[Header], length: int | None, part_number: int | None) -> ObjectInfo:
    """What a HEAD says of an object.

    Args:
        status: 200, or 206 where a part was asked for.
        headers: of the answer.
        length: the Content-Length.
        part_number: what was asked for. Stores that know nothing of parts answer as if it had not been.

    Raises:
        MalformedAnswerError: it says nothing that can be relied upon.
    """
    if length is None:
        raise MalformedAnswerError("an object of unknown length")
    fields = answers.fields_of(headers)
    if status == 200:
        return _info_of(fields, length)
    if status != 206 or part_number is None:
        raise MalformedAnswerError(f"HEAD is answered with status {status}")
    span, size = _content_range(fields, length)
    count = fields.get(b"x-amz-mp-parts-count")
    selected = None
    if count is not None:
        selected = SelectedPart(part_number, span, answers.parse_number(count), checksum_in(fields))
    return _info_of(fields, size, selected)


@dataclass(frozen=True, slots=True)
class Arriving:
    """An object of which ``span`` follows as the body."""

    info: ObjectInfo
    span: ByteRange


def parse_get(status: int, headers: Sequence[Header], length: int | None, asked: str | None) -> Arriving:
    """What a GET says of an object, and which bytes follow.

    Args:
        status: 200 or 206.
        headers: of the answer.
        length: the Content-Length.
        asked: the Range that was asked for.

    Raises:
        MalformedAnswerError: the bytes that follow are not those that were asked for, or cannot be told.
    """
    if length is None:
        raise MalformedAnswerError("an object of unknown length")
    fields = answers.fields_of(headers)
    if status == 200:
        span, size = ByteRange(0, length), length
    elif status == 206 and asked is not None:
        span, size = _content_range(fields, length)
    else:
        raise MalformedAnswerError(f"GET is answered with status {status}")
    is_empty = status == 200 and not size  # then the whole of it is as good as a refusal
    if asked is not None and not is_empty and span != _resolved(asked, size):
        raise MalformedAnswerError(f"{asked} is answered with {span.start} to {span.stop} of {size}, status {status}")
    return Arriving(_info_of(fields, size), span)


def _resolved(asked: str, size: int) -> ByteRange | None:
    try:
        return resolve_range(asked, size)
    except S3Error:  # which is to be answered with 416
        return None


def _content_range(fields: Fields, length: int) -> tuple[ByteRange, int]:
    match = _CONTENT_RANGE.fullmatch(fields.get(b"content-range", b""))
    if match is None:
        raise MalformedAnswerError("206 without a Content-Range")
    start, last, size = map(int, match.groups())
    if not start <= last < size or last + 1 - start != length:
        raise MalformedAnswerError(f"{length} bytes with Content-Range {match[0].decode()}")
    return ByteRange(start, last + 1), size


def _info_of(fields: Fields, size: int, selected: SelectedPart | None = None) -> ObjectInfo:
    modified = fields.get(b"last-modified")
    if modified is None:
        raise MalformedAnswerError("an object without Last-Modified")
    user = {
        name[len(_META_PREFIX) :].decode("latin-1"): _user_text(value)
        for name, value in fields.items()
        if name.startswith(_META_PREFIX)
    }
    acl = hidden.take_acl(user)
    return ObjectInfo(
        size=size,
        etag=ETag(answers.parse_etag(fields.get(b"etag", b"").decode("latin-1"))),
        last_modified_ns=answers.parse_date_ns(modified),
        metadata=_metadata_of(fields, user),
        checksum=checksum_in(fields) if selected is None else None,  # of a part, it would be the part's
        tag_count=answers.parse_number(fields.get(b"x-amz-tagging-count", b"0")),
        storage_class=fields.get(b"x-amz-storage-class", b"STANDARD").decode("latin-1"),
        selected_part=selected,
        acl=acl,
    )


def _metadata_of(fields: Fields, user: dict[str, str]) -> ObjectMetadata:
    def text(name: bytes) -> str | None:
        value = fields.get(name)
        return value.decode("latin-1") if value else None

    content_type = fields.get(b"content-type")
    return ObjectMetadata(
        content_type=None if content_type == DEFAULT_CONTENT_TYPE else text(b"content-type"),
        content_encoding=text(b"content-encoding"),
        content_language=text(b"content-language"),
        content_disposition=text(b"content-disposition"),
        cache_control=text(b"cache-control"),
        expires=text(b"expires"),
        website_redirect_location=text(b"x-amz-website-redirect-location"),
        user=user,
    )


def _user_text(value: bytes) -> str:
    """A value of user metadata: S3 gives what is not ASCII as encoded words, whatever form it came in.

    Source: Amazon S3 User Guide, "Working with object metadata", user-defined object metadata; RFC 2047.
    """
    text = value.decode("latin-1")
    if not text.startswith("=?"):
        return text
    try:
        pieces = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    decoded = b"".join(piece if isinstance(piece, bytes) else piece.encode("latin-1") for piece, _ in pieces)
    return text if decoded.isascii() else decoded.decode("latin-1")  # what is ASCII, the store had no need to encode


def checksum_in(fields: Fields) -> Checksum | None:
    """The checksum that an answer's headers carry."""
    if _CHECKSUMS.keys().isdisjoint(fields):
        return None
    kind = fields.get(b"x-amz-checksum-type", b"").decode("latin-1")
    found = {algorithm: fields[name].decode("latin-1") for name, algorithm in _CHECKSUMS.items() if name in fields}
    for algorithm, value in found.items():
        if (checksum := checksum_of(algorithm, value, kind)) is not None:
            return checksum
    return None


def checksum_of(algorithm: ChecksumAlgorithm, value: str, kind: str) -> Checksum | None:
    """A checksum as a store gives it, or None for what is none.

    Args:
        algorithm: by whose name it goes.
        value: base64, and ``-N`` behind it for one of N parts.
        kind: the type, where the store gives it.
    """
    digest, dash, count = value.partition("-")
    if not is_checksum(algorithm, digest) or (dash and not count.isdigit()):
        return None
    composite = bool(dash) or kind == ChecksumType.COMPOSITE.value
    return Checksum(algorithm, value, ChecksumType.COMPOSITE if composite else ChecksumType.FULL_OBJECT)


# Writes


def put_object(operation: PutObject) -> StoreRequest:
    """PUT of an object; its bytes come beside the request.

    Source: S3 API PutObject.
    """
    return StoreRequest(
        method=b"PUT",
        bucket=operation.bucket,
        key=operation.key,
        headers=(
            *description(operation.metadata, operation.acl),
            *tagging_header(operation.tags),
            *storage_class_header(operation.storage_class),
            *write_conditions(operation.conditions),
        ),
    )


def description(metadata: ObjectMetadata, acl: CannedAcl) -> tuple[Header, ...]:
    """The headers that describe an object.

    Raises:
        S3Error: INVALID_ARGUMENT for metadata of a name that is ours.
    """
    kept = hidden.hide_acl(metadata, acl)
    return (
        *text_header(b"content-type", kept.content_type),
        *text_header(b"content-encoding", kept.content_encoding),
        *text_header(b"content-language", kept.content_language),
        *text_header(b"content-disposition", kept.content_disposition),
        *text_header(b"cache-control", kept.cache_control),
        *text_header(b"expires", kept.expires),
        *text_header(b"x-amz-website-redirect-location", kept.website_redirect_location),
        *((_META_PREFIX + name.encode("latin-1"), header_value(value)) for name, value in kept.user.items()),
    )


def tagging_header(tags: Tags) -> tuple[Header, ...]:
    """The tags as a header; none without tags. A space is ``%20``: Ceph takes ``+`` for a plus sign."""
    return ((b"x-amz-tagging", urlencode(tags, quote_via=quote).encode()),) if tags else ()


def storage_class_header(storage_class: str | None) -> tuple[Header, ...]:
    """The storage class, where it is not the one that S3 takes by itself."""
    return () if storage_class == "STANDARD" else text_header(b"x-amz-storage-class", storage_class)


def write_conditions(conditions: WriteConditions) -> tuple[Header, ...]:
    """The preconditions that S3 has for every write."""
    headers = []
    if conditions.if_match is not None:
        headers.append((b"if-match", write_etag_value(conditions.if_match)))
    if conditions.if_none_match is not None:
        headers.append((b"if-none-match", write_etag_value(conditions.if_none_match)))
    return tuple(headers)


def parse_stored_etag(headers: Sequence[Header]) -> ETag:
    """The ETag of what was stored; empty where the store gives none."""
    return ETag(answers.parse_etag(answers.fields_of(headers).get(b"etag", b"").decode("latin-1")))


def delete_object(bucket: Bucket, key: Key, *, if_match: str | None = None) -> StoreRequest:
    """DELETE of an object.

    Source: S3 API DeleteObject.
    """
    headers = () if if_match is None else ((b"if-match", write_etag_value(if_match)),)
    return StoreRequest(method=b"DELETE", bucket=bucket, key=key, headers=headers)


# Copies


def copy_object(operation: CopyObject, source: ObjectInfo, tags: Tags | None) -> StoreRequest:
    """PUT with x-amz-copy-source.

    Metadata is always given anew: what is copied with it would be the ACL of the source. An object's tags are copied
    by the store where ``tags`` is None.

    Args:
        operation: what to copy.
        source: the version to copy, and no other.
        tags: the tags of the copy.

    Source: S3 API CopyObject.
    """
    metadata = source.metadata if operation.metadata is None else operation.metadata
    directive = () if tags is None else ((b"x-amz-tagging-directive", b"REPLACE"), *tagging_header(tags))
    algorithm = operation.checksum_algorithm
    return StoreRequest(
        method=b"PUT",
        bucket=operation.bucket,
        key=operation.key,
        headers=(
            *copy_source(operation.source, source),
            (b"x-amz-metadata-directive", b"REPLACE"),
            *description(metadata, operation.acl),
            *directive,
            *text_header(b"x-amz-checksum-algorithm", None if algorithm is None else algorithm.value),
            *storage_class_header(operation.storage_class),
            *write_conditions(operation.conditions),
        ),
    )


def copy_source(source: CopySource, info: ObjectInfo) -> tuple[Header, ...]:
    """Where a copy reads, pinned to the version that was looked at."""
    path = f"/{source.bucket}/{quoted_path(source.key)}".encode()
    pin = ((b"x-amz-copy-source-if-match", etag_value(info.etag)),) if info.etag else ()
    return ((b"x-amz-copy-source", path), *pin)


def parse_copy(body: bytes, root: str = "CopyObjectResult") -> CopyResult:
    """What a copy became. Ceph reports its progress in front.

    Raises:
        MalformedAnswerError: it is no such result.
    """
    texts = answers.texts(answers.parse_document(body, root))
    return CopyResult(
        etag=ETag(answers.parse_etag(answers.required(texts, "ETag"))),
        last_modified_ns=answers.parse_time_ns(answers.required(texts, "LastModified")),
        checksum=checksum_among(texts),
    )


def checksum_among(texts: dict[str, str]) -> Checksum | None:
    """The checksum among the texts of a result."""
    for algorithm in ChecksumAlgorithm:
        if (value := texts.get(f"Checksum{algorithm.value}")) is not None:
            return checksum_of(algorithm, value, texts.get("ChecksumType", ""))
    return None
