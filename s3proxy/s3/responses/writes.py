"""Responses to what changes objects."""

from collections.abc import Iterable

from s3proxy.http1.messages import Header, Response
from s3proxy.s3 import xml
from s3proxy.s3.dates import iso8601
from s3proxy.s3.errors import S3Error
from s3proxy.s3.model import (
    CompleteMultipartUpload,
    CopyResult,
    CreateMultipartUpload,
    DeleteObjects,
    ObjectToDelete,
    PutResult,
    UploadId,
)
from s3proxy.s3.responses.fields import (
    checksum_element,
    checksum_elements,
    checksum_header,
    checksum_headers,
    checksum_type_header,
    etag_element,
    etag_header,
    xml_response,
)


def put_object(result: PutResult) -> Response:
    """200 with the ETag, and the checksum that was checked or computed."""
    return Response(200, [etag_header(result.etag), *checksum_headers(result.checksum)])


def upload_part(result: PutResult) -> Response:
    """200 with the part's ETag and checksum; a part has no checksum type."""
    headers = [etag_header(result.etag)]
    if result.checksum is not None:
        headers.append(checksum_header(result.checksum))
    return Response(200, headers)


def copy_object(result: CopyResult) -> Response:
    """The copy's ETag, time and checksum.

    Source: S3 API CopyObject.
    """
    return _copy("CopyObjectResult", result, checksum_elements(result.checksum))


def upload_part_copy(result: CopyResult) -> Response:
    """The part's ETag, time and checksum.

    Source: S3 API UploadPartCopy.
    """
    return _copy("CopyPartResult", result, checksum_element(result.checksum))


def _copy(root: str, result: CopyResult, checksum: str) -> Response:
    modified = f"<LastModified>{iso8601(result.last_modified_ns)}</LastModified>"
    return xml_response(xml.document(root, modified, etag_element(result.etag), checksum))


def delete_objects(operation: DeleteObjects, outcomes: Iterable[tuple[ObjectToDelete, S3Error | None]]) -> Response:
    """What was deleted, unless the request was quiet, and what was not and why.

    Args:
        operation: as asked.
        outcomes: each object with its error, None where it is gone.

    Source: S3 API DeleteObjects.
    """
    rows = []
    for entry, failure in outcomes:
        named = xml.element("Key", entry.key)
        if entry.version_id is not None:
            named += xml.element("VersionId", entry.version_id)
        if failure is not None:
            code, message = xml.element("Code", failure.code.wire_name), xml.element("Message", failure.message)
            rows.append(f"<Error>{named}{code}{message}</Error>")
        elif not operation.quiet:
            rows.append(f"<Deleted>{named}</Deleted>")
    return xml_response(xml.document("DeleteResult", *rows))


def create_multipart_upload(operation: CreateMultipartUpload, upload_id: UploadId) -> Response:
    """The upload's id.

    Source: S3 API CreateMultipartUpload.
    """
    headers: list[Header] = []
    if operation.checksum_algorithm is not None:
        headers.append((b"x-amz-checksum-algorithm", operation.checksum_algorithm.value.encode()))
    if operation.checksum_type is not None:
        headers.append(checksum_type_header(operation.checksum_type))
    document = xml.document(
        "InitiateMultipartUploadResult",
        xml.element("Bucket", operation.bucket),
        xml.element("Key", operation.key),
        xml.element("UploadId", upload_id),
    )
    return xml_response(document, headers)


def complete_multipart_upload(operation: CompleteMultipartUpload, result: PutResult, base_url: str) -> Response:
    """The object that the parts became.

    Args:
        operation: as asked.
        result: what was stored.
        base_url: scheme and authority by which the client reached us, ``http://host:port``.

    Source: S3 API CompleteMultipartUpload.
    """
    location = f"{base_url}/{operation.bucket}/{xml.url_encode(operation.key)}"
    document = xml.document(
        "CompleteMultipartUploadResult",
        xml.element("Location", location),
        xml.element("Bucket", operation.bucket),
        xml.element("Key", operation.key),
        etag_element(result.etag),
        checksum_elements(result.checksum),
    )
    return xml_response(document)
