"""The two ways S3 writes a time, and the several ways clients do.

Rules: S3 knows whole seconds only. A time is truncated to them wherever it is shown or compared, so that a listing, a
Last-Modified header and a precondition never disagree about one object.
"""

import re
from calendar import timegm
from datetime import UTC, datetime
from functools import lru_cache
from time import gmtime

NANOSECONDS = 1_000_000_000

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# IMF-fixdate, RFC 850 and asctime. The weekday is not checked: RFC 9110 gives it no meaning of its own.
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_HTTP_DATES = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>\d\d) (?P<month>[A-Z][a-z]{{2}}) (?P<year>\d{{4}}) {_TIME} GMT", re.ASCII),
    re.compile(
        rf"[A-Z][a-z]{{5,8}}, (?P<day>\d\d)-(?P<month>[A-Z][a-z]{{2}})-(?P<year>\d\d) {_TIME} GMT",
        re.ASCII,
    ),
    re.compile(rf"[A-Z][a-z]{{2}} (?P<month>[A-Z][a-z]{{2}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),
)


def http_date(time_ns: int) -> str:
    """A Last-Modified or Date value, for example ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return _http_date(time_ns // NANOSECONDS)


@lru_cache(maxsize=1024)
def _http_date(seconds: int) -> str:
    year, month, day, hour, minute, second, weekday, _, _ = gmtime(seconds)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def iso8601(time_ns: int) -> str:
    """A time as the XML documents have it, for example ``2009-10-12T17:50:30.000Z``."""
    return _iso8601(time_ns // NANOSECONDS)


@lru_cache(maxsize=4096)
def _iso8601(seconds: int) -> str:
    year, month, day, hour, minute, second, _, _, _ = gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z"


def parse_http_date(text: str) -> int | None:
    """The whole seconds since the epoch that an HTTP-date names, or None when ``text`` is none.

    Source: RFC 9110 section 5.6.7.
    """
    for pattern in _HTTP_DATES:
        match = pattern.fullmatch(text)
        if match is not None:
            return _seconds(**match.groupdict())
    return None


def _seconds(*, year: str, month: str, day: str, hour: str, minute: str, second: str) -> int | None:
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= 70 else 2000
    if month not in _MONTHS:
        return None
    leap = int(second) == 60  # datetime knows no leap second; it is the last second of its minute
    try:
        moment = datetime(
            number, _MONTHS.index(month) + 1, int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=UTC
        )
    except ValueError:
        return None
    return timegm(moment.utctimetuple())


def parse_timestamp(text: str) -> int | None:
    """The whole seconds that an HTTP-date or an ISO 8601 time names, or None; without a zone it is UTC.

    Source: S3 API DeleteObjects, ObjectIdentifier.LastModifiedTime: SDKs send either form.
    """
    seconds = parse_http_date(text)
    if seconds is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() // 1)
