"""Cache policies, as simple as their papers have them: which names are kept within a capacity.

A name has a weight in bytes, which may grow while it is kept, for blocks are filled piece by piece. Nothing here knows
what is cached.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from heapq import heappop, heappush
from math import inf
from types import MappingProxyType
from typing import Final

from bench.replay.queues import Queue
from bench.replay.sketch import FrequencySketch


class Policy(ABC):
    """Keeps names whose weights add up to its capacity at most.

    Args:
        capacity: bytes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity: Final = capacity

    @property
    @abstractmethod
    def weight(self) -> int:
        """Of all that is kept, at most the capacity."""

    @abstractmethod
    def __contains__(self, name: int) -> bool:
        """Whether a name is kept."""

    @abstractmethod
    def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
        """Use a name, which weighs so much from now on; it may be kept afterwards or not.

        Args:
            name: what is used.
            weight: bytes.
            is_again: the use belongs to the one before it and says nothing new of how often the name is used.

        Returns:
            Whether it was kept until now.
        """


class Lru(Policy):
    """Evicts what was used least recently."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._queue = Queue()

    @property
    def weight(self) -> int:
        """See ``Policy``."""
        return self._queue.weight

    def __contains__(self, name: int) -> bool:
        return name in self._queue

    def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
        """See ``Policy``."""
        queue = self._queue
        was_kept = name in queue
        if was_kept:
            queue.reweigh(name, weight)
            if not is_again:
                queue.renew(name)
        elif weight <= self.capacity:
            queue.join(name, weight)
        while queue.weight > self.capacity:
            queue.leave_first()
        return was_kept


class S3Fifo(Policy):
    """Evicts soon what is not used again: a small queue for what is new, a main one for what proved itself, and ghosts.

    What leaves the small queue goes to the main one if it was used more than once in there; else only its name is
    remembered, and when it comes back meanwhile, it joins the main queue. What is first in the main queue begins anew
    as often as it was used, three times at most.

    Source: Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1.
    """

    SMALL: Final = 0.1
    """Of the capacity, for the small queue; the ghosts stand for as much as the main queue holds."""
    USES_TO_STAY: Final = 2
    MOST_USES: Final = 3
    """That are counted."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._small_size = int(capacity * self.SMALL)
        self._small, self._main, self._ghosts = Queue(), Queue(), Queue()
        self._uses: dict[int, int] = {}

    @property
    def weight(self) -> int:
        """See ``Policy``."""
        return self._small.weight + self._main.weight

    def __contains__(self, name: int) -> bool:
        return name in self._uses

    def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
        """See ``Policy``."""
        uses = self._uses.get(name)
        if uses is not None:
            (self._small if name in self._small else self._main).reweigh(name, weight)
            if not is_again:
                self._uses[name] = min(uses + 1, self.MOST_USES)
            self._make_room(0)
        elif weight <= self.capacity:
            self._make_room(weight)
            self._admit(name, weight)
        return uses is not None

    def _admit(self, name: int, weight: int) -> None:
        queue = self._small
        if name in self._ghosts:
            self._ghosts.leave(name)
            queue = self._main
        queue.join(name, weight)
        self._uses[name] = 0

    def _make_room(self, count: int) -> None:
        while self._uses and self.weight + count > self.capacity:
            if (self._small.weight >= self._small_size and self._small) or not self._main:
                self._leave_small()
            else:
                self._leave_main()

    def _leave_small(self) -> None:
        name, weight = self._small.leave_first()
        if self._uses[name] >= self.USES_TO_STAY:
            self._uses[name] = 0
            self._main.join(name, weight)
            return
        del self._uses[name]
        self._ghosts.join(name, weight)
        while self._ghosts.weight > self.capacity - self._small_size:
            self._ghosts.leave_first()

    def _leave_main(self) -> None:
        name, weight = self._main.leave_first()
        if self._uses[name]:
            self._uses[name] -= 1
            self._main.join(name, weight)
        else:
            del self._uses[name]


class WTinyLfu(Policy):
    """Admits what is used more often than what it would replace, after a short time in a window for what is new.

    The window is an LRU of 1 % of the capacity. What leaves it joins the main part, a segmented LRU of which 80 % are
    for what was used again, if there is room or the sketch says that it is used more often than the next to go there.

    Source: Einziger, Friedman and Manes, "TinyLFU: a highly efficient cache admission policy", ACM ToS 2017, section 4.

    Args:
        capacity: bytes.
        usual_weight: of a name, from which the size of the sketch is computed.
    """

    WINDOW: Final = 0.01
    PROTECTED: Final = 0.8

    def __init__(self, capacity: int, *, usual_weight: int = 1) -> None:
        super().__init__(capacity)
        self._window_size = max(int(capacity * self.WINDOW), min(usual_weight, capacity))
        self._main_size = capacity - self._window_size
        self._protected_size = int(self._main_size * self.PROTECTED)
        self._window, self._probation, self._protected = Queue(), Queue(), Queue()
        self._sketch = FrequencySketch(capacity // usual_weight)

    @property
    def weight(self) -> int:
        """See ``Policy``."""
        return self._window.weight + self._main_weight

    @property
    def _main_weight(self) -> int:
        return self._probation.weight + self._protected.weight

    def __contains__(self, name: int) -> bool:
        return name in self._window or name in self._protected or name in self._probation

    def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
        """See ``Policy``."""
        queue = next((each for each in (self._window, self._protected, self._probation) if name in each), None)
        if not is_again or queue is None:
            self._sketch.add(name)
        if queue is not None:
            queue.reweigh(name, weight)
            if not is_again:
                self._use(queue, name)
        elif weight <= self.capacity:
            self._window.join(name, weight)
        self._settle()
        return queue is not None

    def _use(self, queue: Queue, name: int) -> None:
        if queue is self._probation:
            self._protected.join(name, queue.leave(name))
        else:
            queue.renew(name)

    def _settle(self) -> None:
        while self._protected.weight > self._protected_size:
            self._probation.join(*self._protected.leave_first())
        while self._main_weight > self._main_size:  # for something in it has grown
            self._probation.leave_first()
        while self._window.weight > self._window_size:
            name, weight = self._window.leave_first()
            if self._make_room(name, weight):
                self._probation.join(name, weight)

    def _make_room(self, name: int, weight: int) -> bool:
        """Evict from the main part in favour of a name; whether it may join there."""
        if weight > self._main_size:
            return False
        frequency = self._sketch.estimate(name)
        while self._main_weight + weight > self._main_size:
            queue = self._probation or self._protected
            if frequency <= self._sketch.estimate(queue.first):
                return False
            queue.leave_first()
        return True


class Min(Policy):
    """Evicts what is used last from now on: for equal weights nothing can do better, for others little can.

    It knows the future, and so can be told nothing but the accesses that it was made for.

    Source: Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal, 1966; what
    comes in may be what goes, as in Mattson and others, 1970.

    Args:
        capacity: bytes.
        next_uses: for each access in turn, the number of the next one of the same name, or infinity; see
            ``next_uses_of``.
    """

    def __init__(self, capacity: int, next_uses: Sequence[float]) -> None:
        super().__init__(capacity)
        self._next_uses = next_uses
        self._now = 0
        self._weight = 0
        self._kept: dict[int, tuple[float, int]] = {}  # name -> next use, weight
        self._order: list[tuple[float, int]] = []  # a heap of (-next use, name); some are of the past

    @property
    def weight(self) -> int:
        """See ``Policy``."""
        return self._weight

    def __contains__(self, name: int) -> bool:
        return name in self._kept

    def access(self, name: int, weight: int, *, is_again: bool = False) -> bool:
        """See ``Policy``."""
        former = self._kept.get(name)
        next_use = self._next_uses[self._now]
        self._now += 1
        self._kept[name] = next_use, weight
        self._weight += weight - (former[1] if former else 0)
        heappush(self._order, (-next_use, name))
        while self._weight > self.capacity:
            self._evict()
        return former is not None

    def _evict(self) -> None:
        negated, name = heappop(self._order)
        kept = self._kept.get(name)
        if kept is not None and kept[0] == -negated:
            self._weight -= kept[1]
            del self._kept[name]


def next_uses_of(names: Sequence[int]) -> list[float]:
    """For each of a sequence of names, where it comes next, or infinity."""
    upcoming: dict[int, int] = {}
    found: list[float] = [inf] * len(names)
    for place in range(len(names) - 1, -1, -1):
        found[place] = upcoming.get(names[place], inf)
        upcoming[names[place]] = place
    return found


Maker = Callable[[int, int, Sequence[float]], Policy]

POLICIES: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        "lru": lambda capacity, _weight, _next_uses: Lru(capacity),
        "s3-fifo": lambda capacity, _weight, _next_uses: S3Fifo(capacity),
        "w-tinylfu": lambda capacity, weight, _next_uses: WTinyLfu(capacity, usual_weight=weight),
        "min": lambda capacity, _weight, next_uses: Min(capacity, next_uses),
    }
)
"""Name -> what makes one of a capacity, the usual weight of a name, and what the future brings."""
