"""The objects that are asked for most, counted in bounded memory.

Space-Saving (Metwally, Agrawal, El Abbadi, 2005), with many counters given up at once instead of one at a time: a new
object begins at what the given-up ones had at most. What is told leaves that doubt out, and so is never too much.
"""

import heapq
from collections.abc import Callable
from typing import Final, TypedDict

_CAPACITY: Final = 512
"""An object with more than one in so many of the requests is always found."""

_WINDOW_SECONDS: Final = 1800.0

_Cells = dict[str, list[int]]  # by resource: requests with doubt, bytes, doubt


class BusyObject(TypedDict):
    """An object and how much it was asked for."""

    bucket: str
    key: str
    requests: int
    bytes: int


class BusiestObjects:
    """Counts requests by resource, of the last half hour to hour.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._cells: _Cells = {}
        self._doubt = 0
        self._earlier: _Cells = {}

    def count(self, resource: str, sent: int) -> None:
        """Count a request for ``/bucket/key`` whose answer had so many bytes."""
        cell = self._cells.get(resource)
        if cell is None:
            if len(self._cells) >= 2 * _CAPACITY:
                self._give_up_half()
            cell = self._cells[resource] = [self._doubt, 0, self._doubt]
        cell[0] += 1
        cell[1] += sent

    def top(self, count: int) -> list[BusyObject]:
        """The busiest objects, at most so many, the busiest first."""
        self._turn()
        sums: dict[str, tuple[int, int]] = {}
        for cells in (self._cells, self._earlier):
            for resource, (requests, sent, doubt) in cells.items():
                known = sums.get(resource, (0, 0))
                sums[resource] = (known[0] + requests - doubt, known[1] + sent)
        objects = ((*numbers, resource) for resource, numbers in sums.items() if split_resource(resource)[1])
        busiest = heapq.nlargest(count, objects)
        return [_busy_object(resource, requests, sent) for requests, sent, resource in busiest]

    def _turn(self) -> None:
        if self._clock() - self._begun >= _WINDOW_SECONDS:
            self._begun = self._clock()
            self._earlier, self._cells, self._doubt = self._cells, {}, 0

    def _give_up_half(self) -> None:
        ranked = sorted(self._cells.items(), key=lambda item: item[1][0], reverse=True)
        self._doubt = ranked[_CAPACITY][1][0]
        self._cells = dict(ranked[:_CAPACITY])


def split_resource(resource: str) -> tuple[str, str]:
    """Bucket and key of ``/bucket/key``; either may be empty."""
    bucket, _, key = resource[1:].partition("/")
    return bucket, key


def _busy_object(resource: str, requests: int, sent: int) -> BusyObject:
    bucket, key = split_resource(resource)
    return BusyObject(bucket=bucket, key=key, requests=requests, bytes=sent)
