"""A link with a delay each way and a rate: chunks wait in line with the time at which they are due at the far end.

The delay limits no throughput, because a whole window of chunks is under way at once. All connections share the rate of
a direction, as they would share a cable.
"""

from collections import deque
from dataclasses import dataclass

import trio

_WINDOW = 4 * 2**20  # bytes under way in one direction of one connection: 250 MB/s for 16 ms
_BACKLOG_SECONDS = 0.004  # what may wait for the rate: enough to outlast the timer's granularity
_EARLY_SECONDS = 0.0005  # epoll rounds up to whole milliseconds: being half of one early is right on average


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a link is like. The default is no link at all: chunks are passed on at once."""

    delay_seconds: float = 0.0
    """Each way."""
    bytes_per_second: float | None = None
    """Each way, of all connections together."""


class Lane:
    """One direction of the link, which all connections share."""

    def __init__(self, shape: Shape) -> None:
        self.is_plain = shape == Shape()
        self._delay = shape.delay_seconds
        self._seconds_per_byte = 1 / shape.bytes_per_second if shape.bytes_per_second else 0.0
        self._free_at = 0.0
        self._turn = trio.Lock()

    async def admit(self, count: int) -> float:
        """Wait until so many bytes may enter, and say when they are due at the other end."""
        async with self._turn:
            if (wait := self._free_at - trio.current_time() - _BACKLOG_SECONDS) > 0:
                await trio.sleep(wait)
            self._free_at = max(self._free_at, trio.current_time()) + count * self._seconds_per_byte
            return self._free_at + self._delay


class Wire:
    """One direction of one connection: what is put in at this end is sent into ``sink`` when it is due.

    ``run`` must be running, except on a plain lane, where ``carry`` sends by itself.
    """

    def __init__(self, lane: Lane, sink: trio.SocketStream) -> None:
        self._lane = lane
        self._sink = sink
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._changed = trio.lowlevel.ParkingLot()

    async def carry(self, data: bytes) -> None:
        """Put a chunk in; waits while the window is full. Raises trio.BrokenResourceError when the peer is gone."""
        if self._lane.is_plain:
            await self._sink.send_all(data)
            return
        while self._bytes >= _WINDOW:
            await self._changed.park()
        self._bytes += len(data)
        self._under_way.append((await self._lane.admit(len(data)), data))
        self._changed.unpark_all()

    async def drain(self) -> None:
        """Wait until everything was sent."""
        while self._bytes:
            await self._changed.park()

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            while not self._under_way:
                await self._changed.park()
            due, data = self._under_way.popleft()
            if (wait := due - trio.current_time() - _EARLY_SECONDS) > 0:
                await trio.sleep(wait)
            await self._sink.send_all(data)
            self._bytes -= len(data)
            self._changed.unpark_all()
