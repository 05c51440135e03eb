"""What a request claims about its SigV4 signature, read from its Authorization header or from its query.

Everything here is the client's word: it says which secret to look up, and ``sigv4.verify`` then decides. What can be
refused without the secret is refused here, in AWS's words: form, scope, payload mode and time.

Source: S3 API, "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters".
"""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from s3proxy.http1.messages import Request
from s3proxy.s3.authorization import (
    MAX_SKEW_SECONDS,
    format_timestamp,
    parse_timestamp,
    refuse_expired,
    refuse_skewed,
    request_time,
)
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import EMPTY_PAYLOAD, UNSIGNED_PAYLOAD, parse_payload
from s3proxy.s3.sigv4 import ALGORITHM, Authorization

MAX_EXPIRES_SECONDS = 7 * 24 * 3600

_QUERY_PARAMETERS = (
    b"X-Amz-Algorithm",
    b"X-Amz-Credential",
    b"X-Amz-Signature",
    b"X-Amz-Date",
    b"X-Amz-SignedHeaders",
    b"X-Amz-Expires",
)
_is_number = re.compile(rb"-?[0-9]{1,18}").fullmatch


def parse_header(request: Request, now: float, *, region: str | None = None) -> Authorization:
    """Read the SigV4 ``Authorization`` header of ``request`` and the headers that go with it.

    Args:
        request: one whose ``mechanism_of`` is SIGV4_HEADER.
        now: seconds since the epoch.
        region: the only region to accept in the scope, or None to accept any.

    Raises:
        S3Error: AUTHORIZATION_HEADER_MALFORMED, ACCESS_DENIED without a usable date, REQUEST_TIME_TOO_SKEWED,
            or what ``parse_payload`` raises.
    """
    credential, signed_headers, signature = _header_components(request.header(b"authorization") or b"")
    signed_at = request_time(request)
    timestamp = format_timestamp(signed_at)
    access_key, scope = _parse_credential(credential, timestamp, region, _malformed_header)
    refuse_skewed(signed_at, now)
    content_sha256 = request.header(b"x-amz-content-sha256")
    token = request.header(b"x-amz-security-token")
    return Authorization(
        access_key=access_key,
        scope=scope,
        signed_headers=tuple(signed_headers.lower().split(b";")),
        signature=signature,
        timestamp=timestamp,
        payload=EMPTY_PAYLOAD if content_sha256 is None else parse_payload(content_sha256),
        security_token=None if token is None else token.decode("latin-1"),
    )


def parse_query(request: Request, now: float, *, region: str | None = None) -> Authorization:
    """Read the SigV4 query parameters of a presigned ``request``.

    Args:
        request: one whose ``mechanism_of`` is SIGV4_QUERY.
        now: seconds since the epoch.
        region: the only region to accept in the scope, or None to accept any.

    Raises:
        S3Error: AUTHORIZATION_QUERY_PARAMETERS_ERROR, ACCESS_DENIED when it is not valid yet or has expired, or what
            ``parse_payload`` raises.
    """
    parameters = _query_parameters(request.target.partition(b"?")[2])
    if parameters[b"X-Amz-Algorithm"] != ALGORITHM:
        raise _query_error('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')
    timestamp = parameters[b"X-Amz-Date"]
    signed_at = parse_timestamp(timestamp)
    if signed_at is None:
        raise _query_error("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    access_key, scope = _parse_credential(parameters[b"X-Amz-Credential"], timestamp, region, _malformed_query)
    expires_seconds = _parse_expires(parameters[b"X-Amz-Expires"])
    if signed_at > now + MAX_SKEW_SECONDS:
        raise S3Error(ErrorCode.ACCESS_DENIED, "Request is not valid yet")
    refuse_expired(signed_at + expires_seconds, now)
    content_sha256 = request.header(b"x-amz-content-sha256") or parameters.get(b"X-Amz-Content-Sha256")
    token = parameters.get(b"X-Amz-Security-Token")
    return Authorization(
        access_key=access_key,
        scope=scope,
        signed_headers=tuple(parameters[b"X-Amz-SignedHeaders"].lower().split(b";")),
        signature=parameters[b"X-Amz-Signature"],
        timestamp=timestamp,
        payload=parse_payload(content_sha256) if content_sha256 else UNSIGNED_PAYLOAD,
        expires_seconds=expires_seconds,
        security_token=None if token is None else token.decode("latin-1"),
    )


def _malformed_header(problem: str) -> S3Error:
    return S3Error(ErrorCode.AUTHORIZATION_HEADER_MALFORMED, f"The authorization header is malformed; {problem}")


def _malformed_query(problem: str) -> S3Error:
    return _query_error(f"Error parsing the X-Amz-Credential parameter; {problem}")


def _query_error(message: str) -> S3Error:
    return S3Error(ErrorCode.AUTHORIZATION_QUERY_PARAMETERS_ERROR, message)


def _header_components(value: bytes) -> tuple[bytes, bytes, bytes]:
    """Credential, SignedHeaders and Signature; AWS minds neither their order nor the spaces around the commas."""
    components: dict[bytes, bytes] = {}
    for component in value[len(ALGORITHM) :].split(b","):
        name, equals, content = component.strip().partition(b"=")
        if not equals or name in components:
            raise _malformed_header(f'the authorization component "{_text(component.strip())}" is malformed.')
        components[name] = content
    try:
        return components[b"Credential"], components[b"SignedHeaders"], components[b"Signature"]
    except KeyError:
        raise _malformed_header(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature."
        ) from None


def _query_parameters(query: bytes) -> dict[bytes, bytes]:
    parameters: dict[bytes, bytes] = {}
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name.startswith(b"X-Amz-"):
            if name in parameters:
                raise _query_error(f"{_text(name)} must be given only once")
            parameters[name] = unquote_to_bytes(value)
    if any(name not in parameters for name in _QUERY_PARAMETERS):
        raise _query_error(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    return parameters


def _parse_credential(
    credential: bytes, timestamp: bytes, region: str | None, malformed: Callable[[str], S3Error]
) -> tuple[str, bytes]:
    """The access key and the scope behind it, which must name the day of ``timestamp``."""
    fields = credential.decode("latin-1").rsplit("/", 4)
    if len(fields) != 5 or not fields[0]:
        raise malformed('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key, date, scope_region, service, terminal = fields
    if date != _text(timestamp[:8]):
        raise malformed(f'Invalid credential date "{date}". This date is not the same as X-Amz-Date.')
    if region is not None and scope_region != region:
        raise malformed(f"the region '{scope_region}' is wrong; expecting '{region}'")
    if service != "s3":
        raise malformed(f'incorrect service "{service}". This endpoint belongs to "s3".')
    if terminal != "aws4_request":
        raise malformed(f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".')
    return access_key, credential[len(access_key) + 1 :]


def _parse_expires(value: bytes) -> int:
    if not _is_number(value):
        raise _query_error("X-Amz-Expires should be a number")
    seconds = int(value)
    # AWS answers 400 to these; Ceph's s3-tests hold that a URL which can never be valid is as good as expired.
    if seconds <= 0:
        raise S3Error(ErrorCode.ACCESS_DENIED, "X-Amz-Expires must be greater than zero")
    if seconds > MAX_EXPIRES_SECONDS:
        raise S3Error(ErrorCode.ACCESS_DENIED, "X-Amz-Expires must be at most a week, 604800 seconds")
    return seconds


def _text(value: bytes) -> str:
    return value.decode("latin-1")
