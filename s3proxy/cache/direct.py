"""Reads past the cache, where it failed, is full or is to keep nothing.

A source lets only so many requests through at once, fills and these alike, and clients take turns. So one of these asks
for no more at once than a fill does: a long one, or one of a slow client, passes its turn on after each piece.
"""

from collections.abc import AsyncIterator

from s3proxy.body import Body, Chunk
from s3proxy.cache.counters import Counter
from s3proxy.cache.plan import Run
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.source import Excerpt, Source, fetch_exactly, size_of


class DirectBody(Body):
    """The bytes of a span straight from a source, asked for piece by piece.

    Args:
        source: of the version.
        span: ``(start, stop)``, not empty.
        piece_bytes: asked for at once, at most.
        shared: words of the node, where requests are counted.
    """

    __slots__ = ("_piece", "_piece_bytes", "_pos", "_shared", "_source", "_stop", "length")

    def __init__(self, source: Source, span: Run, *, piece_bytes: int, shared: SharedWords) -> None:
        self._pos, self._stop = span
        self.length = self._stop - self._pos
        self._source = source
        self._piece_bytes = piece_bytes
        self._shared = shared
        self._piece: Excerpt | None = None

    async def begin(self) -> None:
        """Return when the source has agreed to give the first bytes.

        Raises:
            Exception: what the source raised.
        """
        stop = min(self._pos + self._piece_bytes, self._stop)
        self._shared.add(Counter.STORE_REQUESTS)
        self._piece = Excerpt(await fetch_exactly(self._source, self._pos, stop), 0, stop - self._pos)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The next chunk.

        Raises:
            BrokenSourceError: the source gave too little.
            Exception: what the source raised.
        """
        while self._pos < self._stop:
            if self._piece is None:
                await self.begin()
            assert self._piece is not None
            try:
                chunk = await anext(self._piece)
            except StopAsyncIteration:
                await self._close_piece()
                continue
            self._pos += size_of(chunk)
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close what was asked for last."""
        self._stop = self._pos
        await self._close_piece()

    async def _close_piece(self) -> None:
        piece, self._piece = self._piece, None
        if piece is not None:
            await piece.aclose()
