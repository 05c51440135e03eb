"""Short ways to say what tests of stores say all the time."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager

import pytest

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import (
    NO_WRITE_CONDITIONS,
    Bucket,
    ChecksumAlgorithm,
    CreateBucket,
    DeleteObject,
    GetObject,
    HeadObject,
    Key,
    ListPage,
    ListQuery,
    ObjectInfo,
    ObjectMetadata,
    Owner,
    PutObject,
    PutResult,
    Tags,
    WriteConditions,
)
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import body_of, content_of

BUCKET = Bucket("bucket")
KEY = Key("a/key")
OWNER = Owner("alice-id", "Alice")
NO_METADATA = ObjectMetadata()


@contextmanager
def raises(code: ErrorCode) -> Iterator[None]:
    """What is within ends with an S3Error of this code."""
    with pytest.raises(S3Error) as caught:
        yield
    assert caught.value.code is code, caught.value


async def refusal_of(attempt: Awaitable[object]) -> ErrorCode | None:
    """The code of the S3Error that ``attempt`` ends with, or None when it succeeds."""
    try:
        await attempt
    except S3Error as error:
        return error.code
    return None


async def make_bucket(store: ObjectStore, name: str = BUCKET) -> Bucket:
    bucket = Bucket(name)
    await store.create_bucket(CreateBucket(bucket=bucket), OWNER)
    return bucket


def put_of(
    key: str = KEY,
    *,
    bucket: str = BUCKET,
    metadata: ObjectMetadata = NO_METADATA,
    tags: Tags | None = None,
    conditions: WriteConditions = NO_WRITE_CONDITIONS,
) -> PutObject:
    return PutObject(bucket=Bucket(bucket), key=Key(key), metadata=metadata, tags=tags or {}, conditions=conditions)


async def put(
    store: ObjectStore,
    data: bytes,
    key: str = KEY,
    *,
    bucket: str = BUCKET,
    algorithm: ChecksumAlgorithm | None = None,
    conditions: WriteConditions = NO_WRITE_CONDITIONS,
) -> PutResult:
    return await store.put_object(put_of(key, bucket=bucket, conditions=conditions), body_of(data, algorithm=algorithm))


async def get(store: ObjectStore, key: str = KEY, bucket: str = BUCKET) -> bytes:
    return await content_of(await store.get_object(GetObject(bucket=Bucket(bucket), key=Key(key))))


async def head(store: ObjectStore, key: str = KEY, bucket: str = BUCKET) -> ObjectInfo:
    return await store.head_object(HeadObject(bucket=Bucket(bucket), key=Key(key)))


async def delete(
    store: ObjectStore, key: str = KEY, *, bucket: str = BUCKET, conditions: WriteConditions = NO_WRITE_CONDITIONS
) -> None:
    await store.delete_object(DeleteObject(bucket=Bucket(bucket), key=Key(key), conditions=conditions))


async def page(store: ObjectStore, query: ListQuery | None = None, bucket: str = BUCKET) -> ListPage:
    return await store.list_objects(Bucket(bucket), query or ListQuery())


async def keys_of(store: ObjectStore, bucket: str = BUCKET) -> list[str]:
    return [listed.key for listed in (await page(store, None, bucket)).objects]
