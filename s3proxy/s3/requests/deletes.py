"""DeleteObject and DeleteObjects."""

from s3proxy.s3 import xml
from s3proxy.s3.dates import parse_timestamp
from s3proxy.s3.model import (
    NO_WRITE_CONDITIONS,
    DeleteObject,
    DeleteObjects,
    ObjectToDelete,
    WriteConditions,
)
from s3proxy.s3.names import parse_key
from s3proxy.s3.requests.object_headers import (
    UNSUPPORTED_ON_DELETE,
    parse_delete_conditions,
    parse_object_size,
    refuse_headers,
)
from s3proxy.s3.requests.text import RequestText

MAX_DELETE_BYTES = 8 * 1024 * 1024
_MAX_KEYS = 1000
_ELEMENTS_PER_OBJECT = 6


def parse_delete_object(request: RequestText) -> DeleteObject:
    """DELETE /bucket/key.

    Raises:
        S3Error: INVALID_ARGUMENT; NOT_IMPLEMENTED for a precondition that S3 does not have.

    Source: S3 API DeleteObject.
    """
    refuse_headers(request.fields, UNSUPPORTED_ON_DELETE)
    return DeleteObject(
        bucket=request.bucket,
        key=request.key,
        version_id=request.version_id,
        conditions=parse_delete_conditions(request),
    )


def parse_delete_objects(request: RequestText) -> DeleteObjects:
    """POST /bucket?delete; the caller has checked the body's digest.

    Raises:
        S3Error: MALFORMED_XML, also for no key at all or more than 1,000; KEY_TOO_LONG_ERROR.

    Source: S3 API DeleteObjects.
    """
    root = xml.parse(
        request.xml,
        "Delete",
        max_bytes=MAX_DELETE_BYTES,
        # Room for twice the keys: what is over the limit by a little is counted exactly below.
        max_elements=2 * _MAX_KEYS * _ELEMENTS_PER_OBJECT,
    )
    listed = [element for element in root if xml.local_name(element) == "Object"]
    if not 1 <= len(listed) <= _MAX_KEYS:
        raise xml.malformed()
    quiet = [element.text or "" for element in root if xml.local_name(element) == "Quiet"]
    return DeleteObjects(
        bucket=request.bucket,
        objects=tuple(_object_to_delete(xml.texts(element)) for element in listed),
        quiet=bool(quiet) and quiet[-1].strip().lower() == "true",
    )


def _object_to_delete(texts: dict[str, str]) -> ObjectToDelete:
    key = texts.get("Key")
    if not key:
        raise xml.malformed()
    return ObjectToDelete(
        key=parse_key(key),
        version_id=texts.get("VersionId") or None,
        conditions=_conditions(texts) if len(texts) > 1 else NO_WRITE_CONDITIONS,
    )


def _conditions(texts: dict[str, str]) -> WriteConditions:
    etag, modified, size = texts.get("ETag"), texts.get("LastModifiedTime"), texts.get("Size")
    if etag is modified is size is None:
        return NO_WRITE_CONDITIONS
    seconds = None if modified is None else parse_timestamp(modified.strip())
    if modified is not None and seconds is None:
        raise xml.malformed()
    return WriteConditions(
        if_match=None if etag is None else etag.strip().strip('"'),
        if_match_last_modified=seconds,
        if_match_size=None if size is None else parse_object_size(size.strip(), "Size"),
    )
