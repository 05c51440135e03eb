"""Requests that arrive, made by hand, and coroutines run without an event loop: nothing under test here ever waits."""

from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import md5 as _md5
from hashlib import sha256
from itertools import cycle
from typing import TypeVar

from s3proxy.body import ByteStream
from s3proxy.http1.messages import Header, Request, RequestBody
from s3proxy.s3 import sigv4, sigv4_claim
from s3proxy.s3.awschunked import AwsChunkedBody, SignatureChain
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import parse_payload
from s3proxy.s3.verified_body import VerifiedBody

T = TypeVar("T")
md5 = partial(_md5, usedforsecurity=False)

NOW = 1369353600  # 2013-05-24T00:00:00Z, the day of AWS's examples
CREDENTIALS = sigv4.Credentials(
    access_key="AKIAIOSFODNN7EXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region="us-east-1"
)


class Pieces(RequestBody):
    """A body that arrives in pieces of the given sizes, over and over."""

    def __init__(self, data: bytes, sizes: Sequence[int] = (1 << 20,)) -> None:
        self.length: int | None = len(data)
        self._left = memoryview(data)
        self._sizes: Iterator[int] = cycle(sizes)

    async def receive_into(self, buffer: memoryview) -> int:
        assert len(buffer) > 0
        count = min(next(self._sizes), len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def request_of(
    method: bytes, target: bytes, headers: Iterable[Header], body: bytes = b"", sizes: Sequence[int] = (1 << 20,)
) -> Request:
    return Request(method, target, tuple(headers), Pieces(body, sizes), "192.0.2.1")


def error_of(function: object, *args: object, **keywords: object) -> S3Error:
    """The S3Error that a call ends with."""
    assert callable(function)
    try:
        function(*args, **keywords)
    except S3Error as error:
        return error
    raise AssertionError("no S3Error was raised")


def code_of(function: object, *args: object, **keywords: object) -> ErrorCode:
    return error_of(function, *args, **keywords).code


def run(coroutine: Coroutine[object, None, T]) -> T:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited for something")


def receive_all(body: ByteStream, buffer_sizes: Sequence[int] = (1 << 16,)) -> bytes:
    """Everything that ``body`` gives, digested as a store would."""
    received = bytearray()
    for size in cycle(buffer_sizes):
        buffer = memoryview(bytearray(size))
        count = run(body.receive_into(buffer))
        if not count:
            assert run(body.receive_into(buffer)) == 0
            return bytes(received)
        if isinstance(body, AwsChunkedBody | VerifiedBody):
            body.digest(buffer[:count])
        received += buffer[:count]
    raise AssertionError


# aws-chunked as clients make it


def chain_of(request: Request) -> SignatureChain:
    """The chain that continues the signature of a SigV4 ``request``."""
    return SignatureChain(sigv4_claim.parse_header(request, NOW), CREDENTIALS.secret_key)


def encode_chunks(
    payloads: Iterable[bytes], trailers: Mapping[bytes, bytes] | None = None, chain: SignatureChain | None = None
) -> bytes:
    """Frame ``payloads``; signed with ``chain``, which is used up."""
    encoded = bytearray()
    for payload in [*payloads, b""]:
        encoded += b"%x" % len(payload)
        if chain is not None:
            encoded += b";chunk-signature=" + chain.chunk(sha256(payload).hexdigest().encode())
        encoded += b"\r\n" + payload + (b"\r\n" if payload else b"")
    if trailers is not None:
        for name, value in trailers.items():
            encoded += name + b":" + value + b"\r\n"
        if chain is not None:
            encoded += b"x-amz-trailer-signature:" + chain.trailer(trailers) + b"\r\n"
    return bytes(encoded + b"\r\n")


def signed_put(content_sha256: bytes, extra: Iterable[Header] = (), target: bytes = b"/bucket/key") -> Request:
    """The head of a PUT, signed at ``NOW``; without a body."""
    headers = sigv4.sign(
        b"PUT",
        target,
        [(b"host", b"s3.example.org"), *extra],
        credentials=CREDENTIALS,
        payload=parse_payload(content_sha256),
        now=NOW,
    )
    return request_of(b"PUT", target, headers)
