"""Where a record is kept: in one extended attribute of its file or directory, or else in a hidden file.

The attribute travels with the file through every rename, and is replaced in one step. A record that does not fit (ext4
has 4 KiB for all attributes of a file; 10,000 parts take a megabyte) leaves an abridged one in the attribute, and the
whole one in a hidden file that is named by the inode. Where there are no extended attributes, the hidden file is all.

A hidden file cannot count for a file that it was not written for: besides the inode it must agree in size and mtime_ns,
and with the attribute, if there is one, in the ETag. It is not removed with its file: finding out whether there is one
would cost each PUT and DELETE more than the rare leftover does. A sweep removes it (``HiddenFiles.leftovers``).
"""

import contextlib
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from cachetools import LRUCache

from s3proxy.s3.model import Key, ListedObject
from s3proxy.stores.local import metadata
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.staging import Staging

ATTRIBUTE: Final = "user.s3proxy"

_NO_ROOM = {errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EDQUOT}
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS}
_ELSEWHERE: Final = b""
"""What reading the attribute gives where there are no attributes: only the hidden file can tell."""

_CACHE_BYTES = 4 * 1024 * 1024
"""Of encoded records, the cost of keeping one included; decoded they take three to four times that."""
_CACHE_OVERHEAD_BYTES = 512

RACY_NS: Final = 20_000_000
"""A file system's clock may tick only every 10 ms: two changes within a tick leave the same ctime. Hence a record is
kept in memory only when its file had been left alone for longer before it was read."""

_SUFFIX = ".json"  # keeps hidden files apart from the parts of an upload, which lie beside them

_Version = tuple[int, int, int, int, int]


class HiddenFiles:
    """The hidden files of one directory, named by the inode that each one describes.

    Args:
        dir_fd: where they are; None when a read-only store has none.
        staging: where they are written before they get their name; None of a read-only store.
    """

    def __init__(self, dir_fd: int | None, staging: Staging | None) -> None:
        self._dir_fd = dir_fd
        self._staging = staging

    def read(self, inode: int) -> bytes | None:
        """The record kept for an inode, or None."""
        if self._dir_fd is None:
            return None
        try:
            fd = os.open(f"{inode:x}{_SUFFIX}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._dir_fd)
        except FileNotFoundError:
            return None
        with open(fd, "rb") as file:
            _, _, data = file.read().partition(b"\n")
        return data

    def write(self, inode: int, owner: tuple[str, str], data: bytes) -> None:
        """Keep a record for an inode.

        Args:
            inode: of the file that it describes.
            owner: bucket and key of that file, by which a sweep finds out whether it still exists.
            data: the encoded record.
        """
        assert self._staging is not None
        assert self._dir_fd is not None
        temporary = self._staging.create()
        try:
            temporary.append(memoryview(json.dumps(owner).encode("ascii") + b"\n" + data))
            temporary.sync()
            os.rename(temporary.name, f"{inode:x}{_SUFFIX}", src_dir_fd=temporary.dir_fd, dst_dir_fd=self._dir_fd)
            temporary.published()
        finally:
            temporary.discard()
        if self._staging.is_synced:
            os.fsync(self._dir_fd)

    def leftovers(self, *, older_than_ns: int, is_current: Callable[[str, str, int], bool]) -> Iterator[str]:
        """Remove the records whose file is gone; yields between them, so that the caller can stop.

        Args:
            older_than_ns: leave alone what was written later: its file may be about to be published.
            is_current: tells of bucket, key and inode whether that object is that file.

        Yields:
            The name of each record that was looked at.
        """
        assert self._dir_fd is not None
        for name in os.listdir(self._dir_fd):
            with contextlib.suppress(FileNotFoundError, ValueError):
                is_left = self._is_older(name, older_than_ns) and not is_current(*self._owner_of(name))
                # Asked again, since the inode may be that of a new file by now, whose record was written first.
                if is_left and self._is_older(name, older_than_ns):
                    os.unlink(name, dir_fd=self._dir_fd)
            yield name

    def _is_older(self, name: str, than_ns: int) -> bool:
        return os.stat(name, dir_fd=self._dir_fd, follow_symlinks=False).st_mtime_ns < than_ns

    def _owner_of(self, name: str) -> tuple[str, str, int]:
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._dir_fd), "rb") as file:
            bucket, key = json.loads(file.readline(64 * 1024))
        return bucket, key, int(name.removesuffix(_SUFFIX), 16)


def read_attribute(file: int | str) -> bytes | None:
    """The record in the attribute of an open file, or of a path whose last component is no link.

    Returns:
        The record; None when there is none; empty where the file system has no attributes.
    """
    try:
        return os.getxattr(file, ATTRIBUTE, follow_symlinks=isinstance(file, int))
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return _ELSEWHERE
        if error.errno == errno.ENODATA:
            return None
        raise


def is_elsewhere(data: bytes | None) -> bool:
    """Whether what ``read_attribute`` gave refers to a hidden file."""
    return data is not None and (data == _ELSEWHERE or metadata.is_abridged(data))


def write_attribute(
    fd: int, whole: bytes, abridged: Callable[[], bytes], hidden: HiddenFiles, owner: tuple[str, str]
) -> None:
    """Write the record of an open file or directory, replacing any; the caller syncs it afterwards.

    Args:
        fd: the file.
        whole: the encoded record.
        abridged: encodes what the attribute is to hold when the whole has no room in it.
        hidden: where the whole goes then.
        owner: bucket and key of the file.
    """
    try:
        os.setxattr(fd, ATTRIBUTE, whole)
    except OSError as error:
        if error.errno not in _NO_ROOM | _UNSUPPORTED:
            raise
        # First the hidden file, then the attribute that refers to it: at no moment is there a reference to nothing.
        hidden.write(os.fstat(fd).st_ino, owner, whole)
        if error.errno in _NO_ROOM:
            os.setxattr(fd, ATTRIBUTE, abridged())


def load(fd: int, status: os.stat_result, hidden: HiddenFiles, *, cached: bool = False) -> tuple[Record, int]:
    """Read the record of an open file; where there is no valid one, what its status alone tells.

    Args:
        fd: the open file.
        status: what fstat says of it.
        hidden: where the record is if not in the attribute.
        cached: do not open a hidden file, which could wait for the disk.

    Returns:
        The record, and the length of its encoding in bytes; 0 when the status does not tell whether it changed.

    Raises:
        BlockingIOError: ``cached``, and a hidden file would have to be read.
    """
    found = data = read_attribute(fd)
    if found is not None and is_elsewhere(found):
        if cached:
            raise BlockingIOError(errno.EAGAIN, "the record is in a hidden file")
        data = _agreeing(hidden.read(status.st_ino), found, status)
    record = metadata.decode(data, status.st_size, status.st_mtime_ns) if data else None
    if record is None or data is None:
        return metadata.unrecorded(status), 0
    # A hidden file alone can change without a trace in the status of the file that it describes.
    return record, 0 if found == _ELSEWHERE else len(data)


def save(fd: int, record: Record, hidden: HiddenFiles, owner: tuple[str, str]) -> None:
    """Write the record of an open file, which must have the size and mtime_ns that it says; see ``write_attribute``."""
    write_attribute(fd, metadata.encode(record), lambda: metadata.encode_abridged(record), hidden, owner)


def _agreeing(whole: bytes | None, abridged: bytes, status: os.stat_result) -> bytes | None:
    """The whole record, if it is of the same write as the abridged one."""
    if whole is None or abridged == _ELSEWHERE:
        return whole
    mine = metadata.decode_listed(whole, Key(""), status.st_size, status.st_mtime_ns)
    return whole if mine == metadata.decode_listed(abridged, Key(""), status.st_size, status.st_mtime_ns) else None


class Records:
    """The records of objects, with the recently read ones in memory.

    Args:
        hidden: where records are that do not fit the attribute.
        clock_ns: the time, as the file system's ctime counts it.
    """

    def __init__(self, hidden: HiddenFiles, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.hidden: Final = hidden
        self._clock_ns = clock_ns
        self._cache: LRUCache[_Version, tuple[Record, int]] = LRUCache(_CACHE_BYTES, getsizeof=lambda entry: entry[1])
        self._lock = threading.Lock()  # the event loop and the disk threads both read records

    def load(self, fd: int, status: os.stat_result, *, cached: bool = False) -> Record:
        """Like the function ``load``, but from memory if possible."""
        version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        with self._lock:
            entry = self._cache.get(version)
        if entry is not None:
            return entry[0]
        is_settled = self._clock_ns() - status.st_ctime_ns > RACY_NS
        record, length = load(fd, status, self.hidden, cached=cached)
        if is_settled and length:
            with self._lock, contextlib.suppress(ValueError):  # a record larger than the cache is not kept
                self._cache[version] = (record, length + _CACHE_OVERHEAD_BYTES)
        return record

    def describe(self, key: Key, dir_fd: int, name: str) -> ListedObject | None:
        """What a listing shows of a file that is not open; None when it is no regular file, or gone."""
        try:
            before = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
            while stat.S_ISREG(before.st_mode):
                if listed := self._described(key, dir_fd, name, before):
                    return listed
                # No valid record: changed by a file-system program, or replaced between the looks at it?
                after = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
                if after.st_ino == before.st_ino:
                    return metadata.unrecorded_listed(key, after)
                before = after
        except FileNotFoundError:
            pass
        return None

    def _described(self, key: Key, dir_fd: int, name: str, status: os.stat_result) -> ListedObject | None:
        # There is no getxattr relative to a directory; /proc names the same file without following links.
        data = read_attribute(f"/proc/self/fd/{dir_fd}/{name}")
        if data == _ELSEWHERE:
            data = self.hidden.read(status.st_ino)
        return metadata.decode_listed(data, key, status.st_size, status.st_mtime_ns) if data else None
