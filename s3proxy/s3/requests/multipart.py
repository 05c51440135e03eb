"""Requests about multipart uploads."""

import re
from itertools import pairwise

from s3proxy.s3 import xml
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    CreateMultipartUpload,
    ETag,
    ListParts,
    UploadId,
    UploadPart,
    UploadPartCopy,
)
from s3proxy.s3.ranges import parse_copy_range
from s3proxy.s3.requests.copies import SOURCE_CUSTOMER_KEY, parse_copy_source
from s3proxy.s3.requests.object_headers import (
    CUSTOMER_KEY,
    UNSUPPORTED_ON_WRITE,
    parse_canned_acl,
    parse_checksum_algorithm,
    parse_checksum_type,
    parse_metadata,
    parse_object_size,
    parse_part_number,
    parse_storage_class,
    parse_write_conditions,
    refuse_headers,
)
from s3proxy.s3.requests.tagging import parse_tagging_header
from s3proxy.s3.requests.text import RequestText

MAX_COMPLETE_BYTES = 4 * 1024 * 1024  # 10,000 parts of 400 bytes: every checksum, indented
_MAX_PARTS = 10_000
_ELEMENTS_PER_PART = 8
_MAX_LISTED_PARTS = 1000

_UPLOAD_ID = re.compile(r"[!-~]{1,1024}")
_CHECKSUM_HEADERS = {algorithm: f"x-amz-checksum-{algorithm.value.lower()}".encode() for algorithm in ChecksumAlgorithm}
_CHECKSUM_ELEMENTS = {f"Checksum{algorithm.value}": algorithm for algorithm in ChecksumAlgorithm}

# Which types an algorithm has, the default first: CRCs can be combined, hashes cannot.
_CHECKSUM_TYPES = {
    ChecksumAlgorithm.CRC32: (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT),
    ChecksumAlgorithm.CRC32C: (ChecksumType.COMPOSITE, ChecksumType.FULL_OBJECT),
    ChecksumAlgorithm.CRC64NVME: (ChecksumType.FULL_OBJECT,),
    ChecksumAlgorithm.SHA1: (ChecksumType.COMPOSITE,),
    ChecksumAlgorithm.SHA256: (ChecksumType.COMPOSITE,),
}


def parse_create_multipart_upload(request: RequestText) -> CreateMultipartUpload:
    """POST /bucket/key?uploads.

    Raises:
        S3Error: like ``parse_put_object``; INVALID_REQUEST for a checksum type that its algorithm does not have.

    Source: S3 API CreateMultipartUpload.
    """
    refuse_headers(request.fields, UNSUPPORTED_ON_WRITE)
    algorithm = parse_checksum_algorithm(request)
    return CreateMultipartUpload(
        bucket=request.bucket,
        key=request.key,
        metadata=parse_metadata(request),
        tags=parse_tagging_header(request),
        checksum_algorithm=algorithm,
        checksum_type=_upload_checksum_type(algorithm, parse_checksum_type(request)),
        storage_class=parse_storage_class(request) or "STANDARD",
        acl=parse_canned_acl(request.fields),
    )


def _upload_checksum_type(algorithm: ChecksumAlgorithm | None, asked: ChecksumType | None) -> ChecksumType | None:
    if algorithm is None:
        if asked is not None:
            raise S3Error(
                ErrorCode.INVALID_REQUEST,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )
        return None
    possible = _CHECKSUM_TYPES[algorithm]
    if asked is None:
        return possible[0]
    if asked not in possible:
        raise S3Error(
            ErrorCode.INVALID_REQUEST,
            f"The {asked.value} checksum type cannot be used with the {algorithm.value.lower()} checksum algorithm.",
        )
    return asked


def parse_upload_part(request: RequestText) -> UploadPart:
    """PUT /bucket/key?partNumber&uploadId.

    Raises:
        S3Error: INVALID_ARGUMENT; NO_SUCH_UPLOAD for what no upload id looks like; NOT_IMPLEMENTED for SSE-C.

    Source: S3 API UploadPart.
    """
    refuse_headers(request.fields, CUSTOMER_KEY)
    return UploadPart(
        bucket=request.bucket,
        key=request.key,
        upload_id=_upload_id(request),
        part_number=parse_part_number(request.parameter("partNumber")),
    )


def parse_upload_part_copy(request: RequestText) -> UploadPartCopy:
    """PUT /bucket/key?partNumber&uploadId with x-amz-copy-source.

    Raises:
        S3Error: like ``parse_upload_part`` and ``parse_copy_source``.

    Source: S3 API UploadPartCopy.
    """
    refuse_headers(request.fields, CUSTOMER_KEY | SOURCE_CUSTOMER_KEY)
    copy_range = request.field(b"x-amz-copy-source-range")
    return UploadPartCopy(
        bucket=request.bucket,
        key=request.key,
        upload_id=_upload_id(request),
        part_number=parse_part_number(request.parameter("partNumber")),
        source=parse_copy_source(request),
        range=None if copy_range is None else parse_copy_range(copy_range),
    )


def parse_complete_multipart_upload(request: RequestText) -> CompleteMultipartUpload:
    """POST /bucket/key?uploadId.

    Raises:
        S3Error: MALFORMED_XML, also for no part at all; INVALID_PART_ORDER; INVALID_ARGUMENT; NO_SUCH_UPLOAD.

    Source: S3 API CompleteMultipartUpload.
    """
    refuse_headers(request.fields, CUSTOMER_KEY)
    size = request.field(b"x-amz-mp-object-size")
    checksum_type = parse_checksum_type(request)
    return CompleteMultipartUpload(
        bucket=request.bucket,
        key=request.key,
        upload_id=_upload_id(request),
        parts=_completed_parts(request.xml),
        checksum=_claimed_checksum(request, checksum_type),
        checksum_type=checksum_type,
        object_size=None if size is None else parse_object_size(size, "x-amz-mp-object-size"),
        conditions=parse_write_conditions(request),
    )


def _completed_parts(body: bytes) -> tuple[CompletedPart, ...]:
    root = xml.parse(
        body,
        "CompleteMultipartUpload",
        max_bytes=MAX_COMPLETE_BYTES,
        max_elements=_MAX_PARTS * _ELEMENTS_PER_PART,
    )
    if not 1 <= len(root) <= _MAX_PARTS:
        raise xml.malformed()
    parts = tuple(_completed_part(element) for element in root)
    if any(part.number > following.number for part, following in pairwise(parts)):
        raise S3Error(ErrorCode.INVALID_PART_ORDER)
    # Clients that sent a part twice may list it twice; as with Ceph, the last of them is meant.
    return tuple({part.number: part for part in parts}.values())


def _completed_part(element: xml.Element) -> CompletedPart:
    texts = xml.texts(element)
    if xml.local_name(element) != "Part" or not texts.keys() >= {"PartNumber", "ETag"}:
        raise xml.malformed()
    checksums = [
        Checksum(_CHECKSUM_ELEMENTS[name], value.strip()) for name, value in texts.items() if name in _CHECKSUM_ELEMENTS
    ]
    if len(checksums) > 1:
        raise xml.malformed()
    return CompletedPart(
        number=parse_part_number(texts["PartNumber"].strip()),
        etag=ETag(texts["ETag"].strip().strip('"')),
        checksum=checksums[0] if checksums else None,
    )


def _claimed_checksum(request: RequestText, claimed_type: ChecksumType | None) -> Checksum | None:
    claims = [
        Checksum(algorithm, value.decode("latin-1"))
        for algorithm, name in _CHECKSUM_HEADERS.items()
        if (value := request.fields.get(name)) is not None
    ]
    if len(claims) > 1:
        raise S3Error(ErrorCode.INVALID_REQUEST, "Expecting a single x-amz-checksum- header")
    if not claims:
        return None
    claim = claims[0]
    # The number of parts follows a composite checksum, and base64 has no dash.
    implied = ChecksumType.COMPOSITE if "-" in claim.value else ChecksumType.FULL_OBJECT
    return Checksum(claim.algorithm, claim.value, claimed_type or implied)


def parse_abort_multipart_upload(request: RequestText) -> AbortMultipartUpload:
    """DELETE /bucket/key?uploadId.

    Raises:
        S3Error: NO_SUCH_UPLOAD.
    """
    return AbortMultipartUpload(bucket=request.bucket, key=request.key, upload_id=_upload_id(request))


def parse_list_parts(request: RequestText) -> ListParts:
    """GET /bucket/key?uploadId.

    Raises:
        S3Error: INVALID_ARGUMENT; NO_SUCH_UPLOAD.

    Source: S3 API ListParts.
    """
    return ListParts(
        bucket=request.bucket,
        key=request.key,
        upload_id=_upload_id(request),
        max_parts=min(request.number("max-parts", _MAX_LISTED_PARTS), _MAX_LISTED_PARTS),
        part_number_marker=request.number("part-number-marker", 0),
        encoding_type=request.encoding_type,
    )


def _upload_id(request: RequestText) -> UploadId:
    upload_id = request.parameter("uploadId")
    if _UPLOAD_ID.fullmatch(upload_id) is None:
        raise S3Error(ErrorCode.NO_SUCH_UPLOAD)
    return UploadId(upload_id)
