from dataclasses import replace

import pytest

from s3proxy.s3 import responses
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import (
    ByteRange,
    CannedAcl,
    CopyObject,
    CopyResult,
    CopySource,
    ETag,
    Key,
    ReadConditions,
    UploadId,
    UploadPartCopy,
)
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.s3.scripted import MODIFIED_NS, answer, described, refusal, s3_of
from tests.stores.vocabulary import BUCKET, KEY, raises

COPY = CopyObject(bucket=BUCKET, key=Key("copy"), source=CopySource(bucket=BUCKET, key=KEY))
PART = UploadPartCopy(bucket=BUCKET, key=Key("copy"), upload_id=UploadId("x"), part_number=1, source=COPY.source)
RESULT = CopyResult(etag=ETag("f"), last_modified_ns=MODIFIED_NS)
_BODY = responses.copy_object(RESULT).body
assert isinstance(_BODY, bytes)
COPIED = answer(200, _BODY)
REPLACED = refusal(412, "PreconditionFailed")


async def test_copy_is_pinned_to_the_version_that_was_looked_at() -> None:
    async with s3_of(described(4, {"x-amz-meta-a": "b", "x-amz-meta-s3proxy-acl": "public-read"}), COPIED) as (
        store,
        script,
    ):
        assert await store.copy_object(COPY) == RESULT
    assert script.header("x-amz-copy-source") == "/bucket/a/key"
    assert script.header("x-amz-copy-source-if-match") == '"e"'
    assert (script.header("x-amz-meta-a"), script.header("x-amz-meta-s3proxy-acl")) == ("b", None)


async def test_copy_of_a_source_that_is_replaced_meanwhile_is_judged_again() -> None:
    # RustFS CVE-2026-39360, for an object that became private after it was looked at
    public = described(4, {"x-amz-meta-s3proxy-acl": "public-read"})
    private = described(4, etag="new")
    source = replace(COPY.source, readable_acls=frozenset({CannedAcl.PUBLIC_READ}))
    async with s3_of(public, REPLACED, private, private) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await store.copy_object(replace(COPY, source=source))


async def test_copy_of_a_source_that_never_rests_is_given_up() -> None:
    rounds = [
        given
        for number in range(4)
        for given in (described(4, etag=str(number)), REPLACED, described(4, etag=str(number + 1)))
    ]
    async with s3_of(*rounds) as (store, _):
        with pytest.raises(StoreUnavailableError, match="replaced faster"):
            await store.copy_object(COPY)


async def test_copy_whose_target_has_changed_is_refused() -> None:
    async with s3_of(described(4), REPLACED, described(4)) as (store, _):
        with raises(ErrorCode.PRECONDITION_FAILED):
            await store.copy_object(COPY)


@pytest.mark.parametrize("conditions", [ReadConditions(if_match=("x",)), ReadConditions(if_none_match=("e",))])
async def test_conditions_of_the_source_are_judged_before_anything_is_copied(conditions: ReadConditions) -> None:
    async with s3_of(described(4)) as (store, script):
        with raises(ErrorCode.PRECONDITION_FAILED):
            await store.copy_object(replace(COPY, source=replace(COPY.source, conditions=conditions)))
    assert len(script.requests) == 1


async def test_error_behind_a_200_is_an_error() -> None:
    late = answer(200, b'<?xml version="1.0"?>\n  <Error><Code>AccessDenied</Code></Error>')
    async with s3_of(described(4), late) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await store.copy_object(COPY)


async def test_passing_error_behind_a_200_is_repeated() -> None:
    late = answer(200, b"  \n<Error><Code>InternalError</Code></Error>")
    async with s3_of(described(4), late, COPIED) as (store, _):
        assert await store.copy_object(COPY) == RESULT


async def test_tags_that_the_store_did_not_copy_are_put() -> None:
    source = described(4, {"x-amz-tagging-count": "1"})
    tags = responses.get_object_tagging({"a": "b"}).body
    assert isinstance(tags, bytes)
    async with s3_of(source, answer(200, tags), COPIED, described(4), answer(200)) as (store, script):
        await store.copy_object(COPY)
    assert script.header("x-amz-tagging", 2) == "a=b"
    assert script.asked()[-1] == "PUT /bucket/copy?tagging"


async def test_part_beyond_the_end_of_its_source_is_refused() -> None:
    async with s3_of(described(4)) as (store, script):
        with raises(ErrorCode.INVALID_RANGE):
            await store.upload_part_copy(replace(PART, range=ByteRange(2, 5)))
    assert len(script.requests) == 1


async def test_part_is_copied_from_the_range() -> None:
    body = responses.upload_part_copy(RESULT).body
    assert isinstance(body, bytes)
    async with s3_of(described(4), answer(200, body)) as (store, script):
        assert await store.upload_part_copy(replace(PART, range=ByteRange(1, 3))) == RESULT
    assert script.header("x-amz-copy-source-range") == "bytes=1-2"
