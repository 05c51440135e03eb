"""The fake store keeps the contract of real ones, or what is tested on it means nothing."""

import pytest

from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import ByteRange, GetObject, ReadConditions
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.bodies import bytes_of
from tests.stores.contracts import CHECKS, Check, name_of
from tests.stores.fakes import Asked, MemoryStore
from tests.stores.vocabulary import BUCKET, KEY, get, head, make_bucket, put, raises


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
async def test_memory_store_keeps_the_contract(check: Check) -> None:
    await check(MemoryStore())


async def test_memory_store_counts_what_is_asked_and_given() -> None:
    store = MemoryStore()
    await make_bucket(store)
    await put(store, b"0123456789")
    await head(store)
    opened = await store.get_object(GetObject(bucket=BUCKET, key=KEY, range="bytes=2-5"))
    assert await bytes_of(await opened.read(ByteRange(2, 6))) == b"2345"
    assert await bytes_of(await opened.read(ByteRange(6, 8))) == b"67"
    assert store.asked == [Asked("HEAD", KEY), Asked("GET", KEY, "bytes=2-5"), Asked("GET", KEY, "bytes=6-7")]
    assert store.given_bytes == 6
    assert store.open_bodies == 0


async def test_memory_store_judges_pins_and_ranges_like_s3() -> None:
    store = MemoryStore()
    await make_bucket(store)
    await put(store, b"")
    with raises(ErrorCode.INVALID_RANGE):
        await store.get_object(GetObject(bucket=BUCKET, key=KEY, range="bytes=0-"))
    with raises(ErrorCode.PRECONDITION_FAILED):
        await store.get_object(GetObject(bucket=BUCKET, key=KEY, conditions=ReadConditions(if_match=("other",))))


async def test_memory_store_in_an_outage_answers_nothing() -> None:
    store = MemoryStore()
    await make_bucket(store)
    await put(store, b"data")
    store.outage = StoreUnavailableError("out")
    with pytest.raises(StoreUnavailableError):
        await get(store)
