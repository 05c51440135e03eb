"""Bounds on how fast bodies are sent: of all connections together, and of each one."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextvars import ContextVar
from typing import Final

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.http1.messages import Response
from s3proxy.pacing import Pace

_PIECES_PER_SECOND: Final = 10
_LEAST_BYTES: Final = 4 * 1024
_MOST_BYTES: Final = 1024 * 1024  # what a transport hands to the kernel at once

# A connection is one task, which answers its requests one after the other.
_connection_pace: ContextVar[Pace | None] = ContextVar("connection_pace", default=None)


class Pacing:
    """Bounds for a process, of which at least one is set.

    Args:
        bytes_per_second: of all responses of this process together; None for no bound.
        connection_bytes_per_second: of the responses on one connection; None for no bound.
    """

    def __init__(self, *, bytes_per_second: float | None, connection_bytes_per_second: float | None) -> None:
        rates = [rate for rate in (bytes_per_second, connection_bytes_per_second) if rate is not None]
        self._piece_bytes = max(_LEAST_BYTES, min(_MOST_BYTES, int(min(rates) / _PIECES_PER_SECOND)))
        self._process_pace = Pace(bytes_per_second)
        self._connection_rate = connection_bytes_per_second

    def slow_down(self, response: Response) -> None:
        """Let the body of ``response`` go out no faster than the bounds; called by the task of its connection."""
        if isinstance(response.body, Body):
            paces = (self._pace_of_connection(), self._process_pace)
            response.body = PacedBody(response.body, paces, self._piece_bytes)

    def _pace_of_connection(self) -> Pace:
        pace = _connection_pace.get()
        if pace is None:
            pace = Pace(self._connection_rate)
            _connection_pace.set(pace)
        return pace


class PacedBody(Body):
    """Another body in small pieces, each of which waits for its time.

    Args:
        body: taken over.
        paces: all of them are kept to.
        piece_bytes: the largest piece.
    """

    __slots__ = ("_body", "_chunk", "_chunks", "_paces", "_piece_bytes", "length")

    def __init__(self, body: Body, paces: Sequence[Pace], piece_bytes: int) -> None:
        self.length = body.length
        self._body = body
        self._chunks = aiter(body)
        self._chunk: Chunk = b""
        self._paces = paces
        self._piece_bytes = piece_bytes

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The next piece, when its time has come."""
        chunk = self._chunk or await anext(self._chunks)
        piece, self._chunk = _split(chunk, self._piece_bytes)
        for pace in self._paces:
            await pace.wait_for(_length_of(piece))
        return piece

    async def aclose(self) -> None:
        """Close the other body."""
        if isinstance(self._chunks, AsyncGenerator):
            await self._chunks.aclose()
        await self._body.aclose()


def _split(chunk: Chunk, count: int) -> tuple[Chunk, Chunk]:
    """The first ``count`` bytes and the rest, which is b"" when there is none."""
    length = _length_of(chunk)
    if length <= count:
        return chunk, b""
    if isinstance(chunk, FileSlice):
        rest = FileSlice(chunk.fd, chunk.offset + count, length - count, chunk.is_resident)
        return FileSlice(chunk.fd, chunk.offset, count, chunk.is_resident), rest
    view = memoryview(chunk)
    return view[:count], view[count:]


def _length_of(chunk: Chunk) -> int:
    return chunk.length if isinstance(chunk, FileSlice) else len(chunk)
