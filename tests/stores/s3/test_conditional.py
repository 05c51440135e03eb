"""Conditions of writes, as the store is told of them."""

from dataclasses import replace

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import CopyObject, CopySource, Key, WriteConditions
from s3proxy.stores.s3.conditional import ConditionalWrites
from tests.stores.s3.scripted import answer, described, refusal, s3_of
from tests.stores.s3.test_copies import COPIED
from tests.stores.s3.test_multipart import COMPLETE, parts
from tests.stores.s3.test_writing import SMALL, done
from tests.stores.vocabulary import BUCKET, KEY, delete, put, raises

ABSENT = (answer(404), answer(200, b"<Tagging><TagSet/></Tagging>"))  # nor is the bucket missing
TOO_LATE = refusal(412, "PreconditionFailed")
COPY = CopyObject(bucket=BUCKET, key=Key("copy"), source=CopySource(bucket=BUCKET, key=KEY))
ANY, NOT_OTHER, NOT_ANY = (
    WriteConditions(if_match="*"),
    WriteConditions(if_none_match="o"),
    WriteConditions(if_none_match="*"),
)


@pytest.mark.parametrize(
    ("when", "found", "expected"),
    [
        (NOT_ANY, ABSENT, (None, "*")),
        (NOT_OTHER, ABSENT, (None, "*")),
        (NOT_OTHER, [described(1)], ("e", None)),
        (ANY, [described(1)], ("e", None)),
        (WriteConditions(if_match="e"), [described(1)], ("e", None)),
        (ANY, [described(1, etag="")], ("*", None)),
    ],
)
async def test_write_is_pinned_to_what_was_judged(
    when: WriteConditions, found: list[bytes], expected: tuple[str | None, str | None]
) -> None:
    async with s3_of(*found, done(SMALL)) as (store, script):
        await put(store, SMALL, conditions=when)
    assert (script.header("if-match"), script.header("if-none-match")) == expected


@pytest.mark.parametrize(
    ("when", "found", "code"),
    [
        (NOT_ANY, ABSENT, ErrorCode.PRECONDITION_FAILED),
        (WriteConditions(if_match="e"), [described(1)], ErrorCode.PRECONDITION_FAILED),
        # What came in between is perhaps no object of that tag.
        (NOT_OTHER, ABSENT, ErrorCode.CONDITIONAL_REQUEST_CONFLICT),
        (ANY, [described(1)], ErrorCode.CONDITIONAL_REQUEST_CONFLICT),
    ],
)
async def test_write_that_comes_too_late_is_told_whether_its_own_condition_failed(
    when: WriteConditions, found: list[bytes], code: ErrorCode
) -> None:
    async with s3_of(*found, TOO_LATE) as (store, _):
        with raises(code):
            await put(store, SMALL, conditions=when)


async def test_condition_that_the_store_would_ignore_is_refused_before_anything_is_done() -> None:
    async with s3_of(described(4), parts(4), conditional_writes="put") as (store, script):
        with raises(ErrorCode.NOT_IMPLEMENTED):
            await store.copy_object(replace(COPY, conditions=NOT_ANY))
        with raises(ErrorCode.NOT_IMPLEMENTED):
            await store.complete_multipart_upload(replace(COMPLETE, conditions=NOT_ANY))
        with raises(ErrorCode.NOT_IMPLEMENTED):
            await delete(store, conditions=WriteConditions(if_match="e"))
    assert [asked.split()[0] for asked in script.asked()] == ["HEAD", "GET"]


@pytest.mark.parametrize("honoured", ["none", "put"])
async def test_put_is_conditional_where_the_store_honours_that(honoured: ConditionalWrites) -> None:
    async with s3_of(*ABSENT, done(SMALL), conditional_writes=honoured) as (store, script):
        if honoured == "put":
            await put(store, SMALL, conditions=NOT_ANY)
            assert script.header("if-none-match") == "*"
        else:
            with raises(ErrorCode.NOT_IMPLEMENTED):
                await put(store, SMALL, conditions=NOT_ANY)
            assert script.requests == []


async def test_copy_is_pinned_like_other_writes() -> None:
    async with s3_of(described(4), *ABSENT, COPIED) as (store, script):
        await store.copy_object(replace(COPY, conditions=NOT_OTHER))
    assert script.header("if-none-match") == "*"


async def test_write_without_conditions_needs_none_of_it() -> None:
    async with s3_of(done(SMALL), answer(204), conditional_writes="none") as (store, script):
        await put(store, SMALL)
        await delete(store)
    assert len(script.requests) == 2
