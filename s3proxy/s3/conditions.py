"""Preconditions: read from headers, and judged against an object.

Source: RFC 9110 section 13; Amazon S3 User Guide, "Conditional requests".
"""

import re
from collections.abc import Mapping
from enum import Enum

from s3proxy.s3.dates import NANOSECONDS, parse_http_date
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import NO_READ_CONDITIONS, ObjectInfo, ReadConditions, WriteConditions

ANY_ETAG = "*"

# S3 takes an entity tag with or without its quotes.
_ENTITY_TAG = re.compile(r'\s*(?P<weak>W/)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s",]+))\s*(?:,|\Z)')


class Condition(Enum):
    """A precondition that an object failed; the value is its header."""

    IF_MATCH = "If-Match"
    IF_NONE_MATCH = "If-None-Match"
    IF_MODIFIED_SINCE = "If-Modified-Since"
    IF_UNMODIFIED_SINCE = "If-Unmodified-Since"
    IF_MATCH_LAST_MODIFIED_TIME = "x-amz-if-match-last-modified-time"
    IF_MATCH_SIZE = "x-amz-if-match-size"

    @property
    def is_not_modified(self) -> bool:
        """Whether a GET or HEAD that failed it is answered 304; a copy's source is answered 412 all the same."""
        return self in {Condition.IF_NONE_MATCH, Condition.IF_MODIFIED_SINCE}

    def error(self) -> S3Error:
        """The 412 that says so."""
        return S3Error(ErrorCode.PRECONDITION_FAILED, detail={"Condition": self.value})


def parse_etags(header: str, *, strong: bool) -> tuple[str, ...]:
    """The entity tags of a list, without quotes; ``*`` where it stands alone. What is no entity tag matches nothing.

    Args:
        header: the field value.
        strong: leave out weak tags, which a strong comparison never matches.
    """
    found = []
    position = 0
    while match := _ENTITY_TAG.match(header, position):
        position = match.end()
        etag = match["bare"] or match["quoted"]
        # A quoted asterisk is an ordinary tag; S3 never gives it to an object.
        is_literal_asterisk = match["quoted"] == ANY_ETAG
        if etag and not is_literal_asterisk and not (strong and match["weak"]):
            found.append(etag)
        if position == len(header):
            break
    return tuple(found)


def parse_read_conditions(headers: Mapping[bytes, bytes], prefix: bytes = b"") -> ReadConditions:
    """The preconditions of a read, or with ``prefix`` those of a copy's source; unparsable dates are ignored."""
    if_match, if_none_match, modified, unmodified = (
        headers.get(prefix + name)
        for name in (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
    )
    if if_match is if_none_match is modified is unmodified is None:
        return NO_READ_CONDITIONS
    return ReadConditions(
        if_match=None if if_match is None else parse_etags(if_match.decode("latin-1"), strong=True),
        if_none_match=None if if_none_match is None else parse_etags(if_none_match.decode("latin-1"), strong=False),
        if_modified_since=None if modified is None else parse_http_date(modified.decode("latin-1")),
        if_unmodified_since=None if unmodified is None else parse_http_date(unmodified.decode("latin-1")),
    )


def evaluate(conditions: ReadConditions, etag: str, last_modified_ns: int) -> Condition | None:
    """The precondition that a version fails, in the order of precedence; None to go on with the read.

    If-Unmodified-Since counts only without If-Match, and If-Modified-Since only without If-None-Match.

    Source: RFC 9110 section 13.2.2.
    """
    modified = last_modified_ns // NANOSECONDS
    if conditions.if_match is not None:
        if not _matches(conditions.if_match, etag):
            return Condition.IF_MATCH
    elif conditions.if_unmodified_since is not None and modified > conditions.if_unmodified_since:
        return Condition.IF_UNMODIFIED_SINCE
    if conditions.if_none_match is not None:
        if _matches(conditions.if_none_match, etag):
            return Condition.IF_NONE_MATCH
    elif conditions.if_modified_since is not None and modified <= conditions.if_modified_since:
        return Condition.IF_MODIFIED_SINCE
    return None


def check_copy_source(conditions: ReadConditions, info: ObjectInfo) -> None:
    """Check the preconditions of a copy's source.

    Raises:
        S3Error: PRECONDITION_FAILED, also where a GET would be answered 304.

    Source: S3 API CopyObject, x-amz-copy-source-if-*.
    """
    failed = evaluate(conditions, info.etag, info.last_modified_ns)
    if failed is not None:
        raise failed.error()


def check_write(conditions: WriteConditions, current: ObjectInfo | None) -> None:
    """Check the preconditions of PutObject, CopyObject and CompleteMultipartUpload against what they would replace.

    Raises:
        S3Error: PRECONDITION_FAILED; NO_SUCH_KEY when If-Match finds nothing.

    Source: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
    """
    unwanted = conditions.if_none_match
    if unwanted is not None and current is not None and _matches((unwanted,), current.etag):
        raise Condition.IF_NONE_MATCH.error()
    if conditions.if_match is not None:
        if current is None:
            raise S3Error(ErrorCode.NO_SUCH_KEY)
        if not _matches((conditions.if_match,), current.etag):
            raise Condition.IF_MATCH.error()


def check_delete(conditions: WriteConditions, current: ObjectInfo | None) -> None:
    """Check the preconditions of DeleteObject; an object that does not exist meets all of them.

    Raises:
        S3Error: PRECONDITION_FAILED.

    Source: S3 API DeleteObject: 204 "if the ETag matches or if the object doesn't exist".
    """
    if current is None:
        return
    if conditions.if_match is not None and not _matches((conditions.if_match,), current.etag):
        raise Condition.IF_MATCH.error()
    expected = conditions.if_match_last_modified
    if expected is not None and expected != current.last_modified_ns // NANOSECONDS:
        raise Condition.IF_MATCH_LAST_MODIFIED_TIME.error()
    if conditions.if_match_size is not None and conditions.if_match_size != current.size:
        raise Condition.IF_MATCH_SIZE.error()


def if_range_holds(if_range: str, etag: str, last_modified_ns: int) -> bool:
    """Whether a Range goes together with this version: the same strong entity tag, or exactly the same time.

    Source: RFC 9110 section 13.1.5.
    """
    seconds = parse_http_date(if_range)
    if seconds is not None:
        return seconds == last_modified_ns // NANOSECONDS
    return parse_etags(if_range, strong=True) == (etag,)


def _matches(etags: tuple[str, ...], etag: str) -> bool:
    return etag in etags or ANY_ETAG in etags
