"""What the logs are told of an exchange."""

from collections.abc import Mapping
from typing import Final

from s3proxy.http1.messages import Request, Response
from s3proxy.s3 import model
from s3proxy.telemetry import Access, AuditLog, Detail
from s3proxy.telemetry.audit import Entry

_CHANGES: Final = frozenset(
    operation.__name__
    for operation in (
        model.CreateBucket,
        model.DeleteBucket,
        model.PutBucketTagging,
        model.DeleteBucketTagging,
        model.PutObject,
        model.CopyObject,
        model.DeleteObject,
        model.DeleteObjects,
        model.PutObjectTagging,
        model.DeleteObjectTagging,
        model.CreateMultipartUpload,
        model.UploadPart,
        model.UploadPartCopy,
        model.CompleteMultipartUpload,
        model.AbortMultipartUpload,
    )
)
"""By the names that routes have; an ACL is changed by what makes its object or bucket, and by nothing else."""

_WHOLE_READS: Final = frozenset({"GetObject", "HeadObject"})
_WRITES: Final = frozenset({"PutObject", "UploadPart"})


async def audit(log: AuditLog, access: Access, status: int) -> None:
    """Tell the audit log of a request, if it changed something or was refused; a change is written on return.

    Args:
        log: told.
        access: the request.
        status: of its answer.
    """
    if status < 300 and access.operation in _CHANGES:
        await log.record(*_entries(access, status))
    elif status == 403 or access.operation in _CHANGES:
        log.note(*_entries(access, status))


def _entries(access: Access, status: int) -> list[Entry]:
    bucket, _, key = access.resource[1:].partition("/")
    keys: Mapping[str, str] = access.outcomes or {key: access.error}
    return [
        {
            "request_id": access.request_id,
            "user": None if access.user == "-" else access.user,
            "peer": access.peer,
            "operation": access.operation,
            "bucket": bucket,
            "key": name,
            "status": status,
            "error": None if error == "-" else error,
            **({"source": access.source} if access.source else {}),
        }
        for name, error in keys.items()
    ]


def detail_of(access: Access, request: Request, response: Response) -> Detail:
    """What the access log's JSON form tells beside ``access``."""
    agent, size = b"", request.body.length
    for name, value in request.headers:
        if name == b"user-agent":
            agent = value
        elif name == b"x-amz-decoded-content-length" and value[:20].isdigit():
            size = int(value[:20])
    if access.operation in _WHOLE_READS and response.status in {200, 206}:
        etag, start, length, size = _read(response)
    elif access.operation in _WRITES and response.status == 200:
        etag, start, length = _header(response, b"etag"), None, None
    else:
        etag, start, length, size = b"", None, None, None
    return Detail(
        agent=agent.decode("latin-1"),
        received_bytes=request.body.received_bytes,
        first_byte_at=response.begun_at,
        etag=etag.strip(b'"').decode("latin-1"),
        size=size,
        start=start,
        length=length,
    )


def _read(response: Response) -> tuple[bytes, int, int | None, int | None]:
    """The entity tag, the range that was asked for, and the size of the whole object."""
    body = response.body
    length = response.content_length
    if length is None:
        length = len(body) if isinstance(body, bytes) else body.length
    if response.status == 200:
        return _header(response, b"etag"), 0, length, length
    first, _, rest = _header(response, b"content-range").removeprefix(b"bytes ").partition(b"-")
    return _header(response, b"etag"), int(first), length, int(rest.partition(b"/")[2])


def _header(response: Response, wanted: bytes) -> bytes:
    for name, value in response.headers:
        if name == wanted:
            return value
    return b""
