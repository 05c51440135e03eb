"""What the admin plane asks of the stores, through the same caches as every client; failures become sentences."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from s3proxy.admin.command import CommandError
from s3proxy.body import BrokenBodyError
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3 import model
from s3proxy.s3.errors import S3Error
from s3proxy.stores.base import ObjectChangedError, ObjectStore, StoreUnavailableError


async def list_buckets(store: ObjectStore) -> Sequence[str]:
    """The names of all buckets.

    Raises:
        CommandError: the store does not list them.
    """
    with _told():
        return [each.name for each in await store.list_buckets()]


async def list_page(store: ObjectStore, bucket: str, query: model.ListQuery) -> model.ListPage:
    """One page of keys.

    Raises:
        CommandError: the store does not list them.
    """
    with _told(f"s3://{bucket}: "):
        return await store.list_objects(model.Bucket(bucket), query)


async def find(store: ObjectStore, bucket: str, key: str) -> model.ListedObject:
    """What is known of an object, as a listing would tell it.

    Raises:
        CommandError: it is not there, or the store does not say.
    """
    with _told(f"s3://{bucket}/{key}: "):
        info = await store.head_object(model.HeadObject(bucket=model.Bucket(bucket), key=model.Key(key)))
    return model.ListedObject(
        key=model.Key(key), size=info.size, etag=info.etag, last_modified_ns=info.last_modified_ns
    )


async def read_through(store: ObjectStore, bucket: str, listed: model.ListedObject, span: model.ByteRange) -> None:
    """Read a span of the version that was listed and throw it away, so that the cache in front of the store has it.

    What is cached already costs nothing: the body tells of it by slices of files that nobody reads.

    Raises:
        CommandError: the object is gone or another one by now, or the store does not give all of it.
    """
    operation = model.GetObject(
        bucket=model.Bucket(bucket), key=listed.key, range=f"bytes={span.start}-{span.stop - 1}"
    )
    with _told():
        opened = await store.get_object(operation)
        try:
            if (opened.info.etag, opened.info.size) != (listed.etag, listed.size):
                raise ObjectChangedError
            async with await opened.read(span) as body:
                async for _ in body:
                    pass
        finally:
            await opened.aclose()


@contextmanager
def _told(about: str = "") -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise CommandError(f"{about}{error}") from error
    except ObjectChangedError as error:
        raise CommandError("it was changed after it was listed; load it again") from error
    except (StoreUnavailableError, ConnectionLostError) as error:
        raise CommandError(f"the store cannot be reached: {error}") from error
    except BrokenBodyError as error:
        raise CommandError(f"the store broke off: {error}") from error
