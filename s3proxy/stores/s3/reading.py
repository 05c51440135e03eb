"""An object of the store, opened: one request where that will do, pinned to one version where it takes more."""

from collections.abc import AsyncIterator
from typing import ClassVar

from s3proxy.body import Body, Chunk, Origin
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.client import objects
from s3proxy.s3.client.objects import Arriving
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, ByteRange, Key, ObjectInfo
from s3proxy.stores.base import ObjectChangedError, OpenObject, StoreUnavailableError
from s3proxy.stores.receiving import LargeBuffers
from s3proxy.stores.s3.exchange import Exchange, OpenAnswer

_GRANULE = 64 * 1024

# What a store says of a version that was there a moment ago. A range of it can only be beyond the end of another.
_CHANGED = frozenset({
    ErrorCode.INVALID_RANGE,
    ErrorCode.NO_SUCH_BUCKET,
    ErrorCode.NO_SUCH_KEY,
    ErrorCode.PRECONDITION_FAILED,
})  # fmt: skip


class S3Object(OpenObject):
    """One version of an object, of which a span may be on its way already.

    Args:
        exchange: with the store.
        bucket: of the object.
        key: of the object.
        info: the version.
        arriving: the answer that brings a span, and which; None when the object was only looked at.
        large: buffers for fast bodies.
    """

    def __init__(
        self,
        exchange: Exchange,
        bucket: Bucket,
        key: Key,
        info: ObjectInfo,
        arriving: tuple[ByteRange, OpenAnswer] | None = None,
        *,
        large: LargeBuffers,
    ) -> None:
        self.info = info
        self._exchange = exchange
        self._bucket = bucket
        self._key = key
        self._arriving = arriving
        self._large = large

    async def read(self, span: ByteRange) -> Body:
        """The span: what is on its way where it is that, or another request."""
        if not span.length:
            return NoBytes()
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            if arriving[0] == span:
                return S3Body(arriving[1], span.length, self._large)
            await arriving[1].aclose()
        return S3Body(await self._ask_again(span), span.length, self._large)

    async def aclose(self) -> None:
        """Close what was on its way and not asked for."""
        arriving, self._arriving = self._arriving, None
        if arriving is not None:
            await arriving[1].aclose()

    async def _ask_again(self, span: ByteRange) -> OpenAnswer:
        asked = f"bytes={span.start}-{span.stop - 1}"
        request = objects.get_object(self._bucket, self._key, span=asked, if_match=self.info.etag or None)

        def parse(answer: OpenAnswer) -> Arriving:
            return objects.parse_get(answer.status, answer.headers, answer.length, asked)

        try:
            arriving, answer = await self._exchange.open(request, parse)
        except S3Error as error:
            if error.code in _CHANGED:
                raise ObjectChangedError from error
            raise
        if not _is_same(arriving.info, self.info):  # a store that ignores If-Match, or gives no ETags
            await answer.aclose()
            raise ObjectChangedError
        return answer


def _is_same(one: ObjectInfo, other: ObjectInfo) -> bool:
    return (one.etag, one.size, one.last_modified_ns) == (other.etag, other.size, other.last_modified_ns)


class S3Body(Body):
    """Bytes as they come from the store, in one buffer that is used again for each chunk.

    A store that fills the buffer at once gets a large one: 1 GiB into the cache takes 1.1 to 1.3 s of CPU with buffers
    of 1 MiB and 1.4 to 2.0 s with those of 256 KiB. From then on chunks that are not small end at multiples of 64 KiB,
    and what is over goes with the next one: who writes them to a file writes whole units (``cache/block_layout.py``).

    Args:
        answer: whose body it is, taken over.
        length: of the body.
        large: where large buffers come from.
    """

    origin: ClassVar[Origin | None] = "store"

    def __init__(self, answer: OpenAnswer, length: int, large: LargeBuffers) -> None:
        self.length = length
        self._answer = answer
        self._large = large
        self._buffer: memoryview | None = None
        self._taken: memoryview | None = None
        self._given = 0
        self._over = memoryview(b"")  # of the buffer, received and not given out yet

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if self._buffer is None:
            self._buffer = memoryview(bytearray(min(self.length or 0, _GRANULE)))
        buffer, over = self._buffer, len(self._over)
        buffer[:over] = self._over
        try:
            received = await self._answer.receive_into(buffer[over:])
        except ConnectionLostError as error:  # which would be taken for the client's
            raise StoreUnavailableError(f"the store broke off: {error}") from error
        stop = over + received
        if not stop:
            raise StopAsyncIteration
        if received < 2 * _GRANULE:
            self._over = memoryview(b"")
        else:
            whole = stop - (self._given + stop) % _GRANULE
            self._over = buffer[whole:stop]
            stop = whole
        if received == _GRANULE and self._taken is None:
            self._taken = self._large.take()
            self._buffer = self._taken or self._buffer
        self._given += stop
        return buffer[:stop]

    async def aclose(self) -> None:
        """Close the answer."""
        if self._taken is not None:
            self._large.give_back(self._taken)
            self._taken = None
            self._buffer = self._over = memoryview(b"")
        await self._answer.aclose()


class NoBytes(Body):
    """The empty span of any object."""

    length: int | None = 0

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""
