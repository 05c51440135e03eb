"""CopyObject and UploadPartCopy within the store.

The source is looked at first and then pinned by its ETag: whether it may be read, and its conditions, are judged on the
version that is copied. One of the same ETag that took its place meanwhile has the same bytes, and nothing but bytes is
copied from it: what describes the copy is given anew.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from s3proxy.s3 import conditions
from s3proxy.s3.client import objects, uploads
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import CopyObject, CopyResult, CopySource, ObjectInfo, Tags, UploadPartCopy
from s3proxy.s3.ranges import check_copy_range
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.s3.conditional import Conditional
from s3proxy.stores.s3.exchange import Exchange
from s3proxy.stores.s3.looking import Looking
from s3proxy.stores.s3.writing import Writing

_MOST_ATTEMPTS = 4

T = TypeVar("T")


class Copies:
    """Copies objects, and spans of them into parts.

    Args:
        exchange: with the store.
        looking: at the sources.
        conditional: judges conditions.
        writing: of the copies.
    """

    def __init__(self, exchange: Exchange, looking: Looking, conditional: Conditional, writing: Writing) -> None:
        self._exchange = exchange
        self._looking = looking
        self._conditional = conditional
        self._writing = writing

    async def copy_object(self, operation: CopyObject) -> CopyResult:
        """Copy an object, also onto itself.

        Raises:
            S3Error: NO_SUCH_KEY, ACCESS_DENIED for a source that the author may not read, a condition that failed.
        """

        async def copy(source: ObjectInfo) -> CopyResult:
            when = operation.conditions
            pinned = await self._conditional.pinned("CopyObject", operation.bucket, operation.key, when)
            tags = await self._tags_of_copy(operation, source)
            request = objects.copy_object(replace(operation, conditions=pinned), source, tags)
            can_repeat = when.is_empty
            result = await self._exchange.ask(
                request, lambda answer: objects.parse_copy(answer.body), can_repeat=can_repeat, is_slow=True
            )
            await self._repair_tags(operation, tags or {})
            return result

        return await self._copy(operation.source, copy)

    async def copy_part(self, operation: UploadPartCopy) -> CopyResult:
        """Copy a span of an object into a part.

        Raises:
            S3Error: INVALID_RANGE when the source ends before the range does; otherwise like ``copy_object``.
        """
        uploads.require_upload_id(operation.upload_id)

        async def copy(source: ObjectInfo) -> CopyResult:
            if operation.range is not None:
                check_copy_range(operation.range, source.size)
            request = uploads.upload_part_copy(operation, source)
            return await self._exchange.ask(
                request, lambda answer: objects.parse_copy(answer.body, "CopyPartResult"), is_slow=True
            )

        return await self._copy(operation.source, copy)

    async def _copy(self, source: CopySource, copy: Callable[[ObjectInfo], Awaitable[T]]) -> T:
        for _ in range(_MOST_ATTEMPTS):
            info = await self._inspect(source)
            try:
                return await copy(info)
            except S3Error as error:
                # Of the target's conditions, or the source was replaced since: then it is not what it was.
                if error.code is not ErrorCode.PRECONDITION_FAILED or not await self._is_replaced(source, info):
                    raise
        raise StoreUnavailableError("the source of a copy is being replaced faster than it can be copied")

    async def _inspect(self, source: CopySource) -> ObjectInfo:
        info = await self._looking.head(source.bucket, source.key)
        # Before the conditions, which would tell something of an object that may not be read (RustFS CVE-2026-39360).
        if source.readable_acls is not None and info.acl not in source.readable_acls:
            raise S3Error(ErrorCode.ACCESS_DENIED)
        conditions.check_copy_source(source.conditions, info)
        return info

    async def _is_replaced(self, source: CopySource, info: ObjectInfo) -> bool:
        current = await self._looking.current(source.bucket, source.key)
        return current is None or current.etag != info.etag

    async def _tags_of_copy(self, operation: CopyObject, source: ObjectInfo) -> Tags | None:
        if operation.tags is not None or not source.tag_count:
            return operation.tags
        return await self._looking.tags(operation.source.bucket, operation.source.key)

    async def _repair_tags(self, operation: CopyObject, wanted: Tags) -> None:
        """Give the copy its tags where the store did not, like Ceph, which knows no x-amz-tagging-directive."""
        if not wanted:
            return
        copy = await self._looking.current(operation.bucket, operation.key)
        if copy is not None and copy.tag_count != len(wanted):
            await self._writing.put_tags(operation.bucket, operation.key, wanted)
