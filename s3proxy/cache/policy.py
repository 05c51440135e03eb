"""In what order blocks are evicted: the one used least recently first, or as S3-FIFO has it.

What is known of a block is in the access time of its file, so that all workers see it and a restart forgets nothing.
Uses within some seconds (``block_file.TOUCH_SECONDS``) count as one. Pure, but for the ghosts of S3-FIFO.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from s3proxy.cache.ghosts import Ghosts

LIST_SECONDS: Final = 30.0
"""For which the order of a scan is used; what was used since is seen when its turn comes."""

_SECOND_NS: Final = 1_000_000_000
_MAIN: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A block file as a scan finds it."""

    name: str
    allocated: int
    """Bytes that it takes on the disk."""
    atime_ns: int
    """Its access time, of which the policy of the tier makes sense."""


class Standing(NamedTuple):
    """What an access time says of a block."""

    used_ns: int
    """When it was last used, to some seconds."""
    is_main: bool = False
    """Whether it has proved itself, and stands in the main queue of S3-FIFO."""
    uses: int = 0
    """Since it joined the queue in which it stands; LRU counts none."""


class Candidates(ABC):
    """Blocks in the order in which they are to go, as a scan has found them."""

    @property
    @abstractmethod
    def good_seconds(self) -> float:
        """For how long after the scan these may be used."""

    @abstractmethod
    def take(self, used_bytes: int) -> Entry | None:
        """The next one; None when there is no more.

        Args:
            used_bytes: what the tier holds now, with blocks that the scan has not seen.
        """

    @abstractmethod
    def renewed(self, entry: Entry, atime_ns: int) -> int | None:
        """Decide about one that was taken.

        Args:
            entry: the block.
            atime_ns: its access time now.

        Returns:
            The access time with which it stays; None when it is to go.
        """

    @abstractmethod
    def note_evicted(self, entry: Entry) -> None:
        """Take note that it went."""


class Policy(ABC):
    """In what order the blocks of one tier are evicted."""

    @abstractmethod
    def standing(self, atime_ns: int) -> Standing:
        """What an access time says."""

    @abstractmethod
    def joining(self, name: str, now_ns: int, before: Standing | None = None) -> int:
        """The access time of a block that comes into the tier now.

        Args:
            name: of the block.
            now_ns: nanoseconds since the epoch.
            before: what was said of it in the tier from which it is copied; None for one that is new.
        """

    @abstractmethod
    def after_use(self, atime_ns: int, now_ns: int) -> int:
        """The access time of a block that had ``atime_ns`` and is used now, later than that says."""

    @abstractmethod
    def candidates(self, entries: Iterable[Entry], size_bytes: int) -> Candidates:
        """All blocks of a tier of that size, in their order."""


class Lru(Policy):
    """The block that was used least recently goes first; access times say when that was."""

    def standing(self, atime_ns: int) -> Standing:
        """See ``Policy``."""
        return Standing(atime_ns)

    def joining(self, name: str, now_ns: int, before: Standing | None = None) -> int:
        """See ``Policy``."""
        return now_ns if before is None else before.used_ns

    def after_use(self, atime_ns: int, now_ns: int) -> int:
        """See ``Policy``."""
        return now_ns

    def candidates(self, entries: Iterable[Entry], size_bytes: int) -> Candidates:
        """See ``Policy``."""
        return _Oldest(entries)


LRU: Final = Lru()
"""The usual one."""


class _Oldest(Candidates):
    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = deque(sorted(entries, key=attrgetter("atime_ns")))

    @property
    def good_seconds(self) -> float:
        return LIST_SECONDS if self._entries else 0.0

    def take(self, used_bytes: int) -> Entry | None:
        return self._entries.popleft() if self._entries else None

    def renewed(self, entry: Entry, atime_ns: int) -> int | None:
        return atime_ns if atime_ns > entry.atime_ns else None

    def note_evicted(self, entry: Entry) -> None:
        pass


class S3Fifo(Policy):
    """What is new and not used twice goes soon, so that a scan leaves what is read again and again where it is.

    Blocks stand in two queues, by the time at which they joined. A small one is for what is new: from its head a block
    that was used at least twice there joins the main queue, and another one goes, but is remembered. If it comes back
    while it is, it joins the main queue at once. From the head of the main queue a block that was used joins it again,
    as often as it was used, three times at most, and another one goes.

    An access time is the second in which the block joined its queue and, in place of the fraction, from the right: two
    bits for the uses, one for the queue, and the seconds from then to the last use. What another policy has left there
    makes sense too, if not the right one: it is out of the way after one round of the queues.

    Source: Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1.

    Args:
        ghosts: what is remembered of blocks that went from the small queue, for as long as the main queue is.
    """

    SMALL_FRACTION: Final = 0.1
    """Of the tier, for the small queue."""
    USES_TO_STAY: Final = 2
    MOST_USES: Final = 3

    def __init__(self, ghosts: Ghosts) -> None:
        self._ghosts = ghosts

    def standing(self, atime_ns: int) -> Standing:
        """See ``Policy``."""
        joined, marks = divmod(atime_ns, _SECOND_NS)
        return Standing((joined + (marks >> 3)) * _SECOND_NS, bool(marks & _MAIN), marks & 3)

    def joining(self, name: str, now_ns: int, before: Standing | None = None) -> int:
        """See ``Policy``."""
        is_main = (before is not None and before.is_main) or self._ghosts.has(name)
        return _atime_of(now_ns // _SECOND_NS, is_main=is_main)

    def after_use(self, atime_ns: int, now_ns: int) -> int:
        """See ``Policy``."""
        standing = self.standing(atime_ns)
        uses = min(standing.uses + 1, self.MOST_USES)
        joined = atime_ns // _SECOND_NS
        return _atime_of(joined, is_main=standing.is_main, uses=uses, seconds=now_ns // _SECOND_NS - joined)

    def candidates(self, entries: Iterable[Entry], size_bytes: int) -> Candidates:
        """See ``Policy``."""
        return _Queues(self, entries, int(size_bytes * self.SMALL_FRACTION), self._ghosts.add)


_MOST_SECONDS: Final = (_SECOND_NS >> 3) - 1


def _atime_of(joined: int, *, is_main: bool, uses: int = 0, seconds: int = 0) -> int:
    return joined * _SECOND_NS + (min(seconds, _MOST_SECONDS) << 3 | is_main << 2 | uses)


def _is_main(entry: Entry) -> bool:
    return entry.atime_ns % _SECOND_NS & _MAIN != 0


class _Queues(Candidates):
    """The two queues of S3-FIFO; the small one also has what came after the scan, but cannot give it."""

    _LEAST_SECONDS: Final = 1.0  # between two scans, which take 0.3 s for 100,000 blocks

    def __init__(
        self, policy: S3Fifo, entries: Iterable[Entry], small_bytes: int, remember: Callable[[str, int], None]
    ) -> None:
        self._policy = policy
        self._remember = remember
        self._small_bytes = small_bytes
        self._small: deque[Entry] = deque()
        self._main: deque[Entry] = deque()
        for entry in sorted(entries, key=attrgetter("atime_ns")):
            (self._main if _is_main(entry) else self._small).append(entry)
        self._main_bytes = sum(entry.allocated for entry in self._main)

    @property
    def good_seconds(self) -> float:
        if self._small:
            return LIST_SECONDS
        return self._LEAST_SECONDS if self._main else 0.0

    def take(self, used_bytes: int) -> Entry | None:
        is_small_full = used_bytes - self._main_bytes >= self._small_bytes
        queue = self._small if self._small and (is_small_full or not self._main) else self._main
        return queue.popleft() if queue else None

    def renewed(self, entry: Entry, atime_ns: int) -> int | None:
        standing = self._policy.standing(atime_ns)
        if standing.is_main:
            if not standing.uses:
                return None
            uses = standing.uses - 1
        else:
            if standing.uses < self._policy.USES_TO_STAY:
                return None
            uses = 0
            self._main_bytes += entry.allocated
        # Behind all others, and used last when it was, so that nothing is told of a use that was none.
        joined = max(standing.used_ns, self._last_joined_ns()) // _SECOND_NS
        renewed = _atime_of(joined, is_main=True, uses=uses)
        self._main.append(Entry(entry.name, entry.allocated, renewed))
        return renewed

    def _last_joined_ns(self) -> int:
        return self._main[-1].atime_ns if self._main else 0

    def note_evicted(self, entry: Entry) -> None:
        if _is_main(entry):
            self._main_bytes -= entry.allocated
        else:
            self._remember(entry.name, entry.allocated)
