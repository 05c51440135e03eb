"""The periodic sweep of what crashes, file-system programs and forgetful clients leave behind."""

import logging
import os
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

import trio

from s3proxy.s3.errors import S3Error
from s3proxy.s3.model import Key
from s3proxy.stores.local.buckets import Buckets
from s3proxy.stores.local.disk import Disk
from s3proxy.stores.local.objects import Objects
from s3proxy.stores.local.staging import Staging
from s3proxy.stores.local.uploads import Uploads

_PERIOD_SECONDS: Final = 3600.0
_BATCH: Final = 100  # looked at in one hop to a thread: a few milliseconds

_NANOSECONDS = 1_000_000_000
_RECORD_MIN_AGE_NS = 3600 * _NANOSECONDS
"""A record is written moments before its file is published; an hour later it has been, or never will be."""

_log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps a store. Any number of processes may do that at once: everything is decided under locks, or again.

    Args:
        staging: where dead processes left temporaries.
        buckets: whose records may be left over.
        objects: whose records may be left over.
        uploads: of which some may be idle.
        disk: the threads.
        upload_idle_seconds: how long an upload may go untouched.
    """

    def __init__(
        self,
        *,
        staging: Staging,
        buckets: Buckets,
        objects: Objects,
        uploads: Uploads,
        disk: Disk,
        upload_idle_seconds: float,
    ) -> None:
        self._staging = staging
        self._buckets = buckets
        self._objects = objects
        self._uploads = uploads
        self._disk = disk
        self._upload_idle_ns = int(upload_idle_seconds * _NANOSECONDS)

    async def sweep_forever(self) -> None:
        """Sweep once an hour, until cancelled. What a sweep cannot do is logged, and left to the next."""
        while True:
            try:
                await self.sweep()
            except S3Error as error:
                _log.warning("the sweep of the store failed: %s", error.__cause__ or error)
            await trio.sleep(_PERIOD_SECONDS)

    async def sweep(self) -> None:
        """Sweep once, in steps between which it can be cancelled.

        Raises:
            S3Error: the file system refuses something.
        """
        now_ns = time.time_ns()
        await self._disk.run(self._staging.sweep)
        await self._exhaust(self._uploads.abort_idle(before_ns=now_ns - self._upload_idle_ns))
        for hidden in (self._objects.records.hidden, self._buckets.hidden):
            leftovers = hidden.leftovers(older_than_ns=now_ns - _RECORD_MIN_AGE_NS, is_current=self._is_current)
            await self._exhaust(leftovers)

    async def _exhaust(self, steps: Iterator[str]) -> None:
        while await self._disk.run(lambda: sum(1 for _ in islice(steps, _BATCH))):
            pass

    def _is_current(self, bucket: str, key: str, inode: int) -> bool:
        try:
            with self._buckets.directory(bucket) as fd:
                if not key:  # the record of the bucket itself
                    return os.fstat(fd).st_ino == inode
                return self._objects.is_inode(bucket, fd, Key(key), inode)
        except (FileNotFoundError, NotADirectoryError):
            return False
