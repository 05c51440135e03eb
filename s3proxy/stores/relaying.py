"""Copies from one store to another: read here, verified, written there."""

import time
from collections.abc import Callable

from s3proxy.body import Body
from s3proxy.s3 import conditions, model
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.stores.base import ObjectChangedError, ObjectStore
from s3proxy.stores.relayed_body import relayed

MAX_COPY_BYTES = 5 * 1024**3
"""S3 API CopyObject; larger ones are copied in parts."""

_MOST_ATTEMPTS = 4  # as for a GET: the source may be replaced between being opened and being read

_SpanOf = Callable[[model.ObjectInfo], model.ByteRange]


async def relay_object(source: ObjectStore, target: ObjectStore, operation: model.CopyObject) -> model.CopyResult:
    """CopyObject from one store to another; the operation names source and target as their stores do.

    Raises:
        S3Error: like CopyObject within a store.
        StoreUnavailableError: the source broke off, or is not what its checksum says; nothing was stored.
    """
    get = model.GetObject(
        bucket=operation.source.bucket, key=operation.source.key, version_id=operation.source.version_id
    )
    info, body = await _read(source, operation.source, get, _whole)
    algorithm = operation.checksum_algorithm or (info.checksum.algorithm if info.checksum else None)
    async with relayed(body, known=info.checksum, algorithm=algorithm) as incoming:
        put = model.PutObject(
            bucket=operation.bucket,
            key=operation.key,
            metadata=info.metadata if operation.metadata is None else operation.metadata,
            tags=await _tags(source, operation, info),
            conditions=operation.conditions,
            storage_class=operation.storage_class or "STANDARD",
            acl=operation.acl,
        )
        stored = await target.put_object(put, incoming)
    described = await target.head_object(model.HeadObject(bucket=operation.bucket, key=operation.key))
    return model.CopyResult(etag=stored.etag, last_modified_ns=described.last_modified_ns, checksum=stored.checksum)


async def relay_part(source: ObjectStore, target: ObjectStore, operation: model.UploadPartCopy) -> model.CopyResult:
    """UploadPartCopy from one store to another; the operation names source and target as their stores do.

    Raises:
        S3Error: like UploadPartCopy within a store.
        StoreUnavailableError: like ``relay_object``.
    """
    upload = await target.get_upload(operation.bucket, operation.key, operation.upload_id)
    wanted = operation.range

    def span_of(info: model.ObjectInfo) -> model.ByteRange:
        if wanted is not None and wanted.stop > info.size:
            raise S3Error(ErrorCode.INVALID_RANGE, detail={"ActualObjectSize": str(info.size)})
        return wanted or model.ByteRange(0, info.size)

    info, body = await _read(source, operation.source, _get_of(operation), span_of)
    known = info.checksum if body.length == info.size else None
    async with relayed(body, known=known, algorithm=upload.checksum_algorithm) as incoming:
        part = model.UploadPart(
            bucket=operation.bucket,
            key=operation.key,
            upload_id=operation.upload_id,
            part_number=operation.part_number,
        )
        stored = await target.upload_part(part, incoming)
    # The time of a part is when it was stored; asking the store for it would cost a listing.
    return model.CopyResult(etag=stored.etag, last_modified_ns=time.time_ns(), checksum=stored.checksum)


async def _read(
    store: ObjectStore, source: model.CopySource, get: model.GetObject, span_of: _SpanOf
) -> tuple[model.ObjectInfo, Body]:
    for _ in range(_MOST_ATTEMPTS):
        try:
            return await _read_version(store, source, get, span_of)
        except ObjectChangedError:
            continue
    raise S3Error(ErrorCode.SLOW_DOWN, "The source is being replaced faster than it can be read.")


async def _read_version(
    store: ObjectStore, source: model.CopySource, get: model.GetObject, span_of: _SpanOf
) -> tuple[model.ObjectInfo, Body]:
    opened = await store.get_object(get)
    try:
        info = opened.info
        # Before the conditions, which would tell something of an object that may not be read.
        if source.readable_acls is not None and info.acl not in source.readable_acls:
            raise S3Error(ErrorCode.ACCESS_DENIED)
        conditions.check_copy_source(source.conditions, info)
        return info, await opened.read(span_of(info))
    finally:
        await opened.aclose()


def _get_of(operation: model.UploadPartCopy) -> model.GetObject:
    source, wanted = operation.source, operation.range
    # A store that answers a range it does not have with an error would tell the size of what may not be read.
    is_asked = wanted is not None and source.readable_acls is None and wanted.length > 0
    return model.GetObject(
        bucket=source.bucket,
        key=source.key,
        version_id=source.version_id,
        range=f"bytes={wanted.start}-{wanted.stop - 1}" if wanted is not None and is_asked else None,
    )


def _whole(info: model.ObjectInfo) -> model.ByteRange:
    if info.size > MAX_COPY_BYTES:
        message = f"The copy source is larger than {MAX_COPY_BYTES} bytes; copy it in parts."
        raise S3Error(ErrorCode.INVALID_REQUEST, message)
    return model.ByteRange(0, info.size)


async def _tags(source: ObjectStore, operation: model.CopyObject, info: model.ObjectInfo) -> model.Tags:
    if operation.tags is not None or not info.tag_count:
        return operation.tags or {}
    origin = operation.source
    return await source.get_object_tagging(
        model.GetObjectTagging(bucket=origin.bucket, key=origin.key, version_id=origin.version_id)
    )
