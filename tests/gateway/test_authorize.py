"""Who may do what: Amazon S3 User Guide, "Mapping of ACL permissions and access policy permissions"."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from s3proxy.gateway.authenticate import VerifiedRequest
from s3proxy.gateway.authorize import authorize, authorize_source, may_use
from s3proxy.s3 import model
from s3proxy.s3.addressing import parse_address
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import CannedAcl
from s3proxy.s3.payload import UNSIGNED_PAYLOAD
from s3proxy.stores.local.store import LocalStore
from tests.s3.incoming import request_of
from tests.stores.bodies import body_of, content_of
from tests.stores.local.leftovers import open_descriptors
from tests.stores.vocabulary import BUCKET, KEY, OWNER, put_of, raises

OTHER = model.Owner("bob-id", "Bob")
MISSING = model.Key("missing")

LISTS = frozenset({
    model.HeadBucket, model.ListObjects, model.ListObjectsV2, model.ListObjectVersions, model.ListMultipartUploads,
})  # fmt: skip
WRITES = frozenset({
    model.PutObject, model.CopyObject, model.DeleteObject, model.DeleteObjects, model.CreateMultipartUpload,
    model.UploadPart, model.UploadPartCopy, model.CompleteMultipartUpload, model.AbortMultipartUpload, model.ListParts,
})  # fmt: skip
READS = frozenset({model.GetObject, model.HeadObject})
WITHOUT_A_BUCKET = frozenset({model.ListBuckets, model.CreateBucket})
EVERY = frozenset(get_args(model.Operation))
OF_A_BUCKET = EVERY - WITHOUT_A_BUCKET

GRANTED: dict[tuple[str, CannedAcl], frozenset[type]] = {
    ("other", CannedAcl.PRIVATE): frozenset(),
    ("other", CannedAcl.PUBLIC_READ): LISTS,
    ("other", CannedAcl.PUBLIC_READ_WRITE): LISTS | WRITES,
    ("other", CannedAcl.AUTHENTICATED_READ): LISTS,
    ("anonymous", CannedAcl.PRIVATE): frozenset(),
    ("anonymous", CannedAcl.PUBLIC_READ): LISTS,
    ("anonymous", CannedAcl.PUBLIC_READ_WRITE): LISTS | WRITES,
    ("anonymous", CannedAcl.AUTHENTICATED_READ): frozenset(),
    **{("owner", acl): OF_A_BUCKET for acl in CannedAcl},
    **{("superuser", acl): OF_A_BUCKET for acl in CannedAcl},
}
READABLE = {
    "other": frozenset({CannedAcl.PUBLIC_READ, CannedAcl.PUBLIC_READ_WRITE, CannedAcl.AUTHENTICATED_READ}),
    "anonymous": frozenset({CannedAcl.PUBLIC_READ, CannedAcl.PUBLIC_READ_WRITE}),
    "owner": frozenset(CannedAcl),
    "superuser": frozenset(CannedAcl),
}
CALLERS = tuple(READABLE)
GUESTS = ("other", "anonymous")

each_caller = pytest.mark.parametrize("caller", CALLERS)
each_guest = pytest.mark.parametrize("caller", GUESTS)
each_acl = pytest.mark.parametrize("acl", CannedAcl)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore.open(tmp_path, fsync=False)
    yield opened
    await opened.aclose()


def request_by(caller: str, target: bytes = b"/bucket/a/key") -> VerifiedRequest:
    user = {"owner": OWNER, "anonymous": None}.get(caller, OTHER)
    request = request_of(b"GET", target, [(b"host", b"s3.test")])
    address = parse_address(target, b"s3.test", ())
    return VerifiedRequest(request, address, user, UNSIGNED_PAYLOAD, caller == "superuser")


async def make_bucket(store: LocalStore, acl: CannedAcl) -> None:
    await store.create_bucket(model.CreateBucket(bucket=BUCKET, acl=acl), OWNER)


async def put(store: LocalStore, acl: CannedAcl, data: bytes = b"data", tags: model.Tags | None = None) -> None:
    await store.put_object(replace(put_of(tags=tags), acl=acl), body_of(data))


def get_of(key: model.Key = KEY, version_id: str | None = None) -> model.GetObject:
    return model.GetObject(bucket=BUCKET, key=key, version_id=version_id)


def head_of(key: model.Key = KEY, version_id: str | None = None) -> model.HeadObject:
    return model.HeadObject(bucket=BUCKET, key=key, version_id=version_id)


def copy_of(key: model.Key = KEY) -> model.CopyObject:
    source = model.CopySource(bucket=BUCKET, key=key)
    return model.CopyObject(bucket=model.Bucket("other"), key=model.Key("copy"), source=source)


@each_caller
@each_acl
async def test_bucket_acl_grants_exactly_what_the_table_says(store: LocalStore, caller: str, acl: CannedAcl) -> None:
    await make_bucket(store, acl)
    verified = request_by(caller)
    for operation in OF_A_BUCKET - READS:
        if operation in GRANTED[caller, acl]:
            assert await authorize(verified, operation, store) is store
        else:
            with raises(ErrorCode.ACCESS_DENIED):
                await authorize(verified, operation, store)


@each_caller
@each_acl
@pytest.mark.parametrize("bucket_acl", CannedAcl)
async def test_object_acl_grants_reading_whatever_the_bucket_s_says(
    store: LocalStore, caller: str, bucket_acl: CannedAcl, acl: CannedAcl
) -> None:
    await make_bucket(store, bucket_acl)
    await put(store, acl)
    verified = request_by(caller)
    objects = await authorize(verified, model.GetObject, store)
    if acl in READABLE[caller]:
        assert await content_of(await objects.get_object(get_of())) == b"data"
        assert (await objects.head_object(head_of())).size == 4
        assert (await authorize_source(verified, copy_of(), store)).source.key == KEY
        return
    with raises(ErrorCode.ACCESS_DENIED):
        await objects.get_object(get_of())
    with raises(ErrorCode.ACCESS_DENIED):
        await objects.head_object(head_of())
    with raises(ErrorCode.ACCESS_DENIED):
        await authorize_source(verified, copy_of(), store)


@each_caller
@each_acl
async def test_missing_key_is_named_only_to_who_may_list(store: LocalStore, caller: str, acl: CannedAcl) -> None:
    await make_bucket(store, acl)
    await put(store, CannedAcl.PUBLIC_READ)
    verified = request_by(caller)
    objects = await authorize(verified, model.GetObject, store)
    may_list = model.ListObjects in GRANTED[caller, acl]
    with raises(ErrorCode.NO_SUCH_KEY if may_list else ErrorCode.ACCESS_DENIED):
        await objects.get_object(get_of(MISSING))
    with raises(ErrorCode.NO_SUCH_VERSION if may_list else ErrorCode.ACCESS_DENIED):
        await objects.head_object(head_of(version_id="other"))
    if caller in GUESTS:
        with raises(ErrorCode.NO_SUCH_KEY if may_list else ErrorCode.ACCESS_DENIED):
            await authorize_source(verified, copy_of(MISSING), store)


@each_caller
async def test_missing_bucket_is_named_to_everybody(store: LocalStore, caller: str) -> None:
    # Ceph s3-tests: test_object_raw_get_bucket_gone.
    for operation in OF_A_BUCKET:
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await authorize(request_by(caller), operation, store)


@each_caller
async def test_owner_s_operations_go_straight_to_the_store(store: LocalStore, caller: str) -> None:
    await make_bucket(store, CannedAcl.PUBLIC_READ_WRITE)
    objects = await authorize(request_by(caller), model.GetObject, store)
    assert (objects is store) is (caller not in GUESTS)
    copied = await authorize_source(request_by("owner"), copy_of(), store)
    assert copied == copy_of()


async def test_bucket_of_nobody_is_every_user_s_and_not_the_public_s(tmp_path: Path, store: LocalStore) -> None:
    (tmp_path / BUCKET).mkdir()
    for operation in OF_A_BUCKET - READS:
        assert await authorize(request_by("other"), operation, store) is store
        with raises(ErrorCode.ACCESS_DENIED):
            await authorize(request_by("anonymous"), operation, store)
    await put(store, CannedAcl.PUBLIC_READ)
    objects = await authorize(request_by("anonymous"), model.GetObject, store)
    assert await content_of(await objects.get_object(get_of())) == b"data"


async def test_operations_without_a_bucket_are_not_asked_of_the_store(store: LocalStore) -> None:
    for caller in CALLERS:
        assert await authorize(request_by(caller, b"/"), model.ListBuckets, store) is store
    assert await authorize(request_by("other", b"/new"), model.CreateBucket, store) is store
    with raises(ErrorCode.ACCESS_DENIED):
        await authorize(request_by("anonymous", b"/new"), model.CreateBucket, store)


@each_acl
def test_acl_does_not_make_a_bucket_one_s_own(acl: CannedAcl) -> None:
    bucket = model.BucketInfo(name=BUCKET, owner=OWNER, created_ns=0, acl=acl)
    assert [may_use(request_by(caller), bucket) for caller in ("owner", "superuser", "other", "anonymous")] == [
        True,
        True,
        False,
        False,
    ]


@each_guest
async def test_reader_is_not_told_how_many_tags_there_are(store: LocalStore, caller: str) -> None:
    await make_bucket(store, CannedAcl.PRIVATE)
    await put(store, CannedAcl.PUBLIC_READ, tags={"a": "b"})
    objects = await authorize(request_by(caller), model.GetObject, store)
    opened = await objects.get_object(get_of())
    assert opened.info.tag_count == 0
    await opened.aclose()
    assert (await objects.head_object(head_of())).tag_count == 0


@each_guest
async def test_copy_by_a_reader_cannot_take_the_tags_along(store: LocalStore, caller: str) -> None:
    await make_bucket(store, CannedAcl.PRIVATE)
    await put(store, CannedAcl.PUBLIC_READ, tags={"a": "b"})
    with raises(ErrorCode.ACCESS_DENIED):
        await authorize_source(request_by(caller), copy_of(), store)
    replacing = replace(copy_of(), tags={"mine": "too"})
    copy = await authorize_source(request_by(caller), replacing, store)
    assert isinstance(copy, model.CopyObject)
    assert copy.tags == {"mine": "too"}


# The version that is served is the version whose ACL was looked at.


@each_guest
async def test_object_that_became_private_after_the_request_was_let_pass_is_refused(
    store: LocalStore, caller: str
) -> None:
    await make_bucket(store, CannedAcl.PUBLIC_READ)
    await put(store, CannedAcl.PUBLIC_READ)
    objects = await authorize(request_by(caller), model.GetObject, store)
    await put(store, CannedAcl.PRIVATE, b"secret")
    before = open_descriptors()
    with raises(ErrorCode.ACCESS_DENIED):
        await objects.get_object(get_of())
    assert open_descriptors() == before


@each_guest
async def test_object_that_became_private_after_it_was_opened_is_served_as_it_was(
    store: LocalStore, caller: str
) -> None:
    await make_bucket(store, CannedAcl.PRIVATE)
    await put(store, CannedAcl.PUBLIC_READ, b"public")
    objects = await authorize(request_by(caller), model.GetObject, store)
    opened = await objects.get_object(get_of())
    await put(store, CannedAcl.PRIVATE, b"secret")
    assert await content_of(opened) == b"public"


@each_guest
@pytest.mark.parametrize("acl", [CannedAcl.PRIVATE, CannedAcl.PUBLIC_READ])
async def test_source_replaced_after_it_was_authorised_is_copied_only_if_it_may_be_read(
    store: LocalStore, caller: str, acl: CannedAcl
) -> None:
    # RustFS CVE-2026-39360, by a race.
    await make_bucket(store, CannedAcl.PUBLIC_READ)
    await store.create_bucket(model.CreateBucket(bucket=model.Bucket("other")), OTHER)
    await put(store, CannedAcl.PUBLIC_READ)
    copy = await authorize_source(request_by(caller), copy_of(), store)
    assert isinstance(copy, model.CopyObject)
    await put(store, acl, b"secret", tags={"secret": "too"})
    if acl is CannedAcl.PRIVATE:
        with raises(ErrorCode.ACCESS_DENIED):
            await store.copy_object(copy)
        return
    await store.copy_object(copy)
    head = model.HeadObject(bucket=model.Bucket("other"), key=model.Key("copy"))
    assert (await store.head_object(head)).tag_count == 0
