"""Operations that read an object: conditions and ranges are judged here, on the version that the store opened."""

from s3proxy.gateway.authorize import ReadableObjects
from s3proxy.http1.messages import Response
from s3proxy.s3 import model, responses
from s3proxy.s3.conditions import evaluate, if_range_holds
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.ranges import part_range, resolve_range
from s3proxy.stores.base import ObjectChangedError, ObjectStore

_MOST_ATTEMPTS = 4  # an object that is replaced more often than that while it is being opened is not read, but raced


async def get_object(objects: ObjectStore | ReadableObjects, operation: model.GetObject) -> Response:
    """Answer with the object, a span of it, or 304."""
    for _ in range(_MOST_ATTEMPTS):
        try:
            return await _get_version(objects, operation)
        except ObjectChangedError:
            continue  # nothing was answered yet: judge the new version as if it had been there at once
    raise S3Error(ErrorCode.SLOW_DOWN, "The object is being replaced faster than it can be opened.")


async def _get_version(objects: ObjectStore | ReadableObjects, operation: model.GetObject) -> Response:
    opened = await objects.get_object(operation)
    try:
        if _is_not_modified(operation.conditions, opened.info):
            return responses.not_modified(opened.info)
        span = _span(operation, opened.info)
        body = await opened.read(span or model.ByteRange(0, opened.info.size))
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
    info = await store.get_object_attributes(operation)
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
