"""Opening an object: from an entry without asking the store, or with one request to it.

An object that is not known is asked for with a GET whose answer tells of it and brings the first bytes along: the range
of the reader, widened to the units of blocks, since units are cached whole. An object that is known, but must be asked
for again, is asked for with a HEAD, for its bytes are probably here.
"""

from dataclasses import dataclass
from typing import Final

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import ByteRange, GetObject, HeadObject, ObjectInfo
from s3proxy.s3.ranges import resolve_range
from s3proxy.stores.base import ObjectStore, OpenObject, StoreUnavailableError
from s3proxy.stores.caching.metadata import Asking, Entries, Entry, Place
from s3proxy.stores.caching.reading import Arriving, Blocks, CachedObject, PinnedSource
from s3proxy.stores.caching.turns import Turn, Turns

_MOST_TURNS: Final = 3  # waited for in vain; a herd that learns nothing from each other goes on all at once
_ENDLESS: Final = 1 << 62  # what a range is resolved against as long as the size of the object is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What was learned of an object."""

    info: ObjectInfo
    entry: Entry | None = None
    """None for an object without an ETag."""
    arriving: Arriving | None = None
    """The answer, if it brings bytes for the cache along."""


class Opening:
    """Opens objects of one store.

    Args:
        store: which has them.
        blocks: the cache of their bytes.
        entries: what is known of them.
        turns: who asks.
        unit_size: of the cache.
        first_fetch_bytes: the most that is asked for before the size of the object is known.
    """

    def __init__(
        self,
        store: ObjectStore,
        blocks: Blocks,
        entries: Entries,
        turns: Turns,
        *,
        unit_size: int,
        first_fetch_bytes: int,
    ) -> None:
        self._store = store
        self._blocks = blocks
        self._entries = entries
        self._turns = turns
        self._unit_size = unit_size
        self._first_fetch_bytes = first_fetch_bytes

    async def open(self, operation: GetObject) -> OpenObject:
        """Open an object for reading; see ``ObjectStore.get_object``."""
        place = (operation.bucket, operation.key)
        entry = self._entries.find(place)
        if not _is_current(operation):
            return await self._store.get_object(operation)
        if operation.part_number is not None and (entry is None or not entry.info.parts):
            return await self._open_part(operation)
        if entry is not None:
            return self._cached(entry, operation)
        if operation.no_store and not self._entries.is_known(place):
            return await self._store.get_object(operation)
        found = await self._find(operation)
        if found.entry is None:
            return await self._store.get_object(operation)
        return self._cached(found.entry, operation, found.arriving)

    async def describe(self, operation: HeadObject) -> ObjectInfo:
        """Describe an object; see ``ObjectStore.head_object``."""
        entry = self._entry_for(operation)
        if not _is_current(operation):
            return await self._store.head_object(operation)
        if operation.part_number is not None and (entry is None or not entry.info.parts):
            return await self._store.head_object(_part_of(operation))
        if entry is not None:
            return entry.info
        return (await self._find(operation)).info

    async def ask_again(self, place: Place) -> Entry | None:
        """Ask for an object's metadata whatever is known of it; None for one without an ETag."""
        return (await self._head(place, self._entries.ask(place))).entry

    def _cached(self, entry: Entry, operation: GetObject, arriving: Arriving | None = None) -> CachedObject:
        source = PinnedSource(self._store, self._entries, entry)
        return CachedObject(self._blocks, source, entry, store=not operation.no_store, arriving=arriving)

    async def _open_part(self, operation: GetObject) -> OpenObject:
        place = (operation.bucket, operation.key)
        asking = self._entries.ask(place)
        info = await self._store.head_object(_part_of(operation))
        if not info.etag:
            return await self._store.get_object(operation)
        # Not kept: what was said of the part does not hold for the object.
        return self._cached(self._entries.make(place, asking, info, is_complete=False), operation)

    # Who asks

    async def _find(self, operation: GetObject | HeadObject) -> _Found:
        """Ask the store in turn, or find what somebody else learned meanwhile."""
        place = (operation.bucket, operation.key)
        arrived = self._entries.ask(place)
        for _ in range(_MOST_TURNS):
            entry = self._entry_for(operation)
            if entry is not None:
                return _Found(info=entry.info, entry=entry)
            if self._entries.ttl_seconds <= 0 and self._first_range(operation) is None:
                break  # each has to ask for itself, so nobody waits
            turn = self._turns.begin(place)
            if turn is not None:
                return await self._ask_in_turn(operation, turn)
            ended = await self._turns.wait(place)
            if ended is None:
                break
            self._raise_failure(ended, arrived)
        return await self._ask(operation, None)

    async def _ask_in_turn(self, operation: GetObject | HeadObject, turn: Turn) -> _Found:
        try:
            await turn.wait_for_workers()
            entry = self._entry_for(operation)
            found = await self._ask(operation, turn) if entry is None else _Found(info=entry.info, entry=entry)
        except BaseException as error:
            turn.end(error if isinstance(error, S3Error | StoreUnavailableError) else None)
            raise
        if found.arriving is None:
            turn.end()
        return found

    def _raise_failure(self, ended: Turn, arrived: Asking) -> None:
        """Fail like the request that was waited for, where its answer is good for who arrived then."""
        failure = ended.failure
        if isinstance(failure, StoreUnavailableError):
            raise StoreUnavailableError(str(failure)) from failure
        if isinstance(failure, S3Error) and self._entries.answers(ended.place, ended.asking, arrived):
            raise S3Error(failure.code, failure.message, failure.detail, failure.headers) from failure

    def _entry_for(self, operation: GetObject | HeadObject) -> Entry | None:
        entry = self._entries.find((operation.bucket, operation.key))
        is_enough = entry is not None and (entry.is_complete or isinstance(operation, GetObject))
        return entry if is_enough else None

    # Asking

    async def _ask(self, operation: GetObject | HeadObject, turn: Turn | None) -> _Found:
        place = (operation.bucket, operation.key)
        asking = self._entries.ask(place)
        if turn is not None:
            turn.asking = asking
        first_range = self._first_range(operation)
        if first_range is not None:
            try:
                return await self._get(place, asking, first_range, turn)
            except S3Error as error:
                if error.code is not ErrorCode.INVALID_RANGE:
                    raise  # otherwise the object is empty, or shorter than the reader believes
        return await self._head(place, asking)

    def _first_range(self, operation: GetObject | HeadObject) -> str | None:
        """The range of the GET that tells of the object and brings its first bytes; None to ask with a HEAD."""
        if isinstance(operation, HeadObject) or operation.if_range is not None or not operation.conditions.is_empty:
            return None
        if self._entries.is_known((operation.bucket, operation.key)):
            return None
        return widened(operation.range, self._unit_size, self._first_fetch_bytes)

    async def _get(self, place: Place, asking: Asking, first_range: str, turn: Turn | None) -> _Found:
        opened = await self._store.get_object(GetObject(bucket=place[0], key=place[1], range=first_range))
        info = opened.info
        if not info.etag:
            await opened.aclose()
            return _Found(info=info)
        # S3 tells the checksum of an object with all of its bytes or none, mostly not with some of them.
        entry = self._entries.make(place, asking, info, is_complete=info.checksum is not None)
        span = _resolved(first_range, info.size)
        if span is None:
            await opened.aclose()
            self._entries.keep(asking, entry)
            return _Found(info=info, entry=entry)

        def end() -> None:
            # Not before the first bytes have a place in the cache: who finds the entry would ask for them again.
            self._entries.keep(asking, entry)
            if turn is not None:
                turn.end()

        first = -(-span.start // self._unit_size) * self._unit_size
        return _Found(info=info, entry=entry, arriving=Arriving(opened, span, first, end))

    async def _head(self, place: Place, asking: Asking) -> _Found:
        info = await self._store.head_object(HeadObject(bucket=place[0], key=place[1]))
        if not info.etag:
            return _Found(info=info)
        entry = self._entries.make(place, asking, info, is_complete=True)
        self._entries.keep(asking, entry)
        return _Found(info=info, entry=entry)


def widened(header: str | None, unit_size: int, max_bytes: int) -> str | None:
    """What to ask of an object of unknown size for the sake of a reader.

    Args:
        header: the reader's Range; None for the whole object.
        unit_size: to whose multiples both ends are widened. Where a suffix begins nobody knows: it gets so much more
            that the unit in which it begins is whole.
        max_bytes: the most to ask for, a multiple of ``unit_size``; readers who want more have to ask again.

    Returns:
        A Range; None where none can do: a suffix that is too long, or a start beyond every object.
    """
    try:
        span = None if header is None else resolve_range(header, _ENDLESS)
    except S3Error:
        return None
    span = span or ByteRange(0, _ENDLESS)
    if span.stop == _ENDLESS and span.start > _ENDLESS // 2:
        length = span.length + unit_size - 1
        return f"bytes=-{length}" if length <= max_bytes else None
    start = span.start // unit_size * unit_size
    stop = min(-(-span.stop // unit_size) * unit_size, start + max_bytes)
    return f"bytes={start}-{stop - 1}"


def _resolved(header: str, size: int) -> ByteRange | None:
    try:
        return resolve_range(header, size)
    except S3Error:
        return None


def _is_current(operation: GetObject | HeadObject) -> bool:
    return operation.version_id is None or operation.version_id == "null"


def _part_of(operation: GetObject | HeadObject) -> HeadObject:
    return HeadObject(bucket=operation.bucket, key=operation.key, part_number=operation.part_number)
