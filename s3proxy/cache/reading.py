"""The body of a span: pieces of the blocks that are there, in order, waiting for those that are not.

A read whose bytes are there runs without waiting for anything. What is missing is demanded a window ahead of the
reader, never further, so that a slow reader does not pull a whole object into the cache. Where the cache fails, the
rest of the span comes straight from the source.
"""

from collections.abc import AsyncIterator
from typing import Final

from s3proxy.body import Body, Chunk, FileSlice
from s3proxy.cache.block_file import Block
from s3proxy.cache.blocks import BlockId, ObjectVersion
from s3proxy.cache.counters import Counter
from s3proxy.cache.demanding import Demand, Fills
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.filling import Fill
from s3proxy.cache.plan import Run
from s3proxy.cache.source import Excerpt, Fetched, Source, size_of

INLINE_BYTES: Final = 64 * 1024
"""Up to so many bytes are read here, to go out in one send with the head of the response; larger pieces are left to
sendfile."""

PIECE_BYTES: Final = 1024 * 1024
"""Given out at once at most, because that much is verified at once: 0.2 ms the first time that this process sees it."""

_MAX_TURNS: Final = 8  # of waiting for a byte that does not come, say because blocks vanish as soon as they are made


class CachedBody(Body):
    """The bytes of a span, from the blocks as far as they go.

    Args:
        fills: what fetches what is missing.
        version: of which object.
        source: of that version.
        span: ``(start, stop)``, not empty.
        is_sequential: whether the reader is likely to read on after the span.
        store: whether what is missing is to be kept; if not, the rest of the span comes from the source.
    """

    __slots__ = (
        "_block",
        "_counted_bytes",
        "_counter",
        "_data_shift",
        "_direct",
        "_fills",
        "_frontier",
        "_is_hit",
        "_is_open",
        "_is_sequential",
        "_joined",
        "_pos",
        "_ready",
        "_source",
        "_stop",
        "_version",
        "length",
        "store",
    )

    def __init__(
        self, fills: Fills, version: ObjectVersion, source: Source, span: Run, *, is_sequential: bool, store: bool
    ) -> None:
        self._pos, self._stop = span
        self.length = self._stop - self._pos
        self._fills = fills
        self._version = version
        self._source = source
        self._is_sequential = is_sequential
        self.store = store
        self._ready = self._pos  # up to here the bytes are in _block and sound
        self._frontier = self._pos  # up to here they are there or on their way
        self._block: Block | None = None
        self._data_shift = 0  # from the offset in the object to that in the file of _block
        self._joined: list[Fill] = []
        self._direct: Excerpt | None = None
        self._is_open = True
        self._is_hit = True
        self._counter = Counter.STORE_BYTES  # of what is given out now
        self._counted_bytes = 0

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        """The next piece of one block, or of the source.

        Raises:
            BrokenSourceError: the source gave too little or too much.
            Exception: what the source raised, after the fill gave up.
        """
        if self._pos >= self._stop:
            raise StopAsyncIteration
        if self._direct is None and not self.find_ready():
            await self._wait(is_opening=False)
        if self._direct is not None:
            chunk = await anext(self._direct)
            self._pos += size_of(chunk)
            self._counted_bytes += size_of(chunk)
            return chunk
        if self._frontier < self._stop and self.store:
            await self._look_ahead()
        return self._take()

    async def begin(self) -> None:
        """Return when the first bytes are there or the source has agreed to give them.

        Raises:
            Exception: what the source raised.
        """
        if self._direct is None and not self.find_ready():
            await self._wait(is_opening=True)

    def take(self, fetched: Fetched) -> bool:
        """Give out a body that is open already, past the cache; whether it has the whole span and is taken over."""
        if not fetched.start <= self._pos < self._stop <= fetched.stop:
            return False
        self._is_hit = False
        self._direct = Excerpt(fetched.body, self._pos - fetched.start, self._stop - self._pos)
        return True

    @property
    def is_direct(self) -> bool:
        """Whether the rest comes straight from the source."""
        return self._direct is not None

    async def aclose(self) -> None:
        """Let go of blocks and fills; idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._let_go()
        self._count(Counter.STORE_BYTES)
        self._fills.shelf.shared.add(Counter.HITS if self._is_hit else Counter.MISSES)
        self._stop = self._pos
        if self._direct is not None:
            await self._direct.aclose()

    # What is there

    def find_ready(self) -> bool:
        """Look for the next byte where that needs no waiting; whether it can be given out."""
        if self._ready > self._pos:
            return True
        if self._joined and self._follow():
            return True
        shelf = self._fills.shelf
        block_id = shelf.block_at(self._version, self._pos)
        block = shelf.opened(block_id)
        if block is None:
            return False
        start = block_id.start
        until = block.present_until(self._pos - start, min(self._stop, self._pos + PIECE_BYTES, block_id.stop) - start)
        if start + until == self._pos or shelf.is_sound_now(block, self._pos - start, until) is not True:
            return False
        self._use(block, block_id, start + until, self._counter_of(block))
        return True

    def _follow(self) -> bool:
        """Take what a fill of this process has written since, be it less than a unit."""
        self._leave_passed()
        for fill in self._joined:
            piece = fill.piece_at(self._pos)
            if piece is not None:
                self._use(piece.block, piece.block_id, min(fill.position, piece.stop), Counter.STORE_BYTES)
                return True
        return False

    def _use(self, block: Block, block_id: BlockId, until: int, counter: Counter) -> None:
        """Give out the bytes of a block up to ``until``."""
        if counter is not self._counter:
            self._count(counter)
        if block is not self._block:
            if self._block is not None:
                self._block.release()
            self._block = block.share()
            self._data_shift = block.data_offset - block_id.start
            self._fills.shelf.note_use(block_id, block)
        self._ready = min(until, self._stop)
        self._frontier = max(self._frontier, self._ready)

    def _counter_of(self, block: Block) -> Counter:
        """Whether what comes now was fetched for this reader, or was there."""
        is_fetched = any(fill.start <= self._pos for fill in self._joined)
        return Counter.STORE_BYTES if is_fetched else self._fills.shelf.counter_of(block)

    def _count(self, following: Counter) -> None:
        """Count what was given out so far, before what follows is counted differently."""
        if self._counted_bytes:
            self._fills.shelf.shared.add(self._counter, self._counted_bytes)
            self._counted_bytes = 0
        self._counter = following

    def _take(self) -> Chunk:
        block = self._block
        assert block is not None
        offset = self._pos + self._data_shift
        length = self._ready - self._pos
        self._pos = self._ready
        self._counted_bytes += length
        if length <= INLINE_BYTES and (data := self._fills.shelf.read_now(block, offset, length)) is not None:
            return data
        return FileSlice(block.fd, offset, length)

    # What is not

    async def _wait(self, *, is_opening: bool) -> None:
        """Wait until the next byte can be given out, here or straight from the source."""
        try:
            for _ in range(_MAX_TURNS):
                if await self._turn(is_opening=is_opening) or self.find_ready():
                    return
        except CacheIOError:
            pass  # counted where it happened
        await self._go_direct()

    async def _turn(self, *, is_opening: bool) -> bool:
        """Look into the tiers once and wait for one fill; whether that was enough."""
        fills = self._fills
        block_id = fills.shelf.block_at(self._version, self._pos)
        block = await fills.shelf.find(block_id)
        if block is not None and await self._use_if_sound(block, block_id):
            return True
        if not self.store:
            await self._go_direct()
            return True
        self._is_hit = False
        fill = await fills.obtain(self._demand(self._pos))
        if fill is None:
            await fills.wait_for_others(block_id, self._pos)
            return False
        self._join(fill)
        if is_opening:
            await fill.wait_until_accepted()
            return True
        await fill.wait_for(self._pos)
        return False

    async def _use_if_sound(self, block: Block, block_id: BlockId) -> bool:
        start = block_id.start
        offset = self._pos - start
        until = block.present_until(offset, min(self._stop, self._pos + PIECE_BYTES, block_id.stop) - start)
        if until == offset:
            return False
        shelf = self._fills.shelf
        block.share()
        try:
            if not await shelf.is_sound(block_id, block, offset, until):
                return False
            self._use(block, block_id, start + until, self._counter_of(block))
            return True
        finally:
            block.release()

    async def _look_ahead(self) -> None:
        """Have what follows fetched before it is needed."""
        limit = min(self._stop, self._pos + self._fills.window_bytes)
        while self._frontier < limit:
            self._frontier, fill = await self._fills.reach(self._demand(self._frontier))
            if fill is not None:
                self._join(fill)

    def _demand(self, start: int) -> Demand:
        return Demand(
            version=self._version,
            source=self._source,
            start=start,
            stop=self._stop,
            is_sequential=self._is_sequential,
            is_kept=self._is_sequential,
        )

    def _join(self, fill: Fill) -> None:
        if fill not in self._joined:
            fill.join()
            self._joined.append(fill)
        self._frontier = max(self._frontier, min(fill.stop, self._stop))

    def _leave_passed(self) -> None:
        for fill in [fill for fill in self._joined if fill.stop <= self._pos]:
            self._joined.remove(fill)
            fill.leave(is_satisfied=True)

    async def _go_direct(self) -> None:
        self._let_go()
        self._is_hit = False
        self._count(Counter.STORE_BYTES)
        body = await self._fills.fetch(self._source, self._pos, self._stop)
        self._direct = Excerpt(body, 0, self._stop - self._pos)

    def _let_go(self) -> None:
        is_satisfied = self._pos >= self._stop
        while self._joined:
            self._joined.pop().leave(is_satisfied=is_satisfied)
        if self._block is not None:
            self._block.release()
            self._block = None
