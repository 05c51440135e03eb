"""What is known of objects without their bytes, and where a read begins."""

from dataclasses import replace

from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.client import answers, attributes, buckets, objects
from s3proxy.s3.client.answers import MAX_DOCUMENT_BYTES, MalformedAnswerError
from s3proxy.s3.client.attributes import ListedParts
from s3proxy.s3.client.objects import Arriving
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    Bucket,
    GetObject,
    GetObjectAttributes,
    HeadObject,
    Key,
    ObjectInfo,
    Part,
    ReadConditions,
    Tags,
)
from s3proxy.s3.ranges import satisfiable_form
from s3proxy.stores.base import OpenObject
from s3proxy.stores.receiving import LargeBuffers
from s3proxy.stores.s3.buckets import Buckets
from s3proxy.stores.s3.exchange import Answer, Exchange, OpenAnswer
from s3proxy.stores.s3.reading import S3Object


class Looking:
    """Looks at objects and opens them.

    Args:
        exchange: with the store.
        known_buckets: the buckets, to tell what is missing.
    """

    def __init__(self, exchange: Exchange, known_buckets: Buckets) -> None:
        self._exchange = exchange
        self._buckets = known_buckets
        self._large = LargeBuffers()

    async def head(self, bucket: Bucket, key: Key, part_number: int | None = None) -> ObjectInfo:
        """What is known of an object.

        Raises:
            S3Error: NO_SUCH_KEY, NO_SUCH_BUCKET, INVALID_PART_NUMBER.
        """

        def parse(answer: Answer) -> ObjectInfo:
            return objects.parse_head(answer.status, answer.headers, answer.length, part_number)

        try:
            return await self._exchange.ask(objects.head_object(bucket, key, part_number=part_number), parse)
        except S3Error as error:  # told by its status alone
            if error.code is ErrorCode.NO_SUCH_KEY:
                await self._buckets.require(bucket)
            if error.code is ErrorCode.INVALID_RANGE and part_number is not None:
                detail = {"PartNumberRequested": str(part_number)}
                raise S3Error(ErrorCode.INVALID_PART_NUMBER, detail=detail) from error
            raise

    async def current(self, bucket: Bucket, key: Key) -> ObjectInfo | None:
        """What is known of an object; None when it is missing."""
        try:
            return await self.head(bucket, key)
        except S3Error as error:
            if error.code is ErrorCode.NO_SUCH_KEY:
                return None
            raise

    async def attributes(self, operation: GetObjectAttributes) -> ObjectInfo:
        """What is known of an object, and of which parts it was made, where that is asked for.

        Where the store does not list them, the first one tells how many there are.
        """
        bucket, key = operation.bucket, operation.key
        info = await self.head(bucket, key)
        if "ObjectParts" not in operation.attributes or "-" not in info.etag:
            return info
        parts = await self._parts(bucket, key, info)
        if parts:
            return replace(info, parts=parts)
        first = await self.head(bucket, key, 1)
        return replace(info, selected_part=first.selected_part)

    async def _parts(self, bucket: Bucket, key: Key, info: ObjectInfo) -> tuple[Part, ...]:
        """The parts of this version; none unless they are its parts, all of them."""
        found: list[Part] = []
        is_truncated = True
        while is_truncated:
            page = await self._page_of_parts(bucket, key, after=found[-1].number if found else 0)
            if page is None or page.etag != info.etag:
                return ()
            found += page.parts
            is_truncated = page.is_truncated
        return tuple(found) if sum(part.size for part in found) == info.size else ()

    async def _page_of_parts(self, bucket: Bucket, key: Key, *, after: int) -> ListedParts | None:
        """One page of parts; None where the store does not know the operation, in whatever way it says so."""

        def may_be_attributes(answer: OpenAnswer) -> bool:
            content_type = answers.fields_of(answer.headers).get(b"content-type", b"")
            return attributes.may_be_attributes(answer.status, content_type)

        try:
            request = attributes.list_object_parts(bucket, key, after=after)
            is_likely, answer = await self._exchange.open(request, may_be_attributes)
        except S3Error:
            return None
        try:
            body = await answer.read(MAX_DOCUMENT_BYTES) if is_likely else b""
            return attributes.parse_object_parts(body, after=after)
        except (MalformedAnswerError, ConnectionLostError):
            return None
        finally:
            await answer.aclose()

    async def open(self, operation: GetObject) -> OpenObject:
        """Open an object, with one request where the store can judge all that is asked."""
        bucket, key = operation.bucket, operation.key
        asked = None if operation.range is None else satisfiable_form(operation.range)
        if _needs_head(operation, asked):
            info = await self.head(bucket, key, operation.part_number)
            return S3Object(self._exchange, bucket, key, info, large=self._large)
        etags = operation.conditions.if_match
        request = objects.get_object(bucket, key, span=asked, if_match=etags[0] if etags else None)

        def parse(answer: OpenAnswer) -> Arriving:
            return objects.parse_get(answer.status, answer.headers, answer.length, asked)

        arriving, answer = await self._exchange.open(request, parse)
        return S3Object(self._exchange, bucket, key, arriving.info, (arriving.span, answer), large=self._large)

    async def tags(self, bucket: Bucket, key: Key) -> Tags:
        """The tags of an object."""
        try:
            request = buckets.get_tagging(bucket, key)
            return await self._exchange.ask(request, lambda answer: buckets.parse_tagging(answer.body))
        except S3Error as error:
            if error.code is ErrorCode.NO_SUCH_TAG_SET:  # as some stores say of an object without tags
                return {}
            raise


def _needs_head(operation: GetObject | HeadObject, asked: str | None) -> bool:
    """Whether the gateway has to judge something before a span is asked for: else bytes would come in vain."""
    etags = operation.conditions.if_match
    is_pinned = operation.conditions == ReadConditions(if_match=etags) and (etags is None or len(etags) == 1)
    is_odd_range = operation.range is not None and asked is None
    return not is_pinned or operation.part_number is not None or operation.if_range is not None or is_odd_range
