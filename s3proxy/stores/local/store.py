"""``LocalStore``: the object store over a directory that file-system programs share.

Opening an object that the kernel has in its caches happens in the event loop, since a hop to a thread costs 170 us and
the opening 20. Whatever may wait for the disk happens in threads.
"""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from s3proxy.body import Digests, IncomingBody
from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectStore, OpenObject
from s3proxy.stores.local.buckets import Buckets, OpenBucket, no_such_bucket
from s3proxy.stores.local.completion import Completion, held
from s3proxy.stores.local.copies import Copies
from s3proxy.stores.local.disk import Disk
from s3proxy.stores.local.failures import s3_error_of
from s3proxy.stores.local.layout import Layout, open_layout
from s3proxy.stores.local.locks import KeyLocks
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.objects import Content, Objects
from s3proxy.stores.local.reading import LocalObject
from s3proxy.stores.local.receiving import Receiver
from s3proxy.stores.local.records import HiddenFiles, Records
from s3proxy.stores.local.staging import Staging, Temporary
from s3proxy.stores.local.sweeping import Sweeper
from s3proxy.stores.local.upload_pages import page_of_uploads
from s3proxy.stores.local.uploads import OpenUpload, Uploads, checksum_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a store behaves; see ``LocalStore.open``."""

    fsync: bool
    read_only: bool
    min_part_size: int
    upload_idle_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """What a read-only store does without."""

    staging: Staging
    receiver: Receiver
    copies: Copies
    completion: Completion
    sweeper: Sweeper


class LocalStore(ObjectStore):
    """An object store over a directory; see layout.py for what lies where.

    Several processes may have the same root open. Make it with ``open``.

    *Closes:* ``aclose``, after the last operation.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self._layout = layout
        hidden = layout.hidden
        self._staging = None if settings.read_only else Staging(hidden["tmp"], sync=settings.fsync)
        # A read-only store takes no locks.
        locks = KeyLocks(hidden.get("locks", -1))
        self._sync = settings.fsync
        self._disk = Disk()
        self._buckets = Buckets(layout.root, HiddenFiles(hidden.get("buckets"), self._staging), locks)
        records = Records(HiddenFiles(hidden.get("metadata"), self._staging))
        self._objects = Objects(records, locks, self._buckets.is_current, sync=settings.fsync)
        self._uploads = Uploads(hidden.get("uploads"), self._staging)
        self._writing = None if self._staging is None else self._make_writing(self._staging, settings)

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        fsync: bool = True,
        read_only: bool = False,
        min_part_size: int = 5 * 1024 * 1024,
        upload_idle_seconds: float = 7 * 24 * 3600.0,
    ) -> Self:
        """Open a root directory, make in it what is missing, and remove what dead processes left.

        Args:
            root: the directory that holds the buckets.
            fsync: report a write done only when it is on the disk.
            read_only: refuse every write, and change nothing below the root.
            min_part_size: in bytes, of every part of a multipart upload but the last.
            upload_idle_seconds: ``maintain`` aborts a multipart upload that nobody touched for so long.

        Raises:
            RootError: it is missing, or cannot be read, or cannot be written although it is not to be read only.
        """
        layout = open_layout(root, read_only=read_only)
        store = cls(
            layout,
            Settings(
                fsync=fsync,
                read_only=read_only,
                min_part_size=min_part_size,
                upload_idle_seconds=upload_idle_seconds,
            ),
        )
        if store._staging is not None:
            store._staging.sweep()
        return store

    async def aclose(self) -> None:
        """Close every descriptor."""
        self._buckets.close()
        if self._staging is not None:
            self._staging.close()
        self._layout.close()

    async def maintain(self) -> None:
        """Sweep now and then, until cancelled; returns at once when the store is read-only."""
        if self._writing is not None:
            await self._writing.sweeper.sweep_forever()

    async def sweep(self) -> None:
        """Remove what dead processes left, records of objects that are gone, and idle uploads."""
        await self._require_writing().sweeper.sweep()

    # Buckets

    async def list_buckets(self) -> list[model.BucketInfo]:
        """Every directory of the root that has a bucket's name."""
        return await self._disk.run(self._buckets.list)

    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        """What the bucket's record says; an owner of None where a file-system program made the directory."""
        try:
            return self._buckets.info(bucket)
        except OSError as error:
            raise s3_error_of(error) from error

    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        """Make a directory with its record, in one step."""
        staging = self._require_writing().staging
        await self._disk.run(lambda: self._buckets.create(operation, owner, staging))

    async def delete_bucket(self, bucket: model.Bucket) -> None:
        """Remove the directory, and the uploads in progress."""
        self._require_writing()
        with self._find(bucket) as opened:
            await self._disk.run(lambda: self._delete_bucket(opened))
            self._buckets.forget(bucket)

    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        """The tags in the bucket's record."""
        with self._find(bucket) as opened:
            return await self._disk.run(lambda: self._buckets.tags(opened))

    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        """Rewrite the bucket's record."""
        self._require_writing()
        with self._find(bucket) as opened:
            await self._disk.run(lambda: self._buckets.put_tags(opened, tags, sync=self._sync))

    # Listings

    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        """One page, read from the directories."""
        with self._find(bucket) as opened:
            return await self._disk.run(lambda: self._objects.list(opened, query))

    # Objects

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Open the file: what is published under its name meanwhile does not change what is read."""
        _require_current(operation.version_id)
        fd, record = await self._open(operation.bucket, operation.key)
        return LocalObject(fd, record.info)

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """What the object's record says."""
        _require_current(operation.version_id)
        return (await self._record(operation.bucket, operation.key)).info

    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        """Receive the body into a temporary file, and rename that."""
        receiver = self._require_writing().receiver
        with self._find(operation.bucket) as bucket:
            return await receiver.receive(body, partial(self._publish, bucket, operation))

    async def delete_object(self, operation: model.DeleteObject) -> None:
        """Remove the file, and the directories that held nothing else."""
        self._require_writing()
        _require_current(operation.version_id)
        with self._find(operation.bucket) as bucket:
            await self._disk.run(lambda: self._objects.remove(bucket, operation.key, operation.conditions))

    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        """Copy within the file system, sharing the blocks where it can."""
        copies = self._require_writing().copies
        _require_current(operation.source.version_id)
        with self._find(operation.source.bucket) as source, self._find(operation.bucket) as target:
            return await copies.copy_object(source, target, operation)

    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        """The tags in the object's record."""
        _require_current(operation.version_id)
        return (await self._record(operation.bucket, operation.key)).tags

    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        """Rewrite the object's record."""
        self._require_writing()
        _require_current(operation.version_id)
        with self._find(operation.bucket) as bucket:
            await self._disk.run(lambda: self._objects.put_tags(bucket, operation.key, operation.tags))

    # Multipart uploads

    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        """Make the upload's directory."""
        self._require_writing()
        with self._find(operation.bucket) as bucket:
            return await self._disk.run(lambda: self._create_upload(bucket, operation))

    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        """Receive the body into a temporary file, and rename that into the upload's directory."""
        receiver = self._require_writing().receiver
        async with self._upload(operation.bucket, operation.key, operation.upload_id) as upload:
            return await receiver.receive(body, partial(_publish_part, upload, operation.part_number))

    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        """What the upload's record says."""
        async with self._upload(bucket, key, upload_id) as upload:
            return upload.stored.upload

    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        """Copy within the file system."""
        copies = self._require_writing().copies
        _require_current(operation.source.version_id)
        with self._find(operation.source.bucket) as source:
            async with self._upload(operation.bucket, operation.key, operation.upload_id) as upload:
                return await copies.copy_part(source, upload, operation)

    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        """Join the parts in a temporary file, and rename that."""
        completion = self._require_writing().completion
        with self._find(operation.bucket) as bucket:
            return await completion.complete(bucket, operation)

    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        """Remove the upload's directory."""
        self._require_writing()
        with self._find(operation.bucket):
            async with held(self._disk, self._uploads, operation):
                await self._disk.run(lambda: self._uploads.destroy(operation.bucket, operation.upload_id))

    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        """One page, read from the upload's directory."""
        async with self._upload(operation.bucket, operation.key, operation.upload_id) as upload:
            return await self._disk.run(lambda: upload.page_of_parts(operation))

    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        """One page, for which the records of all uploads of the bucket are read."""
        with self._find(operation.bucket):
            uploads = await self._disk.run(lambda: self._uploads.in_progress(operation.bucket))
        return page_of_uploads(uploads, operation)

    # What they are made of

    def _make_writing(self, staging: Staging, settings: Settings) -> _Writing:
        return _Writing(
            staging=staging,
            receiver=Receiver(self._disk, staging),
            copies=Copies(self._objects, self._disk, staging),
            completion=Completion(
                self._uploads, self._objects, self._disk, staging, min_part_size=settings.min_part_size
            ),
            sweeper=Sweeper(
                staging=staging,
                buckets=self._buckets,
                objects=self._objects,
                uploads=self._uploads,
                disk=self._disk,
                upload_idle_seconds=settings.upload_idle_seconds,
            ),
        )

    def _require_writing(self) -> _Writing:
        if self._writing is None:
            raise S3Error(ErrorCode.ACCESS_DENIED, "The store is read-only.")
        return self._writing

    def _find(self, bucket: model.Bucket) -> OpenBucket:
        try:
            return self._buckets.find(bucket)
        except OSError as error:
            raise s3_error_of(error) from error

    async def _open(self, bucket_name: model.Bucket, key: model.Key) -> tuple[int, Record]:
        bucket = self._find(bucket_name)
        try:
            return self._objects.open(bucket, key, cached=True)
        except BlockingIOError:
            pass  # in a thread, then
        except OSError as error:
            raise s3_error_of(error) from error
        with bucket:
            return await self._disk.run(lambda: self._objects.open(bucket, key))

    async def _record(self, bucket_name: model.Bucket, key: model.Key) -> Record:
        fd, record = await self._open(bucket_name, key)
        os.close(fd)
        return record

    @asynccontextmanager
    async def _upload(
        self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId
    ) -> AsyncIterator[OpenUpload]:
        with self._find(bucket):
            upload = await self._disk.run(lambda: self._uploads.open(bucket, key, upload_id))
            try:
                yield upload
            finally:
                upload.close()

    def _publish(
        self, bucket: OpenBucket, operation: model.PutObject, temporary: Temporary, digests: Digests
    ) -> model.PutResult:
        content = Content(
            etag=model.ETag(digests.md5_hex),
            metadata=operation.metadata,
            tags=operation.tags,
            storage_class=operation.storage_class,
            acl=operation.acl,
            checksum=checksum_of(digests),
        )
        info = self._objects.publish(bucket, operation.key, temporary, content, operation.conditions).info
        return model.PutResult(etag=info.etag, size=info.size, checksum=info.checksum)

    def _delete_bucket(self, bucket: OpenBucket) -> None:
        self._buckets.remove(bucket, sync=self._sync)
        self._uploads.drop(bucket.name, before_ns=time.time_ns())

    def _create_upload(self, bucket: OpenBucket, operation: model.CreateMultipartUpload) -> model.UploadId:
        upload_id = self._uploads.create(operation)
        # 1. We found the bucket. 2. Another deletes it and its uploads. 3. We make an upload, which nobody would drop.
        if not self._buckets.is_current(bucket):
            with suppress(S3Error):  # the other saw it
                self._uploads.discard(operation.bucket, upload_id)
            raise no_such_bucket(operation.bucket)
        return upload_id


def _publish_part(upload: OpenUpload, number: int, temporary: Temporary, digests: Digests) -> model.PutResult:
    part = upload.publish_part(number, temporary, digests)
    return model.PutResult(etag=part.etag, size=part.size, checksum=part.checksum)


def _require_current(version_id: str | None) -> None:
    """Refuse every version but the only one that there is."""
    if version_id not in {None, "null"}:
        raise S3Error(ErrorCode.NO_SUCH_VERSION, detail={"VersionId": str(version_id)})
