"""Writes: what they invalidate, and how the body of a PutObject gets into the cache while it goes to the store."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from s3proxy.body import Body, Chunk, Digests, FileSlice, IncomingBody
from s3proxy.cache.counters import Counter
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.source import BrokenSourceError
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.errors import S3Error
from s3proxy.s3.model import Bucket, Key, PutObject, PutResult
from s3proxy.stores.base import ObjectChangedError, ObjectStore, StoreUnavailableError
from s3proxy.stores.caching.opening import Opening
from s3proxy.stores.caching.reading import Blocks

# Whatever these say, the object is stored: only the next reader fetches it from the store.
_FAILURES = (S3Error, StoreUnavailableError, ObjectChangedError, ConnectionLostError, BrokenSourceError, OSError)

_NAMELESS: Final = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC


@contextmanager
def changing(shared: SharedWords, bucket: Bucket, key: Key) -> Iterator[None]:
    """Around a write of a key: end what is known of it; see metadata.py. Also when it fails or is cancelled."""
    shared.bump(bucket, key)
    try:
        yield
    finally:
        shared.bump(bucket, key)


@contextmanager
def changing_bucket(shared: SharedWords, bucket: Bucket) -> Iterator[None]:
    """Around a write of a bucket: end what is known of it and of all its keys."""
    shared.bump_bucket(bucket)
    try:
        yield
    finally:
        shared.bump_bucket(bucket)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheThrough:
    """Bodies of PutObject fill the cache, too; those of multipart uploads do not.

    A body is set aside in a nameless file while it goes to the store, and goes into blocks when the store has said
    which version it became.
    """

    nursery: trio.Nursery
    """Where that happens, after the answer to the client."""
    directory: Path
    """On the file system of the memory tier."""
    max_bytes: int = 256 * 1024 * 1024
    """Set aside at once; a body that finds no room is not cached."""


class ThroughWriter:
    """PutObject with a copy for the cache, within ``changing``. A failure of the cache is none of the write's.

    Args:
        store: where bodies go.
        blocks: where copies of them go.
        opening: how the store is asked which version a body became.
        shared: counters.
        settings: see there.
    """

    def __init__(
        self, store: ObjectStore, blocks: Blocks, opening: Opening, shared: SharedWords, settings: CacheThrough
    ) -> None:
        self._store = store
        self._blocks = blocks
        self._opening = opening
        self._shared = shared
        self._settings = settings
        self._set_aside_bytes = 0

    async def put_object(self, operation: PutObject, body: IncomingBody) -> PutResult:
        """Store ``body``, and begin to cache it once it is stored."""
        copy = self._set_aside(body.length)
        if copy is None:
            return await self._store.put_object(operation, body)
        try:
            result = await self._store.put_object(operation, TeedBody(body, copy))
        except BaseException:
            self._drop(copy)
            raise
        self._settings.nursery.start_soon(self._publish, operation, copy, result)
        return result

    def _set_aside(self, length: int | None) -> "SetAside | None":
        if not length or length > self._settings.max_bytes - self._set_aside_bytes:
            return None
        try:
            fd = os.open(self._settings.directory, _NAMELESS, 0o600)
        except OSError:
            self._shared.add(Counter.CACHE_FAILURES)
            return None
        self._set_aside_bytes += length
        return SetAside(fd, length)

    def _drop(self, copy: "SetAside") -> None:
        self._set_aside_bytes -= copy.length
        copy.close()

    async def _publish(self, operation: PutObject, copy: "SetAside", result: PutResult) -> None:
        try:
            if copy.is_whole:
                await self._fill(operation, copy, result)
            else:
                self._shared.add(Counter.CACHE_FAILURES)
        except _FAILURES:
            self._shared.add(Counter.CACHE_FAILURES)
        finally:
            self._drop(copy)

    async def _fill(self, operation: PutObject, copy: "SetAside", result: PutResult) -> None:
        entry = await self._opening.ask_again((operation.bucket, operation.key))
        if entry is None or (entry.info.etag, entry.info.size) != (result.etag, copy.length):
            return  # somebody else has written meanwhile
        async with await self._blocks.read(entry.version, 0, copy.length, copy) as filled:
            async for _ in filled:
                pass


class SetAside:
    """A body in a nameless file; a ``cache.source.Source`` of the version that it became.

    Args:
        fd: of the file, empty; taken over.
        length: how many bytes it is to have.
    """

    def __init__(self, fd: int, length: int) -> None:
        self.length: Final = length
        self._fd = fd
        self._received = 0
        self._has_failed = False

    @property
    def is_whole(self) -> bool:
        """Whether every byte of the body is in the file."""
        return self._received == self.length and not self._has_failed

    def append(self, data: memoryview) -> None:
        """Write what comes next, once for each piece of the body; called in threads, one at a time."""
        try:
            self._has_failed |= os.pwrite(self._fd, data, self._received) != len(data)
        except OSError:
            self._has_failed = True
        self._received += len(data)

    async def fetch(self, start: int, stop: int) -> Body:
        """Give the bytes from the file.

        Raises:
            ObjectChangedError: it is closed already.
        """
        if self._fd < 0:
            raise ObjectChangedError
        return _SliceBody(os.dup(self._fd), start, stop)

    def close(self) -> None:
        """Free the file; bodies keep it."""
        os.close(self._fd)
        self._fd = -1


class _SliceBody(Body):
    def __init__(self, fd: int, start: int, stop: int) -> None:
        self.length = stop - start
        self._fd = fd
        self._slice: FileSlice | None = FileSlice(fd, start, stop - start)

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if self._slice is None:
            raise StopAsyncIteration
        piece, self._slice = self._slice, None
        return piece

    async def aclose(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class TeedBody:
    """An ``IncomingBody`` of whose bytes a copy is kept, by the thread that digests them.

    Args:
        body: what arrives.
        copy: where the copy goes.
    """

    def __init__(self, body: IncomingBody, copy: SetAside) -> None:
        self._body = body
        self._copy = copy

    @property
    def length(self) -> int | None:
        """That of the body."""
        return self._body.length

    @property
    def checksum_algorithm(self) -> str | None:
        """That of the body."""
        return self._body.checksum_algorithm

    async def receive_into(self, buffer: memoryview) -> int:
        """Receive like the body."""
        return await self._body.receive_into(buffer)

    def digest(self, data: memoryview) -> None:
        """Digest like the body, and copy."""
        self._body.digest(data)
        self._copy.append(data)

    def verify(self) -> Digests:
        """Verify like the body."""
        return self._body.verify()
