"""What both signature versions ask first: which of S3's ways to carry credentials is used, and is it in time.

Rule: ``mechanism_of`` is the only place that decides the first. A request that carries credentials twice could be
judged by one of them and acted on by the other, so it is refused before either is looked at.
"""

import functools
import re
from datetime import UTC, datetime
from enum import Enum

from s3proxy.http1.messages import Request
from s3proxy.s3.dates import NANOSECONDS, iso8601, parse_http_date
from s3proxy.s3.errors import ErrorCode, S3Error

MAX_SKEW_SECONDS = 15 * 60

_QUERY_CREDENTIALS = re.compile(
    rb"(?:^|&)(?:(?P<v4>X-Amz-Algorithm|X-Amz-Credential|X-Amz-Signature)|(?:AWSAccessKeyId|Signature))(?=[=&]|$)"
)
_is_timestamp = re.compile(rb"[0-9]{8}T[0-9]{6}Z").fullmatch


class Mechanism(Enum):
    """A way to carry credentials; sigv4.py and sigv2.py each read two of them."""

    SIGV4_HEADER = "SigV4 Authorization header"
    SIGV4_QUERY = "SigV4 query parameters"
    SIGV2_HEADER = "SigV2 Authorization header"
    SIGV2_QUERY = "SigV2 query parameters"


_SCHEMES = {b"AWS4-HMAC-SHA256": Mechanism.SIGV4_HEADER, b"AWS": Mechanism.SIGV2_HEADER}


def mechanism_of(request: Request) -> Mechanism | None:
    """How ``request`` carries its credentials, or None when it carries none and is anonymous.

    An empty Authorization header carries none.

    Raises:
        S3Error: INVALID_ARGUMENT for credentials in two places and for an unknown scheme.
    Source: S3 API, "Authenticating Requests (AWS Signature Version 4)".
    """
    found = [_header_mechanism(value) for name, value in request.headers if name == b"authorization" and value]
    _, _, query = request.target.partition(b"?")
    if query:
        found += {
            Mechanism.SIGV4_QUERY if match["v4"] else Mechanism.SIGV2_QUERY
            for match in _QUERY_CREDENTIALS.finditer(query)
        }
    if len(found) > 1:
        raise S3Error(
            ErrorCode.INVALID_ARGUMENT,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
            {"ArgumentName": "Authorization"},
        )
    return found[0] if found else None


def _header_mechanism(value: bytes) -> Mechanism:
    scheme, _, _ = value.partition(b" ")
    if scheme not in _SCHEMES:
        raise S3Error(ErrorCode.INVALID_ARGUMENT, "Unsupported Authorization Type", {"ArgumentName": "Authorization"})
    return _SCHEMES[scheme]


# Dates. Formatting and parsing are cached: a busy second has thousands of requests with one timestamp.


def parse_timestamp(value: bytes) -> int | None:
    """Seconds since the epoch of ``20130524T000000Z``, or None when ``value`` is not of that form."""
    return _epoch_of(value) if _is_timestamp(value) else None


@functools.lru_cache(maxsize=256)
def format_timestamp(seconds: int) -> bytes:
    """The inverse of ``parse_timestamp``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ").encode()


def request_time(request: Request) -> int:
    """When ``request`` says that it was signed, in seconds since the epoch: x-amz-date, or else Date.

    Either is an ISO 8601 timestamp or an HTTP date, as AWS takes them.

    Raises:
        S3Error: ACCESS_DENIED when the one that counts is missing, unreadable or before 1970.
    """
    value = request.header(b"x-amz-date")
    if value is None:
        value = request.header(b"date") or b""
    seconds = parse_timestamp(value)
    if seconds is None:
        # The zones that SigV2's own examples and botocore's SigV4 with a Date are written in.
        seconds = parse_http_date(value.decode("latin-1").replace(" +0000", " GMT").replace(" -0000", " GMT"))
    if seconds is None or seconds < 0:
        raise S3Error(ErrorCode.ACCESS_DENIED, "AWS authentication requires a valid Date or x-amz-date header")
    return seconds


def refuse_skewed(signed_at: int, now: float) -> None:
    """Let a request pass that was signed at most 15 minutes ago or ahead, in seconds since the epoch.

    Raises:
        S3Error: REQUEST_TIME_TOO_SKEWED.
    """
    if abs(now - signed_at) > MAX_SKEW_SECONDS:
        detail = {
            "RequestTime": _iso(signed_at),
            "ServerTime": _iso(now),
            "MaxAllowedSkewMilliseconds": str(MAX_SKEW_SECONDS * 1000),
        }
        raise S3Error(ErrorCode.REQUEST_TIME_TOO_SKEWED, None, detail)


def refuse_expired(expires_at: int, now: float) -> None:
    """Let a presigned request pass until ``expires_at``, in seconds since the epoch.

    Raises:
        S3Error: ACCESS_DENIED.
    """
    if now > expires_at:
        detail = {"Expires": _iso(expires_at), "ServerTime": _iso(now)}
        raise S3Error(ErrorCode.ACCESS_DENIED, "Request has expired", detail)


@functools.lru_cache(maxsize=256)
def _epoch_of(timestamp: bytes) -> int | None:
    try:
        return int(datetime.strptime(timestamp.decode(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def _iso(seconds: float) -> str:
    return iso8601(int(seconds) * NANOSECONDS)
