"""What to fetch for a read: pure decisions, no clock and no I/O.

Offsets are bytes, ranges half-open. A *unit* is the granule in which a block is filled; a *run* is a series of reads
of one object version that follow each other.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

LOOK_BACK_UNITS: Final = 8
"""A fill begins at most so many units before the byte that is waited for: 512 KiB are 2 ms of a link of 250 MB/s."""

SMALL_UNITS: Final = 2
"""A block, hence an object, of so many units is always fetched whole."""

FIRST_FETCH_BYTES: Final = 16 << 20
"""A longer first fetch makes more blocks before it begins than it gains."""

_RUN_READS: Final = 3  # two reads side by side are a footer and its trailer; three are somebody who reads on
_RUN_UNITS: Final = 2  # and they have come at least so far, so that a few tiny reads do not fetch megabytes
_RUNS_PER_VERSION: Final = 4
_MAX_VERSIONS: Final = 4096

Run = tuple[int, int]


def blocks_of(block_size: int, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Cut a span at the borders of blocks.

    Yields:
        ``(index, start, stop)`` in order, the range counted from the start of that block; they cover the span.
    """
    for index in range(start // block_size, -(-stop // block_size)):
        base = index * block_size
        yield index, max(start - base, 0), min(stop - base, block_size)


def wanted(length: int, unit: int, start: int, stop: int, *, present: int, is_sequential: bool) -> Run:
    """How much of one block to fetch for the sake of ``[start, stop)``: the units it touches, or the block.

    The block is wanted whole when it is small, and when three quarters of it are asked for or there already: less would
    fetch the columns beside those of a query. When the reads are sequential it is wanted from the range on to its end.
    What lies further before the range than ``LOOK_BACK_UNITS`` is left out even then, for the range would have to wait
    for it.

    Args:
        length: bytes of the block.
        unit: bytes of a unit.
        start: first byte needed, within the block.
        stop: end of what is needed, more than ``start``.
        present: how many bytes of the block are there.
        is_sequential: whether the reader is known to read on.

    Returns:
        A range of whole units, cut at ``length``, that contains ``[start, stop)``.
    """
    first = start // unit * unit
    last = min(-(-stop // unit) * unit, length)
    if length <= SMALL_UNITS * unit or 4 * (stop - start) >= 3 * length or 4 * present >= 3 * length:
        return max(0, first - LOOK_BACK_UNITS * unit), length
    return first, length if is_sequential else last


def run_at(missing: Sequence[Run], offset: int, within: Run) -> Run | None:
    """The one run of ``missing`` that contains ``offset``, cut to ``within``; None when ``offset`` is there."""
    for start, stop in missing:
        if start <= offset < stop:
            return max(start, within[0]), min(stop, within[1])
    return None


def cut_to(run: Run, needed: int, room: int) -> Run:
    """At most ``room`` bytes of ``run`` that contain ``needed``; all but ``needed`` are multiples of the unit size."""
    start, stop = run
    if needed - start >= room:
        start = needed // room * room
    return start, min(stop, start + room)


def halved(start: int, stop: int, needed: int, unit: int) -> Run | None:
    """A smaller range to try for when somebody else holds part of ``[start, stop)``: around ``needed``, then less.

    Returns:
        A range that begins at the unit of ``needed`` and is at most half as long; None after a single unit.
    """
    first = needed // unit * unit
    if first > start:
        return first, stop
    units = -(-(stop - start) // unit) // 2
    return (start, start + units * unit) if units else None


def fetch_bytes(read: int, unit: int, *, first: int, most: int) -> int:
    """How much one fetch may take for who has read so much of an object: as much again.

    Blocks are made before a fetch begins, so that who has read nothing would wait for those of a long one.

    Args:
        read: bytes of the object that were read without a gap.
        unit: bytes of a unit.
        first: the least, a multiple of ``unit``.
        most: the same.

    Returns:
        A multiple of ``unit``.
    """
    return min(max(first, read // unit * unit), most)


class Reads:
    """Reads of one version that follow each other: where the next is expected, and how far to fetch ahead of it."""

    __slots__ = ("_count", "_read_bytes", "ahead_until", "stop", "used_bytes")

    def __init__(self, start: int, stop: int) -> None:
        self.stop = stop
        """Where the next read is expected."""
        self.ahead_until = stop
        """Up to where prefetching has been asked for."""
        self.used_bytes = 0
        """Of what was prefetched, that were read since somebody looked here."""
        self._count = 1
        self._read_bytes = stop - start

    def continues(self, start: int, stop: int, unit: int) -> bool:
        """Take a read into account if it belongs to these: it begins where they end, give or take a unit."""
        length = stop - start
        if abs(start - self.stop) > min(unit, length):
            return False
        if stop > self.stop:  # reading the same again leads nowhere
            self._count += 1
            self._read_bytes += length
            self.used_bytes += max(min(stop, self.ahead_until) - self.stop, 0)
            self.stop = stop
            self.ahead_until = max(self.ahead_until, stop)
        return True

    def is_sequential(self, unit: int) -> bool:
        """Whether these reads are likely to go on."""
        return self._count >= _RUN_READS and self._read_bytes >= _RUN_UNITS * unit

    def prefetch(self, max_bytes: int, block_size: int, size: int) -> Run | None:
        """What to fetch ahead now: as much again as was read, up to ``max_bytes``, to the end of a block.

        Asked for only when less than half of that lies ahead, so that it is rarely asked for; the caller puts
        ``ahead_until`` back when it could not be done.

        Args:
            max_bytes: the most that may lie ahead of the reader.
            block_size: bytes of a block.
            size: of the object.
        """
        ahead = min(self._read_bytes, max_bytes)
        if 2 * (self.ahead_until - self.stop) >= ahead:
            return None
        start = self.ahead_until
        stop = -(-(self.stop + ahead) // block_size) * block_size
        if stop - self.stop > max(max_bytes, block_size):
            stop -= block_size
        stop = min(stop, size)
        if stop <= start:
            return None
        self.ahead_until = stop
        return start, stop


class ReadHistory:
    """The latest reads of the versions that were read last, to tell a run of them from random ones.

    Args:
        unit: bytes of a unit.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self.wasted_bytes = 0
        """Prefetched for reads that are forgotten since somebody looked here."""
        self._versions: OrderedDict[str, list[Reads]] = OrderedDict()

    def note(self, digest: str, start: int, stop: int) -> Reads:
        """Take in a read of ``[start, stop)`` of the version called ``digest``.

        Returns:
            The reads that it continues, or its own if it continues none.
        """
        series = self._versions.get(digest)
        if series is None:
            return self._begin(digest, start, stop)
        self._versions.move_to_end(digest)
        for reads in series:
            if reads.continues(start, stop, self._unit):
                return reads
        reads = Reads(start, stop)
        series.insert(0, reads)
        self._forget(series[_RUNS_PER_VERSION:])
        del series[_RUNS_PER_VERSION:]
        return reads

    def _begin(self, digest: str, start: int, stop: int) -> Reads:
        reads = Reads(start, stop)
        self._versions[digest] = [reads]
        if len(self._versions) > _MAX_VERSIONS:
            self._forget(self._versions.popitem(last=False)[1])
        return reads

    def _forget(self, series: Sequence[Reads]) -> None:
        self.wasted_bytes += sum(reads.ahead_until - reads.stop for reads in series)
