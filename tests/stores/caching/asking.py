"""An object of four units, and reading it as the gateway does."""

from dataclasses import replace

from s3proxy.s3.model import ByteRange, GetObject
from s3proxy.s3.ranges import resolve_range
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import bytes_of
from tests.stores.fakes import MemoryStore
from tests.stores.vocabulary import BUCKET, KEY, make_bucket, put

DATA = bytes(range(256)) * 1024  # four units
GET = GetObject(bucket=BUCKET, key=KEY)
WHOLE = f"bytes=0-{16 * 1024 * 1024 - 1}"


async def filled(store: MemoryStore, data: bytes = DATA) -> None:
    await make_bucket(store)
    await put(store, data)
    store.asked.clear()


async def read(store: ObjectStore, header: str | None = None, operation: GetObject = GET) -> bytes:
    """What the gateway does with a GET."""
    opened = await store.get_object(replace(operation, range=header))
    size = opened.info.size
    span = (resolve_range(header, size) if header else None) or ByteRange(0, size)
    body = await opened.read(span)
    await opened.aclose()
    return await bytes_of(body)
