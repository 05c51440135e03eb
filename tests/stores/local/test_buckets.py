import os
from pathlib import Path

import pytest
import trio

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket
from s3proxy.stores.local import buckets as module
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import body_of
from tests.stores.local.leftovers import open_descriptors, temporaries
from tests.stores.vocabulary import BUCKET, delete, get, make_bucket, put, put_of, raises, refusal_of

NOT_BUCKETS = (".s3proxy", "..", ".", "", "a/b", "../root", "a\0b", ".hidden", "ü")


async def test_directory_of_a_file_system_program_is_a_bucket_of_nobody(root: Path, store: LocalStore) -> None:
    (root / BUCKET).mkdir()
    (info,) = await store.list_buckets()
    assert (info.name, info.owner) == (BUCKET, None)
    assert await store.get_bucket(BUCKET) == info
    await put(store, b"data", "key")
    assert (root / BUCKET / "key").read_bytes() == b"data"


async def test_what_has_no_bucket_s_name_is_not_visible(root: Path, store: LocalStore) -> None:
    # gaul/s3proxy #769: the hidden directory, and what lies outside, must not be reached as a bucket.
    (root / ".hidden").mkdir()
    (root / "file").touch()
    (root / "link").symlink_to("/")
    assert await store.list_buckets() == []
    for name in NOT_BUCKETS:
        with pytest.raises(S3Error) as caught:
            await store.get_bucket(Bucket(name))
        assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME
    for name in ("file", "link"):
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.get_bucket(Bucket(name))


async def test_create_bucket_over_a_file_is_refused(root: Path, store: LocalStore) -> None:
    (root / BUCKET).touch()
    with raises(ErrorCode.BUCKET_ALREADY_EXISTS):
        await make_bucket(store)
    with raises(ErrorCode.INVALID_BUCKET_NAME):
        await make_bucket(store, "Not_Allowed")
    assert temporaries(root) == []


async def test_bucket_replaced_by_another_process_is_noticed(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    await store.get_bucket(BUCKET)
    (root / BUCKET).rmdir()
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.get_bucket(BUCKET)
    (root / BUCKET).mkdir()
    assert (await store.get_bucket(BUCKET)).owner is None


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{}",
        b"[1]",
        b'[2,"a","b",1,"private",null,{}]',
        b'[1,"a","b","x","private",null,{}]',
        b'[1,"a","b",1,"unheard-of",null,{}]',
        b'[1,"a","b",1,"private",null,1]',
        b"\xff",
    ],
)
async def test_record_that_is_not_ours_is_none(root: Path, store: LocalStore, record: bytes) -> None:
    (root / BUCKET).mkdir()
    os.setxattr(root / BUCKET, "user.s3proxy", record)
    assert (await store.get_bucket(BUCKET)).owner is None
    assert await store.get_bucket_tagging(BUCKET) == {}


async def test_bucket_is_read_again_when_its_directory_changed(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    await trio.sleep(0.03)
    first = await store.get_bucket(BUCKET)
    assert await store.get_bucket(BUCKET) is first  # kept
    other = LocalStore.open(root, fsync=False)
    await other.put_bucket_tagging(BUCKET, {"a": "b"})
    assert await store.get_bucket(BUCKET) == first
    assert await store.get_bucket_tagging(BUCKET) == {"a": "b"}
    await other.aclose()


async def test_open_directories_are_bounded(store: LocalStore) -> None:
    names = [f"bucket-{number}" for number in range(module._MAX_OPEN + 20)]
    for name in names:
        await make_bucket(store, name)
    before = open_descriptors()
    for name in names:
        await store.get_bucket(Bucket(name))
    assert open_descriptors() - before == module._MAX_OPEN


async def test_bucket_in_use_stays_open_though_others_drive_it_out(store: LocalStore) -> None:
    await make_bucket(store)

    async def touch_others() -> None:
        for number in range(module._MAX_OPEN + 1):
            await make_bucket(store, f"other-{number}")
            await store.get_bucket(Bucket(f"other-{number}"))

    await store.put_object(put_of(), body_of(b"data", before_end=touch_others))
    assert await get(store) == b"data"


async def test_delete_bucket_with_empty_directories_removes_them(root: Path, store: LocalStore) -> None:
    (root / BUCKET / "deep" / "down").mkdir(parents=True)
    await store.delete_bucket(BUCKET)
    assert not (root / BUCKET).exists()


async def test_delete_bucket_with_what_is_no_object_is_refused(root: Path, store: LocalStore) -> None:
    (root / BUCKET / "deep").mkdir(parents=True)
    (root / BUCKET / "deep" / "link").symlink_to("/")
    with raises(ErrorCode.BUCKET_NOT_EMPTY):
        await store.delete_bucket(BUCKET)
    assert (root / BUCKET / "deep" / "link").is_symlink()


@pytest.mark.parametrize("key", ["key", "deep/down/key"])
async def test_put_against_delete_bucket_loses_no_acknowledged_object(root: Path, store: LocalStore, key: str) -> None:
    other = LocalStore.open(root, fsync=False)
    outcomes: dict[str, ErrorCode | None] = {}

    async def put_one() -> None:
        outcomes["put"] = await refusal_of(put(other, b"data", key))

    async def delete_one() -> None:
        outcomes["delete"] = await refusal_of(store.delete_bucket(BUCKET))

    for _ in range(100):
        await make_bucket(store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(put_one)
            nursery.start_soon(delete_one)
        if outcomes["put"] is None:
            assert outcomes["delete"] is ErrorCode.BUCKET_NOT_EMPTY
            assert await get(store, key) == b"data"
            await delete(store, key)
            await store.delete_bucket(BUCKET)
        else:
            assert outcomes == {"put": ErrorCode.NO_SUCH_BUCKET, "delete": None}
        assert not (root / BUCKET).exists()
    await other.aclose()


async def test_two_creators_of_one_bucket_make_it_once(root: Path, store: LocalStore) -> None:
    other = LocalStore.open(root, fsync=False)
    refusals: list[ErrorCode | None] = []

    async def create(one: LocalStore, name: str) -> None:
        refusals.append(await refusal_of(make_bucket(one, name)))

    for number in range(20):
        refusals.clear()
        async with trio.open_nursery() as nursery:
            for one in (store, other):
                nursery.start_soon(create, one, f"bucket-{number}")
        assert set(refusals) == {None, ErrorCode.BUCKET_ALREADY_EXISTS}
    await other.aclose()
