"""What came along with the answer of a source goes out to the reader before there are blocks for it.

To look into the tiers, make blocks, claim them and begin the fill takes as long as a round trip in one machine room.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.cache.reading import CachedBody
from s3proxy.cache.source import close_body, close_chunks

EARLY_BYTES: Final = 32 * 1024
"""At most: they are copied, for the fill takes the chunk in which they are as well."""


class PeekedBody(Body):
    """A body whose first chunk is looked at before it is given out.

    Args:
        body: taken over.
    """

    __slots__ = ("_body", "_chunks", "_failure", "_first", "length")

    def __init__(self, body: Body) -> None:
        self.length = body.length
        self._body = body
        self._chunks = aiter(body)
        self._first: Chunk | None = None
        self._failure: Exception | None = None

    async def peek(self, offset: int, count: int) -> bytes:
        """A copy of what the first chunk has of ``count`` bytes from ``offset`` on, at most ``EARLY_BYTES``.

        Nothing when it has none of them, is of a file, or does not come: what broke it is raised to who iterates.
        """
        try:
            self._first = await anext(self._chunks)
        except StopAsyncIteration:
            return b""
        except Exception as error:  # whatever the store layer raises of a connection
            self._failure = error
            return b""
        if isinstance(self._first, FileSlice):
            return b""
        return bytes(self._first[offset : offset + min(count, EARLY_BYTES)])

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk, the one that was looked at too."""
        first, self._first = self._first, None
        if first is not None:
            return first
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return await anext(self._chunks)

    async def aclose(self) -> None:
        """Close the other body."""
        await close_chunks(self._chunks)
        await close_body(self._body)


class EarlyBody(Body):
    """Some bytes that are at hand, and then a body that is begun meanwhile, in a task.

    Args:
        first: goes out at once.
        rest: taken over; the first bytes count as given out.
        begin: begins ``rest``; what it raises, the reader gets after ``first``.
        nursery: where that runs.
    """

    __slots__ = ("_begin", "_failure", "_first", "_is_all", "_is_begun", "_is_closed", "_rest", "length")

    def __init__(
        self, first: bytes, rest: CachedBody, begin: Callable[[], Awaitable[None]], nursery: trio.Nursery
    ) -> None:
        rest.skip(len(first))
        self.length = rest.length
        self._first = first
        self._is_all = len(first) == rest.length
        self._rest = rest
        self._begin = begin
        self._is_begun = trio.Event()
        self._is_closed = False
        self._failure: Exception | None = None
        nursery.start_soon(self._begin_rest)

    async def _begin_rest(self) -> None:
        try:
            await self._begin()
        except Exception as error:  # whatever the source raised: it belongs to the reader
            self._failure = error
        finally:
            self._is_begun.set()
            if self._is_closed:
                await close_body(self._rest)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The bytes at hand, then the chunks of the rest.

        Raises:
            Exception: what ``begin`` or the rest raised.
        """
        first, self._first = self._first, b""
        if first:
            return first
        if self._is_all:
            raise StopAsyncIteration
        if not self._is_begun.is_set():
            await self._is_begun.wait()
        if self._failure is not None:
            raise self._failure
        return await anext(self._rest)

    @property
    def closes_at_once(self) -> bool:
        """Unless the rest is being begun."""
        return self._is_begun.is_set() and self._rest.closes_at_once

    async def aclose(self) -> None:
        """Close the rest as soon as it is begun; idempotent."""
        self._first = b""
        self._is_closed = True
        if not self._is_begun.is_set():
            await self._is_begun.wait()
        await self._rest.aclose()
