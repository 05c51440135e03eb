"""Requests rendered before the clock starts, with what each response must be."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.content import Thing
from bench.signing import EMPTY_PAYLOAD, Call, Credentials, encode_query, sign

BUCKET = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server listens, and the keys that it wants to see; None in open mode."""

    host: str
    port: int
    credentials: Credentials | None = None
    trusted: Path | None = None
    """Of a server that speaks TLS: the certificate of who signed its own."""
    base: str = ""
    """What every path begins with, where S3 is not all that the server speaks."""

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBody:
    """A request body that the kernel sends from an open file, whole."""

    fd: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as bytes, and what must come back."""

    data: bytes
    """The head, and after it the body unless that comes from a file."""
    inline: int = 0
    """Length of the body in ``data``."""
    file: FileBody | None = None
    status: bytes
    """How the response begins."""
    size: int = 0
    """Length of the response's body."""
    number: int = 0
    """The object that the body comes from, and the offset of its first byte there."""
    offset: int = 0


def call_headers(endpoint: Endpoint, call: Call) -> dict[str, str]:
    """The header fields of a call, signed now if the endpoint wants that. Host is filled in."""
    headers = {"host": endpoint.authority, **call.headers}
    if endpoint.credentials is None:
        return headers
    whole = Call(method=call.method, path=call.path, query=call.query, headers=headers, payload=call.payload)
    return sign(whole, endpoint.credentials, datetime.now(UTC))


def render_head(endpoint: Endpoint, call: Call, unsigned: Mapping[str, str] | None = None) -> bytes:
    """The request line and the header fields as they are sent, to the empty line."""
    call = replace(call, path=f"{endpoint.base}{call.path}")
    query = encode_query(call.query)
    target = f"{call.path}?{query}" if query else call.path
    headers = {**call_headers(endpoint, call), **(unsigned or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{call.method} {target} HTTP/1.1\r\n{lines}\r\n".encode()


def render_get(endpoint: Endpoint, thing: Thing) -> Request:
    """GET of a whole object."""
    call = Call(method="GET", path=f"/{BUCKET}/{thing.key}", query={}, headers={})
    data = render_head(endpoint, call)
    return Request(data=data, status=b"HTTP/1.1 200", size=thing.size, number=thing.number)


def render_range(endpoint: Endpoint, thing: Thing, start: int, stop: int) -> Request:
    """GET of the bytes ``[start, stop)`` of an object."""
    headers = {"range": f"bytes={start}-{stop - 1}"}
    call = Call(method="GET", path=f"/{BUCKET}/{thing.key}", query={}, headers=headers)
    return Request(
        data=render_head(endpoint, call),
        status=b"HTTP/1.1 206",
        size=stop - start,
        number=thing.number,
        offset=start,
    )


def render_put(
    endpoint: Endpoint, key: str, body: bytes | FileBody, payload: str = EMPTY_PAYLOAD, bucket: str = BUCKET
) -> Request:
    """PUT of a whole object; any 2xx without a body will do (nginx says 201 or 204).

    Args:
        endpoint: the server.
        key: where to.
        body: the bytes, or the file that holds them.
        payload: what is signed for the body: its SHA-256, as an SDK does on a connection without TLS.
        bucket: where the key is.
    """
    length = len(body) if isinstance(body, bytes) else body.length
    call = Call(method="PUT", path=f"/{bucket}/{key}", query={}, headers={}, payload=payload)
    head = render_head(endpoint, call, {"content-length": str(length)})
    if isinstance(body, bytes):
        return Request(data=head + body, inline=length, status=b"HTTP/1.1 2")
    return Request(data=head, file=body, status=b"HTTP/1.1 2")


def sha256_of(body: bytes | memoryview) -> str:
    """What ``render_put`` wants as ``payload``."""
    return hashlib.sha256(body).hexdigest()
