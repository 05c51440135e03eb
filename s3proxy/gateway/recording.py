"""What the logs are told of an exchange."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from s3proxy.http1.messages import Header, Request, Response
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


class Finished(NamedTuple):  # which is made in half the time of a frozen dataclass
    """What is kept of an exchange until its line is made; no body, of which there may be much."""

    asked: tuple[Header, ...]
    asked_length: int | None
    received_bytes: int
    status: int
    answered: list[Header]
    answered_length: int | None
    begun_at: float | None


def finished(request: Request, response: Response) -> Finished:
    """What is kept of these two."""
    body, length = response.body, response.content_length
    if length is None:
        length = len(body) if isinstance(body, bytes) else body.length
    of_request = request.body
    return Finished(
        request.headers,
        of_request.length,
        of_request.received_bytes,
        response.status,
        response.headers,
        length,
        response.begun_at,
    )


def detail_of(access: Access, exchange: Finished) -> Detail:
    """What the access log's JSON form tells beside ``access``."""
    agent, size = b"", exchange.asked_length
    for name, value in exchange.asked:
        if name == b"user-agent":
            agent = value
        elif name == b"x-amz-decoded-content-length" and value[:20].isdigit():
            size = int(value[:20])
    if access.operation in _WHOLE_READS and exchange.status in {200, 206}:
        etag, start, length, size = _read(exchange)
    elif access.operation in _WRITES and exchange.status == 200:
        etag, start, length = _header(exchange, b"etag"), None, None
    else:
        etag, start, length, size = b"", None, None, None
    return Detail(
        agent=agent.decode("latin-1"),
        received_bytes=exchange.received_bytes,
        first_byte_at=exchange.begun_at,
        etag=etag.strip(b'"').decode("latin-1"),
        size=size,
        start=start,
        length=length,
    )


def _read(exchange: Finished) -> tuple[bytes, int, int | None, int | None]:
    """The entity tag, the range that was asked for, and the size of the whole object."""
    etag, length = _header(exchange, b"etag"), exchange.answered_length
    if exchange.status == 200:
        return etag, 0, length, length
    first, _, rest = _header(exchange, b"content-range").removeprefix(b"bytes ").partition(b"-")
    return etag, int(first), length, int(rest.partition(b"/")[2])


def _header(exchange: Finished, wanted: bytes) -> bytes:
    for name, value in exchange.answered:
        if name == wanted:
            return value
    return b""
