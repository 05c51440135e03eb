"""Answers that are errors.

Source: S3 API, "Error responses".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from s3proxy.http1.messages import Header
from s3proxy.s3.client.answers import MalformedAnswerError, fields_of, parse_document, texts
from s3proxy.s3.errors import ErrorCode, S3Error

MAX_ERROR_BYTES: Final = 64 * 1024
"""Of an error document. A signature error quotes the request's canonical form, which has a few KiB."""

_MAX_MESSAGE = 1024

_BY_NAME = {code.wire_name: code for code in ErrorCode}
# What other stores call the same.
_BY_NAME |= {
    "NoSuchTagSetError": ErrorCode.NO_SUCH_TAG_SET,
    "OperationAborted": ErrorCode.CONDITIONAL_REQUEST_CONFLICT,
    "InvalidPartNumberException": ErrorCode.INVALID_PART_NUMBER,
}
_BY_STATUS = {
    301: ErrorCode.BAD_REQUEST,
    304: ErrorCode.NOT_MODIFIED,
    400: ErrorCode.BAD_REQUEST,
    403: ErrorCode.ACCESS_DENIED,
    404: ErrorCode.NO_SUCH_KEY,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    409: ErrorCode.CONDITIONAL_REQUEST_CONFLICT,
    411: ErrorCode.MISSING_CONTENT_LENGTH,
    412: ErrorCode.PRECONDITION_FAILED,
    416: ErrorCode.INVALID_RANGE,
    501: ErrorCode.NOT_IMPLEMENTED,
    503: ErrorCode.SLOW_DOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a store refuses."""

    status: int
    name: str
    """The Code of the document; empty where there is none, as after HEAD."""
    message: str
    region: str | None = None
    """Where the bucket is, when that is what was wrong."""
    content_range: str | None = None
    """With 416: ``bytes */size``."""

    @property
    def code(self) -> ErrorCode:
        """The row of our table: by name, or the nearest by status."""
        nearest = ErrorCode.INTERNAL_ERROR if self.status >= 500 else ErrorCode.INVALID_REQUEST
        return _BY_NAME.get(self.name) or _BY_STATUS.get(self.status, nearest)

    def error(self) -> S3Error:
        """The error for our client. The detail of the document stays here: it is about our request, not theirs."""
        code = self.code
        message = self.message or None
        if self.content_range is not None and code is ErrorCode.INVALID_RANGE:
            detail = {"ActualObjectSize": self.content_range.rpartition("/")[2]}
            return S3Error(code, message, detail, {"Content-Range": self.content_range})
        return S3Error(code, message)


def parse_failure(status: int, headers: Sequence[Header], body: bytes) -> Failure:
    """Read an answer with a status of 300 or more, or a document that says Error behind a 200.

    A body that is no error document, like the page of a proxy in between, says nothing but its status.
    """
    fields = fields_of(headers)
    found: dict[str, str] = {}
    if body:
        try:
            found = texts(parse_document(body, "Error"))
        except MalformedAnswerError:
            found = {}
    region = fields.get(b"x-amz-bucket-region", b"").decode("latin-1") or found.get("Region")
    content_range = fields.get(b"content-range", b"").decode("latin-1")
    return Failure(
        status=status,
        name=found.get("Code", ""),
        message=found.get("Message", "")[:_MAX_MESSAGE],
        region=region or None,
        content_range=content_range if content_range.startswith("bytes */") else None,
    )
