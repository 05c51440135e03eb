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
from s3proxy.cache.direct import DirectBody
from s3proxy.cache.failures import CacheIOError
from s3proxy.cache.filling import Fill
from s3proxy.cache.plan import Run
from s3proxy.cache.source import Excerpt, Fetched, Source, size_of

INLINE_BYTES: Final = 32 * 1024
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
        "_block_start",
        "_block_stop",
        "_counted_bytes",
        "_counter",
        "_direct",
        "_fills",
        "_frontier",
        "_is_coalesced",
        "_is_hit",
        "_is_open",
        "_joined",
        "_pos",
        "_ready",
        "_source",
        "_stop",
        "_tail",
        "is_sequential",
        "length",
        "start",
        "store",
        "version",
    )

    def __init__(
        self, fills: Fills, version: ObjectVersion, source: Source, span: Run, *, is_sequential: bool, store: bool
    ) -> None:
        self.start, self._stop = span
        self._pos = self.start
        self.length = self._stop - self.start
        self._fills = fills
        self.version = version
        self._source = source
        self.is_sequential = is_sequential
        self.store = store
        self._ready = self._pos  # up to here the bytes are in _block and sound
        self._frontier = self._pos  # up to here they are there or on their way
        self._block: Block | None = None
        self._block_start = self._block_stop = 0  # of _block, in the object
        self._joined: list[Fill] = []
        self._tail: bytes | None = None  # given out instead of bytes of _block
        self._direct: Excerpt | DirectBody | None = None
        self._is_open = True
        self._is_hit = True
        self._is_coalesced = False  # with a fill that somebody else has begun
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
        while self._direct is None:
            if not self._find_ready():
                await self._wait(is_opening=False)
                if self._direct is not None:
                    break
            if self._frontier >= self._stop or self._frontier >= self._window_stop() or not self.store:
                return self._take()
            await self._look_ahead()  # meanwhile the blocks may have changed
        chunk = await anext(self._direct)
        self._pos += size_of(chunk)
        self._counted_bytes += size_of(chunk)
        return chunk

    async def begin(self) -> None:
        """Return when the first bytes are there or the source has agreed to give them.

        Raises:
            Exception: what the source raised.
        """
        if self._pos == self._stop:
            await self._wait_until_kept()
        elif self._direct is None and not self.is_at_hand():
            await self._wait(is_opening=True)

    def skip(self, count: int) -> None:
        """Count the first bytes as given out: the reader has them straight from the source."""
        self._is_hit = False
        self._pos = self._ready = self._frontier = self.start + count
        self._counted_bytes = count

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

    @property
    def closes_at_once(self) -> bool:
        """Unless a body of the source is to be closed."""
        return self._direct is None

    async def aclose(self) -> None:
        """Let go of blocks and fills; idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        self._let_go()
        self._count(Counter.STORE_BYTES)
        shared = self._fills.shelf.shared
        shared.add(Counter.HITS if self._is_hit else Counter.MISSES)
        if self._is_coalesced:
            shared.add(Counter.COALESCED_WAITS)
        self._stop = self._pos
        if self._direct is not None:
            await self._direct.aclose()

    # What is there

    def is_at_hand(self) -> bool:
        """Whether the next byte is in a block that is open; not whether it is sound."""
        block_id = self._fills.shelf.block_at(self.version, self._pos)
        block = self._fills.shelf.opened(block_id)
        if block is None:
            return False
        offset = self._pos - block_id.start
        if block.present_until(offset, offset + 1) == offset:
            return False
        self._hold(block, block_id)
        return True

    def _find_ready(self) -> bool:
        """Look for the next byte where that needs no waiting; if it is there and sound, it is given out at once."""
        self._tail = None
        if self._joined:
            self._leave_passed()
        held = self._block
        if held is not None and self._pos < self._block_stop and self._find_in(held, self._block_start):
            return True
        block_id = self._fills.shelf.block_at(self.version, self._pos)
        block = self._fills.shelf.opened(block_id)
        if block is not None and block is not held:
            self._hold(block, block_id)
            if self._find_in(block, block_id.start):
                return True
        return self._find_tail()

    def _find_tail(self) -> bool:
        """Look for what a fill of this process has of a unit that is not whole."""
        for fill in self._joined:
            self._tail = fill.tail_at(self._pos)
            if self._tail is not None:
                self._give(self._pos + len(self._tail), Counter.STORE_BYTES)
                return True
        return False

    def _find_in(self, block: Block, start: int) -> bool:
        """Look into a block that begins at ``start``."""
        offset = self._pos - start
        until = block.present_until(offset, min(self._stop, self._pos + PIECE_BYTES, self._block_stop) - start)
        if until == offset or self._fills.shelf.is_sound_now(block, offset, until) is not True:
            return False
        self._give(start + until, self._counter_of(block))
        return True

    def _hold(self, block: Block, block_id: BlockId) -> None:
        """Keep a block open for as long as bytes of it are given out."""
        if block is not self._block:
            if self._block is not None:
                self._block.release()
            self._block = block.share()
            self._block_start = block_id.start
            self._block_stop = block_id.stop
            self._fills.shelf.note_use(block_id, block)

    def _give(self, until: int, counter: Counter) -> None:
        """Give out the bytes of the held block up to ``until``."""
        if counter is not self._counter:
            self._count(counter)
        self._ready = min(until, self._stop)
        self._frontier = max(self._frontier, self._ready)

    def _counter_of(self, block: Block) -> Counter:
        """Whether what comes now was fetched for this reader, or was there."""
        is_fetched = bool(self._joined) and any(fill.start <= self._pos for fill in self._joined)
        if is_fetched:
            return Counter.STORE_BYTES
        return Counter.MEMORY_BYTES if block.is_in_memory else Counter.DISK_BYTES

    def _count(self, following: Counter) -> None:
        """Count what was given out so far, before what follows is counted differently."""
        if self._counted_bytes:
            self._fills.shelf.shared.add(self._counter, self._counted_bytes)
            self._counted_bytes = 0
        self._counter = following

    def _take(self) -> Chunk:
        if self._tail is not None:
            return self._take_tail(self._tail)
        block = self._block
        assert block is not None
        offset = block.data_offset + self._pos - self._block_start
        length = self._ready - self._pos
        self._pos = self._ready
        self._counted_bytes += length
        if length <= INLINE_BYTES and (data := self._fills.shelf.read_now(block, offset, length)) is not None:
            return data
        return FileSlice(block.fd, offset, length, block.is_in_memory)

    def _take_tail(self, tail: bytes) -> bytes:
        self._tail = None
        length = self._ready - self._pos
        self._pos = self._ready
        self._counted_bytes += length
        return tail[:length]

    # What is not

    async def _wait_until_kept(self) -> None:
        """Wait for a fill that brings what the reader has already: who has read a span finds it in the cache."""
        fill = self._fills.covering(self.version, self._stop - 1)
        if fill is not None:
            await fill.wait_for(self._stop - 1)

    async def _wait(self, *, is_opening: bool) -> None:
        """Wait until the next byte can be given out, here or straight from the source."""
        try:
            for _ in range(_MAX_TURNS):
                if await self._turn(is_opening=is_opening) or self._find_ready():
                    return
        except CacheIOError:
            pass  # counted where it happened
        await self._go_direct()

    async def _turn(self, *, is_opening: bool) -> bool:
        """Look into the tiers once and wait for one fill; whether that was enough."""
        fills = self._fills
        block_id = fills.shelf.block_at(self.version, self._pos)
        block = await fills.shelf.find(block_id)
        if block is not None and await self._is_sound(block, block_id):
            return True
        if not self.store:
            await self._go_direct()
            return True
        self._is_hit = False
        fill = await fills.obtain(self._demand(self._pos))
        if fill is None:
            self._is_coalesced = True
            await fills.wait_for_others(block_id, self._pos)
            return False
        self._join(fill)
        if is_opening:
            await fill.wait_until_accepted()
            return True
        piece = await fill.wait_for(self._pos)
        if piece is None:
            return False
        self._hold(piece.block, piece.block_id)
        self._give(min(fill.position, piece.stop), Counter.STORE_BYTES)
        return True

    async def _is_sound(self, block: Block, block_id: BlockId) -> bool:
        """Whether the next bytes are in a block and sound, waiting for the disk; an unsound block is dropped."""
        self._hold(block, block_id)
        offset = self._pos - block_id.start
        until = block.present_until(offset, min(self._stop, self._pos + PIECE_BYTES, block_id.stop) - block_id.start)
        if until == offset or not await self._fills.shelf.is_sound(block_id, block, offset, until):
            return False
        self._give(block_id.start + until, self._counter_of(block))
        return True

    def _window_stop(self) -> int:
        """Up to where bytes should be on their way: half a fetch ahead, so that the link does not idle between two."""
        return min(self._stop, self._pos + self._fills.fetch_bytes(self._pos - self.start) // 2)

    async def _look_ahead(self) -> None:
        """Have what follows fetched before it is needed."""
        limit = self._window_stop()
        while self._frontier < limit:
            self._frontier, fill = await self._fills.reach(self._demand(self._frontier))
            if fill is not None:
                self._join(fill)

    def _demand(self, start: int) -> Demand:
        return Demand(
            version=self.version,
            source=self._source,
            start=start,
            stop=self._stop,
            is_sequential=self.is_sequential,
            is_kept=self.is_sequential,
            most_bytes=self._fills.fetch_bytes(start - self.start),
        )

    def _join(self, fill: Fill) -> None:
        if fill not in self._joined:
            self._is_coalesced |= fill.is_joined
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
        self._direct = await self._fills.fetch(self._source, self._pos, self._stop)

    def _let_go(self) -> None:
        is_satisfied = self._pos >= self._stop
        while self._joined:
            self._joined.pop().leave(is_satisfied=is_satisfied)
        if self._block is not None:
            self._block.release()
            self._block = None
