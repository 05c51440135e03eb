import pytest

from s3proxy.admin.command import CommandError
from s3proxy.admin.store_reads import list_page, read_through
from s3proxy.s3 import model
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.bodies import body_of
from tests.stores.fakes import MemoryStore

BUCKET = model.Bucket("data")


@pytest.fixture
async def store() -> MemoryStore:
    """With one object, ``a/1``, of 1,000 bytes."""
    store = MemoryStore()
    await store.create_bucket(model.CreateBucket(bucket=BUCKET), model.Owner("ann", "ann"))
    await put(store, "a/1", bytes(1000))
    return store


async def put(store: MemoryStore, key: str, data: bytes) -> None:
    await store.put_object(
        model.PutObject(bucket=BUCKET, key=model.Key(key), metadata=model.ObjectMetadata()), body_of(data)
    )


async def listed(store: MemoryStore) -> model.ListedObject:
    return (await list_page(store, "data", "a/", "")).objects[0]


async def test_list_page_gives_keys_after_the_marker(store: MemoryStore) -> None:
    await put(store, "a/2", b"x")
    await put(store, "b", b"x")
    assert [each.key for each in (await list_page(store, "data", "a/", "a/1")).objects] == ["a/2"]


async def test_list_page_of_no_bucket_names_the_error(store: MemoryStore) -> None:
    with pytest.raises(CommandError, match="NoSuchBucket"):
        await list_page(store, "absent", "", "")


async def test_read_through_asks_for_the_span_and_leaves_nothing_open(store: MemoryStore) -> None:
    await read_through(store, "data", await listed(store), model.ByteRange(100, 300))
    assert [each.range for each in store.asked] == ["bytes=100-299"]
    assert (store.given_bytes, store.open_bodies) == (200, 0)


async def test_read_through_of_another_version_than_was_listed_says_so(store: MemoryStore) -> None:
    before = await listed(store)
    await put(store, "a/1", b"other" * 200)
    with pytest.raises(CommandError, match="changed after it was listed"):
        await read_through(store, "data", before, model.ByteRange(0, 10))
    assert store.open_bodies == 0


async def test_read_through_of_an_object_that_is_gone_says_so(store: MemoryStore) -> None:
    before = await listed(store)
    await store.delete_object(model.DeleteObject(bucket=BUCKET, key=before.key))
    with pytest.raises(CommandError, match="NoSuchKey"):
        await read_through(store, "data", before, model.ByteRange(0, 10))


async def test_read_through_while_the_store_is_away_says_so(store: MemoryStore) -> None:
    before = await listed(store)
    store.outage = StoreUnavailableError("refused")
    with pytest.raises(CommandError, match="cannot be reached: refused"):
        await read_through(store, "data", before, model.ByteRange(0, 10))
