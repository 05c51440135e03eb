import os
import shutil
from pathlib import Path

import pytest
import trio

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import GetObjectTagging, ObjectMetadata, PutObjectTagging, WriteConditions
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import body_of
from tests.stores.local.leftovers import temporaries
from tests.stores.vocabulary import (
    BUCKET,
    KEY,
    delete,
    get,
    head,
    keys_of,
    make_bucket,
    page,
    put,
    put_of,
    raises,
    refusal_of,
)


@pytest.fixture
async def bucket(root: Path, store: LocalStore) -> Path:
    await make_bucket(store)
    return root / BUCKET


# Both ways: what a file-system program writes is an object, what S3 writes is a file


async def test_file_of_a_program_is_an_object_without_metadata(store: LocalStore, bucket: Path) -> None:
    (bucket / "a").mkdir()
    (bucket / KEY).write_bytes(b"data")
    info = await head(store)
    assert (info.size, info.metadata, info.last_modified_ns) == (4, ObjectMetadata(), (bucket / KEY).stat().st_mtime_ns)
    assert "-" in info.etag
    assert (await page(store)).objects[0].etag == info.etag
    assert await get(store) == b"data"


async def test_object_is_a_file_that_others_may_read(store: LocalStore, bucket: Path) -> None:
    await put(store, b"data")
    assert (bucket / KEY).read_bytes() == b"data"
    umask = os.umask(0)
    os.umask(umask)
    assert (bucket / KEY).stat().st_mode & 0o777 == 0o666 & ~umask


async def test_object_changed_by_a_program_gets_a_fresh_etag_and_no_metadata(store: LocalStore, bucket: Path) -> None:
    await store.put_object(put_of(metadata=ObjectMetadata(content_type="a/b"), tags={"a": "b"}), body_of(b"data"))
    before = await head(store)
    (bucket / KEY).write_bytes(b"date")
    after = await head(store)
    assert after.etag != before.etag
    assert "-" in after.etag
    assert (after.metadata, after.tag_count) == (ObjectMetadata(), 0)
    assert (await page(store)).objects[0].etag == after.etag
    (bucket / KEY).write_bytes(b"dat3")
    assert (await head(store)).etag != after.etag


async def test_object_moved_by_a_program_keeps_its_metadata(store: LocalStore, bucket: Path) -> None:
    await store.put_object(put_of(metadata=ObjectMetadata(content_type="a/b")), body_of(b"data"))
    before = await head(store)
    (bucket / KEY).rename(bucket / "moved")
    assert await head(store, "moved") == before


async def test_tags_of_a_program_s_file_do_not_change_its_etag(store: LocalStore, bucket: Path) -> None:
    (bucket / "key").write_bytes(b"data")
    before = await head(store, "key")
    operation = PutObjectTagging(bucket=BUCKET, key=put_of("key").key, tags={"a": "b"})
    await store.put_object_tagging(operation)
    assert (await head(store, "key")).etag == before.etag
    assert await store.get_object_tagging(GetObjectTagging(bucket=BUCKET, key=operation.key)) == {"a": "b"}


async def test_file_that_vanishes_is_no_such_key(store: LocalStore, bucket: Path) -> None:
    await put(store, b"data")
    shutil.rmtree(bucket / "a")
    with raises(ErrorCode.NO_SUCH_KEY):
        await get(store)


# What is no file is no object


async def test_link_is_no_object_and_leads_nowhere(store: LocalStore, bucket: Path, tmp_path: Path) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg: a link in the tree must not lead out of the root.
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    (bucket / "directory").symlink_to(secret)
    (bucket / "file").symlink_to(secret / "file")
    for key in ("directory/file", "file", "directory"):
        with raises(ErrorCode.NO_SUCH_KEY):
            await get(store, key)
        await delete(store, key)
    assert await keys_of(store) == []
    await put(store, b"mine", "file")
    with pytest.raises(S3Error):
        await put(store, b"mine", "directory/file")
    assert await get(store, "file") == b"mine"
    assert (secret / "file").read_bytes() == b"secret"
    assert temporaries(bucket.parent) == []


async def test_write_through_a_hard_link_leaves_the_other_name_alone(
    store: LocalStore, bucket: Path, tmp_path: Path
) -> None:
    # RustFS GHSA-8r6f-hmq2-28rg: a hard link in the tree must not let a client write outside of it.
    (tmp_path / "outside").write_bytes(b"precious")
    os.link(tmp_path / "outside", bucket / "key")
    await put(store, b"new", "key")
    await delete(store, "key")
    assert (tmp_path / "outside").read_bytes() == b"precious"


async def test_fifo_is_no_object_and_nobody_waits_for_it(store: LocalStore, bucket: Path) -> None:
    os.mkfifo(bucket / "key")
    with trio.fail_after(5):
        for _ in range(2):
            with raises(ErrorCode.NO_SUCH_KEY):
                await get(store, "key")
        assert await keys_of(store) == []


async def test_put_below_what_is_no_object_says_so(store: LocalStore, bucket: Path) -> None:
    os.mkfifo(bucket / "a")
    with raises(ErrorCode.INVALID_REQUEST):
        await put(store, b"data", "a/b")
    assert temporaries(bucket.parent) == []


# Races


async def test_of_many_writers_if_none_match_lets_one_win(root: Path, store: LocalStore, bucket: Path) -> None:
    other = LocalStore.open(root, fsync=False)
    won: list[int] = []

    async def attempt(number: int) -> None:
        conditions = WriteConditions(if_none_match="*")
        refusal = await refusal_of(put((store, other)[number % 2], b"%d" % number, conditions=conditions))
        assert refusal in {None, ErrorCode.PRECONDITION_FAILED}
        if refusal is None:
            won.append(number)

    for _ in range(10):
        won.clear()
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(attempt, number)
        assert len(won) == 1
        assert await get(store) == b"%d" % won[0]
        await delete(store)
    await other.aclose()


async def test_increments_under_if_match_lose_nothing(root: Path, store: LocalStore, bucket: Path) -> None:
    other = LocalStore.open(root, fsync=False)
    await put(store, b"0")

    async def increment_once(one: LocalStore) -> None:
        info, value = await head(one), int(await get(one))
        await put(one, b"%d" % (value + 1), conditions=WriteConditions(if_match=info.etag))

    async def increment(one: LocalStore) -> None:
        for _ in range(5):
            while await refusal_of(increment_once(one)) is ErrorCode.PRECONDITION_FAILED:
                pass

    async with trio.open_nursery() as nursery:
        for one in (store, other, store, other):
            nursery.start_soon(increment, one)
    assert await get(store) == b"20"
    await other.aclose()


async def test_key_that_becomes_a_directory_is_readable_throughout(root: Path, store: LocalStore) -> None:
    other = LocalStore.open(root, fsync=False)
    await make_bucket(store)

    async def write(one: LocalStore, key: str) -> None:
        for _ in range(20):
            await put(one, key.encode(), key)

    await put(store, b"a", "a")
    async with trio.open_nursery() as nursery:
        for one, key in ((store, "a"), (other, "a/b"), (store, "a/b/c"), (other, "a")):
            nursery.start_soon(write, one, key)
        for _ in range(50):
            assert await get(store, "a") == b"a"
    assert await keys_of(store) == ["a", "a/b", "a/b/c"]
    for key in ("a", "a/b", "a/b/c"):
        assert await get(store, key) == key.encode()
    await other.aclose()


# Hostile attributes


@pytest.mark.parametrize("record", [b"", b"[]", b"{}", b'[1,4,"x","e",{}]', b"[" * 3000, b"\xff\xfe", b',"more"]'])
async def test_attribute_that_is_not_ours_does_not_count(store: LocalStore, bucket: Path, record: bytes) -> None:
    # Ceph CVE-2020-10753: whoever can write the file can write its attributes.
    (bucket / "key").write_bytes(b"data")
    os.setxattr(bucket / "key", "user.s3proxy", record)
    assert "-" in (await head(store, "key")).etag
    assert (await page(store)).objects[0].size == 4
    assert await get(store, "key") == b"data"
