"""What every ObjectStore does with objects."""

import base64
import hashlib
import random
from dataclasses import replace

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    Bucket,
    ByteRange,
    Checksum,
    ChecksumAlgorithm,
    CopyObject,
    CopySource,
    DeleteObject,
    GetObject,
    GetObjectTagging,
    HeadObject,
    Key,
    ObjectMetadata,
    PutObjectTagging,
    ReadConditions,
    WriteConditions,
)
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import body_of, bytes_of, content_of, short_body_of
from tests.stores.vocabulary import BUCKET, KEY, delete, get, head, keys_of, make_bucket, put, put_of, raises

METADATA = ObjectMetadata(
    content_type="text/plain; charset=utf-8",
    content_encoding="gzip",
    content_language="de",
    content_disposition='attachment; filename="é.txt"',
    cache_control="no-cache",
    expires="Thu, 01 Dec 1994 16:00:00 GMT",
    website_redirect_location="/elsewhere",
    user={"name": "value", "empty": "", "umlaut": "ü"},
)
AWKWARD_KEYS = (
    ".",
    "..",
    "a/../b",
    "/",
    "//",
    "x//y",
    "/lead",
    "trail/",
    "a\\b",
    "?q=1&r",
    "%2e%2e%2f",
    "+ +",
    "\n",
    "x" * 1024,
)
GET = GetObject(bucket=BUCKET, key=KEY)


def md5_of(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# Put and get


async def check_put_object_of_any_size_gives_the_same_bytes(store: ObjectStore) -> None:
    await make_bucket(store)
    data = random.Random(7).randbytes(3 * 1024 * 1024 + 1)
    for size in (0, 1, 4096, 65535, 65536, 65537, 262144, len(data)):
        result = await put(store, data[:size])
        assert (result.etag, result.size) == (md5_of(data[:size]), size)
        assert await get(store) == data[:size]


async def check_put_object_of_unannounced_length_is_stored(store: ObjectStore) -> None:
    await make_bucket(store)
    for size in (0, 10, 300_000):
        await store.put_object(put_of(), body_of(b"x" * size, is_announced=False))
        assert await get(store) == b"x" * size


async def check_put_object_keeps_metadata(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.put_object(put_of(metadata=METADATA, tags={"a": "b", "c": ""}), body_of(b"data"))
    info = await head(store)
    assert info.metadata == METADATA
    assert (info.size, info.etag, info.tag_count, info.parts) == (4, md5_of(b"data"), 2, ())
    opened = await store.get_object(GET)
    assert opened.info == info
    await opened.aclose()


async def check_put_object_keeps_metadata_of_the_largest_size(store: ObjectStore) -> None:
    await make_bucket(store)
    metadata = ObjectMetadata(user={f"name-{number}": "é" * 100 for number in range(10)})
    tags = {f"{number}" * 128: "ü" * 256 for number in range(10)}
    await store.put_object(put_of(metadata=metadata, tags=tags), body_of(b"data"))
    assert (await head(store)).metadata == metadata
    assert await store.get_object_tagging(GetObjectTagging(bucket=BUCKET, key=KEY)) == tags
    assert await get(store) == b"data"


async def check_put_object_keeps_its_checksum(store: ObjectStore) -> None:
    await make_bucket(store)
    result = await put(store, b"data", algorithm=ChecksumAlgorithm.SHA256)
    value = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    assert result.checksum == (await head(store)).checksum == Checksum(ChecksumAlgorithm.SHA256, value)


async def check_put_object_replaces_all_of_the_old_one(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.put_object(put_of(metadata=METADATA, tags={"a": "b"}), body_of(b"long old data"))
    await put(store, b"new")
    info = await head(store)
    assert (info.metadata, info.tag_count, await get(store)) == (ObjectMetadata(), 0, b"new")


async def check_put_object_with_wrong_digest_leaves_the_old_one(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"old")
    for size in (100, 200_000):
        with raises(ErrorCode.BAD_DIGEST):
            await store.put_object(put_of(), body_of(b"x" * size, md5=bytes(16)))
        with raises(ErrorCode.BAD_DIGEST):
            await store.put_object(put_of("other"), body_of(b"x" * size, md5=bytes(16)))
    assert (await keys_of(store), await get(store)) == ([KEY], b"old")


async def check_put_object_that_ends_early_leaves_the_old_one(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"old")
    for size in (100, 200_000):
        with raises(ErrorCode.INCOMPLETE_BODY):
            await store.put_object(put_of(), short_body_of(b"x" * size, size + 1))
    assert await get(store) == b"old"


async def check_keys_are_kept_byte_for_byte(store: ObjectStore) -> None:
    # gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg: a key is no path.
    await make_bucket(store)
    for key in AWKWARD_KEYS:
        await put(store, key.encode(), key)
    assert await keys_of(store) == sorted(AWKWARD_KEYS)
    for key in AWKWARD_KEYS:
        assert await get(store, key) == key.encode()
        await delete(store, key)
    assert await keys_of(store) == []


async def check_get_object_of_missing_key_is_no_such_key(store: ObjectStore) -> None:
    await make_bucket(store)
    for key in ("missing", "missing/below", ""):
        with raises(ErrorCode.NO_SUCH_KEY):
            await store.get_object(GetObject(bucket=BUCKET, key=Key(key or "x")))
        with raises(ErrorCode.NO_SUCH_KEY):
            await head(store, key or "x")


async def check_get_object_knows_only_the_version_null(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"data")
    assert await content_of(await store.get_object(replace(GET, version_id="null"))) == b"data"
    with raises(ErrorCode.NO_SUCH_VERSION):
        await store.get_object(replace(GET, version_id="other"))
    with raises(ErrorCode.NO_SUCH_VERSION):
        await store.head_object(HeadObject(bucket=BUCKET, key=KEY, version_id="other"))
    with raises(ErrorCode.NO_SUCH_VERSION):
        await store.delete_object(DeleteObject(bucket=BUCKET, key=KEY, version_id="other"))


async def check_open_object_stays_the_version_that_it_was(store: ObjectStore) -> None:
    await make_bucket(store)
    for size in (10, 1_000_000):
        await put(store, b"1" * size)
        opened = await store.get_object(GET)
        await put(store, b"2" * size)
        await delete(store)
        assert await content_of(opened) == b"1" * size


async def check_body_outlives_its_object(store: ObjectStore) -> None:
    await make_bucket(store)
    for size in (1000, 1_000_000):
        await put(store, b"x" * size)
        opened = await store.get_object(GET)
        first, second = await opened.read(ByteRange(0, size)), await opened.read(ByteRange(1, 2))
        await opened.aclose()
        await opened.aclose()
        await second.aclose()
        await second.aclose()
        assert await bytes_of(first) == b"x" * size


async def check_read_gives_exactly_the_span(store: ObjectStore) -> None:
    await make_bucket(store)
    data = random.Random(8).randbytes(400_000)
    await put(store, data)
    opened = await store.get_object(GET)
    for start, stop in ((0, 0), (0, 1), (399_999, 400_000), (5, 70_000), (65_536, 131_072), (0, 400_000)):
        assert await bytes_of(await opened.read(ByteRange(start, stop))) == data[start:stop]
    await opened.aclose()


# Conditions


async def check_put_object_if_none_match_writes_only_once(store: ObjectStore) -> None:
    await make_bucket(store)
    once = WriteConditions(if_none_match="*")
    await put(store, b"first", conditions=once)
    with raises(ErrorCode.PRECONDITION_FAILED):
        await put(store, b"second", conditions=once)
    assert await get(store) == b"first"


async def check_put_object_if_match_writes_over_that_version_only(store: ObjectStore) -> None:
    await make_bucket(store)
    with raises(ErrorCode.NO_SUCH_KEY):
        await put(store, b"new", conditions=WriteConditions(if_match="*"))
    first = await put(store, b"first")
    await put(store, b"second", conditions=WriteConditions(if_match=first.etag))
    with raises(ErrorCode.PRECONDITION_FAILED):
        await put(store, b"third", conditions=WriteConditions(if_match=first.etag))
    assert await get(store) == b"second"


async def check_delete_object_if_match_removes_that_version_only(store: ObjectStore) -> None:
    await make_bucket(store)
    result = await put(store, b"data")
    with raises(ErrorCode.PRECONDITION_FAILED):
        await delete(store, conditions=WriteConditions(if_match="other"))
    with raises(ErrorCode.PRECONDITION_FAILED):
        await delete(store, conditions=WriteConditions(if_match=result.etag, if_match_size=5))
    await delete(store, conditions=WriteConditions(if_match=result.etag, if_match_size=4))
    assert await keys_of(store) == []


async def check_delete_object_of_missing_key_is_no_error(store: ObjectStore) -> None:
    await make_bucket(store)
    await delete(store, "missing")
    await delete(store, "missing/below")
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await delete(store, bucket="missing")


async def check_delete_object_leaves_its_neighbours(store: ObjectStore) -> None:
    await make_bucket(store)
    for key in ("a", "a/b", "a/c"):
        await put(store, key.encode(), key)
    await delete(store, "a")
    await delete(store, "a/c")
    assert await keys_of(store) == ["a/b"]


# Tags


async def check_put_object_tagging_changes_nothing_else(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.put_object(put_of(metadata=METADATA), body_of(b"data", algorithm=ChecksumAlgorithm.CRC32C))
    before = await head(store)
    large = {f"{number}" * 128: "é" * 256 for number in range(10)}
    for tags in ({"a": "b"}, large, {"x": "y"}, {}):
        await store.put_object_tagging(PutObjectTagging(bucket=BUCKET, key=KEY, tags=tags))
        assert await store.get_object_tagging(GetObjectTagging(bucket=BUCKET, key=KEY)) == tags
        assert await head(store) == replace(before, tag_count=len(tags))
    assert await get(store) == b"data"


async def check_object_tagging_of_missing_key_is_no_such_key(store: ObjectStore) -> None:
    await make_bucket(store)
    with raises(ErrorCode.NO_SUCH_KEY):
        await store.get_object_tagging(GetObjectTagging(bucket=BUCKET, key=KEY))
    with raises(ErrorCode.NO_SUCH_KEY):
        await store.put_object_tagging(PutObjectTagging(bucket=BUCKET, key=KEY, tags={}))


# Copies

SOURCE = CopySource(bucket=BUCKET, key=KEY)


async def check_copy_object_copies_bytes_metadata_and_tags(store: ObjectStore) -> None:
    await make_bucket(store)
    await make_bucket(store, "other")
    for size in (0, 1000, 300_000):
        body = body_of(b"x" * size, algorithm=ChecksumAlgorithm.CRC32)
        await store.put_object(put_of(metadata=METADATA, tags={"a": "b"}), body)
        result = await store.copy_object(CopyObject(bucket=Bucket("other"), key=Key("copy"), source=SOURCE))
        source, copy = await head(store), await head(store, "copy", "other")
        assert copy == replace(source, last_modified_ns=copy.last_modified_ns)
        assert (result.etag, result.last_modified_ns) == (copy.etag, copy.last_modified_ns)
        assert await get(store, "copy", "other") == b"x" * size


async def check_copy_object_replaces_what_it_is_told_to(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.put_object(put_of(metadata=METADATA, tags={"a": "b"}), body_of(b"data"))
    new = ObjectMetadata(content_type="image/png")
    operation = CopyObject(bucket=BUCKET, key=KEY, source=SOURCE, metadata=new, tags={})
    await store.copy_object(operation)  # onto itself
    info = await head(store)
    assert (info.metadata, info.tag_count, info.etag) == (new, 0, md5_of(b"data"))
    assert await get(store) == b"data"


async def check_copy_object_computes_the_checksum_that_is_asked_for(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"data", algorithm=ChecksumAlgorithm.CRC32)
    operation = CopyObject(bucket=BUCKET, key=Key("copy"), source=SOURCE, checksum_algorithm=ChecksumAlgorithm.SHA256)
    result = await store.copy_object(operation)
    value = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    assert result.checksum == (await head(store, "copy")).checksum == Checksum(ChecksumAlgorithm.SHA256, value)


async def check_copy_object_checks_the_source_s_conditions(store: ObjectStore) -> None:
    await make_bucket(store)
    result = await put(store, b"data")
    for conditions in (ReadConditions(if_match=("other",)), ReadConditions(if_none_match=(result.etag,))):
        operation = CopyObject(bucket=BUCKET, key=Key("copy"), source=replace(SOURCE, conditions=conditions))
        with raises(ErrorCode.PRECONDITION_FAILED):
            await store.copy_object(operation)
    assert await keys_of(store) == [KEY]


async def check_copy_object_checks_the_target_s_conditions(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"data")
    await put(store, b"old", "copy")
    operation = CopyObject(bucket=BUCKET, key=Key("copy"), source=SOURCE, conditions=WriteConditions(if_none_match="*"))
    with raises(ErrorCode.PRECONDITION_FAILED):
        await store.copy_object(operation)
    assert await get(store, "copy") == b"old"


async def check_copy_object_of_missing_source_is_named(store: ObjectStore) -> None:
    await make_bucket(store)
    with raises(ErrorCode.NO_SUCH_KEY):
        await store.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=SOURCE))
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await store.copy_object(
            CopyObject(bucket=BUCKET, key=Key("copy"), source=CopySource(bucket=Bucket("missing"), key=KEY))
        )
    with raises(ErrorCode.NO_SUCH_VERSION):
        await store.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=replace(SOURCE, version_id="other")))
