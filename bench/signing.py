"""Signature Version 4 from the caller's side, written apart from the server's so that each can find the other's errors.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import quote

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_PAYLOAD = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A pair of keys and the region that they are used in."""

    access_key: str
    secret_key: str
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a signature covers. ``path`` is encoded already, ``query`` is not; header names are lower-case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    payload: str = EMPTY_PAYLOAD
    """The body's SHA-256 in hex, or UNSIGNED_PAYLOAD."""


def encode_query(query: Mapping[str, str]) -> str:
    """The query string in the order and encoding that the signature wants."""
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))


def sign(call: Call, credentials: Credentials, moment: datetime) -> dict[str, str]:
    """The call's headers and those that sign them.

    Args:
        call: its headers hold ``host`` and whatever else is to be signed.
        credentials: whose signature it is.
        moment: now, in UTC.
    """
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    headers = {**call.headers, "x-amz-content-sha256": call.payload, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{call.method}\n{call.path}\n{encode_query(call.query)}\n{lines}\n{names}\n{call.payload}"
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = _hmac(_signing_key(credentials, stamp[:8]), to_sign).hex()
    claim = f"Credential={credentials.access_key}/{scope},SignedHeaders={names},Signature={signature}"
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 {claim}"}


@cache
def _signing_key(credentials: Credentials, day: str) -> bytes:
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (day, credentials.region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
