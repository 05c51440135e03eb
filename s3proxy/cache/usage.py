"""How much a tier holds, known to all workers without a lock and without looking at the disk.

Every worker adds up in words of its own what it allocated and removed, and what it has reserved, that is, may
allocate soon. From time to time somebody looks at the disk. What was allocated while it looked may then be counted
twice and what was removed may still be counted, so that the sum errs to the side on which the tier does not grow too
large.
"""

import threading
from typing import Final

from s3proxy.cache.shared import COLUMNS, SharedWords

MAX_TIERS: Final = 8

_COUNTED, _ALLOCATED, _REMOVED, _RESERVED = range(4)
_FIRST: Final = COLUMNS - 4 * MAX_TIERS


class TierUsage:
    """The bytes of one tier.

    What is reserved counts as used. A worker that dies leaves its reservations; whoever takes over its words clears
    them by making this object. Calls may come from any thread.

    Args:
        shared: words of the node.
        number: of the tier on this node, from 0.
        size_bytes: what it may hold.
    """

    def __init__(self, shared: SharedWords, number: int, size_bytes: int) -> None:
        if not 0 <= number < MAX_TIERS:
            raise ValueError(f"tier {number} of {MAX_TIERS}")
        self.size_bytes: Final = size_bytes
        self._shared = shared
        self._first = _FIRST + 4 * number
        self._lock = threading.Lock()
        shared.clear_own(self._first + _RESERVED)

    @property
    def is_counted(self) -> bool:
        """Whether anybody on the node has looked at the disk since it started."""
        return self._sum(_COUNTED) != 0

    def used_bytes(self) -> int:
        """What the tier holds and what is reserved of it, on all workers."""
        counted, allocated, removed, reserved = map(self._sum, (_COUNTED, _ALLOCATED, _REMOVED, _RESERVED))
        return max(counted + allocated - removed + reserved, 0)

    def reserve(self, count: int) -> bool:
        """Reserve ``count`` bytes if they fit in.

        Workers that do so at the same instant do not see each other's: so the tier may outgrow its size by
        one reservation of each.
        """
        with self._lock:
            if self.used_bytes() + count > self.size_bytes:
                return False
            self._add(_RESERVED, count)
            return True

    def unreserve(self, count: int) -> None:
        """Give back what was reserved and is not needed, or is allocated."""
        self._add(_RESERVED, -count)

    def allocated(self, count: int) -> None:
        """Tell that files grew by ``count`` bytes."""
        self._add(_ALLOCATED, count)

    def removed(self, count: int) -> None:
        """Tell that files of ``count`` bytes were removed."""
        self._add(_REMOVED, count)

    def removed_bytes(self) -> int:
        """What was told by ``removed``, on all workers; grows with every block that goes."""
        return self._sum(_REMOVED)

    def before_count(self) -> int:
        """Begin to look at the disk; what this gives is for ``after_count``."""
        return self._sum(_ALLOCATED)

    def after_count(self, begun: int, found: int) -> None:
        """Replace everything by what was found on the disk. One at a time on a node.

        Args:
            begun: what ``before_count`` gave.
            found: bytes that all files take.
        """
        self._add(_COUNTED, found - begun + self._sum(_REMOVED) - self._sum(_COUNTED))

    def _sum(self, column: int) -> int:
        return self._shared.column_sum(self._first + column)

    def _add(self, column: int, amount: int) -> None:
        self._shared.add_own(self._first + column, amount)
