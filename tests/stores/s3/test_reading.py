import itertools
import random
from typing import cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.model import ByteRange, GetObject
from s3proxy.stores.base import ObjectChangedError, StoreUnavailableError
from s3proxy.stores.receiving import LargeBuffers
from s3proxy.stores.s3.exchange import OpenAnswer
from s3proxy.stores.s3.reading import S3Body
from tests.stores.bodies import bytes_of
from tests.stores.s3.scripted import Cut, answer, refusal, s3_of, spanned, stored
from tests.stores.vocabulary import BUCKET, KEY

GET = GetObject(bucket=BUCKET, key=KEY)


async def test_span_that_is_on_its_way_costs_no_second_request() -> None:
    async with s3_of(stored(b"data")) as (store, script):
        opened = await store.get_object(GET)
        assert await bytes_of(await opened.read(ByteRange(0, 4))) == b"data"
        await opened.aclose()
    assert len(script.requests) == 1


async def test_other_span_is_asked_for_and_pinned() -> None:
    async with s3_of(stored(b"data", etag="e"), spanned(b"at", 1, 4)) as (store, script):
        opened = await store.get_object(GET)
        assert await bytes_of(await opened.read(ByteRange(1, 3))) == b"at"
        await opened.aclose()
    assert (script.header("range"), script.header("if-match")) == ("bytes=1-2", '"e"')


async def test_empty_span_is_asked_for_nowhere_and_leaves_what_is_on_its_way() -> None:
    async with s3_of(stored(b"data")) as (store, script):
        opened = await store.get_object(GET)
        assert await bytes_of(await opened.read(ByteRange(2, 2))) == b""
        assert await bytes_of(await opened.read(ByteRange(0, 4))) == b"data"
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "changed",
    [
        refusal(412, "PreconditionFailed"),
        refusal(404, "NoSuchKey"),
        refusal(416, "InvalidRange"),
        spanned(b"at", 1, 4, etag="other"),
        spanned(b"at", 1, 5),
    ],
)
async def test_version_that_is_gone_is_changed(changed: bytes) -> None:
    async with s3_of(stored(b"data", etag="e"), changed) as (store, _):
        opened = await store.get_object(GET)
        with pytest.raises(ObjectChangedError):
            await opened.read(ByteRange(1, 3))
        await opened.aclose()


async def test_object_without_an_etag_is_known_by_size_and_time() -> None:
    async with s3_of(stored(b"data", etag=""), spanned(b"at", 1, 4, etag="")) as (store, script):
        opened = await store.get_object(GET)
        assert opened.info.etag == ""
        assert await bytes_of(await opened.read(ByteRange(1, 3))) == b"at"
    assert script.header("if-match") is None


async def test_other_bytes_than_asked_for_are_never_given() -> None:
    # rclone CVE-2026-71310: 200 to a Range
    async with s3_of(stored(b"data", etag="e"), stored(b"data", etag="e")) as (store, _):
        opened = await store.get_object(GET)
        with pytest.raises(StoreUnavailableError, match="bytes=1-2"):
            await opened.read(ByteRange(1, 3))


async def test_body_that_breaks_off_is_lost_and_not_short() -> None:
    async with s3_of(Cut(stored(b"data", {"Content-Length": "5"}))) as (store, _):
        opened = await store.get_object(GET)
        body = await opened.read(ByteRange(0, 5))
        with pytest.raises(StoreUnavailableError):  # a ConnectionLostError would be the client's
            await bytes_of(body)


async def test_fast_body_has_a_large_buffer_that_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[memoryview] = []
    returned: list[memoryview] = []
    real_take = LargeBuffers.take

    def take(self: LargeBuffers) -> memoryview | None:
        buffer = real_take(self)
        assert buffer is not None
        taken.append(buffer)
        return buffer

    monkeypatch.setattr(LargeBuffers, "take", take)
    monkeypatch.setattr(LargeBuffers, "give_back", lambda self, buffer: returned.append(buffer))
    data = bytes(range(256)) * 4000
    async with s3_of(stored(data)) as (store, _):
        opened = await store.get_object(GET)
        assert await bytes_of(await opened.read(ByteRange(0, len(data)))) == data
    assert len(taken) == 1
    assert returned == taken


async def test_object_that_is_not_read_is_closed() -> None:
    async with s3_of(
        answer(200, b"x" * 1_000_000, {"ETag": '"e"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"})
    ) as (
        store,
        _,
    ):
        opened = await store.get_object(GET)
        await opened.aclose()
        await opened.aclose()


class Arrivals:
    """An answer whose body arrives in pieces of given sizes, as far as there is room for them."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data = data
        self._sizes = itertools.cycle(sizes)
        self._position = 0

    async def receive_into(self, buffer: memoryview) -> int:
        piece = self.data[self._position :][: min(next(self._sizes), len(buffer))]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    async def aclose(self) -> None:
        pass


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 400_000) | st.just(65_536), min_size=1, max_size=8),
    length=st.integers(1, 3_000_000),
)
def test_chunks_are_the_body_and_those_that_are_not_small_end_at_units(sizes: list[int], length: int) -> None:
    async def check() -> None:
        data = random.Random(length).randbytes(length)
        body = S3Body(cast("OpenAnswer", Arrivals(data, [65_536, *sizes])), length, LargeBuffers())
        found = b""
        async for chunk in body:
            assert isinstance(chunk, memoryview)
            found += chunk
            assert len(chunk) < 3 * 65_536 or len(found) % 65_536 == 0 or len(found) == length
        await body.aclose()
        assert found == data

    trio.run(check)
