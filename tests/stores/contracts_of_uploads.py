"""What every ObjectStore does with multipart uploads."""

import base64
import hashlib
import zlib
from dataclasses import replace

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    AbortMultipartUpload,
    Bucket,
    ByteRange,
    Checksum,
    ChecksumAlgorithm,
    ChecksumType,
    CompletedPart,
    CompleteMultipartUpload,
    CopyObject,
    CopySource,
    CreateMultipartUpload,
    ETag,
    GetObjectAttributes,
    Key,
    ListMultipartUploads,
    ListParts,
    ObjectMetadata,
    PutResult,
    UploadId,
    UploadPart,
    UploadPartCopy,
    WriteConditions,
)
from s3proxy.stores.base import ObjectStore
from tests.stores.bodies import body_of
from tests.stores.vocabulary import BUCKET, KEY, get, head, keys_of, make_bucket, put, raises

MIN_PART_SIZE = 5 * 1024 * 1024
FIRST = b"1" * MIN_PART_SIZE
LAST = b"the end"
CREATE = CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=ObjectMetadata())

HOSTILE_IDS = (
    "",
    ".",
    "..",
    "../x",
    "/",
    "../../bucket",
    "a\0b",
    "%2e%2e",
    "x" * 40,
    "0" * 16 + "../../../../../../../../",
)
"""RustFS GHSA-8r6f-hmq2-28rg: an upload id that is a path."""


async def begin(store: ObjectStore, operation: CreateMultipartUpload = CREATE) -> UploadId:
    return await store.create_multipart_upload(operation)


async def upload(
    store: ObjectStore, upload_id: UploadId, number: int, data: bytes, algorithm: ChecksumAlgorithm | None = None
) -> PutResult:
    operation = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=number)
    return await store.upload_part(operation, body_of(data, algorithm=algorithm))


def completion_of(upload_id: UploadId, *parts: tuple[int, str]) -> CompleteMultipartUpload:
    listed = tuple(CompletedPart(number=number, etag=ETag(etag)) for number, etag in parts)
    return CompleteMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id, parts=listed)


async def stored_two(
    store: ObjectStore, algorithm: ChecksumAlgorithm | None = None, kind: ChecksumType | None = None
) -> CompleteMultipartUpload:
    """Begin an upload of FIRST and LAST; the completion that would end it."""
    upload_id = await begin(store, replace(CREATE, checksum_algorithm=algorithm, checksum_type=kind))
    first = await upload(store, upload_id, 1, FIRST, algorithm)
    last = await upload(store, upload_id, 7, LAST, algorithm)
    return completion_of(upload_id, (1, first.etag), (7, last.etag))


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


ETAG_OF_TWO = f"{md5(md5(FIRST) + md5(LAST)).hex()}-2"


async def check_complete_joins_the_listed_parts(store: ObjectStore) -> None:
    await make_bucket(store)
    metadata = ObjectMetadata(content_type="text/csv", user={"a": "b"})
    upload_id = await begin(store, replace(CREATE, metadata=metadata, tags={"t": "u"}))
    await upload(store, upload_id, 2, b"not listed")
    first = await upload(store, upload_id, 1, FIRST)
    last = await upload(store, upload_id, 10_000, LAST)
    assert await keys_of(store) == []
    result = await store.complete_multipart_upload(completion_of(upload_id, (1, first.etag), (10_000, last.etag)))
    assert (result.etag, result.size) == (ETAG_OF_TWO, len(FIRST + LAST))
    assert await get(store) == FIRST + LAST
    info = await head(store)
    assert (info.etag, info.size, info.metadata, info.tag_count) == (ETAG_OF_TWO, result.size, metadata, 1)
    assert [(part.number, part.size, part.etag) for part in info.parts] == [
        (1, len(FIRST), first.etag),
        (10_000, len(LAST), last.etag),
    ]


async def check_complete_again_answers_the_same(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = await stored_two(store)
    result = await store.complete_multipart_upload(operation)
    assert await store.complete_multipart_upload(operation) == result
    await put(store, b"another")
    with raises(ErrorCode.NO_SUCH_UPLOAD):
        await store.complete_multipart_upload(operation)
    assert await get(store) == b"another"


async def check_object_attributes_list_the_parts(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.complete_multipart_upload(await stored_two(store, ChecksumAlgorithm.SHA256))
    asked = GetObjectAttributes(bucket=BUCKET, key=KEY, attributes=frozenset({"ObjectParts"}))
    info = await store.get_object_attributes(asked)
    assert (info.etag, info.size) == (ETAG_OF_TWO, len(FIRST + LAST))
    assert [(part.number, part.size, part.checksum is not None) for part in info.parts] == [
        (1, len(FIRST), True),
        (7, len(LAST), True),
    ]


async def check_complete_refuses_parts_that_do_not_fit(store: ObjectStore) -> None:
    await make_bucket(store)
    good = await stored_two(store)
    first, last = good.parts
    small = await upload(store, good.upload_id, 3, b"small")
    three = CompletedPart(number=3, etag=small.etag)
    cases = (
        ((), ErrorCode.MALFORMED_XML),
        ((last, first), ErrorCode.INVALID_PART_ORDER),
        ((first, first), ErrorCode.INVALID_PART_ORDER),
        ((first, CompletedPart(number=5, etag=last.etag)), ErrorCode.INVALID_PART),
        ((first, replace(last, etag=first.etag)), ErrorCode.INVALID_PART),
        ((first, three, last), ErrorCode.ENTITY_TOO_SMALL),
    )
    for parts, code in cases:
        with raises(code):
            await store.complete_multipart_upload(replace(good, parts=parts))
    with raises(ErrorCode.INVALID_REQUEST):
        await store.complete_multipart_upload(replace(good, object_size=1))
    assert await keys_of(store) == []
    await store.complete_multipart_upload(replace(good, object_size=len(FIRST + LAST)))
    assert await get(store) == FIRST + LAST


async def check_complete_takes_etags_with_their_quotes(store: ObjectStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    part = await upload(store, upload_id, 1, LAST)
    await store.complete_multipart_upload(completion_of(upload_id, (1, f'"{part.etag}"')))
    assert await get(store) == LAST


async def check_complete_checks_its_conditions(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"old")
    operation = replace(await stored_two(store), conditions=WriteConditions(if_none_match="*"))
    with raises(ErrorCode.PRECONDITION_FAILED):
        await store.complete_multipart_upload(operation)
    assert await get(store) == b"old"


async def check_complete_gives_a_composite_checksum(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = await stored_two(store, ChecksumAlgorithm.SHA256)
    joined = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()).digest()
    value = base64.b64encode(joined).decode()
    wrong = Checksum(ChecksumAlgorithm.SHA256, base64.b64encode(bytes(32)).decode())
    with raises(ErrorCode.BAD_DIGEST):
        await store.complete_multipart_upload(replace(operation, checksum=wrong))
    result = await store.complete_multipart_upload(
        replace(operation, checksum=Checksum(ChecksumAlgorithm.SHA256, value))
    )
    expected = Checksum(ChecksumAlgorithm.SHA256, f"{value}-2", ChecksumType.COMPOSITE)
    assert result.checksum == (await head(store)).checksum == expected


async def check_complete_gives_a_full_object_checksum(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = await stored_two(store, ChecksumAlgorithm.CRC32, ChecksumType.FULL_OBJECT)
    value = base64.b64encode(zlib.crc32(FIRST + LAST).to_bytes(4, "big")).decode()
    expected = Checksum(ChecksumAlgorithm.CRC32, value)
    with raises(ErrorCode.INVALID_REQUEST):
        await store.complete_multipart_upload(replace(operation, checksum_type=ChecksumType.COMPOSITE))
    result = await store.complete_multipart_upload(replace(operation, checksum=expected))
    assert result.checksum == (await head(store)).checksum == expected


async def check_complete_refuses_a_wrong_checksum_of_a_part(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = await stored_two(store, ChecksumAlgorithm.CRC32C)
    wrong = Checksum(ChecksumAlgorithm.CRC32C, "AAAAAA==")
    parts = (replace(operation.parts[0], checksum=wrong), operation.parts[1])
    with raises(ErrorCode.INVALID_PART):
        await store.complete_multipart_upload(replace(operation, parts=parts))


async def check_copy_of_multipart_object_has_the_md5_of_its_bytes(store: ObjectStore) -> None:
    await make_bucket(store)
    await store.complete_multipart_upload(await stored_two(store, ChecksumAlgorithm.SHA256))
    source = CopySource(bucket=BUCKET, key=KEY)
    result = await store.copy_object(CopyObject(bucket=BUCKET, key=Key("copy"), source=source))
    info = await head(store, "copy")
    assert result.etag == info.etag == md5(FIRST + LAST).hex()
    digest = base64.b64encode(hashlib.sha256(FIRST + LAST).digest()).decode()
    assert (info.parts, info.checksum) == ((), Checksum(ChecksumAlgorithm.SHA256, digest))


async def check_upload_part_again_replaces_it(store: ObjectStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    old = await upload(store, upload_id, 1, b"old")
    new = await upload(store, upload_id, 1, b"newer")
    with raises(ErrorCode.INVALID_PART):
        await store.complete_multipart_upload(completion_of(upload_id, (1, old.etag)))
    await store.complete_multipart_upload(completion_of(upload_id, (1, new.etag)))
    assert await get(store) == b"newer"


async def check_upload_part_with_wrong_digest_leaves_the_old_one(store: ObjectStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    part = await upload(store, upload_id, 1, b"good")
    operation = UploadPart(bucket=BUCKET, key=KEY, upload_id=upload_id, part_number=1)
    with raises(ErrorCode.BAD_DIGEST):
        await store.upload_part(operation, body_of(b"evil", md5=bytes(16)))
    await store.complete_multipart_upload(completion_of(upload_id, (1, part.etag)))
    assert await get(store) == b"good"


async def check_upload_part_copy_takes_the_range(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"0123456789", "source")
    upload_id = await begin(store, replace(CREATE, checksum_algorithm=ChecksumAlgorithm.SHA1))
    operation = UploadPartCopy(
        bucket=BUCKET,
        key=KEY,
        upload_id=upload_id,
        part_number=1,
        source=CopySource(bucket=BUCKET, key=Key("source")),
        range=ByteRange(2, 5),
    )
    result = await store.upload_part_copy(operation)
    digest = base64.b64encode(hashlib.sha1(b"234", usedforsecurity=False).digest()).decode()
    assert (result.etag, result.checksum) == (md5(b"234").hex(), Checksum(ChecksumAlgorithm.SHA1, digest))
    with raises(ErrorCode.INVALID_RANGE):
        await store.upload_part_copy(replace(operation, range=ByteRange(2, 11)))
    with raises(ErrorCode.NO_SUCH_KEY):
        await store.upload_part_copy(replace(operation, source=CopySource(bucket=BUCKET, key=Key("missing"))))
    await store.complete_multipart_upload(completion_of(upload_id, (1, result.etag)))
    assert await get(store) == b"234"


async def check_abort_forgets_the_upload(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = await stored_two(store)
    abort = AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=operation.upload_id)
    await store.abort_multipart_upload(abort)
    for attempt in (
        store.abort_multipart_upload(abort),
        store.complete_multipart_upload(operation),
        upload(store, operation.upload_id, 1, b"x"),
        store.list_parts(ListParts(bucket=BUCKET, key=KEY, upload_id=operation.upload_id)),
        store.get_upload(BUCKET, KEY, operation.upload_id),
    ):
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await attempt
    assert (await store.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET))).uploads == ()


async def check_upload_id_that_was_never_given_is_no_such_upload(store: ObjectStore) -> None:
    await make_bucket(store)
    await put(store, b"data")
    for text in HOSTILE_IDS:
        upload_id = UploadId(text)
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.get_upload(BUCKET, KEY, upload_id)
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await upload(store, upload_id, 1, b"x")
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.abort_multipart_upload(AbortMultipartUpload(bucket=BUCKET, key=KEY, upload_id=upload_id))
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.complete_multipart_upload(completion_of(upload_id, (1, "x")))
    assert await get(store) == b"data"


async def check_upload_belongs_to_its_bucket_and_key(store: ObjectStore) -> None:
    await make_bucket(store)
    other = await make_bucket(store, "other")
    upload_id = await begin(store)
    for bucket, key in ((other, KEY), (BUCKET, Key("other"))):
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            await store.get_upload(bucket, key, upload_id)


async def check_get_upload_says_what_was_said(store: ObjectStore) -> None:
    await make_bucket(store)
    operation = replace(CREATE, checksum_algorithm=ChecksumAlgorithm.CRC64NVME, checksum_type=ChecksumType.FULL_OBJECT)
    stored = await store.get_upload(BUCKET, KEY, await begin(store, operation))
    assert (stored.key, stored.storage_class) == (KEY, "STANDARD")
    assert stored.checksum_algorithm is ChecksumAlgorithm.CRC64NVME
    assert stored.checksum_type is ChecksumType.FULL_OBJECT


async def check_list_parts_pages_by_number(store: ObjectStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    for number in (30, 2, 10_000):
        await upload(store, upload_id, number, f"{number}".encode(), ChecksumAlgorithm.CRC32)
    operation = ListParts(bucket=BUCKET, key=KEY, upload_id=upload_id, max_parts=2)
    first = await store.list_parts(operation)
    assert [part.number for part in first.parts] == [2, 30]
    assert (first.is_truncated, first.next_part_number_marker) == (True, 30)
    assert (first.parts[0].size, first.parts[0].etag) == (1, md5(b"2").hex())
    assert first.parts[0].checksum is not None
    rest = await store.list_parts(replace(operation, part_number_marker=30))
    assert ([part.number for part in rest.parts], rest.is_truncated) == ([10_000], False)


async def check_list_multipart_uploads_pages_by_key_and_time(store: ObjectStore) -> None:
    await make_bucket(store)
    await make_bucket(store, "other")
    await begin(store, replace(CREATE, bucket=Bucket("other")))
    ids = {key: [await begin(store, replace(CREATE, key=Key(key))) for _ in range(2)] for key in ("b/2", "a", "b/1")}
    operation = ListMultipartUploads(bucket=BUCKET, max_uploads=1)
    seen: list[tuple[str, str]] = []
    page = await store.list_multipart_uploads(operation)
    while page.uploads:
        seen += [(upload.key, upload.upload_id) for upload in page.uploads]
        if not page.is_truncated:
            break
        page = await store.list_multipart_uploads(
            replace(operation, key_marker=page.next_key_marker, upload_id_marker=page.next_upload_id_marker)
        )
    assert seen == [(key, upload_id) for key in ("a", "b/1", "b/2") for upload_id in ids[key]]


async def check_list_multipart_uploads_groups_by_delimiter(store: ObjectStore) -> None:
    await make_bucket(store)
    for key in ("a", "b/1", "b/2", "c/1", "d"):
        await begin(store, replace(CREATE, key=Key(key)))
    operation = ListMultipartUploads(bucket=BUCKET, delimiter="/")
    page = await store.list_multipart_uploads(operation)
    assert ([upload.key for upload in page.uploads], page.common_prefixes) == (["a", "d"], ("b/", "c/"))
    page = await store.list_multipart_uploads(replace(operation, max_uploads=2))
    assert (page.is_truncated, page.next_key_marker) == (True, "b/")
    page = await store.list_multipart_uploads(replace(operation, key_marker="b/"))
    assert ([upload.key for upload in page.uploads], page.common_prefixes) == (["d"], ("c/",))
    page = await store.list_multipart_uploads(replace(operation, prefix="b/"))
    assert ([upload.key for upload in page.uploads], page.common_prefixes) == (["b/1", "b/2"], ())


async def check_delete_bucket_drops_its_uploads(store: ObjectStore) -> None:
    await make_bucket(store)
    upload_id = await begin(store)
    await store.delete_bucket(BUCKET)
    await make_bucket(store)
    assert (await store.list_multipart_uploads(ListMultipartUploads(bucket=BUCKET))).uploads == ()
    with raises(ErrorCode.NO_SUCH_UPLOAD):
        await store.get_upload(BUCKET, KEY, upload_id)


async def check_create_multipart_upload_in_missing_bucket_is_no_such_bucket(store: ObjectStore) -> None:
    with raises(ErrorCode.NO_SUCH_BUCKET):
        await begin(store)
