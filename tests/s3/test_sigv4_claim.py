from hashlib import sha256

import pytest

from s3proxy.http1.messages import Header, Request
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.payload import PayloadMode, parse_payload
from s3proxy.s3.sigv4_claim import parse_header, parse_query
from tests.s3.incoming import NOW, error_of, request_of

CREDENTIAL = b"AKID/20130524/us-east-1/s3/aws4_request"
AUTHORIZATION = b"AWS4-HMAC-SHA256 Credential=%b, SignedHeaders=host;x-amz-date, Signature=abc" % CREDENTIAL
QUERY = (
    b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=abc"
)


def with_header(authorization: bytes, *others: Header, content_sha256: bytes | None = b"UNSIGNED-PAYLOAD") -> Request:
    headers = [(b"authorization", authorization), *others]
    if content_sha256 is not None:
        headers.append((b"x-amz-content-sha256", content_sha256))
    if not others:
        headers.append((b"x-amz-date", b"20130524T000000Z"))
    return request_of(b"GET", b"/bucket/key", headers)


def with_query(query: bytes, *headers: Header) -> Request:
    return request_of(b"GET", b"/bucket/key?" + query, headers)


@pytest.mark.parametrize(
    "authorization",
    [
        AUTHORIZATION,
        AUTHORIZATION.replace(b", ", b","),
        AUTHORIZATION.replace(b", ", b" ,  "),
        AUTHORIZATION.replace(b"SHA256 ", b"SHA256   "),
        b"AWS4-HMAC-SHA256 Signature=abc, SignedHeaders=Host;X-Amz-Date, Credential=" + CREDENTIAL,
    ],
)
def test_header_with_any_spacing_and_order_is_read(authorization: bytes) -> None:
    claim = parse_header(with_header(authorization), NOW)
    assert claim.access_key == "AKID"
    assert claim.scope == b"20130524/us-east-1/s3/aws4_request"
    assert claim.signed_headers == (b"host", b"x-amz-date")
    assert claim.signature == b"abc"
    assert claim.timestamp == b"20130524T000000Z"
    assert claim.payload.mode is PayloadMode.UNSIGNED
    assert not claim.is_presigned
    assert claim.security_token is None


def test_header_with_an_access_key_with_slashes_is_read() -> None:
    claim = parse_header(with_header(AUTHORIZATION.replace(b"AKID", b"team/AK/ID")), NOW)
    assert claim.access_key == "team/AK/ID"
    assert claim.scope == b"20130524/us-east-1/s3/aws4_request"


def test_header_with_a_date_in_place_of_x_amz_date_gives_its_timestamp() -> None:
    request = with_header(AUTHORIZATION, (b"date", b"Fri, 24 May 2013 00:00:07 GMT"))
    assert parse_header(request, NOW).timestamp == b"20130524T000007Z"


def test_header_with_a_session_token_gives_it() -> None:
    request = with_header(AUTHORIZATION, (b"x-amz-security-token", b"tok"), (b"x-amz-date", b"20130524T000000Z"))
    claim = parse_header(request, NOW)
    assert claim.security_token == "tok"
    assert "tok" not in repr(claim)


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        (b"AWS4-HMAC-SHA256", 'the authorization component "" is malformed.'),
        (b"AWS4-HMAC-SHA256 HAHAHA", 'the authorization component "HAHAHA" is malformed.'),
        (AUTHORIZATION + b", Signature=b", 'the authorization component "Signature=b" is malformed.'),
        (
            b"AWS4-HMAC-SHA256 Credential=a, Signature=b",
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        ),
        (
            AUTHORIZATION.replace(b"/20130524", b""),
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        ),
        (
            AUTHORIZATION.replace(b"AKID", b""),
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        ),
        (
            AUTHORIZATION.replace(b"20130524", b"20130523"),
            'Invalid credential date "20130523". This date is not the same as X-Amz-Date.',
        ),
        (AUTHORIZATION.replace(b"/s3/", b"/ec2/"), 'incorrect service "ec2". This endpoint belongs to "s3".'),
        (
            AUTHORIZATION.replace(b"aws4_request", b"aws5_request"),
            'incorrect terminal "aws5_request". This endpoint uses "aws4_request".',
        ),
    ],
)
def test_header_of_the_wrong_form_is_malformed_in_the_words_of_aws(authorization: bytes, message: str) -> None:
    error = error_of(parse_header, with_header(authorization), NOW)
    assert error.code is ErrorCode.AUTHORIZATION_HEADER_MALFORMED
    assert error.message == f"The authorization header is malformed; {message}"


def test_region_that_is_not_the_configured_one_is_refused() -> None:
    assert parse_header(with_header(AUTHORIZATION), NOW, region="us-east-1").access_key == "AKID"
    error = error_of(parse_header, with_header(AUTHORIZATION), NOW, region="eu-west-1")
    assert error.code is ErrorCode.AUTHORIZATION_HEADER_MALFORMED
    assert "the region 'us-east-1' is wrong; expecting 'eu-west-1'" in error.message
    error = error_of(parse_query, with_query(QUERY), NOW, region="eu-west-1")
    assert error.code is ErrorCode.AUTHORIZATION_QUERY_PARAMETERS_ERROR


def test_header_without_x_amz_content_sha256_is_taken_to_cover_no_body() -> None:
    payload = parse_header(with_header(AUTHORIZATION, content_sha256=None), NOW).payload
    assert payload == parse_payload(sha256(b"").hexdigest().encode())


@pytest.mark.parametrize(
    ("date", "code"),
    [
        (b"Bad Date", ErrorCode.ACCESS_DENIED),
        (b"20130524T001501Z", ErrorCode.REQUEST_TIME_TOO_SKEWED),
        (b"20130524T001500Z", None),
    ],
)
def test_header_date_must_be_readable_and_within_fifteen_minutes(date: bytes, code: ErrorCode | None) -> None:
    request = with_header(AUTHORIZATION, (b"x-amz-date", date))
    if code is None:
        parse_header(request, NOW)
    else:
        assert error_of(parse_header, request, NOW).code is code


def test_query_of_a_presigned_request_is_read() -> None:
    claim = parse_query(with_query(QUERY + b"&X-Amz-Security-Token=to%2Fken"), NOW)
    assert claim.access_key == "AKID"
    assert claim.scope == b"20130524/us-east-1/s3/aws4_request"
    assert claim.signed_headers == (b"host",)
    assert claim.is_presigned
    assert claim.payload.mode is PayloadMode.UNSIGNED
    assert claim.security_token == "to/ken"


def test_query_with_a_payload_mode_in_header_or_query_takes_it() -> None:
    in_header = with_query(QUERY, (b"x-amz-content-sha256", b"a" * 64))
    assert parse_query(in_header, NOW).payload.mode is PayloadMode.DIGEST
    in_query = with_query(QUERY + b"&X-Amz-Content-Sha256=" + b"a" * 64)
    assert parse_query(in_query, NOW).payload.text == b"a" * 64


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"&X-Amz-Signature=abc", b"", "Query-string authentication version 4 requires the X-Amz-Algorithm, "),
        (b"X-Amz-Algorithm=AWS4-HMAC-SHA256&", b"", "Query-string authentication version 4 requires "),
        (b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256", "X-Amz-Algorithm only supports "),
        (b"X-Amz-Date=20130524T000000Z", b"X-Amz-Date=2013", "X-Amz-Date must be in the ISO8601 Long Format "),
        (b"=AKID", b"=", "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; "),
        (b"%2Fs3%2F", b"%2Fsqs%2F", 'Error parsing the X-Amz-Credential parameter; incorrect service "sqs".'),
        (b"=AKID%2F20130524", b"=AKID%2F20130525", "Error parsing the X-Amz-Credential parameter; Invalid credential"),
        (b"=86400", b"=", "X-Amz-Expires should be a number"),
        (b"=86400", b"=1_0", "X-Amz-Expires should be a number"),
        (b"=86400", b"=" + b"9" * 5000, "X-Amz-Expires should be a number"),
        (b"&X-Amz-Signature=abc", b"&X-Amz-Signature=abc&X-Amz-Signature=abd", "X-Amz-Signature must be given only"),
    ],
)
def test_query_of_the_wrong_form_is_a_query_parameters_error(old: bytes, new: bytes, message: str) -> None:
    error = error_of(parse_query, with_query(QUERY.replace(old, new)), NOW)
    assert error.code is ErrorCode.AUTHORIZATION_QUERY_PARAMETERS_ERROR
    assert error.message.startswith(message)


@pytest.mark.parametrize("seconds", [-7, 0, 604801])
def test_lifetime_that_no_query_may_have_is_access_denied(seconds: int) -> None:
    error = error_of(parse_query, with_query(QUERY.replace(b"=86400", b"=%d" % seconds)), NOW)
    assert error.code is ErrorCode.ACCESS_DENIED
    assert error.message.startswith("X-Amz-Expires must be ")


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (NOW - 901, "Request is not valid yet"),
        (NOW - 900, None),
        (NOW + 86400, None),
        (NOW + 86401, "Request has expired"),
    ],
)
def test_query_is_valid_from_its_date_until_it_expires(now: int, message: str | None) -> None:
    if message is None:
        parse_query(with_query(QUERY), now)
        return
    error = error_of(parse_query, with_query(QUERY), now)
    assert (error.code, error.message) == (ErrorCode.ACCESS_DENIED, message)
