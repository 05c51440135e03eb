"""Following what another process fills: one task for each block looks into its file and wakes the readers here.

The lock on a range of the block says that somebody is at work on it. Where the range can be locked and the bytes are
not there, the other died or gave up, and whoever waits here takes over.
"""

from typing import Final

import trio

from s3proxy.cache.block_file import Block

_POLL_SECONDS: Final = 0.001  # 1.4 ms of CPU for 70 polls
_MAX_POLL_SECONDS: Final = 0.005  # of a block that does not grow
_SLOWER: Final = 1.25
_IDLE_POLLS: Final = 8  # a reader that sends what it got is back by then


class _Watch:
    """The units of one block that somebody here waits for."""

    def __init__(self, block: Block) -> None:
        self._block = block.share()
        self.waiting: Final[dict[int, trio.lowlevel.ParkingLot]] = {}

    def look(self) -> bool:
        """Wake who waits for a byte that is there or that nobody is fetching; say whether anybody was woken."""
        done = [offset for offset, lot in self.waiting.items() if not lot or self._is_settled(offset)]
        for offset in done:
            self.waiting.pop(offset).unpark_all()
        return bool(done)

    def _is_settled(self, offset: int) -> bool:
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
        self._watches: dict[str, _Watch] = {}

    async def wait(self, block: Block, name: str, offset: int) -> None:
        """Wait until a unit of a block is there or may be claimed, or nobody can tell.

        Args:
            block: open; shared meanwhile.
            name: of the block.
            offset: where the unit begins in the block.
        """
        watch = self._watches.get(name)
        if watch is None:
            watch = self._watches[name] = _Watch(block)
            self._nursery.start_soon(self._poll, name, watch)
        lot = watch.waiting.get(offset)
        if lot is None:
            lot = watch.waiting[offset] = trio.lowlevel.ParkingLot()
        await lot.park()

    async def _poll(self, name: str, watch: _Watch) -> None:
        idle = 0
        delay = _POLL_SECONDS
        try:
            while idle < _IDLE_POLLS:
                idle = 0 if watch.waiting else idle + 1
                delay = _POLL_SECONDS if watch.look() else min(delay * _SLOWER, _MAX_POLL_SECONDS)
                await trio.sleep(delay)
        finally:
            del self._watches[name]
            watch.close()
