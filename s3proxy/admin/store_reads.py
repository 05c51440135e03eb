"""What the commands ask of the stores, through the same caches as every client; failures become sentences."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3proxy.admin.command import CommandError
from s3proxy.body import FileSlice
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3 import model
from s3proxy.s3.errors import S3Error
from s3proxy.stores.base import ObjectChangedError, ObjectStore, OpenObject, StoreUnavailableError


async def list_page(store: ObjectStore, bucket: str, prefix: str, after: str) -> model.ListPage:
    """One page of the keys that start with ``prefix`` and come after ``after``.

    Raises:
        CommandError: the store does not list them.
    """
    with _told():
        return await store.list_objects(model.Bucket(bucket), model.ListQuery(prefix=prefix, after=after))


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
            await _drain(opened, listed, span)
        finally:
            await opened.aclose()


async def _drain(opened: OpenObject, listed: model.ListedObject, span: model.ByteRange) -> None:
    if (opened.info.etag, opened.info.size) != (listed.etag, listed.size):
        raise ObjectChangedError
    received = 0
    async with await opened.read(span) as body:
        async for chunk in body:
            received += chunk.length if isinstance(chunk, FileSlice) else len(chunk)
    if received != span.length:
        raise CommandError(f"the store gave {received} bytes of {span.length}")


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        raise CommandError(str(error)) from error
    except ObjectChangedError as error:
        raise CommandError("it was changed after it was listed; load it again") from error
    except (StoreUnavailableError, ConnectionLostError) as error:
        raise CommandError(f"the store cannot be reached: {error}") from error
