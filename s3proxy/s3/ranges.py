"""Byte ranges: from the inclusive form on the wire to half-open ones, and back.

Source: RFC 9110 section 14; S3 API GetObject, parameters Range and partNumber; UploadPartCopy.
"""

import re

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, ObjectInfo

# Twenty digits are more than any size, and few enough for int() to take without a thought.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)
_COPY_RANGE = re.compile(r"bytes=([0-9]{1,20})-([0-9]{1,20})")


def resolve_range(header: str, size: int) -> ByteRange | None:
    """Resolve a Range header against an object of ``size`` bytes.

    Args:
        header: the field value, for example ``bytes=0-99``; one range only.
        size: length of the whole object in bytes, >= 0.

    Returns:
        Half-open ``[start, stop)`` within the object, not empty; or None when the header must be ignored, because it is
        malformed or asks for several ranges.

    Raises:
        S3Error: INVALID_RANGE when syntactically valid but nothing of it exists.

    Source: RFC 9110 section 14.1.2; S3 API GetObject, parameter Range.
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start, stop = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    elif last:
        start, stop = max(size - int(last), 0), size
    else:
        return None
    if start >= stop:
        raise _unsatisfiable(header, size)
    return ByteRange(start, stop)


def parse_copy_range(header: str) -> ByteRange:
    """Parse x-amz-copy-source-range, which allows only ``bytes=first-last``.

    Raises:
        S3Error: INVALID_ARGUMENT.
    """
    match = _COPY_RANGE.fullmatch(header)
    if match is not None:
        start, stop = int(match[1]), int(match[2]) + 1
        if start < stop:
            return ByteRange(start, stop)
    raise S3Error(
        ErrorCode.INVALID_ARGUMENT,
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
        "zero-based offsets of the first and last bytes to copy",
        {"ArgumentName": "x-amz-copy-source-range", "ArgumentValue": header},
    )


def check_copy_range(span: ByteRange, size: int) -> None:
    """Check that a copy's range lies within a source of ``size`` bytes; it is never cut short.

    Raises:
        S3Error: INVALID_RANGE.
    """
    if span.stop > size:
        raise _unsatisfiable(f"bytes={span.start}-{span.stop - 1}", size)


def part_range(info: ObjectInfo, part_number: int) -> ByteRange | None:
    """Where one part of an object lies.

    Returns:
        Its bytes; or None for part 1 of an object that was not made of parts, which is all of it.

    Raises:
        S3Error: INVALID_PART_NUMBER when the object has no such part.
    """
    if not info.parts and part_number == 1:
        return None
    start = 0
    for part in info.parts:
        if part.number == part_number:
            return ByteRange(start, start + part.size)
        start += part.size
    raise S3Error(
        ErrorCode.INVALID_PART_NUMBER,
        detail={"PartNumberRequested": str(part_number), "ActualPartCount": str(len(info.parts) or 1)},
    )


def content_range(span: ByteRange, size: int) -> str:
    """The Content-Range of a response with the bytes of ``span``, which is not empty."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def _unsatisfiable(header: str, size: int) -> S3Error:
    return S3Error(
        ErrorCode.INVALID_RANGE,
        detail={"RangeRequested": header, "ActualObjectSize": str(size)},
        headers={"Content-Range": f"bytes */{size}"},
    )
