"""Following what another process fills: one task for each block looks into its file and wakes the readers here.

The lock on a range of the block says that somebody is at work on it. Where the range can be locked and the bytes are
not there, the other died or gave up, and whoever waits here takes over. One that has the lock and does nothing, say
because it was stopped, keeps nobody here for ever: who has waited for ``STALL_SECONDS`` goes to the store, and so does
everybody at once who comes until there is progress again.
"""

import os
from typing import Final

import trio

from s3proxy.cache.block_file import Block
from s3proxy.cache.failures import CacheIOError

STALL_SECONDS: Final = 30.0
"""Without a unit more in the block. A fill may well be at the blocks before it for so long, where the link is slow."""

_POLL_SECONDS: Final = 0.001  # 1.4 ms of CPU for 70 polls
_MAX_POLL_SECONDS: Final = 0.005  # of a block that does not grow
_STALLED_POLL_SECONDS: Final = 0.25  # of one that nobody here waits for any more
_SLOWER: Final = 1.25
_IDLE_POLLS: Final = 8  # a reader that sends what it got is back by then


class _Watch:
    """The units of one block that somebody here waits for."""

    def __init__(self, block: Block) -> None:
        self._block = block.share()
        self._mtime_ns = 0
        self._moved_at = 0.0
        self.waiting: Final[dict[int, trio.lowlevel.ParkingLot]] = {}
        self.is_stalled = False
        """Whether nobody has written into the block for so long that waiting makes no sense."""

    @property
    def is_needed(self) -> bool:
        """Whether there is something to tell to those who come."""
        return self.is_stalled and self._block.is_claimed(0, self._block.length)

    def look(self) -> bool:
        """Wake who waits for a byte that is there or that nobody is fetching; say whether anybody was woken."""
        self._look_for_progress()
        done = [offset for offset, lot in self.waiting.items() if not lot or self._is_settled(offset)]
        for offset in done:
            self.waiting.pop(offset).unpark_all()
        return bool(done)

    def _look_for_progress(self) -> None:
        now = trio.current_time()
        mtime_ns = os.fstat(self._block.fd).st_mtime_ns
        if mtime_ns != self._mtime_ns:
            self._mtime_ns = mtime_ns
            self._moved_at = now
        self.is_stalled = now - self._moved_at >= STALL_SECONDS

    def _is_settled(self, offset: int) -> bool:
        if self.is_stalled:
            return True
        block = self._block
        return block.present_until(offset, offset + 1) > offset or not block.is_claimed(offset, offset + 1)

    def close(self) -> None:
        for lot in self.waiting.values():
            lot.unpark_all()
        self._block.release()


class Followers:
    """Everything that this process waits for while others fill it.

    Args:
        nursery: where the polling goes on.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._watches: dict[Block, _Watch] = {}

    async def wait(self, block: Block, offset: int) -> None:
        """Wait until a unit of a block is there or may be claimed, or nobody can tell.

        Args:
            block: open; shared meanwhile.
            offset: where the unit begins in the block.

        Raises:
            CacheIOError: who has claimed the unit does not get on with it.
        """
        watch = self._watches.get(block)
        if watch is None:
            watch = self._watches[block] = _Watch(block)
            self._nursery.start_soon(self._poll, block, watch)
        if not watch.is_stalled:
            lot = watch.waiting.get(offset)
            if lot is None:
                lot = watch.waiting[offset] = trio.lowlevel.ParkingLot()
            await lot.park()
        if watch.is_stalled:
            raise CacheIOError("whoever has claimed a part of a block does not fill it")

    async def _poll(self, block: Block, watch: _Watch) -> None:
        idle = 0
        delay = _POLL_SECONDS
        try:
            while idle < _IDLE_POLLS or watch.is_needed:
                idle = 0 if watch.waiting else idle + 1
                delay = _POLL_SECONDS if watch.look() else min(delay * _SLOWER, _MAX_POLL_SECONDS)
                await trio.sleep(_STALLED_POLL_SECONDS if watch.is_stalled else delay)
        finally:
            del self._watches[block]
            watch.close()
