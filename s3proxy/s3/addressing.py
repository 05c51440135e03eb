"""From the request target and the Host header to one address: bucket, key, query.

Rules: the path is decoded exactly once, here, and everything that follows (access, the store, the answer) works on
the key of this one value, so the key that was authorised is the key that is opened. Decoding is strict: an invalid
escape or invalid UTF-8 is an error, never a guess. Segments like ``..`` mean nothing and are kept. The raw bytes stay
beside the decoded ones, for signatures.

Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets"; RFC 3986 section 2.1; RFC 9112 section 3.2.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, Key
from s3proxy.s3.names import parse_bucket, parse_key

Parameters = Mapping[str, str]

# Where the system that this one replaces serves S3; always understood, beside the root.
_DROP_IN_PREFIX = b"/api/v1/s3"

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE_FORM = re.compile(rb"https?://([^/?#]+)(.*)", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(rb":[0-9]*\Z")

_OFTEN_BYTES = 512  # of a target that is remembered; signatures in a query make longer ones, which come once

_NO_QUERY: tuple[tuple[str, str], ...] = ()
_NO_PARAMETERS: Parameters = {}


class Address(NamedTuple):  # which is made in a third of the time of a frozen dataclass
    """What a request is about."""

    bucket: Bucket | None
    """None for the service itself."""
    key: Key | None
    """None for the service and for a bucket; never empty."""
    raw_path: bytes
    """The path as sent."""
    raw_query: bytes
    """What follows the first ``?``, as sent."""
    query: tuple[tuple[str, str], ...]
    """The query's pairs, decoded, in order; ``?acl`` is ``("acl", "")``."""
    parameters: Parameters
    """The same by name; of a repeated name the first counts."""
    is_virtual_hosted: bool
    """Whether the bucket came from the Host header."""
    resource: str
    """The ``/bucket/key`` that error documents name."""


def parse_address(target: bytes, host: bytes | None = None, domains: tuple[bytes, ...] = ()) -> Address:
    """Resolve a request target.

    Args:
        target: as in the request line: ``/path?query``, or the absolute form, whose authority must be that of ``host``.
        host: the Host header, with or without a port.
        domains: lower-case domains of which a sub-domain names a bucket, without port or leading dot.

    Raises:
        S3Error: INVALID_URI when it cannot be decoded or is no path; INVALID_BUCKET_NAME; KEY_TOO_LONG_ERROR.
    """
    parse = _parse_often if len(target) <= _OFTEN_BYTES else _parse
    return parse(target, host, domains)


def _parse(target: bytes, host: bytes | None, domains: tuple[bytes, ...]) -> Address:
    if not target.startswith(b"/"):
        target = _origin_form(target, host)
    raw_path, _, raw_query = target.partition(b"?")
    hosted = _hosted_bucket(host, domains) if domains and host else None
    if hosted is None:
        bucket_part, key_part = _split_path(raw_path)
        bucket = parse_bucket(decode_path(bucket_part)) if bucket_part else None
    else:
        bucket, key_part = parse_bucket(hosted), raw_path[1:]
    key = parse_key(decode_path(key_part)) if key_part else None
    query = parse_query(raw_query) if raw_query else _NO_QUERY
    return Address(
        bucket,
        key,
        raw_path,
        raw_query,
        query,
        dict(reversed(query)) if query else _NO_PARAMETERS,
        hosted is not None,
        "/" + "/".join(part for part in (bucket, key) if part is not None),
    )


_parse_often = lru_cache(maxsize=1024)(_parse)  # readers ask for range after range of the same objects


def _split_path(path: bytes) -> tuple[bytes, bytes]:
    if path.startswith(_DROP_IN_PREFIX) and path[len(_DROP_IN_PREFIX) :][:1] in {b"", b"/"}:
        path = path[len(_DROP_IN_PREFIX) :]
    bucket, slash, key = path[1:].partition(b"/")
    if slash and not bucket:
        raise S3Error(ErrorCode.INVALID_BUCKET_NAME, detail={"BucketName": ""})
    return bucket, key


def _origin_form(target: bytes, host: bytes | None) -> bytes:
    match = _ABSOLUTE_FORM.fullmatch(target)
    if match is None:
        raise _invalid_uri()
    authority, path = match.groups()
    # The signature covers the Host header. An authority that may differ from it would let a signed request for one
    # virtual-hosted bucket be replayed against another.
    if host is not None and authority.lower() != host.lower():
        raise _invalid_uri()
    return path if path.startswith(b"/") else b"/" + path


def _hosted_bucket(host: bytes, domains: Sequence[bytes]) -> str | None:
    """The bucket that a sub-domain of the longest matching domain names; a domain itself names none."""
    name = _PORT.sub(b"", host).lower()
    matching = [domain for domain in domains if name == domain or name.endswith(b"." + domain)]
    if not matching:
        return None
    domain = max(matching, key=len)
    return name[: -len(domain) - 1].decode("latin-1") if name != domain else None


def decode_path(raw: bytes) -> str:
    """Decode a part of a path; ``+`` is a plus sign.

    Raises:
        S3Error: INVALID_URI at an incomplete escape, or where the bytes are no UTF-8 (overlong forms among them).
    """
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw) is not None:
            raise _invalid_uri()
        raw = unquote_to_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _invalid_uri() from None


def parse_query(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Decode a query, or a value written like one, into its pairs; ``+`` is a space, as AWS reads it.

    Raises:
        S3Error: INVALID_URI like ``decode_path``.
    """
    pairs = []
    for piece in raw.replace(b"+", b" ").split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((decode_path(name), decode_path(value)))
    return tuple(pairs)


def _invalid_uri() -> S3Error:
    return S3Error(ErrorCode.INVALID_URI)
