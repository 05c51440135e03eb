import pytest

from s3proxy.admin.command import CommandError
from s3proxy.admin.store_reads import find, list_buckets, list_page, read_through
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
    return (await list_page(store, "data", model.ListQuery(prefix="a/"))).objects[0]


async def test_list_page_gives_keys_after_the_marker(store: MemoryStore) -> None:
    await put(store, "a/2", b"x")
    await put(store, "b", b"x")
    page = await list_page(store, "data", model.ListQuery(prefix="a/", after="a/1"))
    assert [each.key for each in page.objects] == ["a/2"]


async def test_list_page_of_no_bucket_names_the_error(store: MemoryStore) -> None:
    with pytest.raises(CommandError, match="s3://absent: NoSuchBucket"):
        await list_page(store, "absent", model.ListQuery())


async def test_find_tells_what_a_listing_would(store: MemoryStore) -> None:
    assert (await find(store, "data", "a/1")).size == 1000
    with pytest.raises(CommandError, match="s3://data/b: NoSuchKey"):
        await find(store, "data", "b")


async def test_list_buckets_gives_their_names(store: MemoryStore) -> None:
    assert await list_buckets(store) == ["data"]


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
