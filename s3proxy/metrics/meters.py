"""What a node counts, in words of 64 bits that its processes share.

They lie in a memfd that the processes inherit. Each process has a row of its own that nobody else writes, so that
counting is an addition without a lock; whoever reads adds the rows up. Counters stay when their process ends, and the
one that takes its row goes on from them. Gauges are what is now: those of a process that is gone count nothing.

One thread of a process counts, the one of its event loop.
"""

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final, Protocol, Self

from s3proxy.metrics.histograms import BUCKETS, Histogram, bucket_of
from s3proxy.metrics.names import SharedNames
from s3proxy.metrics.processes import birth_of


@unique
class Total(IntEnum):
    """A number that only grows."""

    CONNECTIONS_ACCEPTED = 0
    """From clients."""
    CONNECTIONS_REFUSED = 1
    """Turned away because there were too many."""
    REQUESTS_REFUSED = 2
    """Answered before they became requests: heads that are malformed, too large or too slow."""
    LOCAL_BYTES = 3
    """Of objects, sent straight from the files of a local store."""
    STORE_BYTES = 4
    """Of objects, sent as they came from a store that has no cache before it."""
    HANDSHAKES_FAILED = 5
    """Connections that ended before a request, for want of TLS, a certificate or a PROXY header."""


@unique
class Gauge(IntEnum):
    """A number that goes up and down, of one process."""

    CONNECTIONS_OPEN = 0
    """With clients."""
    CONNECTIONS_IDLE = 1
    """Of those, waiting for a request."""
    REQUESTS_IN_FLIGHT = 2
    """Received, and not yet answered in full."""


UNKNOWN: Final = "unknown"
"""The operation of a request that was refused before it was found out."""

_WORD_BYTES: Final = 8
_OPERATIONS: Final = 64
_STORES: Final = 32

STATUSES: Final = (
    200, 204, 206, 304, 307, 400, 403, 404, 405, 408, 409, 411, 412, 413, 414, 416, 429, 431, 499, 500, 501, 503, 505,
)  # fmt: skip
"""Counted by themselves; all others together, as 0."""

# The words of an operation.
_STATUS_PLACES: Final = {status: place for place, status in enumerate(STATUSES, 1)}
_LATENCY: Final = 1 + len(STATUSES)
_FIRST_BYTE: Final = _LATENCY + BUCKETS + 1
_SENT: Final = _FIRST_BYTE + BUCKETS + 1
_RECEIVED: Final = _SENT + 1
_OPERATION_WORDS: Final = _RECEIVED + 1

# The words of a store.
_ERRORS: Final = BUCKETS + 1
_STORE_WORDS: Final = _ERRORS + 1

# The words of a row.
_PID: Final = 0
_BIRTH: Final = 1
_GAUGES: Final = 2
_TOTALS: Final = _GAUGES + len(Gauge)
_FIRST_OPERATION: Final = _TOTALS + len(Total)
_FIRST_STORE: Final = _FIRST_OPERATION + _OPERATIONS * _OPERATION_WORDS
_USED_WORDS: Final = _FIRST_STORE + _STORES * _STORE_WORDS
_ROW_WORDS: Final = -(-_USED_WORDS // 16) * 16  # two lines of the processors' caches: no two processes write to one

# The bytes before the rows.
_STORE_NAMES: Final = SharedNames.bytes_for(_OPERATIONS)
_FIRST_ROW: Final = (_STORE_NAMES + SharedNames.bytes_for(_STORES)) // _WORD_BYTES


class Asked(Protocol):
    """A request, of whatever class, as far as it is counted and remembered; it changes no more."""

    @property
    def peer(self) -> str:
        """Who sent it."""
        ...

    @property
    def operation(self) -> str:
        """Its name, one that stands in the program; ``-`` when it was refused before that was found out."""
        ...

    @property
    def resource(self) -> str:
        """``/bucket/key``."""
        ...


Answered = tuple[Asked, int, float, float, int, int, Total | None]
"""A request; the status of its answer; the seconds from its head to the last byte of the answer, and to the first; the
bytes of the answer's body and of its own; and where the former are counted as well. A plain tuple, as one is made for
each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationReading:
    """What is known of the requests for one operation."""

    statuses: dict[int, int] = field(default_factory=dict)
    """How many had which status; 0 stands for rare ones."""
    latency: Histogram = field(default_factory=Histogram)
    """Up to the last byte of the answer."""
    first_byte: Histogram = field(default_factory=Histogram)
    """Up to the first byte of the answer."""
    sent: int = 0
    """Bytes of the bodies of answers."""
    received: int = 0
    """Bytes of the bodies of requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReading:
    """What is known of the requests to one store."""

    latency: Histogram = field(default_factory=Histogram)
    """Up to the head of the answer; of each attempt, failed ones too."""
    errors: int = 0
    """Attempts without an answer, and answers that say that the store failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What all processes of a node have counted."""

    operations: dict[str, OperationReading]
    """By their names; only those that were asked for."""
    stores: dict[str, StoreReading]
    """By their names; only those that are counted."""
    totals: dict[Total, int]
    gauges: dict[Gauge, int]
    """Of the processes that live."""
    pids: dict[int, int]
    """Of the processes that live, by their numbers."""


class StoreMeter:
    """Counts the requests to one store."""

    __slots__ = ("_start", "_words")

    def __init__(self, words: memoryview, start: int) -> None:
        self._words = words
        self._start = start

    def count(self, seconds: float, *, is_error: bool) -> None:
        """Count an attempt, answered or failed after so many seconds."""
        words, start = self._words, self._start
        microseconds = int(seconds * 1e6)
        words[start + bucket_of(microseconds)] += 1
        words[start + BUCKETS] += microseconds
        if is_error:
            words[start + _ERRORS] += 1


class Meters:
    """This process's view of the words.

    Made by ``create``, ``attach`` or ``private``; ``close`` frees it.
    """

    def __init__(self, fd: int, memory: mmap.mmap, process: int) -> None:
        self.fd: Final = fd
        """Of the memfd, to be passed on to processes; -1 of private meters."""
        self._memory = memory
        self._rows: Final = (len(memory) // _WORD_BYTES - _FIRST_ROW) // _ROW_WORDS
        if not 0 <= process < self._rows:
            raise ValueError(f"process {process} of {self._rows}")
        self._bytes = memoryview(memory)
        self._all = self._bytes.cast("Q")
        start = _FIRST_ROW + process * _ROW_WORDS
        self._words = self._all[start : start + _ROW_WORDS]
        self._operation_names = SharedNames(memory, 0, _OPERATIONS, fd)
        self._store_names = SharedNames(memory, _STORE_NAMES, _STORES, fd)
        self._starts: dict[str, int] = {}
        self._take_row()

    @classmethod
    def create(cls, processes: int) -> Self:
        """Make the words for so many processes, all zero. This process counts as well, as one more beside them."""
        fd = os.memfd_create("s3proxy-meters")
        try:
            size = (_FIRST_ROW + _ROW_WORDS * (processes + 1)) * _WORD_BYTES
            os.ftruncate(fd, size)
            return cls(fd, mmap.mmap(fd, size), processes)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, process: int) -> Self:
        """Share the words of a process that created them.

        Args:
            fd: inherited; taken over.
            process: from 0; one process at a time. It goes on from what one before it, now dead, has counted.

        Raises:
            ValueError: the words are not for so many processes.
        """
        return cls(fd, mmap.mmap(fd, os.fstat(fd).st_size), process)

    @classmethod
    def private(cls) -> Self:
        """Make words that are shared with nobody; they need not be closed."""
        return cls(-1, mmap.mmap(-1, (_FIRST_ROW + _ROW_WORDS) * _WORD_BYTES), 0)

    def close(self) -> None:
        """Unmap and close; the other processes keep theirs. Nothing may be counted after that."""
        self._words.release()
        self._all.release()
        self._bytes.release()
        if self.fd >= 0:
            self._memory.close()
            os.close(self.fd)

    # Counting

    def count_requests(self, answered: Iterable[Answered]) -> None:
        """Count requests that were answered; there is room for 63 different operations."""
        # The longest loop of all this: written out, it takes half the time.
        words, starts = self._words, self._starts
        for asked, status, seconds, first_byte_seconds, sent, received, source in answered:
            start = starts.get(asked.operation) or self._start_of(asked.operation)
            words[start + _STATUS_PLACES.get(status, 0)] += 1
            microseconds = int(seconds * 1e6)
            place = start + _LATENCY
            words[place + bucket_of(microseconds)] += 1
            words[place + BUCKETS] += microseconds
            microseconds = int(first_byte_seconds * 1e6)
            place = start + _FIRST_BYTE
            words[place + bucket_of(microseconds)] += 1
            words[place + BUCKETS] += microseconds
            words[start + _SENT] += sent
            if received:
                words[start + _RECEIVED] += received
            if source is not None:
                words[_TOTALS + source] += sent

    def store(self, name: str) -> StoreMeter:
        """What counts the requests to a store; beyond 31 stores they are counted together."""
        return StoreMeter(self._words, _FIRST_STORE + self._store_names.number_of(name) * _STORE_WORDS)

    def add(self, total: Total, amount: int = 1) -> None:
        """Count."""
        self._words[_TOTALS + total] += amount

    def set(self, gauge: Gauge, value: int) -> None:
        """Say how many there are in this process."""
        self._words[_GAUGES + gauge] = value

    # Reading

    def read(self) -> Reading:
        """Add up what all processes have counted; in any thread.

        The numbers of a process may be of slightly different moments.
        """
        rows = [self._all[start : start + _USED_WORDS].tolist() for start in self._row_starts()]
        sums = list(map(sum, zip(*rows, strict=True)))
        living = {number: row for number, row in enumerate(rows) if row[_PID] and birth_of(row[_PID]) == row[_BIRTH]}
        return Reading(
            operations={name: found for name, found in self._operations_of(sums) if found.latency.count},
            stores=dict(self._stores_of(sums)),
            totals={total: sums[_TOTALS + total] for total in Total},
            gauges={gauge: sum(row[_GAUGES + gauge] for row in living.values()) for gauge in Gauge},
            pids={number: row[_PID] for number, row in living.items()},
        )

    def _operations_of(self, sums: list[int]) -> list[tuple[str, OperationReading]]:
        starts = range(_FIRST_OPERATION, _FIRST_STORE, _OPERATION_WORDS)
        return [
            (name, _operation_reading(sums[start : start + _OPERATION_WORDS]))
            for name, start in zip(self._operation_names.all(), starts, strict=False)
        ]

    def _stores_of(self, sums: list[int]) -> list[tuple[str, StoreReading]]:
        starts = range(_FIRST_STORE, _USED_WORDS, _STORE_WORDS)
        found = [
            (name, StoreReading(latency=_histogram(sums, start), errors=sums[start + _ERRORS]))
            for name, start in zip(self._store_names.all(), starts, strict=False)
        ]
        return found if found[0][1].latency.count else found[1:]  # the first are those for which there is no room

    def _row_starts(self) -> range:
        return range(_FIRST_ROW, _FIRST_ROW + self._rows * _ROW_WORDS, _ROW_WORDS)

    def _start_of(self, operation: str) -> int:
        name = UNKNOWN if operation == "-" else operation
        start = _FIRST_OPERATION + self._operation_names.number_of(name) * _OPERATION_WORDS
        self._starts[operation] = start
        return start

    def _take_row(self) -> None:
        for gauge in Gauge:
            self.set(gauge, 0)
        self._words[_PID] = os.getpid()
        self._words[_BIRTH] = birth_of(os.getpid()) or 0


def _operation_reading(words: list[int]) -> OperationReading:
    statuses = {status: count for status, count in zip((0, *STATUSES), words, strict=False) if count}
    return OperationReading(
        statuses=statuses,
        latency=_histogram(words, _LATENCY),
        first_byte=_histogram(words, _FIRST_BYTE),
        sent=words[_SENT],
        received=words[_RECEIVED],
    )


def _histogram(words: list[int], start: int) -> Histogram:
    return Histogram(counts=tuple(words[start : start + BUCKETS]), seconds=words[start + BUCKETS] / 1e6)
