"""AWS Signature Version 4, both ways: ``verify`` for requests that arrive, ``sign`` and ``presign`` for our own.

Rules: a request that arrives is first read by sigv4_claim.py, and the caller looks up the secret. What was not signed
is not believed: every ``x-amz-*`` header that arrives must be among the signed ones. No secret and no derived key ever
reaches an error, a ``repr`` or a log.

Source: S3 API, "Signature Calculations for the Authorization Header" and "Using Query Parameters".
"""

import functools
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote_from_bytes, unquote_to_bytes

from s3proxy.http1.messages import Header, Request
from s3proxy.s3.authorization import format_timestamp
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, Payload

ALGORITHM = b"AWS4-HMAC-SHA256"

_is_unreserved = re.compile(rb"[A-Za-z0-9\-._~]*").fullmatch
_is_unreserved_path = re.compile(rb"[A-Za-z0-9\-._~/]*").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a request claims about who signed it; nothing of it is true before ``verify``."""

    access_key: str
    scope: bytes
    """``date/region/s3/aws4_request``."""
    signed_headers: tuple[bytes, ...]
    signature: bytes
    timestamp: bytes
    """Like ``20130524T000000Z``, as it enters the string to sign."""
    payload: Payload
    expires_seconds: int | None = None
    """Lifetime of a presigned request; None when the credentials came in the Authorization header."""
    security_token: str | None = field(default=None, repr=False)

    @property
    def is_presigned(self) -> bool:
        """Whether the credentials came in the query."""
        return self.expires_seconds is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client signs with."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    session_token: str | None = field(default=None, repr=False)


def verify(authorization: Authorization, request: Request, secret_key: str) -> None:
    """Check that whoever knows ``secret_key`` signed ``request`` as ``authorization`` claims.

    The path and query that are hashed are those that arrived, escapes normalised as AWS does (decoded once, everything
    but unreserved characters encoded again; never ``.``, ``..`` or ``//`` resolved). A client that signs the escapes
    exactly as it sends them is accepted as well: both name the same key.

    Raises:
        S3Error: ACCESS_DENIED when ``host`` or an ``x-amz-*`` header is not among the signed headers,
            SIGNATURE_DOES_NOT_MATCH for everything else that does not fit.
    """
    headers = _signed_header_lines(authorization, request.headers)
    canonical = _canonical_request(authorization, request.method, request.target, headers)
    if _fits(authorization, canonical, secret_key):
        return
    as_sent = _canonical_request(authorization, request.method, request.target, headers, as_sent=True)
    if as_sent == canonical or not _fits(authorization, as_sent, secret_key):
        raise _mismatch(authorization, canonical)


@functools.lru_cache(maxsize=1024)  # deriving costs as much as the rest of verify; the keys of a day are few
def signing_key(secret_key: str, scope: bytes) -> bytes:
    """The key that signs everything of one secret, day and region."""
    key = b"AWS4" + secret_key.encode()
    for element in scope.split(b"/"):
        key = hmac.digest(key, element, "sha256")
    return key


def _signed_header_lines(authorization: Authorization, headers: Sequence[Header]) -> bytes:
    """The canonical headers. One that was signed and did not arrive has no line, so that nothing can match."""
    signed = authorization.signed_headers
    values: dict[bytes, bytes] = {}
    unsigned = [] if b"host" in signed else ["host"]
    for name, value in headers:
        if name in signed:
            trimmed = _trim(value)
            values[name] = values[name] + b"," + trimmed if name in values else trimmed
        elif name.startswith(b"x-amz-"):
            unsigned.append(name.decode("latin-1"))
    if unsigned:
        message = "There were headers present in the request which were not signed"
        raise S3Error(ErrorCode.ACCESS_DENIED, message, {"HeadersNotSigned": ", ".join(unsigned)})
    return b"".join([b"%b:%b\n" % (name, values[name]) for name in signed if name in values])


def _trim(value: bytes) -> bytes:
    return b" ".join(value.split()) if b"  " in value or b"\t" in value else value.strip()


def _canonical_request(
    authorization: Authorization, method: bytes, target: bytes, header_lines: bytes, *, as_sent: bool = False
) -> bytes:
    path, _, query = target.partition(b"?")
    encode_path, encode_value = (_keep, _keep) if as_sent else (_encode_path, _encode_value)
    lines = (
        method,
        encode_path(path),
        _canonical_query(query, encode_value) if query else b"",
        header_lines,
        b";".join(authorization.signed_headers),
        authorization.payload.text,
    )
    return b"\n".join(lines)


def _canonical_query(query: bytes, encode: Callable[[bytes], bytes]) -> bytes:
    pairs = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if pair and name != b"X-Amz-Signature":
            pairs.append((encode(name), encode(value)))
    pairs.sort()
    return b"&".join([b"%b=%b" % pair for pair in pairs])


def _encode_path(path: bytes) -> bytes:
    return path if _is_unreserved_path(path) else quote_from_bytes(unquote_to_bytes(path), safe="/").encode()


def _encode_value(value: bytes) -> bytes:
    if _is_unreserved(value):
        return value
    # In a query "+" is a space, as in the forms that it comes from; a plus that is meant arrives as %2B.
    return quote_from_bytes(unquote_to_bytes(value.replace(b"+", b"%20")), safe="").encode()


def _keep(escaped: bytes) -> bytes:
    return escaped


def _fits(authorization: Authorization, canonical_request: bytes, secret_key: str) -> bool:
    expected = _signature_of(authorization, canonical_request, secret_key)
    return hmac.compare_digest(expected, authorization.signature)


def _signature_of(authorization: Authorization, canonical_request: bytes, secret_key: str) -> bytes:
    string_to_sign = _string_to_sign(authorization, canonical_request)
    return hmac.digest(signing_key(secret_key, authorization.scope), string_to_sign, "sha256").hex().encode()


def _string_to_sign(authorization: Authorization, canonical_request: bytes) -> bytes:
    digest = sha256(canonical_request).hexdigest().encode()
    return b"\n".join((ALGORITHM, authorization.timestamp, authorization.scope, digest))


def _mismatch(authorization: Authorization, canonical_request: bytes) -> S3Error:
    string_to_sign = _string_to_sign(authorization, canonical_request)
    detail = {
        "AWSAccessKeyId": authorization.access_key,
        "StringToSign": string_to_sign.decode("latin-1"),
        "SignatureProvided": authorization.signature.decode("latin-1"),
        "StringToSignBytes": string_to_sign.hex(" "),
        "CanonicalRequest": canonical_request.decode("latin-1"),
        "CanonicalRequestBytes": canonical_request.hex(" "),
    }
    return S3Error(ErrorCode.SIGNATURE_DOES_NOT_MATCH, None, detail)


# Making it


def sign(
    method: bytes, target: bytes, headers: Sequence[Header], *, credentials: Credentials, payload: Payload, now: float
) -> list[Header]:
    """Sign a request with the Authorization header.

    Args:
        method: like ``GET``.
        target: path and query as they will be sent.
        headers: names in lower case, ``host`` among them. All are signed, so leave out what is added or changed on
            the way, like ``user-agent`` and ``connection``.
        credentials: whose signature it is to be.
        payload: what is said about the body.
        now: seconds since the epoch.

    Returns:
        ``headers`` and, behind them, those that carry the signature.
    """
    added = [(b"x-amz-date", format_timestamp(int(now))), (b"x-amz-content-sha256", payload.text)]
    if credentials.session_token is not None:
        added.append((b"x-amz-security-token", credentials.session_token.encode()))
    signed = [*headers, *added]
    claim = _claim(credentials, signed, payload, now)
    canonical = _canonical_request(claim, method, target, _signed_header_lines(claim, signed))
    signature = _signature_of(claim, canonical, credentials.secret_key)
    value = b"%b Credential=%b/%b, SignedHeaders=%b, Signature=%b" % (
        ALGORITHM,
        credentials.access_key.encode(),
        claim.scope,
        b";".join(claim.signed_headers),
        signature,
    )
    return [*signed, (b"authorization", value)]


def presign(
    method: bytes,
    target: bytes,
    headers: Sequence[Header],
    *,
    credentials: Credentials,
    expires_seconds: int,
    now: float,
) -> bytes:
    """Sign a request with query parameters, for somebody else to send with exactly these ``headers``.

    Args:
        method: like ``GET``.
        target: path and query as they will be sent.
        headers: names in lower case, ``host`` among them.
        credentials: whose signature it is to be.
        expires_seconds: how long it is valid, at most 604,800.
        now: seconds since the epoch.

    Returns:
        ``target`` with the parameters that carry the signature.
    """
    claim = _claim(credentials, headers, UNSIGNED_PAYLOAD, now)
    parameters = [
        (b"X-Amz-Algorithm", ALGORITHM),
        (b"X-Amz-Credential", b"%b/%b" % (credentials.access_key.encode(), claim.scope)),
        (b"X-Amz-Date", claim.timestamp),
        (b"X-Amz-Expires", b"%d" % expires_seconds),
        (b"X-Amz-SignedHeaders", b";".join(claim.signed_headers)),
    ]
    if credentials.session_token is not None:
        parameters.append((b"X-Amz-Security-Token", credentials.session_token.encode()))
    query = "&".join(f"{name.decode()}={quote_from_bytes(value, safe='')}" for name, value in parameters)
    target += (b"&" if b"?" in target else b"?") + query.encode()
    canonical = _canonical_request(claim, method, target, _signed_header_lines(claim, headers))
    return target + b"&X-Amz-Signature=" + _signature_of(claim, canonical, credentials.secret_key)


def _claim(credentials: Credentials, headers: Sequence[Header], payload: Payload, now: float) -> Authorization:
    timestamp = format_timestamp(int(now))
    return Authorization(
        access_key=credentials.access_key,
        scope=b"%b/%b/s3/aws4_request" % (timestamp[:8], credentials.region.encode()),
        signed_headers=tuple(sorted({name for name, _ in headers})),
        signature=b"",
        timestamp=timestamp,
        payload=payload,
    )
