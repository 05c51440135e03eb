"""``Mounts``: the buckets of several stores in one namespace.

A mount says where the buckets of a name or pattern are: in which store, in which bucket of it, below which prefix of
its keys. An exact name wins over a pattern, an earlier pattern over a later one, and the default store has all others.
A bucket that is mounted hides one of the same name in the default store. A store that cannot be reached takes only its
own buckets with it.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import trio

from s3proxy.body import IncomingBody
from s3proxy.s3 import model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectStore, OpenObject, StoreUnavailableError
from s3proxy.stores.relaying import relay_object, relay_part
from s3proxy.stores.routes import Mount, Route, Routes
from s3proxy.telemetry import log_error

_SILENCE_SECONDS = 60.0
"""A store whose buckets cannot be listed is mentioned at most so often."""

_Found = Callable[[], Awaitable[list[model.BucketInfo]]]


class Mounts(ObjectStore):
    """Stores side by side, each bucket in one of them.

    *Closes:* nothing; whoever opened the stores closes them.

    Args:
        routes: to every bucket.
        clock: in seconds.
    """

    def __init__(self, routes: Routes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._routes = routes
        self._clock = clock
        self._next_complaints: dict[str, float] = {}

    # Buckets

    async def list_buckets(self) -> list[model.BucketInfo]:
        """The buckets of all mounts, but those of stores that cannot be reached.

        Raises:
            StoreUnavailableError: there is no store that can be.
        """
        listing = _Listing()
        async with trio.open_nursery() as nursery:
            for mount in {mount.store_name: mount for mount in self._routes.patterns}.values():
                nursery.start_soon(listing.take, mount.store_name, partial(self._buckets_by_pattern, mount))
            for mount in self._routes.exact.values():
                nursery.start_soon(listing.take, mount.store_name, partial(_bucket_by_name, mount))
        for store_name, failure in listing.failures.items():
            self._complain(store_name, failure)
        return listing.result()

    async def get_bucket(self, bucket: model.Bucket) -> model.BucketInfo:
        """What is known of the bucket behind."""
        route = self._routes.to(bucket)
        with route:
            info = await route.store.get_bucket(route.target)
        return info if route.is_plain else replace(info, name=bucket)

    async def create_bucket(self, operation: model.CreateBucket, owner: model.Owner) -> None:
        """Make the bucket behind.

        Raises:
            S3Error: BUCKET_ALREADY_EXISTS for a mount of a prefix, which is there while it is configured.
        """
        route = self._writable(operation.bucket)
        if route.prefix:
            raise S3Error(ErrorCode.BUCKET_ALREADY_EXISTS, "The bucket is a mount of a prefix and cannot be created.")
        with route:
            await route.store.create_bucket(replace(operation, bucket=route.target), owner)

    async def delete_bucket(self, bucket: model.Bucket) -> None:
        """Remove the bucket behind; a mount of a prefix cannot be."""
        route = self._changeable(bucket, "deleted")
        with route:
            await route.store.delete_bucket(route.target)

    async def get_bucket_tagging(self, bucket: model.Bucket) -> model.Tags:
        """The tags of the bucket behind."""
        route = self._routes.to(bucket)
        with route:
            return await route.store.get_bucket_tagging(route.target)

    async def put_bucket_tagging(self, bucket: model.Bucket, tags: model.Tags) -> None:
        """Replace the tags of the bucket behind; a mount of a prefix has none of its own."""
        route = self._changeable(bucket, "tagged")
        with route:
            await route.store.put_bucket_tagging(route.target, tags)

    # Listings

    async def list_objects(self, bucket: model.Bucket, query: model.ListQuery) -> model.ListPage:
        """One page of what is below the mount's prefix, without it."""
        route = self._routes.to(bucket)
        with route:
            if not route.prefix:
                return await route.store.list_objects(route.target, query)
            # After the prefix itself: an object of that name has no key here.
            inside = replace(query, prefix=route.prefix + query.prefix, after=route.prefix + query.after)
            page = await route.store.list_objects(route.target, inside)
        return replace(
            page,
            objects=tuple(replace(listed, key=model.Key(route.outside(listed.key))) for listed in page.objects),
            common_prefixes=tuple(map(route.outside, page.common_prefixes)),
            next_after=route.outside(page.next_after),
        )

    # Objects

    async def get_object(self, operation: model.GetObject) -> OpenObject:
        """Open it in its store."""
        route = self._routes.to(operation.bucket)
        with route:
            return await route.store.get_object(route.of(operation))

    async def head_object(self, operation: model.HeadObject) -> model.ObjectInfo:
        """What its store says."""
        route = self._routes.to(operation.bucket)
        with route:
            return await route.store.head_object(route.of(operation))

    async def get_object_attributes(self, operation: model.GetObjectAttributes) -> model.ObjectInfo:
        """What its store says."""
        route = self._routes.to(operation.bucket)
        with route:
            return await route.store.get_object_attributes(route.of(operation))

    async def put_object(self, operation: model.PutObject, body: IncomingBody) -> model.PutResult:
        """Store it there."""
        route = self._writable(operation.bucket)
        with route:
            return await route.store.put_object(route.of(operation), body)

    async def delete_object(self, operation: model.DeleteObject) -> None:
        """Remove it there."""
        route = self._writable(operation.bucket)
        with route:
            await route.store.delete_object(route.of(operation))

    async def copy_object(self, operation: model.CopyObject) -> model.CopyResult:
        """Have the store copy where both are in one; else read here and write there."""
        route, source = self._writable(operation.bucket), self._routes.to(operation.source.bucket)
        with source, route:
            inside = replace(route.of(operation), source=source.of(operation.source))
            if source.mount.store_name == route.mount.store_name:
                return await route.store.copy_object(inside)
            return await relay_object(source.store, route.store, inside)

    async def get_object_tagging(self, operation: model.GetObjectTagging) -> model.Tags:
        """The tags that it has there."""
        route = self._routes.to(operation.bucket)
        with route:
            return await route.store.get_object_tagging(route.of(operation))

    async def put_object_tagging(self, operation: model.PutObjectTagging) -> None:
        """Replace the tags that it has there."""
        route = self._writable(operation.bucket)
        with route:
            await route.store.put_object_tagging(route.of(operation))

    # Multipart uploads

    async def create_multipart_upload(self, operation: model.CreateMultipartUpload) -> model.UploadId:
        """Begin an upload of the store's."""
        route = self._writable(operation.bucket)
        with route:
            return await route.store.create_multipart_upload(route.of(operation))

    async def upload_part(self, operation: model.UploadPart, body: IncomingBody) -> model.PutResult:
        """Store the part there."""
        route = self._writable(operation.bucket)
        with route:
            return await route.store.upload_part(route.of(operation), body)

    async def get_upload(self, bucket: model.Bucket, key: model.Key, upload_id: model.UploadId) -> model.Upload:
        """What the store knows of it."""
        route = self._routes.to(bucket)
        with route:
            upload = await route.store.get_upload(route.target, route.inside(key), upload_id)
        return _outside(route, upload)

    async def upload_part_copy(self, operation: model.UploadPartCopy) -> model.CopyResult:
        """Have the store copy where both are in one; else read here and write there."""
        route, source = self._writable(operation.bucket), self._routes.to(operation.source.bucket)
        with source, route:
            inside = replace(route.of(operation), source=source.of(operation.source))
            if source.mount.store_name == route.mount.store_name:
                return await route.store.upload_part_copy(inside)
            return await relay_part(source.store, route.store, inside)

    async def complete_multipart_upload(self, operation: model.CompleteMultipartUpload) -> model.PutResult:
        """Join the parts there."""
        route = self._writable(operation.bucket)
        with route:
            return await route.store.complete_multipart_upload(route.of(operation))

    async def abort_multipart_upload(self, operation: model.AbortMultipartUpload) -> None:
        """Have the store forget it."""
        route = self._writable(operation.bucket)
        with route:
            await route.store.abort_multipart_upload(route.of(operation))

    async def list_parts(self, operation: model.ListParts) -> model.PartsPage:
        """One page of what is stored there."""
        route = self._routes.to(operation.bucket)
        with route:
            page = await route.store.list_parts(route.of(operation))
        return page if route.is_plain else replace(page, upload=_outside(route, page.upload))

    async def list_multipart_uploads(self, operation: model.ListMultipartUploads) -> model.UploadsPage:
        """One page of the uploads below the mount's prefix, without it."""
        route = self._routes.to(operation.bucket)
        with route:
            inside = replace(
                operation,
                bucket=route.target,
                prefix=route.prefix + operation.prefix,
                key_marker=route.prefix + operation.key_marker,
            )
            page = await route.store.list_multipart_uploads(inside)
        return replace(
            page,
            uploads=tuple(_outside(route, upload) for upload in page.uploads),
            common_prefixes=tuple(map(route.outside, page.common_prefixes)),
            next_key_marker=route.outside(page.next_key_marker),
        )

    # What they are made of

    def _writable(self, bucket: model.Bucket) -> Route:
        route = self._routes.to(bucket)
        if route.mount.is_read_only:
            raise S3Error(ErrorCode.ACCESS_DENIED, "The bucket is a read-only mount.")
        return route

    def _changeable(self, bucket: model.Bucket, what: str) -> Route:
        route = self._writable(bucket)
        if route.prefix:
            raise S3Error(ErrorCode.ACCESS_DENIED, f"The bucket is a mount of a prefix and cannot be {what}.")
        return route

    async def _buckets_by_pattern(self, mount: Mount) -> list[model.BucketInfo]:
        """The buckets of a store that are seen under their own names."""
        infos = await mount.opened().list_buckets()
        return [info for info in infos if self._is_seen(info.name, mount.store_name)]

    def _is_seen(self, bucket: model.Bucket, store_name: str) -> bool:
        mount = self._routes.mount_of(bucket)
        return mount.is_pattern and mount.store_name == store_name

    def _complain(self, store_name: str, failure: Exception) -> None:
        now = self._clock()
        if now >= self._next_complaints.get(store_name, now):
            self._next_complaints[store_name] = now + _SILENCE_SECONDS
            log_error(f"the buckets of store {store_name} are missing in ListBuckets: {failure}")


async def _bucket_by_name(mount: Mount) -> list[model.BucketInfo]:
    """The bucket behind an exact mount, if it is there."""
    try:
        info = await mount.opened().get_bucket(model.Bucket(mount.target_bucket or mount.bucket))
    except S3Error as error:
        if error.code is ErrorCode.NO_SUCH_BUCKET:
            return []
        raise
    return [replace(info, name=model.Bucket(mount.bucket))]


def _outside(route: Route, upload: model.Upload) -> model.Upload:
    return replace(upload, key=model.Key(route.outside(upload.key))) if route.prefix else upload


class _Listing:
    """What ListBuckets found so far, and what failed."""

    def __init__(self) -> None:
        self.found: dict[str, model.BucketInfo] = {}
        self.failures: dict[str, S3Error | StoreUnavailableError] = {}

    async def take(self, store_name: str, look: _Found) -> None:
        try:
            infos = await look()
        except (S3Error, StoreUnavailableError) as error:
            self.failures[store_name] = error
        else:
            self.found.update((info.name, info) for info in infos)

    def result(self) -> list[model.BucketInfo]:
        for failure in self.failures.values():
            if not self.found:
                raise failure
        return [self.found[name] for name in sorted(self.found)]
