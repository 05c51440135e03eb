import hashlib
from dataclasses import replace

import pytest

from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import CannedAcl, ChecksumAlgorithm, ObjectMetadata, UploadId, UploadPart, WriteConditions
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.bodies import body_of
from tests.stores.s3.scripted import Cut, answer, described, refusal, s3_of
from tests.stores.vocabulary import BUCKET, KEY, delete, put, put_of, raises

SMALL, LARGE = b"x" * 100, b"x" * 3_000_000
SIZES = pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])


def done(data: bytes, **headers: str) -> bytes:
    return answer(200, b"", {"ETag": f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"', **headers})


@SIZES
async def test_put_sends_the_bytes_once(data: bytes) -> None:
    async with s3_of(done(data)) as (store, script):
        result = await put(store, data, algorithm=ChecksumAlgorithm.CRC32)
    assert script.requests[0].body == data
    assert (result.size, result.checksum is not None) == (len(data), True)


async def test_put_of_a_large_body_has_a_trailer_where_the_store_takes_one() -> None:
    async with s3_of(done(LARGE), checksum_trailers=True) as (store, script):
        await put(store, LARGE, algorithm=ChecksumAlgorithm.CRC32C)
    assert script.header("x-amz-content-sha256") == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    assert script.header("x-amz-trailer") == "x-amz-checksum-crc32c"
    assert b"\r\n0\r\nx-amz-checksum-crc32c:" in script.requests[0].body[-64:]


@SIZES
async def test_put_of_a_body_with_a_wrong_digest_never_completes(data: bytes) -> None:
    async with s3_of(done(data)) as (store, script):
        with raises(ErrorCode.BAD_DIGEST):
            await store.put_object(put_of(), body_of(data, md5=bytes(16)))
    assert script.requests == []


@SIZES
async def test_store_that_stored_other_bytes_is_found_out(data: bytes) -> None:
    async with s3_of(done(b"other")) as (store, _):
        with pytest.raises(StoreUnavailableError, match="other bytes"):
            await put(store, data)


@pytest.mark.parametrize("headers", [{"x-amz-server-side-encryption-aws-kms-key-id": "key"}])
async def test_etag_of_an_encrypted_object_is_no_md5(headers: dict[str, str]) -> None:
    async with s3_of(done(b"other", **headers)) as (store, _):
        await put(store, SMALL)


async def test_store_that_gives_no_etag_has_what_was_sent() -> None:
    async with s3_of(answer(200)) as (store, _):
        assert (await put(store, SMALL)).etag == hashlib.md5(SMALL, usedforsecurity=False).hexdigest()


async def test_small_put_is_repeated_and_a_large_one_is_not() -> None:
    async with s3_of(Cut(), refusal(503, "SlowDown"), done(SMALL)) as (store, script):
        await put(store, SMALL)
    assert len(script.requests) == 3
    async with s3_of(refusal(503, "SlowDown")) as (store, script):
        with pytest.raises(StoreUnavailableError):
            await put(store, LARGE)
    assert len(script.requests) == 1


async def test_conditional_put_is_not_repeated_after_a_lost_answer() -> None:
    async with s3_of(answer(404), answer(200, b"<Tagging><TagSet/></Tagging>"), Cut()) as (store, script):
        with pytest.raises(StoreUnavailableError):
            await put(store, SMALL, conditions=WriteConditions(if_none_match="*"))
    assert script.asked()[-1] == "PUT /bucket/a/key"
    assert script.header("if-none-match") == "*"


async def test_condition_that_fails_costs_no_body() -> None:
    async with s3_of(described(1)) as (store, script):
        with raises(ErrorCode.PRECONDITION_FAILED):
            await put(store, LARGE, conditions=WriteConditions(if_none_match="*"))
    assert script.asked() == ["HEAD /bucket/a/key"]


async def test_refusal_that_comes_early_ends_the_sending() -> None:
    async with s3_of(refusal(403, "AccessDenied")) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await put(store, LARGE)


async def test_client_that_goes_away_is_no_fault_of_the_store() -> None:
    async def leave() -> None:
        raise ConnectionLostError("gone")

    async with s3_of() as (store, script):
        with pytest.raises(ConnectionLostError, match="gone"):
            await store.put_object(put_of(), body_of(LARGE, before_end=leave))
    assert script.requests == []


async def test_body_of_unknown_length_is_refused() -> None:
    async with s3_of() as (store, script):
        with raises(ErrorCode.MISSING_CONTENT_LENGTH):
            await store.put_object(put_of(), body_of(LARGE, is_announced=False))
    assert script.requests == []


async def test_put_keeps_the_acl_out_of_sight() -> None:
    async with s3_of(done(SMALL), described(1, {"x-amz-meta-s3proxy-acl": "public-read"})) as (store, script):
        await store.put_object(replace(put_of(), acl=CannedAcl.PUBLIC_READ), body_of(SMALL))
        assert script.header("x-amz-meta-s3proxy-acl") == "public-read"
        info = await store._looking.head(BUCKET, KEY)
        assert (info.acl, info.metadata.user) == (CannedAcl.PUBLIC_READ, {})
        with raises(ErrorCode.INVALID_ARGUMENT):
            forged = put_of(metadata=ObjectMetadata(user={"s3proxy-acl": "public-read"}))
            await store.put_object(forged, body_of(SMALL))


async def test_part_of_an_unknown_upload_is_named() -> None:
    async with s3_of(refusal(404, "NoSuchKey")) as (store, _):
        with raises(ErrorCode.NO_SUCH_UPLOAD):
            part = UploadPart(bucket=BUCKET, key=KEY, upload_id=UploadId("x"), part_number=1)
            await store.upload_part(part, body_of(SMALL))


# Deletions


async def test_deletion_with_conditions_removes_only_what_met_them() -> None:
    async with s3_of(described(4), answer(204)) as (store, script):
        await delete(store, conditions=WriteConditions(if_match_size=4))
    assert script.asked() == ["HEAD /bucket/a/key", "DELETE /bucket/a/key"]
    assert script.header("if-match") == "e"
    async with s3_of(described(4)) as (store, script):
        with raises(ErrorCode.PRECONDITION_FAILED):
            await delete(store, conditions=WriteConditions(if_match="other"))
    assert len(script.requests) == 1


async def test_deletion_with_conditions_of_a_missing_object_removes_nothing() -> None:
    async with s3_of(answer(404), refusal(404, "NoSuchTagSet"), answer(200)) as (store, script):
        await delete(store, conditions=WriteConditions(if_match="e"))
    assert [asked.split()[0] for asked in script.asked()] == ["HEAD", "GET", "HEAD"]
