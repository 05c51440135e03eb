"""What the store said of objects, and for how long that counts.

Through one node, whichever of its workers serves, what was written can be read at once, and what was deleted is gone
at once, whatever the time to live; listings are never cached. A change made straight at the store, or through another
node, is seen at the latest ``ttl_seconds`` after it: at 0 at once, at ``math.inf`` never by itself, only when bytes of
the old version are asked of the store. A write whose outcome its client never learned counts as made straight at the
store, and while a write is under way readers see what was there before or what is there after.

What holds the first sentence up are stamps: shared words, one for each hash of bucket and key, to which every write
gives a new value twice. An entry counts only while its word is what it was before the store was asked:

    1. a writer changes the word             4. a reader takes the word and asks the store
    2. the store commits the write           5. the store answers it
    3. the writer changes the word again     6. the reader keeps the answer with the word of 4

    4 before 1: the entry ends with 1, be the answer old or new.
    4 between 1 and 3: it ends with 3, for the answer may be old. Nobody was told of the write before that.
    4 after 3: the answer is of 2 or later, and the entry counts.

A writer that dies between 1 and 3 has told nobody that it wrote. If the worker dies, its client learns nothing either.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from s3proxy.cache.blocks import ObjectVersion
from s3proxy.cache.shared import SharedWords
from s3proxy.s3.model import Bucket, Key, ObjectInfo
from s3proxy.stores.caching.shared_metadata import MetadataTable, Shared

Place = tuple[Bucket, Key]

MAX_BYTES: Final = 64 * 1024 * 1024
"""Of entries in one process, by estimate: some 40,000 objects of the usual kind."""
_ENTRY_BYTES: Final = 1500
_PART_BYTES: Final = 400


@dataclass(frozen=True, slots=True)
class Asking:
    """The moment before the store was asked about an object."""

    at: float
    stamp: int


class Entry:
    """One version of an object, as the store described it. Never changed.

    A plain class, because one is made for each object that is asked for and a frozen dataclass takes 1 us to make.
    """

    __slots__ = ("fresh_until", "info", "is_complete", "place", "stamp", "version")

    def __init__(
        self,
        place: Place,
        version: ObjectVersion,
        info: ObjectInfo,
        *,
        fresh_until: float,
        stamp: int,
        is_complete: bool,
    ) -> None:
        self.place: Final = place
        self.version: Final = version
        self.info: Final = info
        self.fresh_until: Final = fresh_until
        self.stamp: Final = stamp
        self.is_complete: Final = is_complete
        """Whether ``info`` has all that HeadObject tells."""


def token_of(etag: str, last_modified_ns: int) -> str:
    """What tells the versions of an object apart. In whole seconds, for S3 tells more of them in listings only."""
    return f"{etag}|{last_modified_ns // 1_000_000_000}"


class Entries:
    """The entries of this process, in front of the table of all workers.

    Args:
        name: of the store.
        shared: the stamps.
        table: what the workers tell each other; None for a process on its own.
        ttl_seconds: see above.
        clock: seconds, the same in all workers; monotonic.
        max_bytes: of entries, by estimate; the least recently used go first.
    """

    def __init__(
        self,
        name: str,
        shared: SharedWords,
        table: MetadataTable | None,
        *,
        ttl_seconds: float,
        clock: Callable[[], float],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.ttl_seconds: Final = ttl_seconds
        self._name = name
        self._shared = shared
        self._stamp = shared.stamp
        self._table = table
        self._clock = clock
        self._entries: LRUCache[Place, Entry] = LRUCache(max_bytes, getsizeof=_size_of)

    def find(self, place: Place) -> Entry | None:
        """The entry that counts now, this process's own or one that another worker shared."""
        try:
            entry = self._entries[place]
        except KeyError:
            return self._find_shared(place)
        if self._is_fresh(place, entry):
            return entry
        return self._find_shared(place)

    def is_known(self, place: Place) -> bool:
        """Whether the object was there when last asked for, and was not written through this node since then.

        Such an object probably has its blocks here, so that asking for its metadata alone is worth a request.
        """
        entry = self._entries.get(place)
        if entry is not None:
            return entry.stamp == self._stamp(*place)
        shared = None if self._table is None else self._table.get(self._name, *place)
        if shared is None:
            return False
        return not shared.is_of_this_run or shared.stamp == self._stamp(*place)

    def ask(self, place: Place) -> Asking:
        """To be called before the store is asked, for what it answers then."""
        return Asking(self._clock(), self._stamp(*place))

    def answers(self, place: Place, asking: Asking | None, arrived: Asking) -> bool:
        """Whether what the store said after ``asking`` can be told to who arrived at ``arrived``."""
        if asking is None:
            return False
        return arrived.at < asking.at + self.ttl_seconds and asking.stamp == self._stamp(*place)

    def make(self, place: Place, asking: Asking, info: ObjectInfo, *, is_complete: bool) -> Entry:
        """An entry of what the store answered. It has an ETag: without one, versions cannot be told apart."""
        assert info.etag
        before = self._entries.get(place)
        token = token_of(info.etag, info.last_modified_ns)
        if before is not None and before.version.token == token and before.info.size == info.size:
            version = before.version  # whose digest is computed already
        else:
            bucket, key = place
            version = ObjectVersion(store=self._name, bucket=bucket, key=key, token=token, size=info.size)
        fresh_until = asking.at + self.ttl_seconds
        return Entry(place, version, info, fresh_until=fresh_until, stamp=asking.stamp, is_complete=is_complete)

    def keep(self, asking: Asking, entry: Entry) -> None:
        """Keep an entry, and share it.

        That the object was changed at the store since the last entry is told to all workers, which may have it too.
        """
        place = entry.place
        before = self._entries.get(place)
        is_change = before is not None and before.version != entry.version and before.stamp == asking.stamp
        if is_change and self.ttl_seconds > 0:
            self._shared.bump(*place)
        self._put(place, entry)
        if self._table is not None:
            told = Shared(
                info=entry.info,
                is_complete=entry.is_complete,
                asked_at=asking.at,
                stamp=asking.stamp,
                is_of_this_run=True,
            )
            self._table.put(self._name, *place, told)

    def forget(self, entry: Entry) -> None:
        """Drop a version that turned out to be gone, in all workers, unless something else ended it already."""
        if self._stamp(*entry.place) == entry.stamp:
            self._shared.bump(*entry.place)

    def _is_fresh(self, place: Place, entry: Entry) -> bool:
        return self._clock() < entry.fresh_until and self._stamp(*place) == entry.stamp

    def _find_shared(self, place: Place) -> Entry | None:
        shared = None if self._table is None else self._table.get(self._name, *place)
        if shared is None or not shared.is_of_this_run:
            return None
        asking = Asking(shared.asked_at, shared.stamp)
        entry = self.make(place, asking, shared.info, is_complete=shared.is_complete)
        if not self._is_fresh(place, entry):
            return None
        self._put(place, entry)
        return entry

    def _put(self, place: Place, entry: Entry) -> None:
        if _size_of(entry) <= self._entries.maxsize:
            self._entries[place] = entry


def _size_of(entry: Entry) -> int:
    user = entry.info.metadata.user
    texts = sum(map(len, user)) + sum(map(len, user.values())) if user else 0
    return _ENTRY_BYTES + len(entry.version.key) + texts + _PART_BYTES * len(entry.info.parts)
