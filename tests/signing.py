"""AWS signatures from the caller's side, written apart from the server's, so that a test can also forge them.

Source: S3 API, "Authenticating Requests (AWS Signature Version 4)"; S3 User Guide, signature version 2.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import quote_from_bytes, unquote_to_bytes

from tests.wire import Call

UNSIGNED = b"UNSIGNED-PAYLOAD"
SIGNED_CHUNKS = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_CHUNKS_TRAILER = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
ECDSA = b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
ECDSA_TRAILER = b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"

_EMPTY_SHA256 = hashlib.sha256().hexdigest().encode()
_V2_SUBRESOURCES = frozenset(b"acl cors delete location policy tagging uploadId uploads partNumber versions".split())


@dataclass(frozen=True, slots=True)
class Keys:
    """A user's pair of keys."""

    access_key: str
    secret_key: str

    @property
    def forged(self) -> "Keys":
        """What somebody has who knows the access key only."""
        return Keys(self.access_key, "f0rged-" + "x" * len(self.secret_key))


def sign_v4(
    call: Call, keys: Keys, payload: bytes | None = None, *, unsigned: tuple[bytes, ...] = (), at: float | None = None
) -> Call:
    """Sign with the Authorization header.

    Args:
        call: every header that it has is signed.
        keys: whose signature it is to be.
        payload: x-amz-content-sha256; None for the digest of the body.
        unsigned: names, in lower case, of headers to leave out of the signature.
        at: when, in seconds since the epoch.
    """
    stamp = _stamp(at)
    text = hashlib.sha256(call.body).hexdigest().encode() if payload is None else payload
    call = call.having((b"x-amz-date", stamp), (b"x-amz-content-sha256", text))
    names, signature = _signature(call, keys, stamp, text, unsigned)
    scope = _scope(stamp)
    value = b"AWS4-HMAC-SHA256 Credential=%b/%b, SignedHeaders=%b, Signature=%b"
    return call.having((b"authorization", value % (keys.access_key.encode(), scope, names, signature)))


def presign_v4(call: Call, keys: Keys, *, expires_seconds: int = 300, at: float | None = None) -> Call:
    """Sign with query parameters: for whoever sends exactly the headers that ``call`` has now."""
    stamp = _stamp(at)
    names = b";".join(sorted({name.lower() for name, _ in call.headers}))
    credential = keys.access_key.encode() + b"/" + _scope(stamp)
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%b&X-Amz-Date=%b&X-Amz-Expires=%d&X-Amz-SignedHeaders=%b"
    ) % (_quote(credential), stamp, expires_seconds, _quote(names))
    call = with_query(call, query)
    _, signature = _signature(call, keys, stamp, call.header(b"x-amz-content-sha256") or UNSIGNED, ())
    return with_query(call, b"X-Amz-Signature=" + signature)


def with_query(call: Call, query: bytes) -> Call:
    """The call with more behind its target."""
    return replace(call, target=call.target + (b"&" if b"?" in call.target else b"?") + query)


def sign_v2(call: Call, keys: Keys, *, at: float | None = None) -> Call:
    """Sign with SigV2's Authorization header."""
    moment = time.gmtime(now() if at is None else at)
    call = call.having((b"date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", moment).encode()))
    signature = _signature_v2(call, keys, call.header(b"date") or b"")
    return call.having((b"authorization", b"AWS %b:%b" % (keys.access_key.encode(), signature)))


def presign_v2(call: Call, keys: Keys, *, expires_at: float | None = None) -> Call:
    """Sign with SigV2's query parameters."""
    expires = b"%d" % (now() + 300 if expires_at is None else expires_at)
    signature = _quote(_signature_v2(call, keys, expires))
    query = b"AWSAccessKeyId=%b&Expires=%b&Signature=%b" % (keys.access_key.encode(), expires, signature)
    return with_query(call, query)


class Chunks:
    """The frames of an aws-chunked body, each signed with the one before; a test may spoil them one by one."""

    def __init__(self, call: Call, keys: Keys) -> None:
        authorization = call.header(b"authorization") or b""
        self._previous = authorization.rpartition(b"Signature=")[2]
        self._stamp = call.header(b"x-amz-date") or b""
        self._key = _signing_key(keys.secret_key, _scope(self._stamp))

    def frame(self, payload: bytes) -> bytes:
        """Header, payload and line end of the next chunk; the last one, which is empty, has no line end."""
        digest = hashlib.sha256(payload).hexdigest().encode()
        signature = self._next(b"AWS4-HMAC-SHA256-PAYLOAD", _EMPTY_SHA256, digest)
        end = b"\r\n" if payload else b""
        return b"%x;chunk-signature=%b\r\n%b%b" % (len(payload), signature, payload, end)

    def trailer(self, *trailers: tuple[bytes, bytes]) -> bytes:
        """The trailers and their signature, without the empty line at the end."""
        lines = b"".join([b"%b:%b\n" % trailer for trailer in trailers])
        signature = self._next(b"AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(lines).hexdigest().encode())
        return lines.replace(b"\n", b"\r\n") + b"x-amz-trailer-signature:%b\r\n" % signature

    def _next(self, algorithm: bytes, *digests: bytes) -> bytes:
        to_sign = b"\n".join((algorithm, self._stamp, _scope(self._stamp), self._previous, *digests))
        self._previous = hmac.digest(self._key, to_sign, "sha256").hex().encode()
        return self._previous


def now() -> float:
    """Seconds since the epoch."""
    return time.time_ns() / 1e9


def _stamp(at: float | None) -> bytes:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now() if at is None else at)).encode()


def _scope(stamp: bytes) -> bytes:
    return stamp[:8] + b"/us-east-1/s3/aws4_request"


@cache
def _signing_key(secret_key: str, scope: bytes) -> bytes:
    key = b"AWS4" + secret_key.encode()
    for element in scope.split(b"/"):
        key = hmac.digest(key, element, "sha256")
    return key


def _signature(
    call: Call, keys: Keys, stamp: bytes, payload: bytes, unsigned: tuple[bytes, ...]
) -> tuple[bytes, bytes]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in call.headers:
        if name.lower() not in unsigned:
            values.setdefault(name.lower(), []).append(b" ".join(value.split()))
    names = b";".join(sorted(values))
    path, _, query = call.target.partition(b"?")
    pairs = sorted(
        (_requote(name), _requote(value)) for name, _, value in (pair.partition(b"=") for pair in query.split(b"&"))
    )
    canonical = b"\n".join((
        call.method,
        quote_from_bytes(unquote_to_bytes(path), safe="/~").encode(),
        b"&".join([b"%b=%b" % pair for pair in pairs if pair[0]]),
        *(b"%b:%b" % (name, b",".join(values[name])) for name in sorted(values)),
        b"",
        names,
        payload,
    ))  # fmt: skip
    digest = hashlib.sha256(canonical).hexdigest().encode()
    to_sign = b"\n".join((b"AWS4-HMAC-SHA256", stamp, _scope(stamp), digest))
    return names, hmac.digest(_signing_key(keys.secret_key, _scope(stamp)), to_sign, "sha256").hex().encode()


def _signature_v2(call: Call, keys: Keys, date: bytes) -> bytes:
    amz = sorted((name.lower(), value) for name, value in call.headers if name.lower().startswith(b"x-amz-"))
    path, _, query = call.target.partition(b"?")
    signed = sorted(pair for pair in query.split(b"&") if pair.partition(b"=")[0] in _V2_SUBRESOURCES)
    lines = [call.method, call.header(b"content-md5") or b"", call.header(b"content-type") or b"", date]
    lines += [b"%b:%b" % pair for pair in amz]
    lines.append(path + (b"?" + b"&".join(signed) if signed else b""))
    digest = hmac.digest(keys.secret_key.encode(), b"\n".join(lines), "sha1")
    return base64.b64encode(digest)


def _quote(value: bytes) -> bytes:
    return quote_from_bytes(value, safe="").encode()


def _requote(value: bytes) -> bytes:
    return _quote(unquote_to_bytes(value))
