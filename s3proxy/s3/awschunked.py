"""aws-chunked: a body cut into chunks that may each be signed, with a checksum in a trailer behind the last.

    10000;chunk-signature=<64 hex digits>CRLF  65536 bytes  CRLF  ...  0;chunk-signature=<...>CRLF  trailers  CRLF

``Decoder`` knows the framing and does no I/O; ``SignatureChain`` knows the signatures; ``AwsChunkedBody`` joins them to
a stream. The payload of a chunk is received where it is wanted; only framing goes through a buffer of our own. What is
kept per chunk is kept only for signed chunks, of 8 KiB and more, and only until they are digested.

Source: S3 API, "Transferring Payload in Multiple Chunks (Chunked Upload)" and "Including Trailing Headers".
"""

import hmac
import re
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import sha256

from s3proxy.body import ByteStream
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.payload import PayloadMode
from s3proxy.s3.sigv4 import Authorization, signing_key

MIN_SIGNED_CHUNK_BYTES = 8192  # but for the last one

_MAX_LINE_BYTES = 1024  # a signed chunk header has about 100
_MAX_TRAILERS = 8
_SCRATCH_BYTES = 8192  # a small upload arrives in one piece; of a large chunk, this much is copied once
_TRAILER_SIGNATURE = b"x-amz-trailer-signature"
_EMPTY_SHA256 = sha256().hexdigest().encode()

_signed_header = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})").fullmatch
_unsigned_header = re.compile(rb"([0-9a-fA-F]{1,16})").fullmatch
_trailer_line = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)", re.DOTALL).fullmatch


class SignatureChain:
    """The signatures of a body's chunks and trailer, each made over the one before it; the first over the request's."""

    __slots__ = ("_key", "_previous", "_scope", "_timestamp")

    def __init__(self, authorization: Authorization, secret_key: str) -> None:
        self._key = signing_key(secret_key, authorization.scope)
        self._timestamp = authorization.timestamp
        self._scope = authorization.scope
        self._previous = authorization.signature

    def chunk(self, payload_sha256: bytes) -> bytes:
        """The signature of the next chunk, given the digest of its payload in hexadecimal."""
        return self._next(b"AWS4-HMAC-SHA256-PAYLOAD", _EMPTY_SHA256, payload_sha256)

    def trailer(self, trailers: Mapping[bytes, bytes]) -> bytes:
        """The signature of ``trailers``, in the order in which they are sent, after the chunk of no bytes."""
        lines = b"".join([b"%b:%b\n" % trailer for trailer in trailers.items()])
        return self._next(b"AWS4-HMAC-SHA256-TRAILER", sha256(lines).hexdigest().encode())

    def _next(self, algorithm: bytes, *digests: bytes) -> bytes:
        string_to_sign = b"\n".join((algorithm, self._timestamp, self._scope, self._previous, *digests))
        self._previous = hmac.digest(self._key, string_to_sign, "sha256").hex().encode()
        return self._previous


class Decoder:
    """The framing of one body, fed with the bytes around the payloads.

    While ``payload_remaining`` is not 0, the bytes that follow are payload: the caller takes them and says so to
    ``take``. Otherwise they are framing, for ``feed``.

    Args:
        mode: one of the streaming modes.
        decoded_length: how many bytes the payloads must add up to.
        on_chunk: called with the size and the signature of each signed chunk, the last of 0 bytes included.
    """

    def __init__(self, mode: PayloadMode, decoded_length: int, on_chunk: Callable[[int, bytes], None]) -> None:
        self.payload_remaining = 0
        self.decoded_remaining = decoded_length
        self.trailers: dict[bytes, bytes] = {}
        """Lower-case name -> value, complete when ``is_complete``."""
        self.is_complete = False
        self._is_signed = mode.is_chunk_signed
        self._has_trailer = mode.has_trailer
        self._on_chunk = on_chunk
        self._on_line = self._begin_chunk
        self._chunk_size = MIN_SIGNED_CHUNK_BYTES

    def feed(self, buffer: bytearray, start: int, stop: int) -> int:
        """Consume the framing in ``buffer[start:stop]``, up to the next payload or the end of the body.

        Returns:
            Where it stopped: before a payload, before a line that is not whole yet, or behind the body.

        Raises:
            S3Error: INCOMPLETE_BODY when the framing is broken or holds more than the decoded length,
                INVALID_CHUNK_SIZE_ERROR, MALFORMED_TRAILER_ERROR.
        """
        while not self.payload_remaining and not self.is_complete:
            end = buffer.find(b"\r\n", start, min(stop, start + _MAX_LINE_BYTES))
            if end < 0:
                if stop - start >= _MAX_LINE_BYTES:
                    raise _broken("A line of the chunked encoding is too long.")
                return start
            self._on_line(bytes(buffer[start:end]))
            start = end + 2
        return start

    def take(self, count: int) -> None:
        """Say that ``count`` bytes of payload, at most ``payload_remaining``, were taken."""
        self.payload_remaining -= count
        self.decoded_remaining -= count

    def _begin_chunk(self, line: bytes) -> None:
        match = _signed_header(line) if self._is_signed else _unsigned_header(line)
        if match is None:
            raise _broken("A chunk header is not valid.")
        size = int(match[1], 16)
        if size > self.decoded_remaining:
            raise _broken("The body is longer than its x-amz-decoded-content-length.")
        if size == 0 and self.decoded_remaining:
            raise _broken("The body is shorter than its x-amz-decoded-content-length.")
        if self._is_signed:
            if size and self._chunk_size < MIN_SIGNED_CHUNK_BYTES:
                raise S3Error(ErrorCode.INVALID_CHUNK_SIZE_ERROR, None, {"BadChunkSize": str(self._chunk_size)})
            self._on_chunk(size, match[2])
        self._chunk_size = self.payload_remaining = size
        self._on_line = self._end_chunk if size else self._trailer

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise _broken("A chunk does not end where its header says.")
        self._on_line = self._begin_chunk

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.is_complete = True
            return
        match = _trailer_line(line)
        if match is None or not self._has_trailer or len(self.trailers) == _MAX_TRAILERS:
            raise S3Error(ErrorCode.MALFORMED_TRAILER_ERROR)
        name = match[1].lower()
        if name in self.trailers:
            raise S3Error(ErrorCode.MALFORMED_TRAILER_ERROR)
        self.trailers[name] = match[2].strip()


class _SignedChunks:
    """Checks signatures where the payload is digested, a thread; the decoder runs ahead of it in the task.

    A forged chunk is remembered, not raised: what follows it is not looked at any more.
    """

    def __init__(self, chain: SignatureChain) -> None:
        self.is_forged = False
        self._chain = chain
        self._expected: deque[tuple[int, bytes]] = deque()  # appended to by the task, popped from by the thread
        self._remaining = 0
        self._signature = b""
        self._hash = sha256()

    def expect(self, size: int, signature: bytes) -> None:
        self._expected.append((size, signature))

    def digest(self, data: memoryview) -> None:
        while data and not self.is_forged:
            if not self._remaining:
                self._remaining, self._signature = self._expected.popleft()
            piece = data[: self._remaining]
            self._hash.update(piece)
            self._remaining -= len(piece)
            data = data[len(piece) :]
            if not self._remaining:
                self._settle(self._chain.chunk(self._hash.hexdigest().encode()), self._signature)
                self._hash = sha256()

    def verify_last(self) -> None:
        self.refuse_forged()
        _, signature = self._expected.popleft()
        self._settle(self._chain.chunk(_EMPTY_SHA256), signature)
        self.refuse_forged()

    def verify_trailers(self, trailers: Mapping[bytes, bytes], signature: bytes) -> None:
        self._settle(self._chain.trailer(trailers), signature)
        self.refuse_forged()

    def refuse_forged(self) -> None:
        if self.is_forged:
            raise S3Error(ErrorCode.SIGNATURE_DOES_NOT_MATCH)

    def _settle(self, expected: bytes, signature: bytes) -> None:
        self.is_forged = self.is_forged or not hmac.compare_digest(expected, signature)


class AwsChunkedBody:
    """The payload of an aws-chunked body, as a ``ByteStream``.

    The call that gives the last byte of the payload also receives what is behind it, to the end of ``stream``.

    Args:
        stream: the body as it arrives.
        mode: one of the streaming modes.
        decoded_length: x-amz-decoded-content-length.
        chain: what signed chunks are checked with; None leaves them unchecked, for a listener that checks nothing.
    """

    def __init__(
        self, stream: ByteStream, mode: PayloadMode, decoded_length: int, chain: SignatureChain | None
    ) -> None:
        self._stream = stream
        self._mode = mode
        self._chunks = _SignedChunks(chain) if chain is not None and mode.is_chunk_signed else None
        self._decoder = Decoder(mode, decoded_length, self._chunks.expect if self._chunks else _ignore)
        self._scratch = bytearray(_SCRATCH_BYTES)
        self._view = memoryview(self._scratch)
        self._start = 0  # what was received into the scratch and not decoded is at [start, stop)
        self._stop = 0
        self._is_ended = False

    async def receive_into(self, buffer: memoryview) -> int:
        """Fill the start of ``buffer`` with payload; 0 at its end.

        Raises:
            S3Error: what ``Decoder.feed`` raises, INCOMPLETE_BODY when ``stream`` ends early or goes on behind the
                body, SIGNATURE_DOES_NOT_MATCH when ``digest`` has met a forged chunk.
        """
        if self._chunks is not None:
            self._chunks.refuse_forged()
        decoder = self._decoder
        filled = self._decode_into(buffer)
        while not decoder.is_complete and not (filled and decoder.decoded_remaining):
            if decoder.payload_remaining:
                filled = await self._received(buffer[: decoder.payload_remaining])
                decoder.take(filled)
            else:
                await self._receive_framing()
                filled += self._decode_into(buffer[filled:])
        if decoder.is_complete:
            await self._expect_end()
        return filled

    def digest(self, data: memoryview) -> None:
        """Take the payload, in order, for the signatures of its chunks."""
        if self._chunks is not None:
            self._chunks.digest(data)

    def verify(self) -> dict[bytes, bytes]:
        """Check, after all of the payload was digested, that the body has ended and that its signatures are right.

        Returns:
            The trailers, by lower-case name, without their signature.

        Raises:
            S3Error: INCOMPLETE_BODY, SIGNATURE_DOES_NOT_MATCH.
        """
        if not self._is_ended:
            raise _broken("The request body terminated unexpectedly")
        trailers = dict(self._decoder.trailers)
        signature = trailers.pop(_TRAILER_SIGNATURE, b"") if self._mode.is_chunk_signed else b""
        if self._chunks is not None:
            self._chunks.verify_last()
            if self._mode.has_trailer:
                self._chunks.verify_trailers(trailers, signature)
        return trailers

    def _decode_into(self, buffer: memoryview) -> int:
        """Decode what is in the scratch, as far as ``buffer`` has room."""
        decoder = self._decoder
        filled = 0
        while self._start < self._stop:
            if not decoder.payload_remaining:
                self._start = decoder.feed(self._scratch, self._start, self._stop)
            count = min(decoder.payload_remaining, self._stop - self._start, len(buffer) - filled)
            if not count:
                break
            buffer[filled : filled + count] = self._view[self._start : self._start + count]
            self._start += count
            filled += count
            decoder.take(count)
        return filled

    async def _receive_framing(self) -> None:
        left = self._stop - self._start
        self._view[:left] = self._view[self._start : self._stop]
        self._start = 0
        self._stop = left
        self._stop += await self._received(self._view[left:])

    async def _received(self, buffer: memoryview) -> int:
        count = await self._stream.receive_into(buffer)
        if not count:
            raise _broken("The request body terminated unexpectedly")
        return count

    async def _expect_end(self) -> None:
        if not self._is_ended:
            if self._start < self._stop or await self._stream.receive_into(self._view):
                raise _broken("The body goes on behind its last chunk.")
            self._is_ended = True


def _ignore(_size: int, _signature: bytes) -> None:
    pass


def _broken(message: str) -> S3Error:
    return S3Error(ErrorCode.INCOMPLETE_BODY, message)
