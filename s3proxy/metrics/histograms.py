"""Durations in buckets, each twice as wide as the one before: from 0.25 ms to 65 s."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add, sub
from typing import Final, Self

_FIRST_MICROSECONDS: Final = 250
BOUNDS: Final = tuple((_FIRST_MICROSECONDS << number) / 1e6 for number in range(19))
"""Seconds: where each bucket ends. One more bucket has all that is longer."""

BUCKETS: Final = len(BOUNDS) + 1


def bucket_of(microseconds: int) -> int:
    """The place of the bucket that a duration belongs to."""
    place = (microseconds // _FIRST_MICROSECONDS).bit_length()
    return place if place < BUCKETS else BUCKETS - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How long things took, as far as the buckets tell. Those of the same kind can be added and subtracted."""

    counts: Sequence[int] = (0,) * BUCKETS
    """Of each bucket."""
    seconds: float = 0.0
    """All together."""

    def __add__(self, other: Self) -> Self:
        return type(self)(counts=tuple(map(add, self.counts, other.counts)), seconds=self.seconds + other.seconds)

    def __sub__(self, earlier: Self) -> Self:
        """What came since."""
        return type(self)(counts=tuple(map(sub, self.counts, earlier.counts)), seconds=self.seconds - earlier.seconds)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile(self, share: float) -> float | None:
        """What ``share`` of the durations did not exceed, estimated; None of nothing.

        Within a bucket they are taken to be spread evenly, as ``histogram_quantile`` of Prometheus does. The last
        bucket has no end: its beginning is given.
        """
        wanted = share * self.count
        if not self.count:
            return None
        below = (0.0, *BOUNDS)
        for place, (count, reached) in enumerate(zip(self.counts, accumulate(self.counts), strict=True)):
            if count and reached >= wanted:
                if place == len(BOUNDS):
                    return BOUNDS[-1]
                within = 1 - (reached - wanted) / count
                return below[place] + (BOUNDS[place] - below[place]) * within
        return BOUNDS[-1]  # rounding errors of share * count
