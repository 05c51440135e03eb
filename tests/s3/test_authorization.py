from itertools import combinations

import pytest

from s3proxy.http1.messages import Header, Request
from s3proxy.s3.authorization import (
    Mechanism,
    format_timestamp,
    mechanism_of,
    parse_timestamp,
    refuse_expired,
    refuse_skewed,
    request_time,
)
from s3proxy.s3.errors import ErrorCode
from tests.s3.incoming import NOW, code_of, error_of, request_of

V4_HEADER: Header = (
    b"authorization",
    b"AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=h, Signature=s",
)
V2_HEADER: Header = (b"authorization", b"AWS key:signature")
V4_QUERY = b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=s"
V2_QUERY = b"AWSAccessKeyId=a&Expires=1&Signature=s"


def get(query: bytes, *headers: Header) -> Request:
    return request_of(b"GET", b"/bucket/key?" + query if query else b"/bucket/key", headers)


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        (b"", [], None),
        (b"prefix=Signature", [], None),
        (b"Expires=1&response-expires=X-Amz-Signature", [], None),
        (b"", [(b"authorization", b"")], None),
        (b"", [V4_HEADER], Mechanism.SIGV4_HEADER),
        (b"list-type=2", [V4_HEADER], Mechanism.SIGV4_HEADER),
        (V4_QUERY, [], Mechanism.SIGV4_QUERY),
        (b"X-Amz-Signature=s", [], Mechanism.SIGV4_QUERY),
        (b"uploads&X-Amz-Credential", [], Mechanism.SIGV4_QUERY),
        (b"", [V2_HEADER], Mechanism.SIGV2_HEADER),
        (V2_QUERY, [], Mechanism.SIGV2_QUERY),
    ],
)
def test_mechanism_of_one_place_for_credentials_is_found(
    query: bytes, headers: list[Header], expected: Mechanism | None
) -> None:
    assert mechanism_of(get(query, *headers)) is expected


@pytest.mark.parametrize(
    ("first", "second"), list(combinations([(b"", V4_HEADER), (b"", V2_HEADER), (V4_QUERY, None), (V2_QUERY, None)], 2))
)
def test_mechanism_of_credentials_in_two_places_is_refused(
    first: tuple[bytes, Header | None], second: tuple[bytes, Header | None]
) -> None:
    # MinIO CVE-2026-41145: one set of credentials was looked at, the other decided.
    query = b"&".join(part for part, _ in (first, second) if part)
    headers = [header for _, header in (first, second) if header is not None]
    assert code_of(mechanism_of, get(query, *headers)) is ErrorCode.INVALID_ARGUMENT


def test_mechanism_of_two_authorization_headers_is_refused() -> None:
    assert code_of(mechanism_of, get(b"", V4_HEADER, V4_HEADER)) is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize("value", [b"Bearer x", b"AWS4-ECDSA-P256-SHA256 Credential=a", b"aws a:b", b"AWS3 a:b"])
def test_mechanism_of_an_unknown_scheme_is_refused(value: bytes) -> None:
    assert code_of(mechanism_of, get(b"", (b"authorization", value))) is ErrorCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-amz-date", b"20130524T000000Z"), (b"date", b"nonsense")],
        [(b"x-amz-date", b"Fri, 24 May 2013 00:00:00 GMT")],
        [(b"date", b"20130524T000000Z")],
        [(b"date", b"Fri, 24 May 2013 00:00:00 +0000")],
        [(b"date", b"Mon, 24 May 2013 00:00:00 GMT")],
    ],
)
def test_request_time_is_that_of_x_amz_date_or_else_of_date(headers: list[Header]) -> None:
    assert request_time(get(b"", *headers)) == NOW


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-amz-date", b"")],
        [(b"x-amz-date", b"Bad Date")],
        [(b"x-amz-date", b""), (b"date", b"Fri, 24 May 2013 00:00:00 GMT")],
        [(b"x-amz-date", b"Tue, 07 Jul 1950 21:53:04 GMT")],
        [(b"x-amz-date", b"20131324T000000Z")],
        [(b"date", b"\xff")],
    ],
)
def test_request_time_missing_unreadable_or_before_the_epoch_is_access_denied(headers: list[Header]) -> None:
    assert code_of(request_time, get(b"", *headers)) is ErrorCode.ACCESS_DENIED


def test_timestamp_and_its_inverse_agree() -> None:
    assert format_timestamp(NOW) == b"20130524T000000Z"
    assert parse_timestamp(format_timestamp(NOW + 1)) == NOW + 1
    assert parse_timestamp(b"2013-05-24T00:00:00Z") is None


@pytest.mark.parametrize("offset", [-900, 0, 900])
def test_skew_of_up_to_fifteen_minutes_is_accepted(offset: int) -> None:
    refuse_skewed(NOW + offset, NOW)


@pytest.mark.parametrize("offset", [-901, 901])
def test_skew_of_more_than_fifteen_minutes_is_refused_with_both_times(offset: int) -> None:
    error = error_of(refuse_skewed, NOW + offset, NOW)
    assert error.code is ErrorCode.REQUEST_TIME_TOO_SKEWED
    assert error.detail["ServerTime"] == "2013-05-24T00:00:00.000Z"
    assert error.detail["MaxAllowedSkewMilliseconds"] == "900000"


def test_expiry_is_after_the_last_second() -> None:
    refuse_expired(NOW, NOW)
    error = error_of(refuse_expired, NOW, NOW + 1)
    assert (error.code, error.message) == (ErrorCode.ACCESS_DENIED, "Request has expired")
