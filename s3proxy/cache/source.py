"""Where the bytes of an object version come from, and bodies of them that are not trusted to be of the right length."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import trio

from s3proxy.body import Body, BrokenBodyError, Chunk, FileSlice

CLOSE_SECONDS: Final = 5.0
"""For a body to free what it holds, though the task around it may be cancelled already."""


class BrokenSourceError(BrokenBodyError):
    """A source gave fewer or more bytes than it was asked for."""


class Source(Protocol):
    """The bytes of one object version, pinned: never those of another."""

    async def fetch(self, start: int, stop: int) -> Body:
        """Ask for exactly ``[start, stop)``.

        What it raises goes to whoever reads. It has deadlines and repeats what may be repeated; so has its body.

        Returns:
            A body, closed by the receiver, as soon as the source has agreed to give these bytes.
        """
        ...


def _tell_nobody() -> None:
    """Nobody waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A body of ``[start, stop)`` of a version that is open already."""

    start: int
    stop: int
    body: Body
    on_settled: Callable[[], None] = _tell_nobody
    """Called once, when these bytes are on their way into the cache or given up."""


async def fetch_exactly(source: Source, start: int, stop: int) -> Body:
    """Fetch a range and refuse a body that is announced with another length.

    Raises:
        BrokenSourceError: it is.
    """
    body = await source.fetch(start, stop)
    if body.length is not None and body.length != stop - start:
        announced = body.length
        await close_body(body)
        raise BrokenSourceError(f"{announced} bytes announced for a range of {stop - start}")
    return body


async def close_body(body: Body) -> None:
    """Close a body, also when the task around is cancelled."""
    with trio.CancelScope(deadline=trio.current_time() + CLOSE_SECONDS, shield=True):
        await body.aclose()


async def close_chunks(chunks: AsyncIterator[Chunk]) -> None:
    """End an iteration over a body: only who iterates over a generator can close it."""
    if isinstance(chunks, AsyncGenerator):
        with trio.CancelScope(deadline=trio.current_time() + CLOSE_SECONDS, shield=True):
            await chunks.aclose()


class Excerpt(Body):
    """Some bytes out of another body.

    Args:
        body: taken over.
        skip: how many bytes to leave out at its start.
        length: how many to give after that; what follows is not asked for.
    """

    __slots__ = ("_body", "_chunks", "_left", "_skip", "length")

    def __init__(self, body: Body, skip: int, length: int) -> None:
        self.length = length
        self._body = body
        self._chunks = aiter(body)
        self._skip = skip
        self._left = length

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk.

        Raises:
            BrokenSourceError: the other body ended before.
        """
        while self._left:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                raise BrokenSourceError(f"the source ended {self._left} bytes early") from None
            skipped = min(self._skip, size_of(chunk))
            taken = min(self._left, size_of(chunk) - skipped)
            self._skip -= skipped
            self._left -= taken
            if taken:
                return cut(chunk, skipped, skipped + taken)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the other body."""
        self._left = 0
        await close_chunks(self._chunks)
        await close_body(self._body)


def size_of(chunk: Chunk) -> int:
    """How many bytes a chunk stands for."""
    return chunk.length if isinstance(chunk, FileSlice) else len(chunk)


def cut(chunk: Chunk, start: int, stop: int) -> Chunk:
    """The bytes ``[start, stop)`` of a chunk, not copied."""
    if isinstance(chunk, FileSlice):
        return FileSlice(chunk.fd, chunk.offset + start, stop - start, chunk.is_resident)
    if stop - start == len(chunk):
        return chunk
    return memoryview(chunk)[start:stop]
