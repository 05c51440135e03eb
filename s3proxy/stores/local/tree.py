"""Objects as files below a bucket's directory: opened, published, removed. All of it blocks.

Rules. Every path is resolved beneath the bucket's descriptor, and every name is used relative to the descriptor of its
directory, so no symbolic link is ever followed. Only a regular file is an object; anything else that a file-system
program left at a key's place stays untouched.

Where a key is written. At its plain place, unless something other than a file stands there (the directory of ``a/b``
where ``a`` should go) or the key is at its escaped place already: then there. So while a key exists it moves at most
once, from its plain to its escaped place, when the first key below it is stored; looking at the plain place first, then
at the escaped one, finds it at every moment.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from s3proxy.s3.model import Key
from s3proxy.stores.local import keys, listing, syscalls

Place = tuple[int, str]
"""A directory descriptor and a name in that directory."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_LOOK = os.O_PATH | os.O_NOFOLLOW

# No hard link to a file of another user (protected_hardlinks), none on this file system, too many; no exchange.
_NO_EXCHANGE = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL})

_ATTEMPTS = 100  # each one is lost only to another writer that pruned or made a directory in the same microseconds


def open_object(bucket_fd: int, key: Key, *, cached: bool = False) -> tuple[int, os.stat_result]:
    """Open an object for reading.

    Args:
        bucket_fd: the bucket's directory.
        key: any key that S3 allows.
        cached: only if that needs no I/O, so that it may be called where nothing may block.

    Returns:
        The descriptor of a regular file, which the caller closes, and its stat.

    Raises:
        FileNotFoundError: there is no such object; a directory, a symbolic link or a FIFO is none.
        PermissionError: the server may not read it.
        BlockingIOError: ``cached``, and it would have to wait.
    """
    plain = keys.plain_path(key)
    found = None if plain is None else _open_file(bucket_fd, plain, cached)
    found = found or _open_file(bucket_fd, keys.escaped_path(key), cached)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), key)
    return found


def _open_file(bucket_fd: int, path: str, cached: bool) -> tuple[int, os.stat_result] | None:
    try:
        fd = syscalls.open_beneath(bucket_fd, path, _READ, cached=cached)
    except OSError as error:
        if error.errno in syscalls.ABSENT:
            return None
        raise
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, status
    os.close(fd)
    return None


def publish(
    bucket_fd: int,
    key: Key,
    temporary: Place,
    *,
    lock_key: Callable[[Key], AbstractContextManager[None]],
    replace: bool = True,
    sync: bool = True,
) -> None:
    """Make a finished temporary file the object, in one step, together with the directories it needs.

    The caller holds the lock of ``key``. A file that stands where a directory is needed is an object too (``a``, when
    ``a/b`` is stored): it moves to its escaped place and can be read at every moment.

    Args:
        bucket_fd: the bucket's directory.
        key: any key that S3 allows.
        temporary: a file on the same file system, outside the bucket; in its directory a name with the suffix
            ``.directory`` may be made for a moment.
        lock_key: holds off other writers of the key that has to move. It may raise: nothing has changed by then.
        replace: False to fail when the object exists.
        sync: return only when the directory entries are on the disk.

    Raises:
        FileExistsError: the object exists and ``replace`` is False.
        NotADirectoryError: something that is no object stands where a directory is needed.
        IsADirectoryError: a file-system program made a directory with the escaped name of this key's file.
        OSError: whatever the file system says. The object is as it was and the temporary file untouched, unless it was
            the last sync that failed: then the object is new, and may be lost with the power.
    """
    publication = _Publication(bucket_fd, temporary, lock_key, sync)
    for _ in range(_ATTEMPTS - 1):
        # A parent was pruned, a directory appeared at the plain place, a file where a parent was: look again.
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return publication.publish(key, replace=replace)
    return publication.publish(key, replace=replace)


class _Publication:
    """One call of ``publish``: the bucket, and how to change it."""

    def __init__(
        self,
        bucket_fd: int,
        temporary: Place,
        lock_key: Callable[[Key], AbstractContextManager[None]],
        sync: bool,
    ) -> None:
        self._bucket_fd = bucket_fd
        self._temporary = temporary
        self._lock_key = lock_key
        self._sync = sync

    def publish(self, key: Key, *, replace: bool) -> None:
        path, exists = self._place_to_write(key)
        if exists and not replace:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), key)
        with self._made_parent(path) as place:
            if replace:
                _rename(self._temporary, place)
            else:
                self._publish_new(place)
            self._sync_directory(place[0])
        if exists and (escaped := keys.escaped_path(key)) != path:
            _unlink_file(self._bucket_fd, escaped, sync=False)  # a leftover that the plain place hid

    def _publish_new(self, place: Place) -> None:
        try:
            syscalls.rename_noreplace(self._temporary, place)
        except FileExistsError:
            if _kind(place) == stat.S_IFREG:
                raise
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place[1]) from None

    def _place_to_write(self, key: Key) -> tuple[str, bool]:
        """The path to write, and whether the object exists there."""
        plain, escaped = keys.places_of(key)
        kind = 0 if plain is None else _kind_at(self._bucket_fd, plain)
        if plain is not None and kind == stat.S_IFREG:
            return plain, True
        is_escaped = _kind_at(self._bucket_fd, escaped) == stat.S_IFREG
        if plain is None or kind or is_escaped:
            return escaped, is_escaped
        return plain, False

    @contextlib.contextmanager
    def _made_parent(self, path: str) -> Iterator[Place]:
        """The directory of ``path``, made with its parents where missing."""
        directory, _, name = path.rpartition("/")
        try:
            fd = syscalls.open_beneath(self._bucket_fd, directory or ".", _DIRECTORY)
        except OSError as error:
            if error.errno not in syscalls.ABSENT:
                raise
            fd = self._make_directories(directory)
        try:
            yield fd, name
        finally:
            os.close(fd)

    def _make_directories(self, directory: str) -> int:
        fd = os.open(".", _DIRECTORY, dir_fd=self._bucket_fd)
        path = ""
        for name in directory.split("/"):
            path = f"{path}/{name}" if path else name
            parent_fd = fd
            try:
                fd = self._enter(parent_fd, path)
            finally:
                os.close(parent_fd)
        return fd

    def _enter(self, parent_fd: int, path: str) -> int:
        name = path.rpartition("/")[2]
        with contextlib.suppress(FileNotFoundError):
            try:
                return os.open(name, _DIRECTORY, dir_fd=parent_fd)
            except NotADirectoryError:
                self._convert(path)
                return os.open(name, _DIRECTORY, dir_fd=parent_fd)
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent_fd)
        self._sync_directory(parent_fd)
        return os.open(name, _DIRECTORY, dir_fd=parent_fd)

    def _convert(self, path: str) -> None:
        """Move the object at the plain place ``path`` to its escaped place, and make room for a directory there."""
        key = keys.key_at(path)
        if key is None:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        with self._lock_key(key):
            if _kind_at(self._bucket_fd, path) != stat.S_IFREG:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            with self._made_parent(path) as file, self._made_parent(keys.escaped_path(key)) as escaped:
                self._move_aside(file, escaped)
                self._sync_directory(file[0])

    def _move_aside(self, file: Place, escaped: Place) -> None:
        _unlink_if_there(escaped)  # a leftover that the plain place hid
        try:
            _link(file, escaped)
            self._sync_directory(escaped[0])  # on the disk before the first name goes
            self._exchange_for_directory(file, escaped)
        except OSError as error:
            if error.errno not in _NO_EXCHANGE:
                raise
            # Without them a lister may meet the directory in the moment when neither name is there.
            _unlink_if_there(escaped)
            _rename(file, escaped)
            self._sync_directory(escaped[0])

    def _exchange_for_directory(self, file: Place, escaped: Place) -> None:
        """Put an empty directory in the place of ``file``, of which ``escaped`` is a second link, in one step."""
        spare = self._temporary[0], f"{self._temporary[1]}.directory"
        os.mkdir(spare[1], dir_fd=spare[0])
        try:
            syscalls.rename_exchange(spare, file)
        except OSError:
            os.rmdir(spare[1], dir_fd=spare[0])
            raise
        try:
            # A file-system program may have replaced the file since it was linked: the newer one counts.
            _rename(spare, escaped)
        except OSError:
            syscalls.rename_exchange(spare, file)
            os.rmdir(spare[1], dir_fd=spare[0])
            raise
        _unlink_if_there(spare)  # rename leaves two links of the same file as they are

    def _sync_directory(self, fd: int) -> None:
        if self._sync:
            os.fsync(fd)


def remove(bucket_fd: int, key: Key, *, sync: bool = True) -> bool:
    """Remove an object, and the directories that held nothing else. The caller holds the lock of ``key``.

    Args:
        bucket_fd: the bucket's directory.
        key: any key that S3 allows.
        sync: return only when it is gone from the disk.

    Returns:
        Whether it existed.
    """
    plain, escaped = keys.places_of(key)
    # The hidden one first: gone the other way round, it would come to light in between.
    existed = _unlink_file(bucket_fd, escaped, sync=sync)
    return (plain is not None and _unlink_file(bucket_fd, plain, sync=sync)) or existed


def _unlink_file(bucket_fd: int, path: str, *, sync: bool) -> bool:
    directory, _, name = path.rpartition("/")
    try:
        fd = syscalls.open_beneath(bucket_fd, directory or ".", _DIRECTORY)
    except OSError as error:
        if error.errno in syscalls.ABSENT:
            return False
        raise
    try:
        if _kind((fd, name)) != stat.S_IFREG:
            return False
        _unlink_if_there((fd, name))
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    _prune(bucket_fd, directory)
    return True


def _prune(bucket_fd: int, directory: str) -> None:
    """Remove a directory and its parents as far as they are empty. Whoever needs one again makes it again."""
    while directory:
        parent, _, name = directory.rpartition("/")
        try:
            fd = syscalls.open_beneath(bucket_fd, parent or ".", os.O_PATH | os.O_DIRECTORY)
            try:
                os.rmdir(name, dir_fd=fd)
            finally:
                os.close(fd)
        except OSError:
            return
        directory = parent


def is_empty(bucket_fd: int) -> bool:
    """Whether a bucket holds no key. Directories, and what is no key, do not count."""
    return not listing.holds_key(bucket_fd)


def clear_empty(bucket_fd: int) -> None:
    """Remove the directories in a bucket that holds no key.

    Raises:
        OSError: ENOTEMPTY when something else than directories is there. A file-system program put it there, and it is
            not ours to remove.
    """
    path: list[str] = []
    while True:
        try:
            child = _first_directory(bucket_fd, "/".join(path) or ".")
        except FileNotFoundError:  # somebody else removed it
            child = None
        if child is not None:
            path.append(child)
        elif path:
            _remove_directory(bucket_fd, "/".join(path))
            path.pop()
        else:
            return


def _first_directory(bucket_fd: int, path: str) -> str | None:
    fd = syscalls.open_beneath(bucket_fd, path, _DIRECTORY)
    try:
        with os.scandir(fd) as entries:
            entry = next(entries, None)
            if entry is None or entry.is_dir(follow_symlinks=False):
                return entry and entry.name
    finally:
        os.close(fd)
    raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)


def _remove_directory(bucket_fd: int, path: str) -> None:
    parent, _, name = path.rpartition("/")
    with contextlib.suppress(FileNotFoundError):
        fd = syscalls.open_beneath(bucket_fd, parent or ".", os.O_PATH | os.O_DIRECTORY)
        try:
            os.rmdir(name, dir_fd=fd)
        finally:
            os.close(fd)


def _kind(place: Place) -> int:
    """The S_IFMT bits of what stands at a place; 0 for nothing."""
    try:
        return stat.S_IFMT(os.stat(place[1], dir_fd=place[0], follow_symlinks=False).st_mode)
    except OSError as error:
        if error.errno in syscalls.ABSENT:
            return 0
        raise


def _kind_at(bucket_fd: int, path: str) -> int:
    try:
        fd = syscalls.open_beneath(bucket_fd, path, _LOOK)
    except OSError as error:
        if error.errno in syscalls.ABSENT:
            return 0
        raise
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def _link(source: Place, target: Place) -> None:
    os.link(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0], follow_symlinks=False)


def _rename(source: Place, target: Place) -> None:
    os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])


def _unlink_if_there(place: Place) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place[1], dir_fd=place[0])
