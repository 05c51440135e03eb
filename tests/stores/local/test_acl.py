"""The ACL of what a file-system program made or changed: nobody asked for access there, so nobody gets any."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from s3proxy.s3.model import CannedAcl, CreateBucket
from s3proxy.stores.local.store import LocalStore
from tests.stores.bodies import body_of
from tests.stores.vocabulary import BUCKET, KEY, OWNER, head, make_bucket, put_of


async def test_bucket_of_a_file_system_program_is_private(root: Path, store: LocalStore) -> None:
    (root / BUCKET).mkdir()
    info = await store.get_bucket(BUCKET)
    assert (info.owner, info.acl, info.location) == (None, CannedAcl.PRIVATE, None)


async def test_public_object_that_a_program_changed_is_private(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    await store.put_object(replace(put_of(), acl=CannedAcl.PUBLIC_READ), body_of(b"data"))
    (root / BUCKET / KEY).write_bytes(b"secret")
    assert (await head(store)).acl is CannedAcl.PRIVATE


async def test_file_moved_over_a_public_object_is_private(root: Path, store: LocalStore) -> None:
    await make_bucket(store)
    await store.put_object(replace(put_of(), acl=CannedAcl.PUBLIC_READ), body_of(b"data"))
    (root / "moved").write_bytes(b"secret")
    (root / "moved").rename(root / BUCKET / KEY)
    assert (await head(store)).acl is CannedAcl.PRIVATE


@pytest.mark.parametrize("acl", ['"unheard-of"', "1", "null", '["public-read"]'])
async def test_record_with_an_acl_that_is_none_is_invalid(root: Path, store: LocalStore, acl: str) -> None:
    (root / BUCKET / "a").mkdir(parents=True)
    path = root / BUCKET / KEY
    path.write_bytes(b"data")
    status = path.stat()
    record = f'[1,{status.st_size},{status.st_mtime_ns},"e",{{"a":{acl}}}]'
    os.setxattr(path, "user.s3proxy", record.encode())
    info = await head(store)
    assert (info.acl, "-" in info.etag) == (CannedAcl.PRIVATE, True)


async def test_bucket_s_acl_and_location_outlive_the_store(root: Path, store: LocalStore) -> None:
    create = CreateBucket(bucket=BUCKET, location_constraint="EU", acl=CannedAcl.AUTHENTICATED_READ)
    await store.create_bucket(create, OWNER)
    await store.put_object(replace(put_of(), acl=CannedAcl.PUBLIC_READ), body_of(b"data"))
    again = LocalStore.open(root, read_only=True)
    info = await again.get_bucket(BUCKET)
    assert (info.acl, info.location, info.owner) == (CannedAcl.AUTHENTICATED_READ, "EU", OWNER)
    assert (await head(again)).acl is CannedAcl.PUBLIC_READ
    await again.aclose()
