"""AWS Signature Version 2, for old clients: read from the Authorization header or the query, and verified.

Rules: every ``x-amz-*`` header is part of what is signed, so none can be added on the way; of the query only the
sub-resources are, so nothing else in it may widen what a request does.

Source: S3 User Guide, "Signing and authenticating REST requests (AWS signature version 2)".
"""

import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from s3proxy.http1.messages import Header, Request
from s3proxy.s3.authorization import refuse_expired, refuse_skewed, request_time
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, Payload, parse_payload

# What SigV2 clients sign of a query, as botocore's HmacV1Auth has it.
_SUBRESOURCES = frozenset(
    b"accelerate acl analytics cors defaultObjectAcl delete inventory lifecycle location logging metrics notification "
    b"object-lock partNumber policy replication requestPayment response-cache-control response-content-disposition "
    b"response-content-encoding response-content-language response-content-type response-expires restore select "
    b"select-type storageClass tagging torrent uploadId uploads versionId versioning versions website".split()
)
_CREDENTIAL_PARAMETERS = (b"AWSAccessKeyId", b"Expires", b"Signature")
_is_number = re.compile(rb"[0-9]{1,18}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a request claims about who signed it; nothing of it is true before ``verify``."""

    access_key: str
    signature: bytes
    """In base64."""
    payload: Payload
    expires: bytes | None = None
    """Of a presigned request, as sent; None when the credentials came in the Authorization header."""

    @property
    def is_presigned(self) -> bool:
        """Whether the credentials came in the query."""
        return self.expires is not None


def parse_header(request: Request, now: float) -> Authorization:
    """Read the SigV2 ``Authorization`` header of ``request``.

    Args:
        request: one whose ``mechanism_of`` is SIGV2_HEADER.
        now: seconds since the epoch.

    Raises:
        S3Error: INVALID_ARGUMENT when malformed, ACCESS_DENIED without a usable date, REQUEST_TIME_TOO_SKEWED.
    """
    value = request.header(b"authorization") or b""
    access_key, colon, signature = value.removeprefix(b"AWS").strip().rpartition(b":")
    if not colon or not access_key:
        raise S3Error(
            ErrorCode.INVALID_ARGUMENT,
            "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature",
            {"ArgumentName": "Authorization"},
        )
    refuse_skewed(request_time(request), now)
    return Authorization(access_key=access_key.decode("latin-1"), signature=signature, payload=_payload(request))


def parse_query(request: Request, now: float) -> Authorization:
    """Read the SigV2 query parameters of a presigned ``request``.

    Args:
        request: one whose ``mechanism_of`` is SIGV2_QUERY.
        now: seconds since the epoch.

    Raises:
        S3Error: ACCESS_DENIED when a parameter is missing, given twice or not what it should be, or when it has
            expired.
    """
    pairs = [(name, value) for name, value in _query_pairs(request) if name in _CREDENTIAL_PARAMETERS]
    parameters = dict(pairs)
    if len(pairs) != 3 or len(parameters) != 3:
        message = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise S3Error(ErrorCode.ACCESS_DENIED, message)
    expires = parameters[b"Expires"]
    if not _is_number(expires):
        text = expires.decode("latin-1")
        raise S3Error(ErrorCode.ACCESS_DENIED, f"Invalid date (should be seconds since epoch): {text}")
    refuse_expired(int(expires), now)
    return Authorization(
        access_key=parameters[b"AWSAccessKeyId"].decode("latin-1"),
        signature=parameters[b"Signature"],
        payload=_payload(request),
        expires=expires,
    )


def _payload(request: Request) -> Payload:
    value = request.header(b"x-amz-content-sha256")
    payload = UNSIGNED_PAYLOAD if value is None else parse_payload(value)
    if payload.mode.is_chunk_signed:
        # Chunk signatures continue a SigV4 signature; there is none here to continue.
        raise S3Error(ErrorCode.INVALID_REQUEST, f"{payload.mode.value} needs AWS Signature Version 4.")
    return payload


def _query_pairs(request: Request) -> Iterator[Header]:
    """Names as sent and decoded values of the query."""
    for pair in request.target.partition(b"?")[2].split(b"&"):
        name, _, value = pair.partition(b"=")
        yield name, unquote_to_bytes(value)


def verify(authorization: Authorization, request: Request, secret_key: str, *, bucket: str | None = None) -> None:
    """Check that whoever knows ``secret_key`` signed ``request`` as ``authorization`` claims.

    Args:
        authorization: what was read from the same request.
        request: as it arrived.
        secret_key: of ``authorization.access_key``.
        bucket: named by the Host header where the request is in virtual-host style, else None.

    Raises:
        S3Error: SIGNATURE_DOES_NOT_MATCH.
    """
    string_to_sign = _string_to_sign(authorization, request, request.target, bucket)
    if not _fits(authorization, string_to_sign, secret_key):
        path, mark, query = request.target.partition(b"?")
        if bucket is None and path.count(b"/") == 1:
            # botocore signs /bucket as /bucket/, what it would be if the bucket were in the Host header.
            alternative = _string_to_sign(authorization, request, path + b"/" + mark + query, bucket)
            if _fits(authorization, alternative, secret_key):
                return
        detail = {
            "AWSAccessKeyId": authorization.access_key,
            "StringToSign": string_to_sign.decode("latin-1"),
            "SignatureProvided": authorization.signature.decode("latin-1"),
            "StringToSignBytes": string_to_sign.hex(" "),
        }
        raise S3Error(ErrorCode.SIGNATURE_DOES_NOT_MATCH, None, detail)


def _fits(authorization: Authorization, string_to_sign: bytes, secret_key: str) -> bool:
    expected = base64.b64encode(hmac.digest(secret_key.encode(), string_to_sign, "sha1"))
    return hmac.compare_digest(expected, authorization.signature)


def _string_to_sign(authorization: Authorization, request: Request, target: bytes, bucket: str | None) -> bytes:
    headers = list(request.headers)
    if authorization.expires is not None:
        # A presigned request carries in its query what was signed as headers.
        headers += [(name.lower(), value) for name, value in _query_pairs(request)]
    amz_headers = _amz_headers(headers)
    if authorization.expires is not None:
        date = authorization.expires
    else:
        date = b"" if b"x-amz-date" in amz_headers else request.header(b"date") or b""
    lines = [
        request.method,
        _first(headers, b"content-md5"),
        _first(headers, b"content-type"),
        date,
        *(b"%b:%b" % (name, b",".join(values)) for name, values in sorted(amz_headers.items())),
        _canonical_resource(target, bucket),
    ]
    return b"\n".join(lines)


def _amz_headers(headers: list[Header]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name.startswith(b"x-amz-"):
            found.setdefault(name, []).append(value.strip())
    return found


def _first(headers: list[Header], wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")


def _canonical_resource(target: bytes, bucket: str | None) -> bytes:
    path, _, query = target.partition(b"?")
    resource = path if bucket is None else b"/" + bucket.encode() + path
    subresources = []
    for pair in query.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if name in _SUBRESOURCES:
            subresources.append((name, equals + unquote_to_bytes(value)))
    if not subresources:
        return resource
    subresources.sort(key=itemgetter(0))
    return resource + b"?" + b"&".join([name + value for name, value in subresources])
