"""A client's body on its way to the store: received, digested and sent at once, verified before its last byte goes.

A store that has not got the whole body stores nothing. So the last byte is held back until the body was found to be
what the client claimed, and otherwise the connection is closed.

Checksums: that of a short body is known before it is sent, and goes into a header. That of a long one is known at the
end only, be it that the client sends it in a trailer or that it is computed here, so it can only go into a trailer of
ours, in aws-chunked framing. Amazon's S3 takes that and keeps the checksum; Ceph 16 was tried and refuses it, so
whether to is a setting. Without it, what is stored is compared by its MD5, which is the ETag.
"""

import base64
from typing import Final

import trio

from s3proxy.body import Digests, IncomingBody
from s3proxy.http1.client.request import Send
from s3proxy.http1.messages import ConnectionLostError, Header
from s3proxy.s3.checksums import base64_digest, new_hash, trailer_name
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ChecksumAlgorithm
from s3proxy.s3.payload import UNSIGNED_PAYLOAD, Payload, parse_payload
from s3proxy.stores.receiving import LargeBuffers, receive_all

_WITH_TRAILER: Final = parse_payload(b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")


class Trailer:
    """aws-chunked framing: one chunk of all the bytes, and a checksum behind it.

    One chunk, because the length of the whole must be announced, and each further one would only cost a header.

    Source: S3 API, "Including Trailing Headers".
    """

    payload = _WITH_TRAILER

    def __init__(self, algorithm: ChecksumAlgorithm, length: int) -> None:
        """Frame a body.

        Args:
            algorithm: of the checksum.
            length: of the body, at least 1.
        """
        self._algorithm = algorithm
        self._name = trailer_name(algorithm)
        self._decoded_length = length
        self.head = b"%x\r\n" % length
        self.length = len(self.head) + length + len(self.tail(base64_digest(new_hash(algorithm))))

    def headers_for(self, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        """The headers of a request with this framing: ``aws-chunked`` is added to the object's own encoding."""
        encodings = [value for name, value in headers if name == b"content-encoding"]
        return (
            *(header for header in headers if header[0] != b"content-encoding"),
            (b"content-encoding", b",".join([*encodings, b"aws-chunked"])),
            (b"x-amz-decoded-content-length", b"%d" % self._decoded_length),
            (b"x-amz-sdk-checksum-algorithm", self._algorithm.value.encode()),
            (b"x-amz-trailer", self._name),
        )

    def tail(self, checksum_base64: str) -> bytes:
        """What follows the bytes."""
        return b"\r\n0\r\n%b:%b\r\n\r\n" % (self._name, checksum_base64.encode())


class Upload:
    """A ``RequestStream`` from a client's body of more than a few KiB; see above.

    Args:
        body: of which nothing was received yet.
        length: its announced length, at least 1.
        buffers: where large buffers come from.
        threads: for digests.
        trailer: the framing, or None for the bare bytes.
    """

    def __init__(
        self,
        body: IncomingBody,
        length: int,
        *,
        buffers: LargeBuffers,
        threads: trio.CapacityLimiter,
        trailer: Trailer | None = None,
    ) -> None:
        self._body = body
        self._decoded_length = length
        self._buffers = buffers
        self._threads = threads
        self._trailer = trailer
        self._received = 0
        self._passed_on = 0
        self._held = b""
        self._digests: Digests | None = None
        self.length = length if trailer is None else trailer.length
        self.payload: Payload = UNSIGNED_PAYLOAD if trailer is None else trailer.payload
        self.client_failure: ConnectionLostError | None = None
        """What made the client's body break off, where it did."""

    @property
    def is_untouched(self) -> bool:
        """Whether no byte was received: then all can begin again."""
        return not self._received

    @property
    def is_verified(self) -> bool:
        """Whether all was received and found to be what the client claimed."""
        return self._digests is not None

    @property
    def digests(self) -> Digests:
        """What is known of the bytes that were sent."""
        assert self._digests is not None
        return self._digests

    def headers_for(self, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        """The headers of the request that carries the body."""
        return headers if self._trailer is None else self._trailer.headers_for(headers)

    async def send_to(self, send: Send) -> None:
        """Send the body.

        Raises:
            S3Error: it is not what the client claimed.
            ConnectionLostError: one of the two connections broke.
        """
        if self._trailer is not None:
            await send(self._trailer.head)

        async def pass_on(data: memoryview) -> None:
            await self._pass_on(send, data)

        await receive_all(pass_on, self, self._buffers)
        self._digests = digests = self._body.verify()
        await send(self._held if self._trailer is None else self._trailer.tail(digests.checksum_base64 or ""))

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive from the client like ``ByteStream.receive_into``."""
        try:
            count = await self._body.receive_into(buffer)
        except ConnectionLostError as error:
            self.client_failure = error
            raise
        self._received += count
        if self._received > self._decoded_length:
            raise S3Error(ErrorCode.INCOMPLETE_BODY)
        return count

    async def _pass_on(self, send: Send, data: memoryview) -> None:
        """Digest some bytes and send them, at once."""
        now = data
        if self._trailer is None and self._is_last(data):
            now, self._held = data[:-1], bytes(data[-1:])
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._digest, data)
            try:
                await send(now)
            except Exception as error:  # as it is, and not in the group of the nursery
                failure = error
        if failure is not None:
            raise failure

    def _is_last(self, data: memoryview) -> bool:
        self._passed_on += len(data)
        return self._passed_on == self._decoded_length

    async def _digest(self, data: memoryview) -> None:
        await trio.to_thread.run_sync(self._body.digest, data, limiter=self._threads)


def headers_of_short(digests: Digests) -> tuple[Header, ...]:
    """What lets the store verify a body that is known before it is sent."""
    md5 = (b"content-md5", base64.b64encode(bytes.fromhex(digests.md5_hex)))
    if digests.checksum_algorithm is None or digests.checksum_base64 is None:
        return (md5,)
    algorithm = ChecksumAlgorithm(digests.checksum_algorithm)
    return (
        md5,
        (b"x-amz-sdk-checksum-algorithm", algorithm.value.encode()),
        (trailer_name(algorithm), digests.checksum_base64.encode()),
    )
