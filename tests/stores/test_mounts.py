import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trio.testing

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Bucket,
    BucketInfo,
    CompleteMultipartUpload,
    CopyObject,
    CopyResult,
    CopySource,
    CreateBucket,
    CreateMultipartUpload,
    DeleteObject,
    Key,
    ListMultipartUploads,
    ListParts,
    ListQuery,
    Owner,
    PutObjectTagging,
    Tags,
    UploadId,
    UploadPart,
    UploadPartCopy,
)
from s3proxy.stores.base import ObjectStore, StoreUnavailableError
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.mounts import Mounts
from s3proxy.stores.routes import Mount, Outage, Routes
from tests.stores.bodies import body_of
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.contracts_of_objects import AWKWARD_KEYS
from tests.stores.fakes import MemoryStore
from tests.stores.local.leftovers import open_descriptors
from tests.stores.vocabulary import (
    BUCKET,
    KEY,
    NO_METADATA,
    OWNER,
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

PREFIX = "raw/é/"


class BelowAPrefix(Mounts):
    """A store whose bucket is a mount of a prefix, and is made and removed as only the store behind can do it."""

    def __init__(self, under: ObjectStore) -> None:
        mount = Mount(bucket=BUCKET, store=under, store_name="under", target_bucket="deep", prefix=PREFIX)
        super().__init__(Routes([mount], Mount(bucket="*", store=under, store_name="under")))
        self._under = under

    async def create_bucket(self, operation: CreateBucket, owner: Owner) -> None:
        await self._under.create_bucket(replace(operation, bucket=self._behind(operation.bucket)), owner)

    async def delete_bucket(self, bucket: Bucket) -> None:
        await self._under.delete_bucket(self._behind(bucket))

    async def put_bucket_tagging(self, bucket: Bucket, tags: Tags) -> None:
        await self._under.put_bucket_tagging(self._behind(bucket), tags)

    async def list_buckets(self) -> list[BucketInfo]:
        return [info for info in await super().list_buckets() if info.name != "deep"]

    def _behind(self, bucket: Bucket) -> Bucket:
        return Bucket("deep") if bucket == BUCKET else bucket


@dataclass
class Local:
    """Two directories as stores."""

    first: LocalStore
    second: LocalStore


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    before = open_descriptors()
    stores = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        stores.append(LocalStore.open(tmp_path / name, fsync=False))
    yield Local(*stores)
    for store in stores:
        await store.aclose()
    assert open_descriptors() == before


def make_mounts(mounts: list[Mount], default: Mount, *, clock: Callable[[], float] = time.monotonic) -> Mounts:
    return Mounts(Routes(mounts, default), clock=clock)


def default(store: ObjectStore, name: str = "default") -> Mount:
    return Mount(bucket="*", store=store, store_name=name)


each_check = pytest.mark.parametrize("check", CHECKS, ids=name_of)


@each_check
async def test_default_store_alone_keeps_the_contract(check: Check, local: Local) -> None:
    await check(make_mounts([], default(local.first)))


@each_check
async def test_bucket_with_another_name_behind_keeps_the_contract(check: Check, local: Local) -> None:
    mount = Mount(bucket=BUCKET, store=local.second, store_name="second", target_bucket="behind")
    await check(make_mounts([mount], default(local.first)))


@each_check
async def test_bucket_below_a_prefix_keeps_the_contract(check: Check, local: Local) -> None:
    if name_of(check) == "keys_are_kept_byte_for_byte":
        return  # one is of the largest size, which it is not below a prefix
    await check(BelowAPrefix(local.second))


# What lies where


@pytest.fixture
async def stores() -> tuple[MemoryStore, MemoryStore]:
    here, there = MemoryStore(), MemoryStore()
    await make_bucket(here)
    await make_bucket(there, "deep")
    return here, there


def mounted(here: ObjectStore, there: ObjectStore, *, is_read_only: bool = False) -> Mounts:
    """The bucket ``lake`` is the prefix raw/ of the bucket deep of ``there``; all else is ``here``."""
    lake = Mount(
        bucket="lake",
        store=there,
        store_name="there",
        target_bucket="deep",
        prefix="raw/",
        is_read_only=is_read_only,
    )
    return make_mounts([lake], default(here, "here"))


async def test_object_of_a_mount_lies_in_its_store_below_the_prefix(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    await put(mounts, b"data", "a/b", bucket="lake")
    assert await get(stores[1], "raw/a/b", "deep") == b"data"
    assert await get(mounts, "a/b", "lake") == b"data"
    assert await keys_of(stores[0]) == []


async def test_listing_of_a_mount_shows_only_what_is_below_the_prefix(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    for key in ("a", "raw", "raw/", "raw/a/1", "raw/a/2", "raw/b", "rax"):
        await put(stores[1], b"", key, bucket="deep")
    assert await keys_of(mounts, "lake") == ["a/1", "a/2", "b"]
    grouped = await page(mounts, ListQuery(delimiter="/", after="a", max_keys=1), "lake")
    assert (grouped.common_prefixes, grouped.next_after, grouped.next_is_prefix) == (("a/",), "a/", True)
    rest = await page(mounts, ListQuery(delimiter="/", after="a/", after_is_prefix=True), "lake")
    assert ([listed.key for listed in rest.objects], rest.is_truncated) == (["b"], False)


@pytest.mark.parametrize("key", [key for key in AWKWARD_KEYS if len(key) < 1024])
async def test_awkward_key_below_a_prefix_is_kept(local: Local, key: str) -> None:
    mounts = BelowAPrefix(local.first)
    await make_bucket(mounts)
    await put(mounts, b"data", key)
    assert await keys_of(mounts) == [key]
    assert await get(mounts, key) == b"data"


async def test_key_that_is_too_long_with_the_prefix_is_refused(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    with raises(ErrorCode.KEY_TOO_LONG_ERROR):
        await put(mounts, b"", "x" * 1021, bucket="lake")
    await put(mounts, b"", "x" * 1020, bucket="lake")


async def test_object_named_as_the_prefix_is_not_shown(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    for key in ("raw/", "raw/a"):
        await put(stores[1], b"", key, bucket="deep")
    first = await page(mounts, ListQuery(max_keys=1), "lake")
    assert ([listed.key for listed in first.objects], first.is_truncated) == (["a"], False)


async def test_uploads_of_a_mount_are_listed_without_the_prefix(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    await stores[1].create_multipart_upload(
        CreateMultipartUpload(bucket=Bucket("deep"), key=Key("elsewhere"), metadata=NO_METADATA)
    )
    create = CreateMultipartUpload(bucket=Bucket("lake"), key=Key("a/b"), metadata=NO_METADATA)
    upload_id = await mounts.create_multipart_upload(create)
    listed = await mounts.list_multipart_uploads(ListMultipartUploads(bucket=Bucket("lake")))
    assert [upload.key for upload in listed.uploads] == ["a/b"]
    assert (await mounts.get_upload(create.bucket, create.key, upload_id)).key == "a/b"
    parts = await mounts.list_parts(ListParts(bucket=create.bucket, key=create.key, upload_id=upload_id))
    assert parts.upload.key == "a/b"


async def test_missing_key_of_a_mount_is_named_as_clients_know_it(local: Local) -> None:
    await make_bucket(local.second, "deep")
    with pytest.raises(Exception, match="NoSuchKey") as caught:
        await head(mounted(local.first, local.second), "a", "lake")
    assert getattr(caught.value, "detail", None) == {"Key": "a"}


async def test_plain_mount_hands_the_very_same_operation_on() -> None:
    class Recording(MemoryStore):
        seen: object = None

        async def delete_object(self, operation: DeleteObject) -> None:
            self.seen = operation

    under = Recording()
    operation = DeleteObject(bucket=BUCKET, key=KEY)
    await make_mounts([], default(under)).delete_object(operation)
    assert under.seen is operation


# Buckets


async def test_list_buckets_merges_all_mounts(stores: tuple[MemoryStore, MemoryStore]) -> None:
    here, there = stores
    for name in ("team-a", "team-b", "lake", "other"):
        await make_bucket(there, name)
    for name in ("team-b", "lake", "zoo"):
        await make_bucket(here, name)
    mounts = make_mounts(
        [
            Mount(bucket="lake", store=there, store_name="there", target_bucket="deep", prefix="raw/"),
            Mount(bucket="team-*", store=there, store_name="there"),
            Mount(bucket="absent", store=there, store_name="there"),
        ],
        default(here, "here"),
    )
    infos = await mounts.list_buckets()
    assert [info.name for info in infos] == ["bucket", "lake", "team-a", "team-b", "zoo"]
    assert infos[1] == replace(await there.get_bucket(Bucket("deep")), name=Bucket("lake"))
    assert infos[3] == await there.get_bucket(Bucket("team-b"))
    assert [await mounts.get_bucket(info.name) for info in infos] == infos


async def test_store_that_is_away_hides_only_its_buckets_and_is_mentioned_once_in_a_while(
    stores: tuple[MemoryStore, MemoryStore], capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    here, there = stores
    there.outage = StoreUnavailableError("connection refused")
    mounts = make_mounts(
        [Mount(bucket="deep", store=there, store_name="there"), Mount(bucket="b*", store=there, store_name="there")],
        default(here, "here"),
        clock=lambda: now,
    )
    await make_bucket(here, "zoo")
    for _ in range(3):
        assert [info.name for info in await mounts.list_buckets()] == ["zoo"]
    assert capsys.readouterr().err.count("store there are missing in ListBuckets: connection refused") == 1
    now = 61.0
    await mounts.list_buckets()
    assert "connection refused" in capsys.readouterr().err
    with pytest.raises(StoreUnavailableError):
        await mounts.get_bucket(Bucket("deep"))
    assert (await mounts.get_bucket(Bucket("zoo"))).name == "zoo"


async def test_list_buckets_when_every_store_is_away_says_so(stores: tuple[MemoryStore, MemoryStore]) -> None:
    for store in stores:
        store.outage = StoreUnavailableError("connection refused")
    with pytest.raises(StoreUnavailableError):
        await mounted(*stores).list_buckets()


async def test_list_buckets_asks_all_stores_at_once(autojump_clock: trio.testing.MockClock) -> None:
    slow = [MemoryStore(latency_seconds=1) for _ in range(3)]
    mounts = make_mounts(
        [Mount(bucket=f"b{number}", store=store, store_name=f"{number}") for number, store in enumerate(slow)],
        default(MemoryStore(latency_seconds=1)),
    )
    started = trio.current_time()
    assert await mounts.list_buckets() == []
    assert trio.current_time() - started == pytest.approx(1)


async def test_store_that_could_not_be_opened_takes_only_its_own_buckets(
    stores: tuple[MemoryStore, MemoryStore], capsys: pytest.CaptureFixture[str]
) -> None:
    nas = Mount(bucket="nas", store=Outage("/mnt/nas: does not exist"), store_name="nas")
    mounts = make_mounts([nas], default(stores[0]))
    assert [info.name for info in await mounts.list_buckets()] == [BUCKET]
    assert "/mnt/nas: does not exist" in capsys.readouterr().err
    with pytest.raises(StoreUnavailableError, match="/mnt/nas: does not exist"):
        await get(mounts, KEY, "nas")


async def test_mount_of_a_prefix_can_be_neither_made_nor_changed_nor_deleted(
    stores: tuple[MemoryStore, MemoryStore],
) -> None:
    mounts = mounted(*stores)
    lake = Bucket("lake")
    with raises(ErrorCode.BUCKET_ALREADY_EXISTS):
        await mounts.create_bucket(CreateBucket(bucket=lake), OWNER)
    for attempt in (mounts.delete_bucket(lake), mounts.put_bucket_tagging(lake, {"a": "b"})):
        with raises(ErrorCode.ACCESS_DENIED):
            await attempt
    assert (await mounts.get_bucket(lake)).name == lake
    assert await mounts.get_bucket_tagging(lake) == {}


async def test_bucket_with_another_name_behind_is_made_and_deleted_there(
    stores: tuple[MemoryStore, MemoryStore],
) -> None:
    here, there = stores
    mounts = make_mounts(
        [Mount(bucket="lake", store=there, store_name="there", target_bucket="new")], default(here, "here")
    )
    await make_bucket(mounts, "lake")
    assert (await there.get_bucket(Bucket("new"))).owner == OWNER
    await mounts.put_bucket_tagging(Bucket("lake"), {"a": "b"})
    assert await there.get_bucket_tagging(Bucket("new")) == {"a": "b"}
    await mounts.delete_bucket(Bucket("lake"))
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await there.get_bucket(Bucket("new"))


# Read-only mounts


async def test_read_only_mount_refuses_every_write_before_its_body(stores: tuple[MemoryStore, MemoryStore]) -> None:
    here, there = stores
    await put(there, b"data", f"raw/{KEY}", bucket="deep")
    mounts = mounted(here, there, is_read_only=True)
    lake, upload_id = Bucket("lake"), UploadId("1")

    async def fail() -> None:
        pytest.fail("the body was touched")

    body = body_of(b"x", before_end=fail)
    source = CopySource(bucket=lake, key=KEY)
    attempts = (
        mounts.create_bucket(CreateBucket(bucket=lake), OWNER),
        mounts.delete_bucket(lake),
        mounts.put_bucket_tagging(lake, {}),
        mounts.put_object(put_of(bucket="lake"), body),
        mounts.delete_object(DeleteObject(bucket=lake, key=KEY)),
        mounts.copy_object(CopyObject(bucket=lake, key=KEY, source=source)),
        mounts.put_object_tagging(PutObjectTagging(bucket=lake, key=KEY, tags={})),
        mounts.create_multipart_upload(CreateMultipartUpload(bucket=lake, key=KEY, metadata=NO_METADATA)),
        mounts.upload_part(UploadPart(bucket=lake, key=KEY, upload_id=upload_id, part_number=1), body),
        mounts.upload_part_copy(
            UploadPartCopy(bucket=lake, key=KEY, upload_id=upload_id, part_number=1, source=source)
        ),
        mounts.complete_multipart_upload(CompleteMultipartUpload(bucket=lake, key=KEY, upload_id=upload_id, parts=())),
        mounts.abort_multipart_upload(AbortMultipartUpload(bucket=lake, key=KEY, upload_id=upload_id)),
    )
    for attempt in attempts:
        assert await refusal_of(attempt) is ErrorCode.ACCESS_DENIED
    assert await get(mounts, KEY, "lake") == b"data"
    await put(mounts, b"data")
    await mounts.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=source))
    assert await get(mounts, "copy") == b"data"


# Copies


class Counting(MemoryStore):
    """Counts the copies that it makes itself."""

    copies = 0

    async def copy_object(self, operation: CopyObject) -> CopyResult:
        self.copies += 1
        return await super().copy_object(operation)


async def test_copy_within_a_store_is_the_store_s_also_between_mounts() -> None:
    under = Counting()
    await make_bucket(under)
    await make_bucket(under, "deep")
    lake = Mount(bucket="lake", store=under, store_name="under", target_bucket="deep", prefix="raw/")
    mounts = make_mounts([lake], default(under, "under"))
    await put(mounts, b"data", "a", bucket="lake")
    await mounts.copy_object(
        CopyObject(bucket=BUCKET, key=Key("b"), source=CopySource(bucket=Bucket("lake"), key=Key("a")))
    )
    await mounts.copy_object(
        CopyObject(bucket=Bucket("lake"), key=Key("c"), source=CopySource(bucket=BUCKET, key=Key("b")))
    )
    assert await get(under, "raw/c", "deep") == b"data"
    assert under.copies == 2


async def test_copy_across_stores_reads_and_writes(stores: tuple[MemoryStore, MemoryStore]) -> None:
    mounts = mounted(*stores)
    await put(mounts, b"data")
    source = CopySource(bucket=BUCKET, key=KEY)
    await mounts.copy_object(CopyObject(bucket=Bucket("lake"), key=Key("copy"), source=source))
    assert await get(stores[1], "raw/copy", "deep") == b"data"
    create = CreateMultipartUpload(bucket=Bucket("lake"), key=Key("joined"), metadata=NO_METADATA)
    upload_id = await mounts.create_multipart_upload(create)
    copy = UploadPartCopy(bucket=create.bucket, key=create.key, upload_id=upload_id, part_number=1, source=source)
    assert (await mounts.upload_part_copy(copy)).etag
    parts = await mounts.list_parts(ListParts(bucket=create.bucket, key=create.key, upload_id=upload_id))
    assert [part.size for part in parts.parts] == [4]


async def test_copy_of_a_missing_key_across_stores_is_no_such_key(stores: tuple[MemoryStore, MemoryStore]) -> None:
    source = CopySource(bucket=Bucket("lake"), key=KEY)
    with raises(ErrorCode.NO_SUCH_KEY):
        await mounted(*stores).copy_object(CopyObject(bucket=BUCKET, key=KEY, source=source))
