"""What one store gives as what another takes in: a response's body as a request's, for copies from store to store."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.checksums import ChecksumClaim
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType
from s3proxy.s3.verified_body import Claims, VerifiedBody
from s3proxy.stores.base import StoreUnavailableError

_CLOSE_SECONDS: Final = 5.0


@asynccontextmanager
async def relayed(
    body: Body, *, known: Checksum | None, algorithm: ChecksumAlgorithm | None
) -> AsyncIterator[VerifiedBody]:
    """The body of a write, verified against what the source knows of its bytes.

    *Closes:* ``body``, at the end of the context.

    Args:
        body: of a known length.
        known: a checksum of these very bytes.
        algorithm: the checksum to compute; None for that of ``known``, or none.

    Raises:
        StoreUnavailableError: instead of what would tell the client that its body is wrong, for it has sent none.
    """
    claim = None
    if known is not None and known.type is ChecksumType.FULL_OBJECT and algorithm in {None, known.algorithm}:
        claim = ChecksumClaim(known.algorithm, known.value)
    stream = BodyStream(body)
    try:
        yield VerifiedBody(stream, Claims(length=body.length, checksum=claim), algorithm)
    except S3Error as error:
        if error.code in {ErrorCode.BAD_DIGEST, ErrorCode.INCOMPLETE_BODY}:
            raise StoreUnavailableError(f"the source of a copy is not what it should be: {error}") from error
        raise
    finally:
        with trio.CancelScope(deadline=trio.current_time() + _CLOSE_SECONDS, shield=True):
            await stream.aclose()
            await body.aclose()


class BodyStream:
    """The bytes of a body, received into the buffers where they are wanted.

    A body that breaks off is the fault of its store, not of the client who asked for the copy.
    """

    def __init__(self, body: Body) -> None:
        self._chunks = aiter(body)
        self._chunk: Chunk = b""

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like ``ByteStream.receive_into``.

        Raises:
            StoreUnavailableError: the source broke off.
        """
        if not _length_of(self._chunk):
            try:
                self._chunk = await anext(self._chunks, b"")
            except ConnectionLostError as error:
                raise StoreUnavailableError(f"the source of a copy broke off: {error}") from error
        chunk = self._chunk
        if isinstance(chunk, FileSlice):
            count = await trio.to_thread.run_sync(_read, chunk, buffer)
            self._chunk = FileSlice(chunk.fd, chunk.offset + count, chunk.length - count)
            return count
        count = min(len(chunk), len(buffer))
        buffer[:count] = chunk[:count]
        self._chunk = memoryview(chunk)[count:]
        return count

    async def aclose(self) -> None:
        """End the iteration over the body; the body itself is its owner's."""
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()


def _length_of(chunk: Chunk) -> int:
    return chunk.length if isinstance(chunk, FileSlice) else len(chunk)


def _read(piece: FileSlice, buffer: memoryview) -> int:
    count = os.preadv(piece.fd, [buffer[: piece.length]], piece.offset)
    if not count:
        raise StoreUnavailableError("the source of a copy became shorter meanwhile")
    return count
