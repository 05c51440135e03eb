"""Byte ranges: from the inclusive form on the wire to half-open ones, and back.

Source: RFC 9110 section 14; S3 API GetObject, parameters Range and partNumber; UploadPartCopy.
"""

import re

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, ObjectInfo

# Twenty digits are more than any size, and few enough for int() to take without a thought.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})", re.IGNORECASE)
_MAX_END = 2**63 - 1
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
    ends = _parse_range(header)
    if ends is None:
        return None
    first, last = ends
    if first is None:
        start, stop = max(size - (last or 0), 0), size
    else:
        start, stop = first, size if last is None else min(last + 1, size)
    if start >= stop:
        raise _unsatisfiable(header, size)
    return ByteRange(start, stop)


def satisfiable_form(header: str) -> str | None:
    """A Range header as it may be passed on to another server.

    Returns:
        The same range in the plainest form; or None when it must be ignored, or cannot be satisfied by any object.
    """
    ends = _parse_range(header)
    if ends is None or ends == (None, 0):
        return None
    # Servers refuse numbers that they cannot hold, and no object is larger.
    first, last = ("" if end is None else str(min(end, _MAX_END)) for end in ends)
    return f"bytes={first}-{last}"


def _parse_range(header: str) -> tuple[int | None, int | None] | None:
    """First and last as they are written, of which one may be missing; None when the header must be ignored."""
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first_text, last_text = match.groups()
    first = int(first_text) if first_text else None
    last = int(last_text) if last_text else None
    is_none = first is None and last is None
    is_reversed = first is not None and last is not None and last < first
    return None if is_none or is_reversed else (first, last)


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
    if info.selected_part is not None and info.selected_part.number == part_number:
        return info.selected_part.span
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
