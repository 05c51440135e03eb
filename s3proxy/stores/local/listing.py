"""Pages of keys in UTF-8 byte order, read from the directory tree as far as the page needs it.

Python compares strings by code point, which is the order of their UTF-8 bytes. Within a directory a file sorts as its
segment and a directory as its segment and "/", because all keys below it begin so: ``a``, ``a!x``, ``a/b``, ``a0``.
A walk therefore visits directory after directory and each in order. Only a ``.%l`` directory (see keys.py) is merged
into the directory that holds it, since its segments may lie between those beside it.

Consistency. A key that exists for as long as a page takes is on it, once, whatever others write: a name that was read
and is gone is looked for at its second place (see tree.py: a key moves at most once), and a directory that changed
while it was read is dealt with in windows.py. One thing is left to the file system: that it shows a name that is
replaced while a directory is read. ext4, XFS and tmpfs do.
"""

import heapq
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice

from s3proxy.s3.model import Key, ListedObject, ListPage, ListQuery
from s3proxy.stores.local import keys, syscalls
from s3proxy.stores.local.windows import LongDirectory, Scan, Window, Windows

Describe = Callable[[Key, int, str], ListedObject | None]
"""Given a key, the descriptor of a directory and a name in it: what is known of the object, or None when no regular
file has that name (any more)."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LEVELS_WITH_WINDOWS = 8  # deeper than most trees; further out a window is found again on the way back

_windows = Windows()  # one for the process: all stores and threads draw on the same bounded memory


def list_page(bucket_fd: int, query: ListQuery, describe: Describe) -> ListPage:
    """One page of a bucket's keys.

    It costs what the page costs: directories before ``query.after`` or beside ``query.prefix`` are not read, and of
    those behind a common prefix as much as shows that there is a key.

    Args:
        bucket_fd: the bucket's directory.
        query: which keys.
        describe: called for each key that is listed and for one more; again with another place when it says None.

    Raises:
        PermissionError: the server may not read a directory that may hold such keys.
    """
    lower = _lower_bound(query)
    if query.max_keys == 0 or lower is None or not lower.startswith(query.prefix):
        return ListPage(objects=(), common_prefixes=(), is_truncated=False)
    base = query.prefix[: query.prefix.rfind("/") + 1]
    with closing(_Walk(bucket_fd, base, lower)) as walk:
        entries = list(islice(_entries(walk, query, describe), query.max_keys + 1))
    is_truncated = len(entries) > query.max_keys
    del entries[query.max_keys :]
    last = entries[-1] if is_truncated else ""
    return ListPage(
        objects=tuple(entry for entry in entries if not isinstance(entry, str)),
        common_prefixes=tuple(entry for entry in entries if isinstance(entry, str)),
        is_truncated=is_truncated,
        next_after=last if isinstance(last, str) else last.key,
        next_is_prefix=is_truncated and isinstance(last, str),
    )


def holds_key(bucket_fd: int, prefix: str = "") -> bool:
    """Whether there is any key that begins with ``prefix``, which is empty or ends with "/"."""
    if _holds_file(bucket_fd, prefix):
        return True
    with closing(_Walk(bucket_fd, prefix, prefix)) as walk:
        while (name := walk.next_name()) is not None:
            key = walk.prefix + name
            if not name.endswith("/"):
                if keys.is_allowed(key):
                    return True
            elif _holds_file(bucket_fd, key):
                return True
            else:
                walk.descend(name)
    return False


def _holds_file(bucket_fd: int, prefix: str) -> bool:
    """Whether a directory itself holds the file of a key. No order: of a huge one only the start is read."""
    with closing(_Directory(bucket_fd, keys.directory_path(prefix))) as directory:
        fd = directory.descriptor()
        return fd is not None and any(
            type(name) is str and not name.endswith("/") and keys.is_allowed(prefix + name) for name in Scan(fd).names()
        )


def _lower_bound(query: ListQuery) -> str | None:
    """The smallest string that may be listed; None when nothing may."""
    if not query.after:
        return query.prefix
    bound = _after_all(query.after) if query.after_is_prefix else f"{query.after}\0"
    return None if bound is None else max(query.prefix, bound)


def _after_all(prefix: str) -> str | None:
    """The smallest string that is greater than all that begin with ``prefix``; None when there is none."""
    stem = prefix.rstrip("\U0010ffff")
    return stem[:-1] + chr(ord(stem[-1]) + 1) if stem else None


def _entries(walk: "_Walk", query: ListQuery, describe: Describe) -> Iterator[ListedObject | str]:
    """Objects and common prefixes, in order."""
    while (name := walk.next_name()) is not None:
        key = walk.prefix + name
        if not key.startswith(query.prefix):
            return
        common_prefix = _common_prefix(key, query)
        if name.endswith("/") and (common_prefix is None or walk.begins_within(key)):
            walk.descend(name)
        elif common_prefix is not None:
            if walk.holds_key(name):
                yield common_prefix
                walk.skip(common_prefix)
        elif (entry := walk.describe(name, describe)) is not None:
            yield entry


def _common_prefix(key: str, query: ListQuery) -> str | None:
    if not query.delimiter:
        return None
    found = key.find(query.delimiter, len(query.prefix))
    return None if found < 0 else key[: found + len(query.delimiter)]


class _Walk:
    """The names below a directory in the order of their keys, from a lower bound on.

    Whoever walks decides at each directory whether to descend. *Closes:* ``close``.

    Args:
        bucket_fd: the bucket's directory.
        prefix: of the directory where the walk begins and ends; empty, or ends with "/".
        lower: begins with ``prefix``; keys below it are left out.
    """

    def __init__(self, bucket_fd: int, prefix: str, lower: str) -> None:
        self._bucket_fd = bucket_fd
        self._lower = lower
        self._levels: list[_Level] = []
        self._push(prefix)

    @property
    def prefix(self) -> str:
        """Of the directory in which the last name was found."""
        return self._levels[-1].prefix

    def next_name(self) -> str | None:
        """The next file, or directory with "/" behind it, that was not skipped; None at the end."""
        while self._levels:
            name = self._levels[-1].next_name()
            if name is not None:
                return name
            self._levels.pop().directory.close()
        return None

    def descend(self, name: str) -> None:
        """Go on within the directory that was met last."""
        prefix = self.prefix + name
        if not keys.is_allowed(prefix):
            return
        self._levels[-1].directory.close()  # one descriptor is enough for any depth
        if len(self._levels) >= _LEVELS_WITH_WINDOWS:
            self._levels[-_LEVELS_WITH_WINDOWS].forget()
        self._push(prefix)

    def skip(self, prefix: str) -> None:
        """Go on behind all keys that begin with ``prefix``, as the last name does."""
        while self._levels and self._levels[-1].prefix.startswith(prefix):
            self._levels.pop().directory.close()
        if self._levels:
            self._levels[-1].skip(prefix[len(self.prefix) :])

    def begins_within(self, prefix: str) -> bool:
        """Whether the walk leaves out a part of what begins with ``prefix``."""
        return self._lower.startswith(prefix) and self._lower != prefix

    def holds_key(self, name: str) -> bool:
        """Whether the last name is a key, or a directory with one in it."""
        key = self.prefix + name
        return holds_key(self._bucket_fd, key) if name.endswith("/") else keys.is_allowed(key)

    def describe(self, name: str, describe: Describe) -> ListedObject | None:
        """What is known of the file that was met last; None when it is gone."""
        key = Key(self.prefix + name)
        if not keys.is_allowed(key):
            return None
        directory = self._levels[-1].directory
        fd = directory.descriptor()
        found = describe(key, fd, name) if fd is not None and keys.is_plain(name) else None
        return found or directory.describe_escaped(key, name, describe)

    def _push(self, prefix: str) -> None:
        lower = self._lower[len(prefix) :] if self._lower.startswith(prefix) else ""
        self._levels.append(_Level(self._bucket_fd, prefix, lower))

    def close(self) -> None:
        """Close what is open."""
        while self._levels:
            self._levels.pop().directory.close()


class _Level:
    """Where a walk is within one directory."""

    __slots__ = ("_last", "_names", "directory", "prefix")

    def __init__(self, bucket_fd: int, prefix: str, lower: str) -> None:
        self.prefix = prefix
        self.directory = _Directory(bucket_fd, keys.directory_path(prefix))
        self._names = self.directory.names(lower)
        self._last: str | None = None

    def next_name(self) -> str | None:
        for name in self._names:
            if name != self._last:  # a file at both of its places is there twice
                self._last = name
                return name
        return None

    def skip(self, prefix: str) -> None:
        if prefix == self._last and prefix.endswith("/"):
            return  # no other name begins like a directory's
        lower = _after_all(prefix)
        self._names = iter(()) if lower is None else self.directory.names(lower)

    def forget(self) -> None:
        """Give the window back; it is loaded again for the next name."""
        self.directory.forget()
        self._names = self.directory.names(self._last or "")


class _Directory:
    """A directory and those ``.%l`` directories in it that hold the longer of its names.

    Args:
        bucket_fd: the bucket's directory.
        path: of the directory, below the bucket.
        within: for a ``.%l`` directory, the path of such directories that leads to it, ending with "/".
    """

    __slots__ = ("_bucket_fd", "_fd", "_path", "_window", "_within")

    def __init__(self, bucket_fd: int, path: str, within: str = "") -> None:
        self._bucket_fd = bucket_fd
        self._path = path
        self._within = within
        self._fd: int | None = None
        self._window: Window | None = None

    def descriptor(self) -> int | None:
        """The open directory, until ``close``; None when there is none."""
        if self._fd is None:
            self._fd = _open_directory(self._bucket_fd, self._path)
        return self._fd

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def forget(self) -> None:
        self._window = None

    def names(self, lower: str) -> Iterator[str]:
        """The names from ``lower`` on, in order, as in a window without long directories."""
        if "/" in lower:  # then it is below the directory of that name
            lower = lower[: lower.index("/") + 1]
        while (window := self._load(lower)) is not None:
            yield from self._merged(window, lower)
            if window.stop is None:
                return
            lower = window.stop

    def _load(self, lower: str) -> Window | None:
        # For one page a window that may not be kept will do, too: so a writer does not make each skip a new reading.
        if self._window is None or not self._window.holds(lower):
            fd = self.descriptor()
            self._window = None if fd is None else _windows.load(fd, lower, self._within)
        return self._window

    def _merged(self, window: Window, lower: str) -> Iterator[str]:
        names = window.names_from(lower)
        long_directories = window.long_directories_from(lower)
        if not long_directories:
            return names
        return self._merge(names, [self._names_in(chunk, lower) for chunk in long_directories], window.stop)

    @staticmethod
    def _merge(
        names: Iterator[str], long_directories: list[Iterator[tuple[str, bool]]], stop: str | None
    ) -> Iterator[str]:
        for name, is_name in heapq.merge(((name, True) for name in names), *long_directories):
            if stop is not None and name >= stop:
                return
            if is_name:
                yield name

    def _names_in(self, chunk: LongDirectory, lower: str) -> Iterator[tuple[str, bool]]:
        yield str(chunk), False  # not opened before the merge comes this far
        name = keys.long_name(chunk[len(keys.chunk_of(self._within)) :])
        with closing(_Directory(self._bucket_fd, f"{self._path}/{name}", f"{self._within}{name}/")) as directory:
            for segment in directory.names(lower):
                directory.close()
                yield segment, True

    def describe_escaped(self, key: Key, segment: str, describe: Describe) -> ListedObject | None:
        path, _, name = f"{self._path}/{keys.file_place(segment)}".rpartition("/")
        fd = _open_directory(self._bucket_fd, path)
        if fd is None:
            return None
        try:
            return describe(key, fd, name)
        finally:
            os.close(fd)


def _open_directory(bucket_fd: int, path: str) -> int | None:
    try:
        return syscalls.open_beneath(bucket_fd, path, _DIRECTORY)
    except OSError as error:
        if error.errno in syscalls.ABSENT:
            return None
        raise
