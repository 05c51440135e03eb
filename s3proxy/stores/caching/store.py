"""``CachingStore``: any store behind a cache of blocks and metadata.

What readers see, and when, is stated in metadata.py. One response is always of one version: its bytes come from blocks
of that version or from the store under its ETag (reading.py). Access is decided by what an entry says of the very
version that is served, its ACL among it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from s3proxy.body import IncomingBody
from s3proxy.cache.blocks import Geometry
from s3proxy.cache.plan import FIRST_FETCH_BYTES
from s3proxy.cache.shared import SharedWords
from s3proxy.s3 import model
from s3proxy.stores.base import ObjectStore, OpenObject
from s3proxy.stores.caching.buckets import Buckets
from s3proxy.stores.caching.metadata import Entries
from s3proxy.stores.caching.opening import Opening
from s3proxy.stores.caching.reading import Blocks
from s3proxy.stores.caching.shared_metadata import MetadataTable
from s3proxy.stores.caching.turns import Turns
from s3proxy.stores.caching.writing import CacheThrough, ThroughWriter, changing, changing_bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a store is cached.

    Attributes:
        name: of the store, the same in all workers and over restarts: blocks are found by it.
        metadata_ttl_seconds: for how long what the store said counts; 0 to infinity.
        read: ``through`` reads every object from the store, while writes still tell the other workers.
        write: fill the cache with the bodies of PutObject; None to leave that to their first reader.
        geometry: of the cache.
        first_fetch_bytes: the most that is asked for before the size of an object is known; whole units.
    """

    name: str
    metadata_ttl_seconds: float = 10.0
    read: Literal["cache", "through"] = "cache"
    write: CacheThrough | None = None
    geometry: Geometry = field(default_factory=Geometry)
    first_fetch_bytes: int = FIRST_FETCH_BYTES


class CachingStore(ObjectStore):
    """A store in front of another. Nothing of it has to be closed.

    Args:
        store: the under-store.
        blocks: the cache of the objects' bytes.
        shared: what the workers of the node share.
        settings: see there.
        table: of metadata, shared by the workers; None for a process on its own.
        clock: seconds, monotonic, the same in all workers.
    """

    def __init__(
        self,
        store: ObjectStore,
        blocks: Blocks,
        shared: SharedWords,
        settings: Settings,
        *,
        table: MetadataTable | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._shared = shared
        ttl_seconds = settings.metadata_ttl_seconds
        self._is_cached = settings.read == "cache"
        self._buckets = Buckets(store, shared, ttl_seconds=ttl_seconds, clock=clock)
        self._opening = Opening(
            store,
            blocks,
            Entries(settings.name, shared, table, ttl_seconds=ttl_seconds, clock=clock),
            Turns(settings.name, table),
            unit_size=settings.geometry.unit_size,
            first_fetch_bytes=settings.first_fetch_bytes,
        )
        self._through = None
        if settings.write is not None:
            self._through = ThroughWriter(store, blocks, self._opening, shared, settings.write)

    # Buckets

    async def list_buckets(self) -> list[model.BucketInfo]:
        """From the store."""
        return await self._store.list_buckets()

    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        """What is known of it, or from the store."""
        return await self._buckets.get(bucket)

    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        """At the store; who had the name before is forgotten."""
        with changing_bucket(self._shared, operation.bucket):
            await self._store.create_bucket(operation, owner)

    async def delete_bucket(self, bucket: model.Bucket) -> None:
        """At the store; all that is known of it and its keys is forgotten."""
        with changing_bucket(self._shared, bucket):
            await self._store.delete_bucket(bucket)

    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        """From the store."""
        return await self._store.get_bucket_tagging(bucket)

    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        """At the store."""
        await self._store.put_bucket_tagging(bucket, tags)

    # Listings

    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        """From the store."""
        return await self._store.list_objects(bucket, query)

    # Objects

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Open what is known, or ask the store first."""
        if self._is_cached:
            return await self._opening.open(operation)
        return await self._store.get_object(operation)

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """What is known, or from the store."""
        if self._is_cached:
            return await self._opening.describe(operation)
        return await self._store.head_object(operation)

    async def get_object_attributes(self, operation: model.GetObjectAttributes) -> model.ObjectInfo:
        """From the store."""
        return await self._store.get_object_attributes(operation)

    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        """At the store, and with cache-through also into the cache."""
        with changing(self._shared, operation.bucket, operation.key):
            return await (self._through or self._store).put_object(operation, body)

    async def delete_object(self, operation: model.DeleteObject) -> None:
        """At the store. The blocks cannot be addressed any more, and are evicted when their turn comes."""
        with changing(self._shared, operation.bucket, operation.key):
            await self._store.delete_object(operation)

    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        """Within the store."""
        with changing(self._shared, operation.bucket, operation.key):
            return await self._store.copy_object(operation)

    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        """From the store."""
        return await self._store.get_object_tagging(operation)

    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        """At the store. The blocks stay those of the object, for its version does not change."""
        with changing(self._shared, operation.bucket, operation.key):
            await self._store.put_object_tagging(operation)

    # Multipart uploads

    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        """At the store."""
        return await self._store.create_multipart_upload(operation)

    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        """At the store; nobody can read a part."""
        return await self._store.upload_part(operation, body)

    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        """From the store."""
        return await self._store.get_upload(bucket, key, upload_id)

    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        """Within the store."""
        return await self._store.upload_part_copy(operation)

    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        """At the store."""
        with changing(self._shared, operation.bucket, operation.key):
            return await self._store.complete_multipart_upload(operation)

    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        """At the store."""
        await self._store.abort_multipart_upload(operation)

    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        """From the store."""
        return await self._store.list_parts(operation)

    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        """From the store."""
        return await self._store.list_multipart_uploads(operation)
