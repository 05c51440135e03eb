"""Commit locks: the step that checks an object and replaces it happens for one writer at a time.

A lock is ``flock`` on one of ``SHARDS`` files, chosen by a hash of bucket and key. Every acquisition opens the file
anew (3 us), since flock belongs to the open file: so threads exclude each other just as processes do, and the kernel
frees the lock of a process that dies. It is held for the check and the rename, never while bytes arrive.

Why nothing deadlocks. A commit begins with the one lock of its key. It may find that it needs a second one: to store
``a/b`` where ``a`` is a file, the file of ``a`` has to move, and nobody may commit to ``a`` meanwhile. It must not wait
for that lock while it holds the first, because two keys can share a shard: one commit could hold shard 1 and want
shard 2, another the other way round, and a commit whose two keys share one shard would wait for itself. So a commit
that needs a shard that it does not hold gives up what it holds, having changed nothing, and begins again with all of
them, taken in ascending order. Whoever waits holds only smaller shards than the one it waits for: no cycle is possible.
"""

import contextlib
import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from s3proxy.s3.errors import ErrorCode, S3Error

SHARDS = 1024
"""Two of 40 concurrent commits to different keys meet in one shard half of the time, and wait half a millisecond."""

_FIRST_PAUSE_SECONDS = 0.0002
_LONGEST_PAUSE_SECONDS = 0.01

T = TypeVar("T")
LockKey = Callable[[str], AbstractContextManager[None]]
"""Given the key of another object that a commit has to move: holds off every other commit to it."""


class _ShardNeededError(Exception):
    def __init__(self, shard: int) -> None:
        super().__init__(shard)
        self.shard = shard


class KeyLocks:
    """The commit locks of a store, shared by every process that has opened its root.

    Args:
        dir_fd: the directory of the lock files.
        patience_seconds: how long a commit waits for others before the client is told to slow down. flock itself
            would wait for a stopped process for ever.
    """

    def __init__(self, dir_fd: int, *, patience_seconds: float = 20.0) -> None:
        self._dir_fd = dir_fd
        self._patience_seconds = patience_seconds

    def commit(self, bucket: str, key: str, step: Callable[[LockKey], T]) -> T:
        """Run ``step`` while no other commit to this key runs, in any process.

        ``step`` is given a function that locks another key of the bucket as well. It may abandon the step by an
        exception, which ``step`` must let pass, having changed nothing yet; the step is then run again from its start.

        Returns:
            What ``step`` returns.

        Raises:
            S3Error: SLOW_DOWN when others held the lock for too long; or whatever ``step`` raises.
        """
        shards = {_shard_of(bucket, key)}
        while True:
            try:
                with self._hold(shards):
                    return step(lambda other: _held_or_needed(_shard_of(bucket, other), shards))
            except _ShardNeededError as needed:
                shards.add(needed.shard)

    @contextlib.contextmanager
    def _hold(self, shards: set[int]) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            for shard in sorted(shards):
                fd = os.open(f"{shard:03x}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._dir_fd)
                held.callback(os.close, fd)
                lock(fd, fcntl.LOCK_EX, patience_seconds=self._patience_seconds)
            yield


def lock(fd: int, kind: int, *, patience_seconds: float) -> None:
    """Take a ``flock`` on ``fd``; blocks the thread.

    Args:
        fd: the open file; closing it frees the lock.
        kind: LOCK_EX or LOCK_SH.
        patience_seconds: how long to try.

    Raises:
        S3Error: SLOW_DOWN when it was never free.
    """
    give_up_at = time.monotonic() + patience_seconds
    pause_seconds = _FIRST_PAUSE_SECONDS
    while not try_lock(fd, kind):
        if time.monotonic() > give_up_at:
            raise S3Error(ErrorCode.SLOW_DOWN)
        time.sleep(pause_seconds)
        pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)


def try_lock(fd: int, kind: int) -> bool:
    """Take a ``flock`` on ``fd`` if it is free now; say whether it was."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _held_or_needed(shard: int, held: set[int]) -> AbstractContextManager[None]:
    if shard not in held:
        raise _ShardNeededError(shard)
    return nullcontext()


def _shard_of(bucket: str, key: str) -> int:
    # Every process must choose the same file, so no hash() with its random seed.
    return zlib.crc32(f"{bucket}/{key}".encode("utf-8", "surrogatepass")) % SHARDS
