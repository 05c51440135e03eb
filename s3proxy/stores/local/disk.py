"""Threads for what may wait for the disk, so that the event loop never does."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import trio

from s3proxy.stores.local.failures import s3_error_of
from s3proxy.stores.local.staging import Staging, Temporary

_SHORT_THREADS: Final = 32  # opens, renames, syncs: they wait more than they compute
_LONG_THREADS: Final = 8  # digests and copies of up to 64 MiB: they compute, and must not keep the short ones waiting

T = TypeVar("T")


class Disk:
    """Runs blocking functions in two bounded sets of threads, and translates what the file system refuses."""

    def __init__(self) -> None:
        self._short = trio.CapacityLimiter(_SHORT_THREADS)
        self._long = trio.CapacityLimiter(_LONG_THREADS)

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function that takes milliseconds. Once begun it is not cancelled.

        Raises:
            S3Error: in place of an OSError.
        """
        return await _run(function, self._short)

    async def run_long(self, function: Callable[[], T]) -> T:
        """Like ``run``, for what takes up to a tenth of a second of computing or copying."""
        return await _run(function, self._long)


async def _run(function: Callable[[], T], limiter: trio.CapacityLimiter) -> T:
    try:
        return await trio.to_thread.run_sync(function, limiter=limiter)
    except OSError as error:
        raise s3_error_of(error) from error


@asynccontextmanager
async def staged(disk: Disk, staging: Staging) -> AsyncIterator[Temporary]:
    """A temporary file that is gone afterwards, unless it was published."""
    temporary = await disk.run(staging.create)
    try:
        yield temporary
    finally:
        with trio.CancelScope(shield=True):
            await disk.run(temporary.discard)
