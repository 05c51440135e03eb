"""Buckets: the directories of the root that have a bucket's name, whoever made them.

What S3 keeps of a bucket is a record in an extended attribute of its directory, as JSON: ``[1, owner's id, owner's
name, created_ns, acl, location, {tags}]``, or in a hidden file as records.py describes. A directory without one was
made by a file-system program; it is a private bucket that belongs to nobody.

Deleting is ``rmdir``, which is what makes it safe against a PUT at the same time: the kernel either sees the new entry
and refuses, or has removed the directory, and then the PUT's rename into it fails though its descriptor is still open.
So neither can an acknowledged object go with the bucket, nor does a bucket come back. No lock is needed for that.
"""

import contextlib
import dataclasses
import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from cachetools import LRUCache

from s3proxy.s3 import names
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, BucketInfo, CannedAcl, CreateBucket, Owner, Tags
from s3proxy.stores.local import syscalls, tree
from s3proxy.stores.local.locks import KeyLocks
from s3proxy.stores.local.records import RACY_NS, HiddenFiles, is_elsewhere, read_attribute, write_attribute
from s3proxy.stores.local.staging import Staging

_MAX_OPEN = 256
"""Directories kept open. Each is a descriptor, and opening one costs 10 us."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_EMPTY = {errno.ENOTEMPTY, errno.EEXIST}
_VERSION = 1
_MORE: Final = "more"

_encode_json = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class _BucketRecord:
    owner: Owner | None
    created_ns: int
    tags: Tags = field(default_factory=dict)
    acl: CannedAcl = CannedAcl.PRIVATE
    location: str | None = None


class OpenBucket:
    """A bucket's directory held open, for as long as a ``with`` on it lasts; used in the event loop only."""

    __slots__ = ("_is_retired", "_users", "fd", "info", "info_ctime_ns", "inode", "name")

    def __init__(self, name: Bucket, fd: int) -> None:
        self.name: Final = name
        self.fd: Final = fd
        self.inode: Final = os.fstat(fd).st_ino
        self.info: BucketInfo | None = None
        self.info_ctime_ns = 0
        self._users = 0
        self._is_retired = False

    def __enter__(self) -> Self:
        self._users += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users -= 1
        self._close_unused()

    def retire(self) -> None:
        """Close the directory as soon as nobody uses it."""
        self._is_retired = True
        self._close_unused()

    def _close_unused(self) -> None:
        if self._is_retired and not self._users:
            os.close(self.fd)


class _OpenBuckets(LRUCache[str, OpenBucket]):
    def popitem(self) -> tuple[str, OpenBucket]:
        name, bucket = super().popitem()
        bucket.retire()
        return name, bucket


class Buckets:
    """The buckets below a root.

    Args:
        root_fd: the root directory.
        hidden: where records are that do not fit an attribute.
        locks: the store's commit locks.

    *Closes:* whoever made it calls ``close``.
    """

    def __init__(self, root_fd: int, hidden: HiddenFiles, locks: KeyLocks) -> None:
        self._root_fd = root_fd
        self.hidden: Final = hidden
        self._locks = locks
        self._open = _OpenBuckets(_MAX_OPEN)

    def find(self, name: Bucket) -> OpenBucket:
        """Open a bucket, or find it open; in the event loop only.

        One ``stat`` tells whether another process deleted or replaced it since.

        Returns:
            The bucket; it may be closed by the next call of any method unless ``with`` holds it.

        Raises:
            S3Error: NO_SUCH_BUCKET, or INVALID_BUCKET_NAME for what could not be one.
        """
        return self._find(name)[0]

    def info(self, name: Bucket) -> BucketInfo:
        """What is known of a bucket; in the event loop only.

        Raises:
            S3Error: NO_SUCH_BUCKET.
        """
        bucket, status = self._find(name)
        if bucket.info is None or bucket.info_ctime_ns != status.st_ctime_ns:
            is_settled = time.time_ns() - status.st_ctime_ns > RACY_NS
            info = _info_of(name, _read_record(bucket.fd, self.hidden))
            if not is_settled:
                return info
            bucket.info, bucket.info_ctime_ns = info, status.st_ctime_ns
        return bucket.info

    def is_current(self, bucket: OpenBucket) -> bool:
        """Whether the directory that was opened is still the bucket of its name."""
        try:
            return os.stat(bucket.name, dir_fd=self._root_fd, follow_symlinks=False).st_ino == bucket.inode
        except FileNotFoundError:
            return False

    def directory(self, name: str) -> AbstractContextManager[int]:
        """A bucket's directory opened for a moment, in any thread."""
        return _directory(self._root_fd, name)

    def list(self) -> list[BucketInfo]:
        """Every bucket by name; blocks."""
        with os.scandir(self._root_fd) as entries:
            found = [entry.name for entry in entries if _is_name(entry.name) and entry.is_dir(follow_symlinks=False)]
        infos = []
        for name in sorted(found):
            with (
                contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError),
                self.directory(name) as fd,
            ):
                infos.append(_info_of(Bucket(name), _read_record(fd, self.hidden)))
        return infos

    def create(self, operation: CreateBucket, owner: Owner, staging: Staging) -> None:
        """Make an empty bucket; blocks. It appears with its record or not at all.

        Raises:
            S3Error: BUCKET_ALREADY_EXISTS, also when a file has that name; INVALID_BUCKET_NAME.
        """
        name = operation.bucket
        names.check_new_bucket(name)
        record = _BucketRecord(
            owner=owner, created_ns=time.time_ns(), acl=operation.acl, location=operation.location_constraint
        )
        made = staging.make_directory()
        try:
            with _directory(*made) as fd:
                self._write_record(fd, name, record)
                if staging.is_synced:
                    os.fsync(fd)
            syscalls.rename_noreplace(made, (self._root_fd, name))
        except FileExistsError as error:
            raise S3Error(ErrorCode.BUCKET_ALREADY_EXISTS, detail={"BucketName": name}) from error
        finally:
            with contextlib.suppress(FileNotFoundError):  # it has its name now, unless something failed
                os.rmdir(made[1], dir_fd=made[0])
        if staging.is_synced:
            os.fsync(self._root_fd)

    def remove(self, bucket: OpenBucket, *, sync: bool) -> None:
        """Remove an empty bucket; blocks. The caller keeps it open, so that no new bucket gets its inode meanwhile.

        Raises:
            S3Error: BUCKET_NOT_EMPTY, or NO_SUCH_BUCKET when another did it first.
        """
        try:
            if not tree.is_empty(bucket.fd):
                raise S3Error(ErrorCode.BUCKET_NOT_EMPTY, detail={"BucketName": bucket.name})
            tree.clear_empty(bucket.fd)
            self._require_current(bucket)
            os.rmdir(bucket.name, dir_fd=self._root_fd)
        except FileNotFoundError as error:
            raise no_such_bucket(bucket.name) from error
        except OSError as error:
            if error.errno not in _NOT_EMPTY:
                raise
            raise S3Error(ErrorCode.BUCKET_NOT_EMPTY, detail={"BucketName": bucket.name}) from error
        if sync:
            os.fsync(self._root_fd)

    def tags(self, bucket: OpenBucket) -> Tags:
        """The bucket's tags; blocks."""
        return _read_record(bucket.fd, self.hidden).tags

    def put_tags(self, bucket: OpenBucket, tags: Tags, *, sync: bool) -> None:
        """Replace the bucket's tags; blocks."""

        def rewrite(_: object) -> None:
            before = _read_record(bucket.fd, self.hidden)
            self._write_record(bucket.fd, bucket.name, dataclasses.replace(before, tags=tags))

        self._locks.commit(bucket.name, "", rewrite)  # no object has an empty key
        if sync:
            os.fsync(bucket.fd)

    def forget(self, name: Bucket) -> None:
        """Close the bucket's directory as soon as nobody uses it; only from the event loop, like ``find``."""
        bucket = self._open.pop(name, None)
        if bucket is not None:
            bucket.retire()

    def close(self) -> None:
        """Close every directory."""
        while self._open:
            self._open.popitem()

    def _require_current(self, bucket: OpenBucket) -> None:
        if not self.is_current(bucket):
            raise no_such_bucket(bucket.name)

    def _find(self, name: Bucket) -> tuple[OpenBucket, os.stat_result]:
        bucket = self._open.get(name)
        if bucket is None:
            names.parse_bucket(name)  # before any path is made of it; what is in the cache was judged before
        try:
            status = os.stat(name, dir_fd=self._root_fd, follow_symlinks=False)
        except FileNotFoundError as error:
            self.forget(name)
            raise no_such_bucket(name) from error
        # While a directory is held open its inode cannot be that of a new one.
        if bucket is None or bucket.inode != status.st_ino:
            self.forget(name)
            bucket = self._open[name] = self._opened(name)
        return bucket, status

    def _opened(self, name: Bucket) -> OpenBucket:
        try:
            return OpenBucket(name, os.open(name, _DIRECTORY, dir_fd=self._root_fd))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise no_such_bucket(name) from error

    def _write_record(self, fd: int, name: Bucket, record: _BucketRecord) -> None:
        write_attribute(fd, _encode(record), lambda: _encode(record, is_abridged=True), self.hidden, (name, ""))


def no_such_bucket(name: str) -> S3Error:
    """The error for a bucket that is not there."""
    return S3Error(ErrorCode.NO_SUCH_BUCKET, detail={"BucketName": name})


def _is_name(name: str) -> bool:
    try:
        names.parse_bucket(name)
    except S3Error:
        return False
    return True


@contextlib.contextmanager
def _directory(parent_fd: int, name: str) -> Iterator[int]:
    fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _info_of(name: Bucket, record: _BucketRecord) -> BucketInfo:
    return BucketInfo(
        name=name, owner=record.owner, created_ns=record.created_ns, acl=record.acl, location=record.location
    )


def _encode(record: _BucketRecord, *, is_abridged: bool = False) -> bytes:
    owner = [record.owner.id, record.owner.display_name] if record.owner else [None, None]
    tags = _MORE if is_abridged else dict(record.tags)
    return _encode_json([_VERSION, *owner, record.created_ns, record.acl.value, record.location, tags]).encode("ascii")


def _decode(data: bytes) -> _BucketRecord | None:
    """Decode what ``_encode`` gave, or anything at all: a file-system program can write it."""
    try:
        version, owner_id, owner_name, created_ns, acl, location, tags = json.loads(data.decode("ascii"))
        if version != _VERSION:
            return None
        owner = Owner(str(owner_id), str(owner_name)) if owner_id is not None else None
        return _BucketRecord(
            owner=owner,
            created_ns=int(created_ns),
            tags=dict(tags) if tags != _MORE else {},
            acl=CannedAcl(acl),
            location=str(location) if location is not None else None,
        )
    except (ValueError, TypeError, RecursionError):
        return None


def _read_record(fd: int, hidden: HiddenFiles) -> _BucketRecord:
    status = os.fstat(fd)
    data = read_attribute(fd)
    record = _decode(data) if data else None
    if is_elsewhere(data):
        record = _decode(hidden.read(status.st_ino) or b"") or record
    return record or _BucketRecord(owner=None, created_ns=status.st_mtime_ns)
