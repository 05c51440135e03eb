"""What a supervisor and its workers see of each other: who serves, who lives, and whether the node is about to end.

Words of 64 bits in a memfd that the workers inherit. Each one is written by one process only: those of the node by the
supervisor, a worker's beat and how many connections it has by that worker.
"""

import fcntl
import mmap
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum, unique
from typing import Final, Self

import trio


@unique
class Loss(IntEnum):
    """How a process was lost that nobody had told to end."""

    DIED = 0
    """It ended, or never became ready."""
    HUNG = 1
    """Its event loop stood still, so that it was ended."""


BEAT_SECONDS: Final = 1.0
"""Between two beats of an event loop that lives."""

_DUTY_POLL_SECONDS: Final = 1.0
_IS_DRAINING: Final = 0
_FIRST_LOSS: Final = 1
_FIRST_PID: Final = _FIRST_LOSS + len(Loss)
_WORD_BYTES: Final = 8
_GONE_SECONDS: Final = 3 * BEAT_SECONDS  # who is silent for so long takes nobody, whatever its word says


def rows_of(workers: int) -> int:
    """How many rows the shared tables of a node need: two for each worker and for the admin process.

    A row is used by one process at a time, and a replacement runs beside the one that it replaces, which still
    finishes its requests. So the processes of one number take two rows in turns; a third one waits.
    """
    return 2 * (workers + 1)


class Pulse:
    """One process's view of these words.

    Made by ``create``, ``attach`` or ``private``; ``close`` frees it.
    """

    def __init__(self, fd: int, memory: mmap.mmap, row: int) -> None:
        self.fd: Final = fd
        """Of the memfd, to be passed on to workers; -1 of a private one."""
        self._memory = memory
        self._words = memoryview(memory).cast("Q")
        # A word for each number, N + 1 of them, and two for each of the 2 (N + 1) rows.
        self._numbers: Final = (len(self._words) - _FIRST_PID) // 5
        self._rows: Final = 2 * self._numbers
        self._row = row

    @classmethod
    def create(cls, workers: int) -> Self:
        """Make the words of a node that has so many workers, all zero."""
        fd = os.memfd_create("s3proxy-pulse")
        try:
            size = (_FIRST_PID + workers + 1 + 2 * rows_of(workers)) * _WORD_BYTES
            os.ftruncate(fd, size)
            return cls(fd, mmap.mmap(fd, size), 0)
        except BaseException:
            os.close(fd)
            raise

    @classmethod
    def attach(cls, fd: int, row: int) -> Self:
        """Share the words of the supervisor; ``fd`` is inherited and taken over."""
        return cls(fd, mmap.mmap(fd, os.fstat(fd).st_size), row)

    @classmethod
    def private(cls) -> Self:
        """Make words that are shared with nobody; they need not be closed."""
        return cls(-1, mmap.mmap(-1, (_FIRST_PID + 5) * _WORD_BYTES), 0)

    def close(self) -> None:
        """Unmap and close; the other processes keep theirs."""
        self._words.release()
        if self.fd >= 0:
            self._memory.close()
            os.close(self.fd)

    # The node

    @property
    def is_draining(self) -> bool:
        """Whether the node has been told to end, and should get no further requests."""
        return bool(self._words[_IS_DRAINING])

    def begin_draining(self) -> None:
        """Say so."""
        self._words[_IS_DRAINING] = 1

    def set_serving(self, number: int, pid: int | None) -> None:
        """Say which process has this number and is ready."""
        self._words[_FIRST_PID + number] = pid or 0

    def serving(self) -> dict[int, int | None]:
        """The process of each worker, and of the admin process as the last one; None of one that is missing."""
        return {number: self._words[_FIRST_PID + number] or None for number in range(self._numbers)}

    def count_loss(self, loss: Loss) -> None:
        """Say that one more process was lost."""
        self._words[_FIRST_LOSS + loss] += 1

    def losses(self) -> dict[Loss, int]:
        """How many processes were lost, and how, since the node began."""
        return {loss: self._words[_FIRST_LOSS + loss] for loss in Loss}

    # Life

    def beat(self) -> None:
        """Say that this process's event loop goes round."""
        self._words[self._place(self._row)] = time.monotonic_ns()

    def forget(self, row: int) -> None:
        """Begin anew with a row that changes hands: the time until its first beat counts from now."""
        self._words[self._place(row)] = time.monotonic_ns()
        self._words[self._crowd(row)] = 0

    def silent_seconds(self, row: int) -> float:
        """How long ago the process of a row has given its last beat."""
        return (time.monotonic_ns() - self._words[self._place(row)]) / 1e9

    # Connections

    def tell_connections(self, count: int | None) -> None:
        """Say how many connections this process has, or None when it takes no more."""
        self._words[self._crowd(self._row)] = 0 if count is None else count + 1

    def fewest_elsewhere(self) -> int | None:
        """How many connections that other process has that has the fewest of those that take more; None without one."""
        words = self._words[self._crowd(0) : self._crowd(self._rows)]
        others = ((row, word) for row, word in enumerate(words) if word and row != self._row)
        return min((word - 1 for row, word in others if self.silent_seconds(row) < _GONE_SECONDS), default=None)

    # Duties

    @asynccontextmanager
    async def duty(self) -> AsyncIterator[None]:
        """Wait until no other process of the node does what one alone shall do.

        The kernel keeps this right: it ends with the process, however that ends. A worker that drains keeps it to its
        end, so its replacement waits.
        """
        if self.fd < 0:
            yield
            return
        # A file description of its own: a lock on the inherited one would be everybody's.
        lock = os.open(f"/proc/self/fd/{self.fd}", os.O_RDWR | os.O_CLOEXEC)
        try:
            while not _locked(lock):  # noqa: ASYNC110 (the event is another process's end)
                await trio.sleep(_DUTY_POLL_SECONDS)
            yield
        finally:
            os.close(lock)

    def _place(self, row: int) -> int:
        return _FIRST_PID + self._numbers + row

    def _crowd(self, row: int) -> int:
        return _FIRST_PID + self._numbers + self._rows + row


async def beat_forever(pulse: Pulse) -> None:
    """Beat until cancelled."""
    while True:
        pulse.beat()
        await trio.sleep(BEAT_SECONDS)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
