"""What every ObjectStore does with buckets and listings."""

import time

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket, BucketInfo, CreateBucket, ListQuery, Owner
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import body_of
from tests.stores.vocabulary import BUCKET, OWNER, delete, get, keys_of, make_bucket, page, put, put_of, raises

KEYS = ("a", "a b", "a!c", "a/b", "a/b/c", "a0", "b/", "b/x", "z//y", "é", "\U0001f40d")
"""In byte order."""


async def check_create_bucket_keeps_owner_and_time(store: ObjectStore) -> None:
    before = time.time_ns()
    await make_bucket(store)
    info = await store.get_bucket(BUCKET)
    assert info == BucketInfo(name=BUCKET, owner=OWNER, created_ns=info.created_ns)
    assert before - 10**9 <= info.created_ns <= time.time_ns() + 10**9


async def check_create_bucket_twice_is_refused_whoever_asks(store: ObjectStore) -> None:
    await make_bucket(store)
    for owner in (OWNER, Owner("bob-id", "Bob")):
        with raises(ErrorCode.BUCKET_ALREADY_EXISTS):
            await store.create_bucket(CreateBucket(bucket=BUCKET), owner)
    assert (await store.get_bucket(BUCKET)).owner == OWNER


async def check_get_bucket_that_is_missing_is_no_such_bucket(store: ObjectStore) -> None:
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.get_bucket(BUCKET)


async def check_list_buckets_gives_all_by_name(store: ObjectStore) -> None:
    for name in ("charlie", "alpha-1", "alpha"):
        await make_bucket(store, name)
    infos = await store.list_buckets()
    assert [info.name for info in infos] == ["alpha", "alpha-1", "charlie"]
    assert infos[0] == await store.get_bucket(Bucket("alpha"))


async def check_delete_bucket_that_is_empty_removes_it(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.delete_bucket(BUCKET)
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.get_bucket(BUCKET)
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.delete_bucket(BUCKET)
    assert await store.list_buckets() == []


async def check_delete_bucket_with_an_object_is_refused(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"data", "deep/down/here")
    with raises(ErrorCode.BUCKET_NOT_EMPTY):
        await store.delete_bucket(BUCKET)
    assert await get(store, "deep/down/here") == b"data"
    await delete(store, "deep/down/here")
    await store.delete_bucket(BUCKET)


async def check_bucket_made_again_is_empty_and_its_new_owner_s(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.put_bucket_tagging(BUCKET, {"a": "b"})
    await store.delete_bucket(BUCKET)
    await store.create_bucket(CreateBucket(bucket=BUCKET), Owner("bob-id", "Bob"))
    assert (await store.get_bucket(BUCKET)).owner == Owner("bob-id", "Bob")
    assert await store.get_bucket_tagging(BUCKET) == {}


async def check_put_into_missing_bucket_is_no_such_bucket(store: ObjectStore) -> None:
    # Ceph s3-tests: test_object_write_to_nonexist_bucket.
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await put(store, b"data")


async def check_put_into_bucket_deleted_meanwhile_is_no_such_bucket(store: ObjectStore) -> None:
    # Ceph s3-tests: test_atomic_write_bucket_gone.
    for size in (1024, 1024 * 1024):
        await make_bucket(store)
        body = body_of(b"A" * size, before_end=lambda: store.delete_bucket(BUCKET))
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.put_object(put_of("foo"), body)
        assert await store.list_buckets() == []


async def check_bucket_tagging_replaces_and_removes(store: ObjectStore) -> None:
    await make_bucket(store)
    assert await store.get_bucket_tagging(BUCKET) == {}
    info = await store.get_bucket(BUCKET)
    for tags in ({"Team": "a b", "é": "\t"}, {"other": ""}, {f"{n:03d}" * 40: "é" * 256 for n in range(50)}, {}):
        await store.put_bucket_tagging(BUCKET, tags)
        assert await store.get_bucket_tagging(BUCKET) == tags
    assert await store.get_bucket(BUCKET) == info
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.put_bucket_tagging(Bucket("missing"), {})


async def check_list_objects_is_in_byte_order(store: ObjectStore) -> None:
    await make_bucket(store)
    for key in reversed(KEYS):
        await put(store, key.encode(), key)
    assert await keys_of(store) == list(KEYS)
    for key in KEYS:
        assert await get(store, key) == key.encode()


async def check_list_objects_shows_what_head_says(store: ObjectStore) -> None:
    await make_bucket(store)
    result = await put(store, b"data")
    (listed,) = (await page(store)).objects
    assert (listed.size, listed.etag, listed.storage_class) == (4, result.etag, "STANDARD")


async def check_list_objects_pages_miss_and_repeat_nothing(store: ObjectStore) -> None:
    await make_bucket(store)
    for key in KEYS:
        await put(store, b"", key)
    for delimiter in ("", "/"):
        whole = await page(store, ListQuery(delimiter=delimiter))
        seen: list[str] = []
        part = await page(store, ListQuery(delimiter=delimiter, max_keys=1))
        while part.is_truncated:
            seen += [listed.key for listed in part.objects] + list(part.common_prefixes)
            query = ListQuery(
                delimiter=delimiter, max_keys=1, after=part.next_after, after_is_prefix=part.next_is_prefix
            )
            part = await page(store, query)
        seen += [listed.key for listed in part.objects] + list(part.common_prefixes)
        assert seen == sorted([listed.key for listed in whole.objects] + list(whole.common_prefixes))


async def check_list_objects_of_missing_bucket_is_no_such_bucket(store: ObjectStore) -> None:
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await page(store)
