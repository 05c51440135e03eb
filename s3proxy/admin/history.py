"""The last hour of a node, in points of five seconds each, for the dashboard's plots."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import starmap
from operator import ge
from typing import Final, Never

import trio

from s3proxy.admin.answers import Json
from s3proxy.admin.kept_points import KeptPoints
from s3proxy.metrics.histograms import Histogram

INTERVAL_SECONDS: Final = 5
_POINTS: Final = 720


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a node had counted at one moment, since its start but for the last three."""

    bytes_memory: int = 0
    bytes_disk: int = 0
    bytes_store: int = 0
    bytes_local: int = 0
    bytes_received: int = 0
    bytes_missed: int = 0
    """Of ``bytes_store``, read through the cache."""
    requests: int = 0
    errors: int = 0
    hits: int = 0
    misses: int = 0
    store_errors: int = 0
    latency: Histogram = field(default_factory=Histogram)
    first_byte: Histogram = field(default_factory=Histogram)
    store_latency: Histogram = field(default_factory=Histogram)
    connections: int = 0
    memory_used: int = 0
    disk_used: int = 0


Point = dict[str, float | None]

_RATES: Final = (
    "bytes_memory", "bytes_disk", "bytes_store", "bytes_local", "bytes_received", "requests", "errors", "store_errors",
)  # fmt: skip
_LEVELS: Final = ("connections", "memory_used", "disk_used")
_QUANTILES: Final = (
    ("latency", (50, 90, 99)),
    ("first_byte", (50, 99)),
    ("store_latency", (50, 99)),
)


def point_between(before: Sample, now: Sample, seconds: float) -> Point:
    """What happened between two samples: rates a second, shares, quantiles, and what there was at the end.

    Counters that have shrunk began anew in the meantime, so that what they have now has come since.
    """
    point: Point = {name: round(_grown(before, now, name) / seconds, 3) for name in _RATES}
    hits, misses = _grown(before, now, "hits"), _grown(before, now, "misses")
    point["hit_ratio"] = _share(hits, hits + misses)
    hit_bytes = _grown(before, now, "bytes_memory") + _grown(before, now, "bytes_disk")
    point["hit_byte_ratio"] = _share(hit_bytes, hit_bytes + _grown(before, now, "bytes_missed"))
    for name, percentiles in _QUANTILES:
        durations = grown_histogram(getattr(before, name), getattr(now, name))
        for each in percentiles:
            quantile = durations.quantile(each / 100)
            point[f"{name}_p{each}"] = None if quantile is None else round(quantile, 6)
    return point | {name: getattr(now, name) for name in _LEVELS}


def grown_histogram(before: Histogram, now: Histogram) -> Histogram:
    """What came between; all of ``now`` if its counters began anew."""
    return now - before if all(starmap(ge, zip(now.counts, before.counts, strict=True))) else now


class History:
    """The points so far.

    Args:
        sample: what the node has counted by now.
        points: where they are kept, as ``kept_points`` makes it.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        sample: Callable[[], Sample],
        points: KeptPoints,
        *,
        clock: Callable[[], float] = lambda: time.time_ns() / 1e9,
    ) -> None:
        self._sample = sample
        self._points = points
        self._clock = clock

    async def run(self) -> Never:
        """Add a point whenever the clock shows a multiple of five seconds, until cancelled."""
        before, begun = self._sample(), trio.current_time()
        while True:
            await trio.sleep(INTERVAL_SECONDS - self._clock() % INTERVAL_SECONDS)
            now, ended = self._sample(), trio.current_time()
            point = point_between(before, now, ended - begun)
            self._points.put(round(self._clock(), 3), [point[name] for name in SERIES])
            before, begun = now, ended

    def content(self) -> Json:
        """All points, the oldest first."""
        points = self._points.all(self._clock())
        return {
            "interval_seconds": INTERVAL_SECONDS,
            "at": [at for at, _ in points],
            "series": {name: [numbers[place] for _, numbers in points] for place, name in enumerate(SERIES)},
        }


def _grown(before: Sample, now: Sample, name: str) -> int:
    then, later = getattr(before, name), getattr(now, name)
    return int(later - then if later >= then else later)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def summed(histograms: Iterable[Histogram]) -> Histogram:
    """All of them together."""
    return sum(histograms, Histogram())


SERIES: Final = tuple(point_between(Sample(), Sample(), 1))
"""The names of what a point has."""


def kept_points(fd: int | None = None) -> KeptPoints:
    """Where the points of an hour are kept; in a memfd, whose descriptor is given, for the next process as well."""
    return KeptPoints(SERIES, _POINTS, INTERVAL_SECONDS, fd)
