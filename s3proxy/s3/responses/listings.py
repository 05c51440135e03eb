"""Responses that list: buckets, objects in three dialects, uploads, parts.

A page is written with one formatted string for each entry: 1,000 keys take 1.1 ms, 1.4 ms with encoding-type=url.
"""

from collections.abc import Callable, Iterable, Sequence

from s3proxy.http1.messages import Response
from s3proxy.s3 import xml
from s3proxy.s3.dates import iso8601
from s3proxy.s3.listing import MAX_LISTED, encode_token
from s3proxy.s3.model import (
    BucketInfo,
    ChecksumAlgorithm,
    ChecksumType,
    ListBuckets,
    ListedObject,
    ListMultipartUploads,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListPage,
    ListParts,
    Owner,
    Part,
    PartsPage,
    UploadsPage,
)
from s3proxy.s3.responses.fields import checksum_element, etag_element, owner_element, xml_response

_Encode = Callable[[str], str]
_BOOLEAN = {False: "false", True: "true"}


def list_buckets(
    operation: ListBuckets, owner: Owner, buckets: Sequence[BucketInfo], next_token: str | None
) -> Response:
    """The caller's buckets.

    Args:
        operation: as asked.
        owner: who asks.
        buckets: one page, in order.
        next_token: continues after the page; None at the end.
    """
    rows = (
        f"<Bucket>{xml.element('Name', bucket.name)}<CreationDate>{iso8601(bucket.created_ns)}</CreationDate></Bucket>"
        for bucket in buckets
    )
    document = xml.document(
        "ListAllMyBucketsResult",
        owner_element(owner),
        "<Buckets>",
        *rows,
        "</Buckets>",
        _optional("ContinuationToken", next_token or ""),
        _optional("Prefix", operation.prefix),
    )
    return xml_response(document)


def list_objects(operation: ListObjects, page: ListPage, owner: Owner | None) -> Response:
    """Version 1: NextMarker only with a delimiter, else the last key continues the listing.

    Source: S3 API ListObjects.
    """
    encode = _encode(operation.encoding_type)
    next_marker = encode(page.next_after) if page.is_truncated and operation.delimiter else ""
    document = xml.document(
        "ListBucketResult",
        xml.element("Name", operation.bucket),
        xml.element("Prefix", operation.prefix),  # never encoded in version 1: botocore does not decode it there
        _encoded("Marker", operation.marker, encode),
        f"<NextMarker>{next_marker}</NextMarker>" if next_marker else "",
        _limits(operation, page),
        *_contents(page.objects, encode, owner_element(owner)),
        _common_prefixes(page.common_prefixes, encode),
    )
    return xml_response(document)


def list_objects_v2(operation: ListObjectsV2, page: ListPage, owner: Owner | None) -> Response:
    """Version 2: owners only when they are asked for, a token to continue.

    Source: S3 API ListObjectsV2.
    """
    encode = _encode(operation.encoding_type)
    token = operation.continuation_token
    document = xml.document(
        "ListBucketResult",
        xml.element("Name", operation.bucket),
        _encoded("Prefix", operation.prefix, encode),
        _encoded("StartAfter", operation.start_after, encode) if operation.start_after else "",
        "" if token is None else xml.element("ContinuationToken", token),
        _next_token(page),
        f"<KeyCount>{len(page.objects) + len(page.common_prefixes)}</KeyCount>",
        _limits(operation, page),
        *_contents(page.objects, encode, owner_element(owner) if operation.fetch_owner else ""),
        _common_prefixes(page.common_prefixes, encode),
    )
    return xml_response(document)


def _next_token(page: ListPage) -> str:
    if not page.is_truncated:
        return ""
    token = encode_token(page.next_after, is_prefix=page.next_is_prefix)
    return f"<NextContinuationToken>{token}</NextContinuationToken>"


def list_object_versions(operation: ListObjectVersions, page: ListPage, owner: Owner | None) -> Response:
    """Every key once, as the ``null`` version, because the bucket was never versioned.

    Source: S3 API ListObjectVersions.
    """
    encode = _encode(operation.encoding_type)
    document = xml.document(
        "ListVersionsResult",
        xml.element("Name", operation.bucket),
        _encoded("Prefix", operation.prefix, encode),
        _encoded("KeyMarker", operation.key_marker, encode),
        xml.element("VersionIdMarker", operation.version_id_marker or ""),
        _next_version(page, encode),
        _limits(operation, page),
        *_versions(page.objects, encode, owner_element(owner)),
        _common_prefixes(page.common_prefixes, encode),
    )
    return xml_response(document)


def _next_version(page: ListPage, encode: _Encode) -> str:
    if not page.is_truncated:
        return ""
    version = "" if page.next_is_prefix else "<NextVersionIdMarker>null</NextVersionIdMarker>"
    return _encoded("NextKeyMarker", page.next_after, encode) + version


def _limits(operation: ListObjects | ListObjectsV2 | ListObjectVersions, page: ListPage) -> str:
    encode = _encode(operation.encoding_type)
    return (
        f"<MaxKeys>{min(operation.max_keys, MAX_LISTED)}</MaxKeys>"
        + (_encoded("Delimiter", operation.delimiter, encode) if operation.delimiter else "")
        + _optional("EncodingType", operation.encoding_type or "")
        + f"<IsTruncated>{_BOOLEAN[page.is_truncated]}</IsTruncated>"
    )


def _contents(objects: Iterable[ListedObject], encode: _Encode, owner: str) -> list[str]:
    return [f"<Contents><Key>{encode(listed.key)}</Key>{_described(listed, owner)}</Contents>" for listed in objects]


def _versions(objects: Iterable[ListedObject], encode: _Encode, owner: str) -> list[str]:
    return [
        f"<Version><Key>{encode(listed.key)}</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>"
        f"{_described(listed, owner)}</Version>"
        for listed in objects
    ]


def _described(listed: ListedObject, owner: str) -> str:
    return (
        f"<LastModified>{iso8601(listed.last_modified_ns)}</LastModified>{etag_element(listed.etag)}"
        f"{_checksum_kind(listed.checksum_algorithm, listed.checksum_type)}<Size>{listed.size}</Size>{owner}"
        f"<StorageClass>{xml.escape(listed.storage_class)}</StorageClass>"
    )


def _checksum_kind(algorithm: ChecksumAlgorithm | None, kind: ChecksumType | None) -> str:
    if algorithm is None:
        return ""
    text = f"<ChecksumAlgorithm>{algorithm.value}</ChecksumAlgorithm>"
    return text if kind is None else f"{text}<ChecksumType>{kind.value}</ChecksumType>"


def _common_prefixes(prefixes: Iterable[str], encode: _Encode) -> str:
    return "".join(
        [f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes],
    )


def list_multipart_uploads(operation: ListMultipartUploads, page: UploadsPage, owner: Owner | None) -> Response:
    """The uploads in progress; whoever owns the bucket began them all.

    Source: S3 API ListMultipartUploads.
    """
    encode = _encode(operation.encoding_type)
    user = owner_element(owner, "Initiator") + owner_element(owner)
    uploads = (
        f"<Upload><Key>{encode(upload.key)}</Key>{xml.element('UploadId', upload.upload_id)}{user}"
        f"{xml.element('StorageClass', upload.storage_class)}<Initiated>{iso8601(upload.initiated_ns)}</Initiated>"
        f"{_checksum_kind(upload.checksum_algorithm, upload.checksum_type)}</Upload>"
        for upload in page.uploads
    )
    document = xml.document(
        "ListMultipartUploadsResult",
        xml.element("Bucket", operation.bucket),
        _encoded("KeyMarker", operation.key_marker, encode),
        xml.element("UploadIdMarker", operation.upload_id_marker),
        _next_upload(page, encode),
        _encoded("Prefix", operation.prefix, encode),
        _encoded("Delimiter", operation.delimiter, encode) if operation.delimiter else "",
        _optional("EncodingType", operation.encoding_type or ""),
        f"<MaxUploads>{operation.max_uploads}</MaxUploads><IsTruncated>{_BOOLEAN[page.is_truncated]}</IsTruncated>",
        *uploads,
        _common_prefixes(page.common_prefixes, encode),
    )
    return xml_response(document)


def _next_upload(page: UploadsPage, encode: _Encode) -> str:
    if not page.is_truncated:
        return ""
    return _encoded("NextKeyMarker", page.next_key_marker, encode) + xml.element(
        "NextUploadIdMarker", page.next_upload_id_marker
    )


def list_parts(operation: ListParts, page: PartsPage, owner: Owner | None) -> Response:
    """The parts of an upload.

    Source: S3 API ListParts.
    """
    next_marker = f"<NextPartNumberMarker>{page.next_part_number_marker}</NextPartNumberMarker>"
    document = xml.document(
        "ListPartsResult",
        xml.element("Bucket", operation.bucket),
        _encoded("Key", operation.key, _encode(operation.encoding_type)),
        _optional("EncodingType", operation.encoding_type or ""),
        xml.element("UploadId", operation.upload_id),
        owner_element(owner, "Initiator"),
        owner_element(owner),
        xml.element("StorageClass", page.upload.storage_class),
        _checksum_kind(page.upload.checksum_algorithm, page.upload.checksum_type),
        f"<PartNumberMarker>{operation.part_number_marker}</PartNumberMarker>",
        next_marker if page.is_truncated else "",
        f"<MaxParts>{operation.max_parts}</MaxParts><IsTruncated>{_BOOLEAN[page.is_truncated]}</IsTruncated>",
        *map(_part, page.parts),
    )
    return xml_response(document)


def _part(part: Part) -> str:
    return (
        f"<Part><PartNumber>{part.number}</PartNumber><LastModified>{iso8601(part.last_modified_ns)}</LastModified>"
        f"{etag_element(part.etag)}<Size>{part.size}</Size>{checksum_element(part.checksum)}</Part>"
    )


def _encode(encoding_type: str | None) -> _Encode:
    return xml.escape if encoding_type is None else xml.url_encode


def _encoded(name: str, text: str, encode: _Encode) -> str:
    return f"<{name}>{encode(text)}</{name}>"


def _optional(name: str, text: str) -> str:
    return xml.element(name, text) if text else ""
