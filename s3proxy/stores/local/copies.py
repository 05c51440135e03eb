"""CopyObject and UploadPartCopy: within the file system, never through the network."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from s3proxy.body import Digests
from s3proxy.s3 import conditions
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    ByteRange,
    ChecksumType,
    CopyObject,
    CopyResult,
    CopySource,
    ETag,
    ObjectInfo,
    Part,
    UploadPartCopy,
)
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.local.buckets import OpenBucket
from s3proxy.stores.local.copying import CopyDigest, append_range, pieces_of
from s3proxy.stores.local.disk import Disk, staged
from s3proxy.stores.local.metadata import Record
from s3proxy.stores.local.objects import Content, Objects
from s3proxy.stores.local.staging import Staging, Temporary
from s3proxy.stores.local.uploads import OpenUpload, checksum_of

_is_md5 = re.compile(r"[0-9a-f]{32}").fullmatch

T = TypeVar("T")


class Copies:
    """Copies objects, and spans of them into parts.

    Args:
        objects: the sources.
        disk: the threads.
        staging: where copies are made.
    """

    def __init__(self, objects: Objects, disk: Disk, staging: Staging) -> None:
        self._objects = objects
        self._disk = disk
        self._staging = staging

    async def copy_object(self, source: OpenBucket, target: OpenBucket, operation: CopyObject) -> CopyResult:
        """Copy an object, also onto itself.

        Raises:
            S3Error: NO_SUCH_KEY, ACCESS_DENIED for a source that the author may not read, a condition that failed, or
                what publishing raises.
        """
        async with self._opened(source, operation.source) as (fd, record):
            digest = _digest_needed(record.info, operation)
            span = ByteRange(0, record.info.size)
            publish = partial(self._publish, target, operation, record)
            return await self._copy((fd, record.info), span, digest, publish)

    async def copy_part(self, source: OpenBucket, upload: OpenUpload, operation: UploadPartCopy) -> CopyResult:
        """Copy a span of an object into a part.

        Raises:
            S3Error: INVALID_RANGE when the source ends before the range does; otherwise like ``copy_object``.
        """
        async with self._opened(source, operation.source) as (fd, record):
            span = operation.range or ByteRange(0, record.info.size)
            if span.stop > record.info.size:
                raise S3Error(ErrorCode.INVALID_RANGE, detail={"ActualObjectSize": str(record.info.size)})
            digest = CopyDigest(upload.stored.upload.checksum_algorithm)

            def publish(temporary: Temporary, digests: Digests | None) -> CopyResult:
                assert digests is not None
                return _result_of(upload.publish_part(operation.part_number, temporary, digests))

            return await self._copy((fd, record.info), span, digest, publish)

    @asynccontextmanager
    async def _opened(self, bucket: OpenBucket, source: CopySource) -> AsyncIterator[tuple[int, Record]]:
        fd, record = await self._disk.run(lambda: self._objects.open(bucket, source.key))
        try:
            # Before the conditions, which would tell something of an object that may not be read.
            if source.readable_acls is not None and record.info.acl not in source.readable_acls:
                raise S3Error(ErrorCode.ACCESS_DENIED)
            conditions.check_copy_source(source.conditions, record.info)
            yield fd, record
        finally:
            os.close(fd)

    async def _copy(
        self,
        source: tuple[int, ObjectInfo],
        span: ByteRange,
        digest: CopyDigest | None,
        publish: Callable[[Temporary, Digests | None], T],
    ) -> T:
        fd, info = source
        async with staged(self._disk, self._staging) as temporary:
            for piece in pieces_of(span):
                append = partial(append_range, fd, piece, temporary, digest.update if digest else None)
                await self._disk.run_long(append)
            _require_unchanged(fd, info)
            return await self._disk.run(lambda: publish(temporary, digest.digests() if digest else None))

    def _publish(
        self, bucket: OpenBucket, operation: CopyObject, source: Record, temporary: Temporary, digests: Digests | None
    ) -> CopyResult:
        content = Content(
            etag=ETag(digests.md5_hex) if digests else source.info.etag,
            metadata=source.info.metadata if operation.metadata is None else operation.metadata,
            tags=source.tags if operation.tags is None else operation.tags,
            storage_class=operation.storage_class or "STANDARD",
            acl=operation.acl,
            checksum=checksum_of(digests) if digests else source.info.checksum,
        )
        return _result_of(self._objects.publish(bucket, operation.key, temporary, content, operation.conditions).info)


def _digest_needed(source: ObjectInfo, operation: CopyObject) -> CopyDigest | None:
    """What has to be computed while copying; None when the copy can keep the source's ETag and checksum.

    S3 gives a copy the MD5 of its bytes for an ETag, also the copy of a multipart object, and clients compare it. Where
    the source's ETag is that already, reading all bytes again would only cost (a copy of 64 MiB takes 25 ms without).
    A composite checksum is one of parts, which the copy does not have.
    """
    wanted = operation.checksum_algorithm or (source.checksum.algorithm if source.checksum else None)
    is_kept = wanted is None or (
        source.checksum is not None
        and source.checksum.algorithm is wanted
        and source.checksum.type is ChecksumType.FULL_OBJECT
    )
    return None if is_kept and _is_md5(source.etag) else CopyDigest(wanted)


def _require_unchanged(fd: int, info: ObjectInfo) -> None:
    """Make sure that no file-system program wrote to the source meanwhile: its ETag would not be that of the copy."""
    status = os.fstat(fd)
    if (status.st_size, status.st_mtime_ns) != (info.size, info.last_modified_ns):
        raise StoreUnavailableError("the source of a copy changed meanwhile")


def _result_of(stored: ObjectInfo | Part) -> CopyResult:
    return CopyResult(etag=stored.etag, last_modified_ns=stored.last_modified_ns, checksum=stored.checksum)
