"""Buckets of the store, and what this gateway keeps of them in a hidden tag."""

import time
from collections.abc import Callable
from typing import Final

import trio
from cachetools import TTLCache

from s3proxy.s3.client import buckets, hidden
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.client.hidden import BucketTags
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, BucketInfo, CreateBucket, Owner, Tags
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.s3.exchange import Answer, BucketUnusableError, Exchange

_MOST_KEPT: Final = 4096
_MOST_AT_ONCE: Final = 8
_SEEN_SECONDS: Final = 60.0
_NOT_FOUND: Final = 404
_WITHOUT_TAGS = frozenset({ErrorCode.NO_SUCH_TAG_SET, ErrorCode.NOT_IMPLEMENTED, ErrorCode.METHOD_NOT_ALLOWED})


class Buckets:
    """The buckets.

    What is known of one is kept for a few seconds, since every request asks for it; that one is missing is not kept.
    That it was there is remembered for longer, to say which of the two a HEAD missed, bucket or key: clients see 404.

    Args:
        exchange: with the store.
        location: the LocationConstraint that the store itself wants of new buckets.
        kept_seconds: how long what another process changed may go unnoticed.
        clock: seconds that only go forward.
        clock_ns: nanoseconds since the epoch.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        location: str | None,
        kept_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._exchange = exchange
        self._location = location
        self._clock_ns = clock_ns
        self._kept: TTLCache[Bucket, BucketInfo] = TTLCache(_MOST_KEPT, kept_seconds, clock)
        self._seen: TTLCache[Bucket, None] = TTLCache(_MOST_KEPT, _SEEN_SECONDS, clock)
        self._changes = 0

    async def get(self, bucket: Bucket) -> BucketInfo:
        """What is known of a bucket. Of one that this gateway did not make, not even when it was made.

        Raises:
            S3Error: NO_SUCH_BUCKET, or ACCESS_DENIED where its tags may not be read: it could be anybody's.
        """
        info = self._kept.get(bucket)
        if info is None:
            changes = self._changes
            info = self._info_of(bucket, await self._tags_of(bucket), created_ns=0)
            if changes == self._changes:  # or it may be from before one of our own writes
                self._kept[bucket] = info
                self._seen[bucket] = None
        return info

    async def require(self, bucket: Bucket) -> None:
        """See that a bucket is there, or was lately, as far as the store tells.

        Raises:
            S3Error: NO_SUCH_BUCKET.
        """
        if bucket in self._seen:
            return
        try:
            await self.get(bucket)
        except S3Error as error:
            if error.code is ErrorCode.NO_SUCH_BUCKET:
                raise

    async def list(self) -> list[BucketInfo]:
        """Every bucket whose owner can be told, by name."""
        created = await self._exchange.ask(buckets.list_buckets(), lambda answer: buckets.parse_buckets(answer.body))
        found: dict[Bucket, BucketInfo] = {}
        failures: list[StoreUnavailableError] = []
        left = iter(created.items())

        async def look_at_some() -> None:
            for bucket, created_ns in left:
                try:
                    if (info := await self._listed(bucket, created_ns)) is not None:
                        found[bucket] = info
                except StoreUnavailableError as error:
                    failures.append(error)
                    nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            for _ in range(_MOST_AT_ONCE):
                nursery.start_soon(look_at_some)
        if failures:
            raise failures[0]
        return [found[bucket] for bucket in sorted(found)]

    async def create(self, operation: CreateBucket, owner: Owner) -> None:
        """Make a bucket and say in its tag whose it is; without the tag, there is no bucket.

        1. It is not there. 2. Another makes it. 3. We make it again, which some stores take for a success. 4. Its tag
        is there, so it is not ours. Between 4 and our own tag there is no way to tell; that takes two gateways that
        make one bucket within a few milliseconds.

        Raises:
            S3Error: BUCKET_ALREADY_EXISTS; INVALID_REQUEST when the owner's name is too long to keep.
        """
        bucket = operation.bucket
        info = BucketInfo(
            name=bucket,
            owner=owner,
            created_ns=self._clock_ns(),
            acl=operation.acl,
            location=operation.location_constraint,
        )
        value = hidden.render_bucket(info)
        if await self._exists(bucket):
            raise _already_exists()
        with trio.CancelScope(shield=True):  # a bucket without its tag would be everybody's; deadlines bound this
            await self._make(bucket)
            await self._mark(bucket, value)
        self._forget(bucket)

    async def delete(self, bucket: Bucket) -> None:
        """Remove an empty bucket."""
        self._forget(bucket)
        await self._exchange.ask(buckets.delete_bucket(bucket), _nothing, can_repeat=False)
        self._forget(bucket)

    async def tags(self, bucket: Bucket) -> Tags:
        """The tags that clients gave it."""
        return (await self._tags_of(bucket)).visible

    async def put_tags(self, bucket: Bucket, tags: Tags) -> None:
        """Replace the tags that clients gave it."""
        merged = (await self._tags_of(bucket)).merged(tags)
        await self._exchange.ask(buckets.put_tagging(merged, bucket), _nothing)

    # What they are made of

    async def _tags_of(self, bucket: Bucket) -> BucketTags:
        """The tags of a bucket that may be missing.

        Raises:
            S3Error: NO_SUCH_BUCKET.
        """
        tags = await self._find_tags(bucket)
        if tags is None:  # which MinIO says of a missing bucket, too
            await self._require(bucket)
        return hidden.split_tags(tags or {})

    async def _tags_of_existing(self, bucket: Bucket) -> BucketTags:
        return hidden.split_tags(await self._find_tags(bucket) or {})

    async def _find_tags(self, bucket: Bucket) -> Tags | None:
        """The tags; None where the store says that there are none."""
        try:
            request = buckets.get_tagging(bucket)
            return await self._exchange.ask(request, lambda answer: buckets.parse_tagging(answer.body))
        except S3Error as error:
            if error.code not in _WITHOUT_TAGS:
                raise
            return None

    async def _require(self, bucket: Bucket) -> None:
        """Raise NO_SUCH_BUCKET if that is what the store says; a refusal to tell says that there is one."""
        try:
            await self._exchange.ask(buckets.head_bucket(bucket), _nothing)
        except S3Error as error:
            if error.code.status == _NOT_FOUND:  # of an answer without a body: it names no code
                raise S3Error(ErrorCode.NO_SUCH_BUCKET) from error

    def _info_of(self, bucket: Bucket, tags: BucketTags, created_ns: int) -> BucketInfo:
        if tags.hidden is None:
            return BucketInfo(name=bucket, owner=None, created_ns=created_ns)
        try:
            return hidden.parse_bucket(bucket, tags.hidden)
        except MalformedAnswerError as error:
            raise BucketUnusableError(str(error)) from error

    async def _listed(self, bucket: Bucket, created_ns: int) -> BucketInfo | None:
        info = self._kept.get(bucket)
        if info is not None and info.owner is not None:
            return info
        try:
            return self._info_of(bucket, await self._tags_of_existing(bucket), created_ns)
        except (S3Error, BucketUnusableError):  # gone meanwhile, or not for us to use
            return None

    async def _exists(self, bucket: Bucket) -> bool:
        try:
            await self._tags_of(bucket)
        except S3Error as error:
            if error.code is ErrorCode.NO_SUCH_BUCKET:
                return False
            if error.code is not ErrorCode.ACCESS_DENIED:
                raise
        return True

    async def _make(self, bucket: Bucket) -> None:
        request = buckets.create_bucket(bucket, self._location)
        try:
            await self._exchange.ask(request, _nothing, can_repeat=False)
        except S3Error as error:
            if error.code is ErrorCode.BUCKET_ALREADY_OWNED_BY_YOU:  # by the account of this gateway, that is
                raise _already_exists() from error
            raise

    async def _mark(self, bucket: Bucket, value: str) -> None:
        try:
            if (await self._tags_of_existing(bucket)).hidden is not None:
                raise _already_exists()
            await self._exchange.ask(buckets.put_tagging({hidden.BUCKET_TAG: value}, bucket), _nothing)
        except S3Error as error:
            if error.code is not ErrorCode.BUCKET_ALREADY_EXISTS:
                await self._take_back(bucket)
            raise
        except StoreUnavailableError:
            await self._take_back(bucket)
            raise

    async def _take_back(self, bucket: Bucket) -> None:
        try:
            await self.delete(bucket)
        except (S3Error, StoreUnavailableError):
            message = f"the bucket {bucket} was made, but could be neither marked as its owner's nor removed again"
            raise StoreUnavailableError(message) from None

    def _forget(self, bucket: Bucket) -> None:
        self._changes += 1
        self._kept.pop(bucket, None)
        self._seen.pop(bucket, None)


def _nothing(_: Answer) -> None:
    """An answer of which only the status counts."""


def _already_exists() -> S3Error:
    return S3Error(ErrorCode.BUCKET_ALREADY_EXISTS)
