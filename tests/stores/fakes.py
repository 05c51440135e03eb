"""``MemoryStore``: a whole object store in memory that behaves like an S3 at a distance, counts, and fails on demand.

Like S3 it judges If-Match and unsatisfiable ranges itself, keeps times in whole seconds, and gives only what was asked
for: reading another span than the one of the GET is one more request.
"""

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import trio

from s3proxy.body import Body, Chunk, Digests, IncomingBody
from s3proxy.s3 import conditions, model
from s3proxy.s3.checksums import base64_digest, new_hash
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.ranges import resolve_range
from s3proxy.stores.base import ObjectChangedError, ObjectStore, OpenObject
from s3proxy.stores.local.assembly import assemble
from s3proxy.stores.local.upload_pages import page_of_uploads
from tests.stores.listed import page_of_objects

MIN_PART_SIZE = 5 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
_RECEIVE_BYTES = 256 * 1024
_Addressed = model.ObjectRead | model.CopySource | model.GetObjectTagging | model.PutObjectTagging


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object; never changed, only replaced."""

    info: model.ObjectInfo
    data: bytes
    tags: model.Tags
    upload_id: str = ""


@dataclass(slots=True, kw_only=True)
class StoredUpload:
    """A multipart upload in progress."""

    operation: model.CreateMultipartUpload
    upload: model.Upload
    parts: dict[int, tuple[model.Part, bytes]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StoredBucket:
    """A bucket and all in it."""

    info: model.BucketInfo
    tags: model.Tags = field(default_factory=dict)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, StoredUpload] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that reads, as the store saw it."""

    method: str
    key: str
    range: str | None = None


class MemoryStore(ObjectStore):
    """See above.

    ``asked`` lists the requests that read objects, ``bucket_requests`` counts those for a bucket, ``given_bytes`` what
    bodies gave out. ``outage`` is raised by every request while it is set. While ``gate`` is set, an answer to a read
    that was decided waits for it.
    """

    def __init__(self, *, latency_seconds: float = 0.0, has_etags: bool = True) -> None:
        self.asked: list[Asked] = []
        self.bucket_requests = 0
        self.given_bytes = 0
        self.open_bodies = 0
        self.outage: Exception | None = None
        self.gate: trio.Event | None = None
        self._latency_seconds = latency_seconds
        self._has_etags = has_etags
        self._buckets: dict[str, StoredBucket] = {}
        self._upload_count = 0

    # Buckets

    async def list_buckets(self) -> list[model.BucketInfo]:
        await self._arrive()
        return [self._buckets[name].info for name in sorted(self._buckets)]

    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        self.bucket_requests += 1
        await self._arrive()
        info = self._bucket(bucket).info
        await self._answer()
        return info

    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        await self._arrive()
        if operation.bucket in self._buckets:
            raise S3Error(ErrorCode.BUCKET_ALREADY_EXISTS)
        info = model.BucketInfo(
            name=operation.bucket,
            owner=owner,
            created_ns=time.time_ns(),
            acl=operation.acl,
            location=operation.location_constraint,
        )
        self._buckets[operation.bucket] = StoredBucket(info=info)

    async def delete_bucket(self, bucket: model.Bucket) -> None:
        await self._arrive()
        if self._bucket(bucket).objects:
            raise S3Error(ErrorCode.BUCKET_NOT_EMPTY)
        del self._buckets[bucket]

    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        await self._arrive()
        return self._bucket(bucket).tags

    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        await self._arrive()
        self._bucket(bucket).tags = tags

    # Listings

    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        await self._arrive()
        objects = self._bucket(bucket).objects
        return page_of_objects({key: stored.info for key, stored in objects.items()}, query)

    # Objects

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        if _needs_head(operation):
            info = await self.head_object(model.HeadObject(bucket=operation.bucket, key=operation.key))
            return MemoryObject(self, operation, self._object(operation), info, None)
        self.asked.append(Asked("GET", operation.key, operation.range))
        await self._arrive()
        stored = self._object(operation)
        failed = conditions.evaluate(operation.conditions, stored.info.etag, stored.info.last_modified_ns)
        if failed is not None:
            raise failed.error()
        span = resolve_range(operation.range, stored.info.size) if operation.range is not None else None
        await self._answer()
        return MemoryObject(self, operation, stored, stored.info, span or model.ByteRange(0, stored.info.size))

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        self.asked.append(Asked("HEAD", operation.key))
        await self._arrive()
        info = self._object(operation).info
        await self._answer()
        return info

    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        await self._arrive()
        bucket = self._bucket(operation.bucket)
        data, digests = await received(body)
        if self._buckets.get(operation.bucket) is not bucket:
            raise no_such_bucket(operation.bucket)
        info = model.ObjectInfo(
            size=len(data),
            etag=self._etag(digests.md5_hex),
            last_modified_ns=_now_ns(),
            metadata=operation.metadata,
            checksum=_checksum_of(digests),
            tag_count=len(operation.tags),
            storage_class=operation.storage_class,
            acl=operation.acl,
        )
        self._store(
            bucket, operation.key, StoredObject(info=info, data=data, tags=operation.tags), operation.conditions
        )
        return model.PutResult(etag=info.etag, size=info.size, checksum=info.checksum)

    async def delete_object(self, operation: model.DeleteObject) -> None:
        await self._arrive()
        _require_current(operation.version_id)
        objects = self._bucket(operation.bucket).objects
        stored = objects.get(operation.key)
        conditions.check_delete(operation.conditions, stored.info if stored else None)
        objects.pop(operation.key, None)

    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        await self._arrive()
        source, target = self._source(operation.source), self._bucket(operation.bucket)
        before = source.info.checksum
        etag, checksum = _digested(source.data, operation.checksum_algorithm or (before.algorithm if before else None))
        tags = source.tags if operation.tags is None else operation.tags
        info = replace(
            source.info,
            etag=self._etag(etag),
            checksum=checksum,
            last_modified_ns=_now_ns(),
            metadata=source.info.metadata if operation.metadata is None else operation.metadata,
            tag_count=len(tags),
            storage_class=operation.storage_class or "STANDARD",
            parts=(),
            acl=operation.acl,
        )
        self._store(target, operation.key, StoredObject(info=info, data=source.data, tags=tags), operation.conditions)
        return model.CopyResult(etag=info.etag, last_modified_ns=info.last_modified_ns, checksum=info.checksum)

    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        await self._arrive()
        return self._object(operation).tags

    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        await self._arrive()
        stored = self._object(operation)
        info = replace(stored.info, tag_count=len(operation.tags))
        self._bucket(operation.bucket).objects[operation.key] = replace(stored, info=info, tags=operation.tags)

    # Multipart uploads

    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        await self._arrive()
        self._upload_count += 1
        upload = model.Upload(
            key=operation.key,
            upload_id=model.UploadId(f"{self._upload_count:08}"),
            initiated_ns=_now_ns(),
            storage_class=operation.storage_class,
            checksum_algorithm=operation.checksum_algorithm,
            checksum_type=operation.checksum_type,
        )
        self._bucket(operation.bucket).uploads[upload.upload_id] = StoredUpload(operation=operation, upload=upload)
        return upload.upload_id

    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        await self._arrive()
        stored = self._upload(operation.bucket, operation.key, operation.upload_id)
        data, digests = await received(body)
        part = _part_of(operation.part_number, data, model.ETag(digests.md5_hex), _checksum_of(digests))
        stored.parts[part.number] = part, data
        return model.PutResult(etag=part.etag, size=part.size, checksum=part.checksum)

    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        await self._arrive()
        return self._upload(bucket, key, upload_id).upload

    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        await self._arrive()
        stored = self._upload(operation.bucket, operation.key, operation.upload_id)
        source = self._source(operation.source)
        span = operation.range or model.ByteRange(0, source.info.size)
        if span.stop > source.info.size:
            raise S3Error(ErrorCode.INVALID_RANGE)
        data = source.data[span.start : span.stop]
        etag, checksum = _digested(data, stored.upload.checksum_algorithm)
        part = _part_of(operation.part_number, data, model.ETag(etag), checksum)
        stored.parts[part.number] = part, data
        return model.CopyResult(etag=part.etag, last_modified_ns=part.last_modified_ns, checksum=checksum)

    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        await self._arrive()
        bucket = self._bucket(operation.bucket)
        current = bucket.objects.get(operation.key)
        if operation.upload_id and current is not None and current.upload_id == operation.upload_id:
            return _result_of(current.info)
        stored = self._upload(operation.bucket, operation.key, operation.upload_id)
        parts = {number: part for number, (part, _) in stored.parts.items()}
        assembly = assemble(operation, stored.upload, parts.get, min_part_size=MIN_PART_SIZE)
        data = b"".join(stored.parts[part.number][1] for part in assembly.parts)
        created = stored.operation
        info = model.ObjectInfo(
            size=len(data),
            etag=self._etag(assembly.etag),
            last_modified_ns=_now_ns(),
            metadata=created.metadata,
            checksum=assembly.checksum,
            tag_count=len(created.tags),
            storage_class=created.storage_class,
            parts=assembly.parts,
            acl=created.acl,
        )
        made = StoredObject(info=info, data=data, tags=created.tags, upload_id=operation.upload_id)
        self._store(bucket, operation.key, made, operation.conditions)
        del bucket.uploads[operation.upload_id]
        return _result_of(info)

    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        await self._arrive()
        self._upload(operation.bucket, operation.key, operation.upload_id)
        del self._bucket(operation.bucket).uploads[operation.upload_id]

    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        await self._arrive()
        stored = self._upload(operation.bucket, operation.key, operation.upload_id)
        after = [part for number, (part, _) in sorted(stored.parts.items()) if number > operation.part_number_marker]
        parts = tuple(after[: operation.max_parts])
        return model.PartsPage(
            upload=stored.upload,
            parts=parts,
            is_truncated=0 < operation.max_parts < len(after),
            next_part_number_marker=parts[-1].number if parts else 0,
        )

    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        await self._arrive()
        uploads = [stored.upload for stored in self._bucket(operation.bucket).uploads.values()]
        return page_of_uploads(sorted(uploads, key=lambda upload: (upload.key, upload.upload_id)), operation)

    # What they are made of

    async def _arrive(self) -> None:
        await trio.sleep(self._latency_seconds)
        if self.outage is not None:
            raise self.outage

    async def _answer(self) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def _etag(self, text: str) -> model.ETag:
        return model.ETag(text if self._has_etags else "")

    def _bucket(self, name: model.Bucket) -> StoredBucket:
        if name not in self._buckets:
            raise no_such_bucket(name)
        return self._buckets[name]

    def _object(self, operation: _Addressed) -> StoredObject:
        return self.current(operation.bucket, operation.key, operation.version_id)

    def current(self, bucket: model.Bucket, key: model.Key, version_id: str | None = None) -> StoredObject:
        """The object as it is now, without a request."""
        _require_current(version_id)
        stored = self._bucket(bucket).objects.get(key)
        if stored is None:
            raise S3Error(ErrorCode.NO_SUCH_KEY)
        return stored

    def _source(self, source: model.CopySource) -> StoredObject:
        stored = self._object(source)
        if source.readable_acls is not None and stored.info.acl not in source.readable_acls:
            raise S3Error(ErrorCode.ACCESS_DENIED)
        conditions.check_copy_source(source.conditions, stored.info)
        return stored

    def _upload(self, bucket: model.Bucket, key: model.Key, upload_id: str) -> StoredUpload:
        stored = self._bucket(bucket).uploads.get(upload_id)
        if stored is None or stored.upload.key != key:
            raise S3Error(ErrorCode.NO_SUCH_UPLOAD)
        return stored

    def _store(self, bucket: StoredBucket, key: str, made: StoredObject, when: model.WriteConditions) -> None:
        current = bucket.objects.get(key)
        conditions.check_write(when, current.info if current else None)
        bucket.objects[key] = made


class MemoryObject(OpenObject):
    """An opened object, of which one span is on its way."""

    def __init__(
        self,
        store: MemoryStore,
        operation: model.GetObject,
        stored: StoredObject,
        info: model.ObjectInfo,
        arriving: model.ByteRange | None,
    ) -> None:
        self.info = info
        self._store = store
        self._operation = operation
        self._stored = stored
        self._arriving = arriving

    async def read(self, span: model.ByteRange) -> Body:
        arriving, self._arriving = self._arriving, None
        if span != arriving and span.length:
            await self._ask_again(span)
        return MemoryBody(self._store, self._stored.data[span.start : span.stop])

    async def _ask_again(self, span: model.ByteRange) -> None:
        asked = f"bytes={span.start}-{span.stop - 1}"
        pinned = model.ReadConditions(if_match=(self.info.etag,)) if self.info.etag else model.NO_READ_CONDITIONS
        operation = model.GetObject(
            bucket=self._operation.bucket, key=self._operation.key, range=asked, conditions=pinned
        )
        try:
            opened = await self._store.get_object(operation)
        except S3Error as error:
            raise ObjectChangedError from error
        await opened.aclose()

    async def aclose(self) -> None:
        self._arriving = None


class MemoryBody(Body):
    """Bytes in chunks of one buffer that is used again for each."""

    def __init__(self, store: MemoryStore, data: bytes) -> None:
        self.length = len(data)
        self._store = store
        self._left = memoryview(data)
        self._buffer = bytearray(CHUNK_BYTES)
        self._is_open = True
        store.open_bodies += 1

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        assert self._is_open
        await trio.lowlevel.checkpoint()
        self._buffer[:] = bytes(CHUNK_BYTES)
        piece, self._left = self._left[:CHUNK_BYTES], self._left[CHUNK_BYTES:]
        if not piece:
            raise StopAsyncIteration
        if self._store.outage is not None:
            raise self._store.outage
        self._store.given_bytes += len(piece)
        self._buffer[: len(piece)] = piece
        return memoryview(self._buffer)[: len(piece)]

    async def aclose(self) -> None:
        if self._is_open:
            self._is_open = False
            self._store.open_bodies -= 1


async def received(body: IncomingBody) -> tuple[bytes, Digests]:
    """All of a request's body, verified."""
    data = bytearray()
    buffer = memoryview(bytearray(_RECEIVE_BYTES))
    while count := await body.receive_into(buffer):
        body.digest(buffer[:count])
        data += buffer[:count]
    return bytes(data), body.verify()


def no_such_bucket(name: str) -> S3Error:
    return S3Error(ErrorCode.NO_SUCH_BUCKET, detail={"BucketName": name})


def _needs_head(operation: model.GetObject) -> bool:
    when = operation.conditions
    is_pinned = when == model.ReadConditions(if_match=when.if_match) and len(when.if_match or ()) <= 1
    return not is_pinned or operation.part_number is not None or operation.if_range is not None


def _require_current(version_id: str | None) -> None:
    if version_id not in {None, "null"}:
        raise S3Error(ErrorCode.NO_SUCH_VERSION)


def _now_ns() -> int:
    return time.time_ns() // 10**9 * 10**9


def _checksum_of(digests: Digests) -> model.Checksum | None:
    if digests.checksum_algorithm is None or digests.checksum_base64 is None:
        return None
    return model.Checksum(model.ChecksumAlgorithm(digests.checksum_algorithm), digests.checksum_base64)


def _digested(data: bytes, algorithm: model.ChecksumAlgorithm | None) -> tuple[str, model.Checksum | None]:
    etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if algorithm is None:
        return etag, None
    digest = new_hash(algorithm)
    digest.update(memoryview(data))
    return etag, model.Checksum(algorithm, base64_digest(digest))


def _part_of(number: int, data: bytes, etag: model.ETag, checksum: model.Checksum | None) -> model.Part:
    return model.Part(number=number, size=len(data), etag=etag, last_modified_ns=_now_ns(), checksum=checksum)


def _result_of(info: model.ObjectInfo) -> model.PutResult:
    return model.PutResult(etag=info.etag, size=info.size, checksum=info.checksum)
