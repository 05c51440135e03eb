"""Requests about multipart uploads, each with how its answer is read."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from s3proxy.s3 import xml
from s3proxy.s3.checksums import trailer_name
from s3proxy.s3.client import answers, objects
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.request import XML_TYPE, StoreRequest, document, query, text_header
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Bucket,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ETag,
    Key,
    ListMultipartUploads,
    ListParts,
    ObjectInfo,
    Part,
    PartsPage,
    PutResult,
    Upload,
    UploadId,
    UploadPart,
    UploadPartCopy,
    UploadsPage,
)
from s3proxy.s3.ranges import content_range
from s3proxy.s3.responses.fields import checksum_element, etag_element

_is_upload_id = re.compile(r"[!-~]{1,1024}").fullmatch
_ALGORITHMS = {algorithm.value: algorithm for algorithm in ChecksumAlgorithm}
_TYPES = {kind.value: kind for kind in ChecksumType}


def require_upload_id(upload_id: UploadId) -> str:
    """The id, once it is known to look like one: with an empty one, a part would be put in place of the object.

    Raises:
        S3Error: NO_SUCH_UPLOAD.
    """
    if _is_upload_id(upload_id) is None:
        raise S3Error(ErrorCode.NO_SUCH_UPLOAD)
    return upload_id


@contextmanager
def as_no_such_upload() -> Iterator[None]:
    """Where an upload is asked for, a missing key is a missing upload, whatever the store calls it: Ceph, a key."""
    try:
        yield
    except S3Error as error:
        if error.code is ErrorCode.NO_SUCH_KEY:
            raise S3Error(ErrorCode.NO_SUCH_UPLOAD) from error
        raise


def create_multipart_upload(operation: CreateMultipartUpload) -> StoreRequest:
    """POST ?uploads.

    Source: S3 API CreateMultipartUpload.
    """
    algorithm, kind = operation.checksum_algorithm, operation.checksum_type
    return StoreRequest(
        method=b"POST",
        bucket=operation.bucket,
        key=operation.key,
        query=b"uploads",
        headers=(
            *objects.description(operation.metadata, operation.acl),
            *objects.tagging_header(operation.tags),
            *objects.storage_class_header(operation.storage_class),
            *text_header(b"x-amz-checksum-algorithm", algorithm and algorithm.value),
            *text_header(b"x-amz-checksum-type", kind and kind.value),
        ),
    )


def parse_created_upload(body: bytes) -> UploadId:
    """The id of a new upload.

    Raises:
        MalformedAnswerError: there is none.
    """
    texts = answers.texts(answers.parse_document(body, "InitiateMultipartUploadResult"))
    upload_id = answers.required(texts, "UploadId")
    if _is_upload_id(upload_id) is None:
        raise MalformedAnswerError("the id of an upload is none")
    return UploadId(upload_id)


def upload_part(operation: UploadPart) -> StoreRequest:
    """PUT ?partNumber&uploadId; the bytes come beside the request.

    Source: S3 API UploadPart.
    """
    return _of_part(operation)


def upload_part_copy(operation: UploadPartCopy, source: ObjectInfo) -> StoreRequest:
    """PUT ?partNumber&uploadId with x-amz-copy-source.

    Source: S3 API UploadPartCopy.
    """
    headers = list(objects.copy_source(operation.source, source))
    if operation.range is not None:
        asked = content_range(operation.range, 0).partition(" ")[2].partition("/")[0]
        headers.append((b"x-amz-copy-source-range", f"bytes={asked}".encode()))
    request = _of_part(operation)
    return StoreRequest(
        method=request.method, bucket=request.bucket, key=request.key, query=request.query, headers=tuple(headers)
    )


def _of_part(operation: UploadPart | UploadPartCopy) -> StoreRequest:
    upload_id = require_upload_id(operation.upload_id)
    return StoreRequest(
        method=b"PUT",
        bucket=operation.bucket,
        key=operation.key,
        query=query(partNumber=operation.part_number, uploadId=upload_id),
    )


def complete_multipart_upload(operation: CompleteMultipartUpload) -> StoreRequest:
    """POST ?uploadId.

    Source: S3 API CompleteMultipartUpload.
    """
    size = operation.object_size
    return StoreRequest(
        method=b"POST",
        bucket=operation.bucket,
        key=operation.key,
        query=query(uploadId=require_upload_id(operation.upload_id)),
        headers=(
            XML_TYPE,
            *_claim(operation.checksum, operation.checksum_type),
            *text_header(b"x-amz-mp-object-size", None if size is None else str(size)),
            *objects.write_conditions(operation.conditions),
        ),
        body=document("CompleteMultipartUpload", *map(_part, operation.parts)),
    )


def _part(part: CompletedPart) -> str:
    return (
        f"<Part><PartNumber>{part.number}</PartNumber>{etag_element(part.etag.strip(chr(34)))}"
        f"{checksum_element(part.checksum)}</Part>"
    )


def _claim(checksum: Checksum | None, kind: ChecksumType | None) -> tuple[tuple[bytes, bytes], ...]:
    value = () if checksum is None else ((trailer_name(checksum.algorithm), checksum.value.encode()),)
    return (*value, *text_header(b"x-amz-checksum-type", kind and kind.value))


def parse_completed(body: bytes, size: int) -> PutResult:
    """The object that an upload became, of which the answer does not say the size.

    Raises:
        MalformedAnswerError: it is no such result.
    """
    texts = answers.texts(answers.parse_document(body, "CompleteMultipartUploadResult"))
    etag = ETag(answers.parse_etag(answers.required(texts, "ETag")))
    return PutResult(etag=etag, size=size, checksum=objects.checksum_among(texts))


def abort_multipart_upload(operation: AbortMultipartUpload) -> StoreRequest:
    """DELETE ?uploadId.

    Source: S3 API AbortMultipartUpload.
    """
    parameters = query(uploadId=require_upload_id(operation.upload_id))
    return StoreRequest(method=b"DELETE", bucket=operation.bucket, key=operation.key, query=parameters)


def list_parts(operation: ListParts) -> StoreRequest:
    """GET ?uploadId.

    Source: S3 API ListParts.
    """
    parameters = query(
        max_parts=operation.max_parts,
        part_number_marker=operation.part_number_marker,
        uploadId=require_upload_id(operation.upload_id),
    )
    return StoreRequest(method=b"GET", bucket=operation.bucket, key=operation.key, query=parameters)


def parse_parts(operation: ListParts, body: bytes) -> PartsPage:
    """One page of an upload's parts. When the upload was created is not among what the answer says.

    Raises:
        MalformedAnswerError: it is no such page, or one that leads nowhere.
    """
    root = answers.parse_document(body, "ListPartsResult", alias="ListPartsResponse")
    texts = answers.texts(root)
    parts = tuple(_parsed_part(element) for element in answers.children(root, "Part"))
    numbers = [operation.part_number_marker, *(part.number for part in parts)]
    if len(parts) > operation.max_parts or any(one >= other for one, other in pairwise(numbers)):
        raise MalformedAnswerError("the parts are not those that were asked for")
    is_truncated = answers.parse_boolean(texts.get("IsTruncated", "false"))
    if is_truncated and not parts and operation.max_parts:
        raise MalformedAnswerError("a page of no parts is to be followed by another")
    return PartsPage(
        upload=_upload_of(texts, operation.key, operation.upload_id, 0),
        parts=parts,
        is_truncated=is_truncated and bool(parts),
        next_part_number_marker=parts[-1].number if parts else 0,
    )


def _parsed_part(element: xml.Element) -> Part:
    texts = answers.texts(element)
    return Part(
        number=answers.parse_number(answers.required(texts, "PartNumber")),
        size=answers.parse_number(answers.required(texts, "Size")),
        etag=ETag(answers.parse_etag(answers.required(texts, "ETag"))),
        last_modified_ns=answers.parse_time_ns(answers.required(texts, "LastModified")),
        checksum=objects.checksum_among(texts),
    )


def _upload_of(texts: dict[str, str], key: Key, upload_id: UploadId, initiated_ns: int) -> Upload:
    return Upload(
        key=key,
        upload_id=upload_id,
        initiated_ns=initiated_ns,
        storage_class=texts.get("StorageClass") or "STANDARD",
        checksum_algorithm=_ALGORITHMS.get(texts.get("ChecksumAlgorithm", "").upper()),
        checksum_type=_TYPES.get(texts.get("ChecksumType", "")),
    )


def list_multipart_uploads(operation: ListMultipartUploads) -> StoreRequest:
    """GET ?uploads.

    Source: S3 API ListMultipartUploads.
    """
    asked = {
        "encoding_type": "url",
        "prefix": operation.prefix,
        "delimiter": operation.delimiter,
        "key_marker": operation.key_marker,
        "upload_id_marker": operation.upload_id_marker if operation.key_marker else "",
    }
    parameters = {name: value for name, value in asked.items() if value}
    return _of_bucket(operation.bucket, b"uploads&" + query(max_uploads=operation.max_uploads, **parameters))


def _of_bucket(bucket: Bucket, parameters: bytes) -> StoreRequest:
    return StoreRequest(method=b"GET", bucket=bucket, query=parameters)


def parse_uploads(operation: ListMultipartUploads, body: bytes) -> UploadsPage:
    """One page of the uploads in progress.

    Raises:
        MalformedAnswerError: it is no such page, or has entries that were not asked for, or leads nowhere.
    """
    root = answers.parse_document(body, "ListMultipartUploadsResult")
    texts = answers.texts(root)
    encoding = texts.get("EncodingType", "")
    uploads = tuple(_parsed_upload(element, encoding) for element in answers.children(root, "Upload"))
    prefixes = tuple(
        answers.decoded(answers.required(answers.texts(element), "Prefix"), encoding)
        for element in answers.children(root, "CommonPrefixes")
    )
    names = [*(upload.key for upload in uploads), *prefixes]
    if len(names) > operation.max_uploads or not all(name.startswith(operation.prefix) for name in names):
        raise MalformedAnswerError("the uploads are not those that were asked for")
    is_truncated = answers.parse_boolean(texts.get("IsTruncated", "false")) and bool(names)
    return UploadsPage(
        uploads=uploads,
        common_prefixes=tuple(prefix for prefix in prefixes if prefix != operation.key_marker),
        is_truncated=is_truncated,
        next_key_marker=answers.decoded(texts.get("NextKeyMarker", ""), encoding) if is_truncated else "",
        next_upload_id_marker=texts.get("NextUploadIdMarker", "") if is_truncated else "",
    )


def _parsed_upload(element: xml.Element, encoding: str) -> Upload:
    texts = answers.texts(element)
    return _upload_of(
        texts,
        Key(answers.decoded(answers.required(texts, "Key"), encoding)),
        UploadId(answers.required(texts, "UploadId")),
        answers.parse_time_ns(answers.required(texts, "Initiated")),
    )
