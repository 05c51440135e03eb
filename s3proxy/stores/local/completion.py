"""CompleteMultipartUpload: what assembly.py decides and uploads.py stores, put in order."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import AbortMultipartUpload, ByteRange, CompleteMultipartUpload, Part, PutResult
from s3proxy.stores.local.assembly import Assembly, assemble
from s3proxy.stores.local.buckets import OpenBucket
from s3proxy.stores.local.copying import PIECE_BYTES, append_range
from s3proxy.stores.local.disk import Disk, staged
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.objects import Content, Objects
from s3proxy.stores.local.staging import Staging, Temporary
from s3proxy.stores.local.uploads import OpenUpload, Uploads

_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.02  # an upload is held by another request while that joins its parts: rare, and seconds long


class Completion:
    """CompleteMultipartUpload: joins the parts and publishes the object, once.

    Args:
        uploads: where the parts are.
        objects: where the object goes.
        disk: the threads.
        staging: where the parts are joined.
        min_part_size: in bytes, for every part but the last.
    """

    def __init__(self, uploads: Uploads, objects: Objects, disk: Disk, staging: Staging, *, min_part_size: int) -> None:
        self._uploads = uploads
        self._objects = objects
        self._disk = disk
        self._staging = staging
        self._min_part_size = min_part_size

    async def complete(self, bucket: OpenBucket, operation: CompleteMultipartUpload) -> PutResult:
        """Complete an upload; a second time, while the object is still the one that it became, answer the same.

        Raises:
            S3Error: NO_SUCH_UPLOAD, what ``assemble`` raises, or a condition that failed.
        """
        try:
            async with held(self._disk, self._uploads, operation) as upload:
                return await self._complete(bucket, operation, upload)
        except S3Error as error:
            if error.code is not ErrorCode.NO_SUCH_UPLOAD:
                raise
            result = await self._completed_before(bucket, operation)
            if result is None:
                raise
            return result

    async def _complete(self, bucket: OpenBucket, operation: CompleteMultipartUpload, upload: OpenUpload) -> PutResult:
        # A crash may have come between the publication and the end of the upload.
        result = await self._completed_before(bucket, operation)
        if result is None:
            decide = partial(assemble, operation, upload.stored.upload, upload.part, min_part_size=self._min_part_size)
            result = await self._join(bucket, operation, upload, await self._disk.run(decide))
        with trio.CancelScope(shield=True):
            await self._disk.run(lambda: self._uploads.destroy(operation.bucket, operation.upload_id))
        return result

    async def _join(
        self, bucket: OpenBucket, operation: CompleteMultipartUpload, upload: OpenUpload, assembly: Assembly
    ) -> PutResult:
        async with staged(self._disk, self._staging) as temporary:
            for batch in _batches_of(assembly.parts):
                await self._disk.run_long(partial(_append_parts, upload, batch, temporary))
            content = Content(
                etag=assembly.etag,
                metadata=upload.stored.metadata,
                tags=upload.stored.tags,
                storage_class=upload.stored.upload.storage_class,
                acl=upload.stored.acl,
                checksum=assembly.checksum,
                parts=assembly.parts,
                upload_id=operation.upload_id,
            )
            publish = partial(self._objects.publish, bucket, operation.key, temporary, content, operation.conditions)
            return _result_of(await self._disk.run(publish))

    async def _completed_before(self, bucket: OpenBucket, operation: CompleteMultipartUpload) -> PutResult | None:
        try:
            record = await self._disk.run(lambda: self._objects.record(bucket, operation.key))
        except S3Error as error:
            if error.code is not ErrorCode.NO_SUCH_KEY:
                raise
            return None
        # An object of one PUT has no upload id, and a client may well send an empty one.
        is_its_result = bool(record.upload_id) and record.upload_id == operation.upload_id
        return _result_of(record) if is_its_result else None


@asynccontextmanager
async def held(
    disk: Disk, uploads: Uploads, operation: CompleteMultipartUpload | AbortMultipartUpload
) -> AsyncIterator[OpenUpload]:
    """An upload that is kept from all other requests, also of other processes.

    Raises:
        S3Error: NO_SUCH_UPLOAD; SLOW_DOWN when others held it for too long.
    """
    upload = await disk.run(lambda: uploads.open(operation.bucket, operation.key, operation.upload_id))
    try:
        give_up_at = trio.current_time() + _PATIENCE_SECONDS
        while not upload.try_hold():
            if trio.current_time() > give_up_at:
                raise S3Error(ErrorCode.SLOW_DOWN)
            await trio.sleep(_POLL_SECONDS)
        yield upload
    finally:
        upload.close()


def _result_of(record: Record) -> PutResult:
    return PutResult(etag=record.info.etag, size=record.info.size, checksum=record.info.checksum)


_Step = tuple[int, ByteRange]
"""A number of a part, and a span of it."""


def _batches_of(parts: tuple[Part, ...]) -> Iterator[list[_Step]]:
    """Cut the joining of parts into steps of at most ``PIECE_BYTES`` in all, so that it can be cancelled between."""
    batch: list[_Step] = []
    room = PIECE_BYTES
    for part in parts:
        start = 0
        while start < part.size:
            stop = min(part.size, start + room)
            batch.append((part.number, ByteRange(start, stop)))
            room -= stop - start
            start = stop
            if not room:
                yield batch
                batch, room = [], PIECE_BYTES
    if batch:
        yield batch


def _append_parts(upload: OpenUpload, batch: list[_Step], temporary: Temporary) -> None:
    for number, span in batch:
        with upload.reading_part(number) as fd:
            append_range(fd, span, temporary)
