"""Reading an opened object: through the block cache, from the very version that was opened."""

from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from s3proxy.body import Body, Chunk
from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.source import Excerpt, Fetched, Source
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, GetObject, ObjectInfo, ReadConditions
from s3proxy.stores.base import ObjectChangedError, ObjectStore, OpenObject
from s3proxy.stores.caching.metadata import Entries, Entry

# What a store answers when the version that is asked for is no longer there. A smaller one may not have the range.
_CHANGED = frozenset(
    {ErrorCode.PRECONDITION_FAILED, ErrorCode.NO_SUCH_KEY, ErrorCode.NO_SUCH_BUCKET, ErrorCode.INVALID_RANGE}
)


class Blocks(Protocol):
    """What is asked of a ``cache.cache.BlockCache``."""

    async def read(
        self,
        version: ObjectVersion,
        start: int,
        stop: int,
        source: Source,
        *,
        fetched: Fetched | None = None,
        store: bool = True,
    ) -> Body:
        """A body of ``[start, stop)``, not empty; takes ``fetched`` over."""
        ...


class PinnedSource:
    """Bytes of one version from the store; a ``cache.source.Source``.

    Args:
        store: which has the object.
        entries: where the version is forgotten when it is gone.
        entry: the version.
    """

    __slots__ = ("_entries", "_entry", "_store")

    def __init__(self, store: ObjectStore, entries: Entries, entry: Entry) -> None:
        self._store = store
        self._entries = entries
        self._entry = entry

    async def fetch(self, start: int, stop: int) -> Body:
        """Ask the store for ``[start, stop)`` of this version and no other.

        Raises:
            ObjectChangedError: it is gone.
            S3Error: what else the store refuses.
            StoreUnavailableError: it cannot be reached.
        """
        bucket, key = self._entry.place
        pinned = ReadConditions(if_match=(self._entry.info.etag,))
        operation = GetObject(bucket=bucket, key=key, range=f"bytes={start}-{stop - 1}", conditions=pinned)
        try:
            opened = await self._store.get_object(operation)
            try:
                return await self._read(opened, ByteRange(start, stop))
            finally:
                await opened.aclose()
        except ObjectChangedError:
            self._entries.forget(self._entry)
            raise
        except S3Error as error:
            if error.code not in _CHANGED:
                raise
            self._entries.forget(self._entry)
            raise ObjectChangedError from error

    async def _read(self, opened: OpenObject, span: ByteRange) -> Body:
        # A store need not judge conditions itself.
        if (opened.info.etag, opened.info.size) != (self._entry.info.etag, self._entry.info.size):
            raise ObjectChangedError
        return await opened.read(span)


class Arriving:
    """The answer of the store that told of the version, and that has brought some of its bytes along.

    Args:
        opened: by the store, taken over.
        span: what of it is on its way.
        first: where the first whole unit of that begins.
        on_settled: called once, when these bytes are on their way into the cache or given up.
    """

    __slots__ = ("_first", "_on_settled", "_opened", "_span")

    def __init__(self, opened: OpenObject, span: ByteRange, first: int, on_settled: Callable[[], None]) -> None:
        self._opened = opened
        self._span = span
        self._first = first
        self._on_settled: Callable[[], None] | None = on_settled

    async def fetched(self, wanted: ByteRange) -> Fetched | None:
        """What is on its way in whole units, if the first of the ``wanted`` bytes is among it.

        If not, the answer is closed: who waits for a turn at the store must not hold up another one.
        """
        start, stop = self._first, self._span.stop
        if not start <= wanted.start < stop:
            await self._opened.aclose()
            return None
        body = await self._opened.read(self._span)
        if start > self._span.start:
            body = Excerpt(body, start - self._span.start, stop - start)
        on_settled, self._on_settled = self._on_settled, None
        assert on_settled is not None
        return Fetched(start=start, stop=stop, body=body, on_settled=on_settled)

    async def aclose(self) -> None:
        """Let go of the answer, but not of a body that was taken; without one, let others open the object."""
        try:
            await self._opened.aclose()
        finally:
            if self._on_settled is not None:
                self._on_settled()


class CachedObject(OpenObject):
    """A version of an object, some of whose blocks may be here.

    Args:
        blocks: where they are.
        source: of what is missing.
        entry: the version.
        store: whether to keep what is missing.
        arriving: the answer that told of it, if it brought bytes; taken over.
    """

    __slots__ = ("_arriving", "_blocks", "_source", "_store", "_version", "info")

    def __init__(
        self,
        blocks: Blocks,
        source: PinnedSource,
        entry: Entry,
        *,
        store: bool = True,
        arriving: Arriving | None = None,
    ) -> None:
        self.info: ObjectInfo = entry.info
        self._version = entry.version
        self._blocks = blocks
        self._source = source
        self._store = store
        self._arriving = arriving

    async def read(self, span: ByteRange) -> Body:
        """A body of the blocks as far as they go, and of the store where they do not."""
        start, stop = span.start, span.stop
        if start == stop:
            return NO_BYTES
        if self._arriving is None:
            return await self._blocks.read(self._version, start, stop, self._source, store=self._store)
        arriving, self._arriving = self._arriving, None
        try:
            fetched = await arriving.fetched(span)
            return await self._blocks.read(self._version, start, stop, self._source, fetched=fetched, store=self._store)
        finally:
            await arriving.aclose()

    async def aclose(self) -> None:
        """Let go of what was not read; idempotent."""
        if self._arriving is not None:
            arriving, self._arriving = self._arriving, None
            await arriving.aclose()


class _NoBytes(Body):
    def __init__(self) -> None:
        self.length = 0

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Nothing to free."""


NO_BYTES: Final = _NoBytes()
