"""Operations that read an object: conditions and ranges are judged here, on the version that the store opened."""

from s3proxy.gateway.authorize import ReadableObjects
from s3proxy.http1.messages import Response
from s3proxy.s3 import model, responses
from s3proxy.s3.conditions import evaluate, if_range_holds
from s3proxy.s3.ranges import part_range, resolve_range
from s3proxy.stores.base import ObjectStore


async def get_object(objects: ObjectStore | ReadableObjects, operation: model.GetObject) -> Response:
    """Answer with the object, a span of it, or 304."""
    opened = await objects.get_object(operation)
    try:
        if _is_not_modified(operation.conditions, opened.info):
            return responses.not_modified(opened.info)
        span = _span(operation, opened.info)
        body = opened.read(span or model.ByteRange(0, opened.info.size))
        return responses.get_object(operation, opened.info, span, body)
    finally:
        await opened.aclose()


async def head_object(objects: ObjectStore | ReadableObjects, operation: model.HeadObject) -> Response:
    """Answer with what the same GET would, but for the bytes."""
    info = await objects.head_object(operation)
    if _is_not_modified(operation.conditions, info):
        return responses.not_modified(info)
    return responses.head_object(operation, info, _span(operation, info))


async def get_object_attributes(store: ObjectStore, operation: model.GetObjectAttributes) -> Response:
    """Answer with the attributes that were asked for."""
    head = model.HeadObject(bucket=operation.bucket, key=operation.key, version_id=operation.version_id)
    info = await store.head_object(head)
    if _is_not_modified(operation.conditions, info):
        return responses.not_modified(info)
    return responses.get_object_attributes(operation, info)


def _is_not_modified(conditions: model.ReadConditions, info: model.ObjectInfo) -> bool:
    if conditions.is_empty:
        return False
    failed = evaluate(conditions, info.etag, info.last_modified_ns)
    if failed is not None and not failed.is_not_modified:
        raise failed.error()
    return failed is not None


def _span(operation: model.GetObject | model.HeadObject, info: model.ObjectInfo) -> model.ByteRange | None:
    """The bytes that are asked for; None for all of them with status 200."""
    if operation.part_number is not None:
        return part_range(info, operation.part_number)
    if operation.range is None:
        return None
    if operation.if_range is not None and not if_range_holds(operation.if_range, info.etag, info.last_modified_ns):
        return None
    return resolve_range(operation.range, info.size)
