"""Sorted names of directories, read once and kept for the pages that follow.

The kernel gives a directory's names in no useful order, so a page of a listing needs all of them. What was read is kept
as a *window*: all of the names, or those from a lower bound on, as many as ``_WINDOW_BYTES`` holds. The next page is a
bisection. Names are sorted in batches as they come, and the batches are merged when they are looked at, as far as that
is needed: so a million names are never objects all at once.

A window counts only while the directory's change times are those from before it was read. As in git's index that
proves nothing when the directory changed just before: another change in the same clock tick leaves the same times. Such
a window is used once and not kept.
"""

import contextlib
import heapq
import os
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cachetools import LRUCache

from s3proxy.stores.local import keys
from s3proxy.stores.local.packed_names import PackedNames

_WINDOW_BYTES = 20 * 1024 * 1024  # a million names of 16 bytes, 80,000 of the longest
_KEPT_BYTES = 48 * 1024 * 1024
_BATCH = 65_536  # names that are objects at once while a directory is read
_WINDOWS_OF_ONE_DIRECTORY = 2  # two walks through one huge directory do not drive each other's window out
_SMALLEST_KEPT = 128  # reading fewer names again costs no more than keeping them (30 us)
_CLOCK_TICK_NS = 20_000_000  # the kernel stamps changes with a clock that steps every 1 to 10 ms


class LongDirectory(str):
    """In a window: the ``.%l`` directory of the segments that begin with these characters."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The names ``n`` of one directory with ``start <= n < stop``.

    A file is its segment, a directory its segment and "/". A file may be there more than once, as it has two places.
    A long directory is there when any string that begins with it is in the range.
    """

    batches: tuple[PackedNames, ...]
    """Each in order; without the long directories."""
    long_directories: tuple[LongDirectory, ...]
    start: str
    stop: str | None
    """None when nothing comes after."""
    size: int
    """In bytes of memory."""

    def __len__(self) -> int:
        return sum(map(len, self.batches)) + len(self.long_directories)

    def holds(self, name: str) -> bool:
        """Whether the window says what comes at and after ``name``."""
        return self.start <= name and (self.stop is None or name < self.stop)

    def covers(self, other: "Window") -> bool:
        """Whether it says all that ``other`` says."""
        return self.start <= other.start and (self.stop is None or (other.stop is not None and other.stop <= self.stop))

    def names_from(self, lower: str) -> Iterator[str]:
        """The names that are not below ``lower``, in order, without the long directories."""
        found = [batch.names_from(lower) for batch in self.batches]
        return found[0] if len(found) == 1 else heapq.merge(*found)

    def long_directories_from(self, lower: str) -> list[LongDirectory]:
        """The long directories that may hold a name that is not below ``lower``."""
        return [chunk for chunk in self.long_directories if chunk >= lower or lower.startswith(chunk)]


@dataclass(frozen=True, slots=True)
class _Stamp:
    modified_ns: int
    changed_ns: int

    def was_settled(self, now_ns: int) -> bool:
        """Whether any change from ``now_ns`` on is sure to show in the times."""
        return max(self.modified_ns, self.changed_ns) < now_ns - _CLOCK_TICK_NS


_Identity = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: _Stamp
    windows: tuple[Window, ...]


class Windows:
    """The kept windows; any number of threads may share it.

    Args:
        kept_bytes: memory for all windows together.
        window_bytes: memory for the names of one.
        batch: how many names are gathered before they are packed.
    """

    def __init__(
        self, *, kept_bytes: int = _KEPT_BYTES, window_bytes: int = _WINDOW_BYTES, batch: int = _BATCH
    ) -> None:
        self._window_bytes = window_bytes
        self._batch = batch
        self._kept: LRUCache[_Identity, _Kept] = LRUCache(
            kept_bytes, getsizeof=lambda kept: sum(window.size for window in kept.windows)
        )
        self._lock = threading.Lock()
        # One reader of a directory at a time: the next one finds what the first has read. Few, so that their memory is
        # bounded too.
        self._reading = tuple(threading.Lock() for _ in range(4))

    def load(self, fd: int, lower: str, within: str = "") -> Window:
        """The window of a directory that begins at or before ``lower``.

        Args:
            fd: the directory, open for reading; its offset is moved.
            lower: the smallest name that is wanted.
            within: for a ``.%l`` directory, the path of such directories that leads to it, ending with "/".
        """
        status = os.fstat(fd)
        identity = status.st_dev, status.st_ino, within
        window = self._find(identity, _stamp_of(status), lower)
        if window is not None:
            return window
        with self._reading[hash(identity) % len(self._reading)]:
            stamp = _stamp_of(os.fstat(fd))
            return self._find(identity, stamp, lower) or self._read(fd, identity, stamp, lower)

    def _find(self, identity: _Identity, stamp: _Stamp, lower: str) -> Window | None:
        with self._lock:
            kept = self._kept.get(identity)
        if kept is None or kept.stamp != stamp:
            return None
        return next((window for window in kept.windows if window.holds(lower)), None)

    def _read(self, fd: int, identity: _Identity, stamp: _Stamp, lower: str) -> Window:
        is_settled = stamp.was_settled(time.time_ns())
        scan = Scan(fd, identity[2])
        # One that is not kept serves nobody who begins elsewhere.
        selection = _Selection(lower, self._window_bytes, self._batch, start="" if is_settled else lower)
        selection.take(scan.names())
        if scan.has_directories and not (is_settled and _stamp_of(os.fstat(fd)) == stamp):
            # 1. This reader passes where .%fa would be. 2. A writer links a to .%fa and puts a directory in the place
            # of a. 3. The reader comes to a, now a directory: it has met the key at neither place. But .%fa stays.
            selection.take(scan.names(only_escaped=True))
        window = selection.window()
        if is_settled and len(window) >= _SMALLEST_KEPT:
            self._keep(identity, stamp, window)
        return window

    def _keep(self, identity: _Identity, stamp: _Stamp, window: Window) -> None:
        # One that is larger than all that may be kept is refused with a ValueError, and read again for each page.
        with self._lock, contextlib.suppress(ValueError):
            kept = self._kept.get(identity)
            others = kept.windows if kept is not None and kept.stamp == stamp else ()
            others = tuple(other for other in others if not window.covers(other))
            self._kept[identity] = _Kept(stamp, (window, *others[: _WINDOWS_OF_ONE_DIRECTORY - 1]))


def _stamp_of(status: os.stat_result) -> _Stamp:
    return _Stamp(status.st_mtime_ns, status.st_ctime_ns)


class Scan:
    """A directory, read in the kernel's order.

    Args:
        fd: the directory, open for reading; its offset is moved.
        within: for a ``.%l`` directory, the path of such directories that leads to it, ending with "/".
    """

    def __init__(self, fd: int, within: str = "") -> None:
        self._fd = fd
        self._within = within
        self.has_directories = False
        """Whether ``names`` has met one."""

    def names(self, *, only_escaped: bool = False) -> Iterator[str]:
        """What is there of keys, as in a window; ``only_escaped`` leaves out all but escaped files."""
        within = self._within
        with os.scandir(self._fd) as entries:
            for entry in entries:
                name = entry.name
                if within or name.startswith(keys.ESCAPE) or not name.isascii():
                    decoded = self._decoded(entry)
                    if decoded is not None:
                        yield decoded
                elif only_escaped:
                    continue
                elif entry.is_file(follow_symlinks=False):
                    yield name
                elif entry.is_dir(follow_symlinks=False):
                    self.has_directories = True
                    yield f"{name}/"

    def _decoded(self, entry: os.DirEntry[str]) -> str | None:
        if entry.is_file(follow_symlinks=False):
            return keys.file_segment(entry.name, self._within)
        if not entry.is_dir(follow_symlinks=False):
            return None
        if entry.name.startswith(keys.LONG):
            chunk = keys.long_directory(entry.name, self._within)
            return None if chunk is None else LongDirectory(chunk)
        segment = keys.directory_segment(entry.name, self._within)
        if segment is None:
            return None
        self.has_directories = True
        return f"{segment}/"


class _Selection:
    """Names of a directory that come in any order: all of them, or as many from a bound on as fit.

    Args:
        lower: the bound.
        max_bytes: of memory.
        batch: how many names are gathered before they are packed.
        start: below which nothing is taken, at most ``lower``.
    """

    def __init__(self, lower: str, max_bytes: int, batch: int, *, start: str = "") -> None:
        self._lower = lower
        self._start = start
        self._stop: str | None = None
        self._max_bytes = max_bytes
        self._batch = batch
        self._batches: list[PackedNames] = []
        self._long: set[LongDirectory] = set()

    def take(self, names: Iterator[str]) -> None:
        """Take what of these is in the range."""
        start, stop = self._start, self._stop
        gathered: list[str] = []
        left = self._batch
        for name in names:
            if stop is not None and name >= stop:
                continue
            if type(name) is not LongDirectory:
                if name < start:
                    continue
                gathered.append(name)
            elif name >= start or start.startswith(name):
                self._long.add(name)
            left -= 1
            if not left:
                self._pack(gathered)
                start, stop = self._start, self._stop
                gathered = []
                left = self._batch
        self._pack(gathered)

    def window(self) -> Window:
        """What was taken."""
        long_directories = tuple(sorted(self._long))
        return Window(tuple(self._batches), long_directories, self._start, self._stop, self._size())

    def _size(self) -> int:
        return sum(batch.size for batch in self._batches) + sum(map(_memory_of, self._long))

    def _pack(self, names: list[str]) -> None:
        if names:
            names.sort()
            self._batches.append(PackedNames.of(names))
        if self._size() > self._max_bytes and self._start != self._lower:
            self._start = self._lower
            self._cut()
        while self._size() > self._max_bytes and (stop := self._middle()) is not None:
            self._stop = stop
            self._cut()

    def _middle(self) -> str | None:
        """A name below which three quarters are, or about that; greater than the bound. None when there is none."""
        ordered: list[Sequence[str] | PackedNames] = [*self._batches, sorted(self._long)]
        total = sum(map(len, ordered))
        for names in sorted(ordered, key=len, reverse=True):
            index = bisect_left(
                range(len(names)), total * 3 // 4, key=lambda number: _count_below(ordered, names[number])
            )
            # The next window starts after this one's bound, and nothing is in both.
            while index < len(names) and names[index] <= self._lower:
                index += 1
            if index < len(names):
                return names[index]
        return None

    def _cut(self) -> None:
        """Drop what is out of the range."""
        start, stop = self._start, self._stop
        spans = [
            (batch, batch.count_below(start), len(batch) if stop is None else batch.count_below(stop))
            for batch in self._batches
        ]
        self._batches = [batch.between(first, last) for batch, first, last in spans if first < last]
        self._long = {
            name for name in self._long if (name >= start or start.startswith(name)) and (stop is None or name < stop)
        }


def _count_below(ordered: Sequence[Sequence[str] | PackedNames], bound: str) -> int:
    return sum(bisect_left(names, bound) for names in ordered)


def _memory_of(name: LongDirectory) -> int:
    return sys.getsizeof(name) + 32  # of the set that holds it
