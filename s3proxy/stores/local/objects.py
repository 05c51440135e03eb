"""Objects as files with records. All of it blocks, and runs in threads; only ``open`` also in the event loop."""

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from s3proxy.s3 import conditions
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    CannedAcl,
    Checksum,
    ETag,
    Key,
    ListPage,
    ListQuery,
    ObjectInfo,
    ObjectMetadata,
    Part,
    Tags,
    WriteConditions,
)
from s3proxy.stores.local import listing, records, tree
from s3proxy.stores.local.buckets import OpenBucket, no_such_bucket
from s3proxy.stores.local.locks import KeyLocks, LockKey
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.records import Records
from s3proxy.stores.local.staging import Temporary


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a write says of an object besides its bytes, size and time."""

    etag: ETag
    metadata: ObjectMetadata
    tags: Tags
    storage_class: str
    acl: CannedAcl
    checksum: Checksum | None = None
    parts: tuple[Part, ...] = ()
    upload_id: str = ""

    def record_of(self, status: os.stat_result) -> Record:
        """The record of a finished file with this content."""
        info = ObjectInfo(
            size=status.st_size,
            etag=self.etag,
            last_modified_ns=status.st_mtime_ns,
            metadata=self.metadata,
            checksum=self.checksum,
            tag_count=len(self.tags),
            storage_class=self.storage_class,
            parts=self.parts,
            acl=self.acl,
        )
        return Record(info=info, tags=self.tags, upload_id=self.upload_id)


class Objects:
    """The objects of all buckets.

    Args:
        store_records: where their records are.
        locks: the commit locks.
        is_current: whether an open bucket has not been deleted meanwhile.
        sync: whether directories are synced before a change is reported done.
    """

    def __init__(
        self, store_records: Records, locks: KeyLocks, is_current: Callable[[OpenBucket], bool], *, sync: bool
    ) -> None:
        self.records: Final = store_records
        self._locks = locks
        self._is_current = is_current
        self._sync = sync

    def open(self, bucket: OpenBucket, key: Key, *, cached: bool = False) -> tuple[int, Record]:
        """Open an object for reading.

        Args:
            bucket: the bucket.
            key: any key.
            cached: only if that needs no disk.

        Returns:
            The descriptor, which the caller closes, and the record.

        Raises:
            S3Error: NO_SUCH_KEY.
            BlockingIOError: ``cached``, and it would have to wait.
        """
        try:
            fd, status = tree.open_object(bucket.fd, key, cached=cached)
        except FileNotFoundError as error:
            raise S3Error(ErrorCode.NO_SUCH_KEY, detail={"Key": key}) from error
        try:
            return fd, self.records.load(fd, status, cached=cached)
        except BaseException:
            os.close(fd)
            raise

    def record(self, bucket: OpenBucket, key: Key, *, cached: bool = False) -> Record:
        """The record of an object; raises like ``open``."""
        fd, record = self.open(bucket, key, cached=cached)
        os.close(fd)
        return record

    def publish(
        self, bucket: OpenBucket, key: Key, temporary: Temporary, content: Content, when: WriteConditions
    ) -> Record:
        """Make a written file the object, if the conditions hold in that moment.

        Raises:
            S3Error: a condition that failed; NO_SUCH_BUCKET when the bucket was deleted meanwhile.
        """
        record = content.record_of(os.fstat(temporary.fd))
        records.save(temporary.fd, record, self.records.hidden, (bucket.name, key))
        temporary.sync()

        def replace(lock_key: LockKey) -> None:
            if not when.is_empty:
                conditions.check_write(when, self._current(bucket, key))
            place = (temporary.dir_fd, temporary.name)
            tree.publish(bucket.fd, key, place, lock_key=lock_key, sync=self._sync)
            temporary.published()

        try:
            self._locks.commit(bucket.name, key, replace)
        except FileNotFoundError as error:
            # The kernel makes nothing in a directory that was removed, also through a descriptor from before.
            if self._is_current(bucket):
                raise
            raise no_such_bucket(bucket.name) from error
        except NotADirectoryError as error:
            message = "Something that is no object stands where this key needs a directory."
            raise S3Error(ErrorCode.INVALID_REQUEST, message) from error
        return record

    def remove(self, bucket: OpenBucket, key: Key, when: WriteConditions) -> None:
        """Remove an object, if the conditions hold in that moment; a missing one is no error of its own."""

        def unlink(_: LockKey) -> None:
            if not when.is_empty:
                conditions.check_delete(when, self._current(bucket, key))
            tree.remove(bucket.fd, key, sync=self._sync)

        self._locks.commit(bucket.name, key, unlink)

    def put_tags(self, bucket: OpenBucket, key: Key, tags: Tags) -> None:
        """Replace an object's tags and nothing else.

        Raises:
            S3Error: NO_SUCH_KEY.
        """

        def rewrite(_: LockKey) -> None:
            fd, before = self.open(bucket, key)
            try:
                info = dataclasses.replace(before.info, tag_count=len(tags))
                after = dataclasses.replace(before, info=info, tags=tags)
                records.save(fd, after, self.records.hidden, (bucket.name, key))
                if self._sync:
                    os.fsync(fd)
            finally:
                os.close(fd)

        self._locks.commit(bucket.name, key, rewrite)

    def list(self, bucket: OpenBucket, query: ListQuery) -> ListPage:
        """One page of a listing."""
        return listing.list_page(bucket.fd, query, self.records.describe)

    def is_inode(self, bucket_name: str, bucket_fd: int, key: Key, inode: int) -> bool:
        """Whether an object is the file with this inode, while nobody commits to it."""

        def compare(_: LockKey) -> bool:
            try:
                fd, status = tree.open_object(bucket_fd, key)
            except FileNotFoundError:
                return False
            os.close(fd)
            return status.st_ino == inode

        return self._locks.commit(bucket_name, key, compare)

    def _current(self, bucket: OpenBucket, key: Key) -> ObjectInfo | None:
        try:
            return self.record(bucket, key).info
        except S3Error:  # NO_SUCH_KEY
            return None
