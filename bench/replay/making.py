"""Traces that are made up, for who has no log to replay: the same ones every time.

Sizes and numbers are such that a trace takes a second to make and some seconds to replay; readers come one after
the other. Versions never change.
"""

import random
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from bench.content import KIB, MIB
from bench.replay.trace import Read

_SEED: Final = 1
BEGIN: Final = 1_767_225_600.0
"""When made-up traces begin: 2026."""

_BUCKET: Final = "made-up"
PAUSE_SECONDS: Final = 20.0
"""Between two jobs; longer than it takes until a block counts as used anew."""
_BYTES_PER_SECOND: Final = 500e6


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A Parquet file: row groups, in each a chunk of bytes for every column, in order, and a footer."""

    groups: int
    chunks: Sequence[int]
    """Bytes of each column in a group."""
    footer: int = 48 * KIB

    @property
    def size(self) -> int:
        """Of the file."""
        return self.groups * sum(self.chunks) + self.footer


class _Clock:
    """The time of a made-up trace, and reads at it."""

    def __init__(self) -> None:
        self.now = BEGIN

    def pause(self) -> None:
        """Let the time between two jobs go by."""
        self.now += PAUSE_SECONDS

    def read(self, key: str, size: int, start: int = 0, stop: int | None = None) -> Read:
        """A read, and the time that it takes."""
        stop = size if stop is None else stop
        at = self.now
        self.now += 0.002 + (stop - start) / _BYTES_PER_SECOND
        return Read(at=at, bucket=_BUCKET, key=key, etag=f"etag-{size:x}", size=size, start=start, stop=stop)


class _Zipf:
    """Numbers below ``count``, of which few are drawn often: the n-th with a probability like ``1 / n ** skew``."""

    def __init__(self, chance: random.Random, count: int, skew: float) -> None:
        self._chance = chance
        self._sums = list(accumulate((place + 1) ** -skew for place in range(count)))
        self._numbers = chance.sample(range(count), count)

    def draw(self) -> int:
        """The next."""
        return self._numbers[bisect(self._sums, self._chance.random() * self._sums[-1])]


def zipf() -> Iterator[Read]:
    """Whole objects of 256 KiB to 32 MiB, few of them popular."""
    chance, clock = random.Random(_SEED), _Clock()
    sizes = [int(256 * KIB * 2 ** chance.uniform(0, 7)) for _ in range(2000)]
    numbers = _Zipf(chance, len(sizes), 0.9)
    for _ in range(15_000):
        number = numbers.draw()
        clock.now += 1
        yield clock.read(f"objects/{number}", sizes[number])


def scan() -> Iterator[Read]:
    """The same 4 GiB in the same order six times: what an LRU that is a little too small has least of."""
    clock = _Clock()
    for _ in range(6):
        for number in range(64):
            yield from _in_pieces(clock, f"scanned/{number}", 64 * MIB)
        clock.pause()


def mixed() -> Iterator[Read]:
    """A hot set of 1 GiB, read at random, and now and then 2 GiB that are read once and never again."""
    chance, clock = random.Random(_SEED), _Clock()
    numbers = _Zipf(chance, 128, 0.6)
    for turn in range(12):
        for _ in range(400):
            clock.now += 1
            yield clock.read(f"hot/{numbers.draw()}", 8 * MIB)
        for number in range(32):
            yield from _in_pieces(clock, f"cold/{turn}/{number}", 64 * MIB)
        clock.pause()


def parquet() -> Iterator[Read]:
    """Parquet files under ``queries``, each read as a reader does that merges what lies side by side."""
    chance, clock = random.Random(_SEED), _Clock()
    file = _File(groups=4, chunks=[int(64 * KIB * 2 ** chance.uniform(0, 5)) for _ in range(40)])
    for query in queries(400, len(file.chunks)):
        for key in query.files:
            yield from _projection(clock, file, key, query.columns)
        clock.pause()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Some columns, in order, of all rows of some files."""

    files: Sequence[str]
    columns: Sequence[int]


def queries(count: int, columns: int, *, archive_files: int = 24) -> Iterator[Query]:
    """What twenty dashboards ask of a table with a file a day, and every fiftieth time an export between them.

    A dashboard reads its columns, some of which many want, of the last day, week or month; there is a new day every ten
    queries. An export reads all columns of an archive that nobody reads again.
    """
    chance = random.Random(_SEED)
    wanted = _Zipf(chance, columns, 1.0)
    dashboards = [sorted({wanted.draw() for _ in range(chance.randint(3, 8))}) for _ in range(20)]
    popular = _Zipf(chance, len(dashboards), 0.9)
    for number in range(count):
        latest = 40 + number // 10
        days = range(latest - chance.choice((1, 7, 7, 30)), latest)
        yield Query(files=[f"days/{day:03d}.parquet" for day in days], columns=dashboards[popular.draw()])
        if number % 50 == 49:
            files = [f"archive/{number:03d}-{file:02d}.parquet" for file in range(archive_files)]
            yield Query(files=files, columns=range(columns))


def _in_pieces(clock: _Clock, key: str, size: int, piece: int = 8 * MIB) -> Iterator[Read]:
    for start in range(0, size, piece):
        yield clock.read(key, size, start, min(start + piece, size))


def _projection(clock: _Clock, file: _File, key: str, columns: Sequence[int]) -> Iterator[Read]:
    """One file: the footer, then the columns of each group."""
    yield clock.read(key, file.size, file.size - file.footer)
    offsets = [0, *accumulate(file.chunks)]
    for group in range(file.groups):
        base = group * offsets[-1]
        for first, last in _adjacent(columns):
            yield clock.read(key, file.size, base + offsets[first], base + offsets[last + 1])


def _adjacent(columns: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of columns side by side, first and last."""
    runs: list[tuple[int, int]] = []
    for column in columns:
        if runs and runs[-1][1] == column - 1:
            runs[-1] = runs[-1][0], column
        else:
            runs.append((column, column))
    return runs


KINDS: Final[Mapping[str, Callable[[], Iterator[Read]]]] = MappingProxyType(
    {"zipf": zipf, "scan": scan, "mixed": mixed, "parquet": parquet}
)
"""Name -> what makes up such a trace."""
