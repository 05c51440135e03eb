"""What every ObjectStore keeps of access: it stores canned ACLs and decides nothing, but for the source of a copy."""

import itertools
from dataclasses import replace

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    ByteRange,
    CannedAcl,
    CompletedPart,
    CompleteMultipartUpload,
    CopyObject,
    CopySource,
    CreateBucket,
    CreateMultipartUpload,
    Key,
    ListParts,
    PutObjectTagging,
    ReadConditions,
    Tags,
    UploadPart,
    UploadPartCopy,
)
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import body_of
from tests.stores.vocabulary import (
    BUCKET,
    KEY,
    NO_METADATA,
    OWNER,
    get,
    head,
    keys_of,
    make_bucket,
    put,
    put_of,
    raises,
)

PUBLIC = frozenset({CannedAcl.PUBLIC_READ, CannedAcl.PUBLIC_READ_WRITE})
TAGS: tuple[Tags, ...] = ({}, {"a": "b"}, {f"{n:03d}" * 40: "x" * 256 for n in range(50)})
FOR_THE_PUBLIC = CopySource(bucket=BUCKET, key=KEY, readable_acls=PUBLIC)


async def put_with(store: ObjectStore, acl: CannedAcl, data: bytes = b"data") -> None:
    await store.put_object(replace(put_of(), acl=acl), body_of(data))


async def check_create_bucket_keeps_acl_and_location(store: ObjectStore) -> None:
    for acl, location in itertools.product(CannedAcl, (None, "us-east-1", "more")):
        await store.create_bucket(CreateBucket(bucket=BUCKET, location_constraint=location, acl=acl), OWNER)
        for tags in TAGS:
            await store.put_bucket_tagging(BUCKET, tags)
            info = await store.get_bucket(BUCKET)
            assert (info.acl, info.location, info.owner) == (acl, location, OWNER)
            assert await store.list_buckets() == [info]
        await store.delete_bucket(BUCKET)


async def check_put_object_keeps_its_acl(store: ObjectStore) -> None:
    await make_bucket(store)
    for acl in CannedAcl:
        await put_with(store, acl)
        await store.put_object_tagging(PutObjectTagging(bucket=BUCKET, key=KEY, tags={"a": "b"}))
        assert (await head(store)).acl is acl


async def check_put_object_does_not_inherit_an_acl(store: ObjectStore) -> None:
    await store.create_bucket(CreateBucket(bucket=BUCKET, acl=CannedAcl.PUBLIC_READ_WRITE), OWNER)
    await put_with(store, CannedAcl.PUBLIC_READ)
    await put(store, b"data")
    assert (await head(store)).acl is CannedAcl.PRIVATE


async def check_complete_gives_the_acl_of_the_upload(store: ObjectStore) -> None:
    await make_bucket(store)
    create = CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=NO_METADATA, acl=CannedAcl.AUTHENTICATED_READ)
    upload_id = await store.create_multipart_upload(create)
    part = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
    etag = (await store.upload_part(part, body_of(b"data"))).etag
    parts = (CompletedPart(number=1, etag=etag),)
    await store.complete_multipart_upload(
        CompleteMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id, parts=parts)
    )
    assert (await head(store)).acl is CannedAcl.AUTHENTICATED_READ


async def check_copy_object_has_its_own_acl(store: ObjectStore) -> None:
    await make_bucket(store)
    await put_with(store, CannedAcl.PUBLIC_READ)
    for acl in CannedAcl:
        await store.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=FOR_THE_PUBLIC, acl=acl))
        assert (await head(store, "copy")).acl is acl


async def check_copy_object_of_what_its_author_may_not_read_is_refused(store: ObjectStore) -> None:
    # RustFS CVE-2026-39360, for an object that became private after its author was let pass.
    await make_bucket(store)
    for acl in set(CannedAcl) - PUBLIC:
        await put_with(store, acl)
        for conditions in (ReadConditions(), ReadConditions(if_match=("other",))):
            source = replace(FOR_THE_PUBLIC, conditions=conditions)
            with raises(ErrorCode.ACCESS_DENIED):
                await store.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=source))
    assert await keys_of(store) == [KEY]


async def check_upload_part_copy_of_what_its_author_may_not_read_is_refused(store: ObjectStore) -> None:
    # RustFS CVE-2026-39360.
    await make_bucket(store)
    create = CreateMultipartUpload(bucket=BUCKET, key=Key("copy"), metadata=NO_METADATA)
    upload_id = await store.create_multipart_upload(create)
    copy = UploadPartCopy(bucket=BUCKET, key=create.key, upload_id=upload_id, part_number=1, source=FOR_THE_PUBLIC)
    await put_with(store, CannedAcl.PRIVATE)
    for span in (None, ByteRange(0, 1), ByteRange(0, 100)):
        with raises(ErrorCode.ACCESS_DENIED):
            await store.upload_part_copy(replace(copy, range=span))
    listed = await store.list_parts(ListParts(bucket=BUCKET, key=create.key, upload_id=upload_id))
    assert listed.parts == ()
    await put_with(store, CannedAcl.PUBLIC_READ_WRITE)
    assert (await store.upload_part_copy(copy)).etag
    assert await get(store) == b"data"
