"""Bodies of requests made by hand, and the bytes of bodies that a store gives."""

import os
from collections.abc import Awaitable, Callable
from itertools import cycle

from s3proxy.body import Body, FileSlice
from s3proxy.s3.model import ByteRange, ChecksumAlgorithm
from s3proxy.s3.verified_body import Claims, VerifiedBody
from s3proxy.stores.base import OpenObject

Step = Callable[[], Awaitable[None]]


class Arriving:
    """A stream that arrives in pieces of the given sizes, over and over; ``before_end`` happens before its end."""

    def __init__(self, data: bytes, sizes: tuple[int, ...] = (1 << 20,), before_end: Step | None = None) -> None:
        self._left = memoryview(data)
        self._sizes = cycle(sizes)
        self._before_end = before_end

    async def receive_into(self, buffer: memoryview) -> int:
        assert len(buffer) > 0
        count = min(next(self._sizes), len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        if not self._left and self._before_end is not None:
            step, self._before_end = self._before_end, None
            await step()
        return count


def body_of(
    data: bytes,
    *,
    algorithm: ChecksumAlgorithm | None = None,
    md5: bytes | None = None,
    is_announced: bool = True,
    before_end: Step | None = None,
) -> VerifiedBody:
    """A request body of ``data``; unless ``is_announced`` the client does not say its length."""
    claims = Claims(length=len(data) if is_announced else None, md5=md5)
    return VerifiedBody(Arriving(data, before_end=before_end), claims, algorithm)


def short_body_of(data: bytes, announced: int) -> VerifiedBody:
    """A body that ends before the announced length."""
    return VerifiedBody(Arriving(data), Claims(length=announced))


async def bytes_of(body: Body) -> bytes:
    """Everything that ``body`` gives; closes it."""
    received = bytearray()
    async with body:
        async for chunk in body:
            received += os.pread(chunk.fd, chunk.length, chunk.offset) if isinstance(chunk, FileSlice) else chunk
    assert body.length in {None, len(received)}
    return bytes(received)


async def content_of(opened: OpenObject) -> bytes:
    """All bytes of an object; closes it."""
    data = await bytes_of(await opened.read(ByteRange(0, opened.info.size)))
    await opened.aclose()
    return data
