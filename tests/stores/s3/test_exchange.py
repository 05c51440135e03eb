from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import trio

from s3proxy.http1.messages import ConnectionLostError
from s3proxy.metrics.meters import Meters
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket, ByteRange, CreateMultipartUpload, DeleteObject, GetObject, ListQuery
from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.fairness import FairLimiter
from s3proxy.stores.s3.credentials import FixedCredentials
from s3proxy.stores.s3.exchange import BucketUnusableError, Patience
from tests.stores.bodies import bytes_of
from tests.stores.s3.scripted import CREDENTIALS, Cut, answer, described, refusal, s3_of, stored
from tests.stores.vocabulary import BUCKET, KEY, NO_METADATA, get, head, raises

GET = GetObject(bucket=BUCKET, key=KEY)
DELETE = DeleteObject(bucket=BUCKET, key=KEY)
CREATE = CreateMultipartUpload(bucket=BUCKET, key=KEY, metadata=NO_METADATA)
SLOW_DOWN = refusal(503, "SlowDown")
BROKEN = Cut()
LISTING = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"


@pytest.mark.parametrize("trouble", [SLOW_DOWN, refusal(500, "InternalError"), answer(502), answer(504), BROKEN])
async def test_trouble_that_passes_is_not_noticed(trouble: bytes) -> None:
    async with s3_of(trouble, trouble, stored(b"data")) as (store, script):
        assert await get(store) == b"data"
    assert script.asked() == ["GET /bucket/a/key"] * 3


async def test_trouble_that_lasts_is_unavailable_within_the_deadline() -> None:
    async with s3_of(*[SLOW_DOWN] * 100) as (store, script):
        with pytest.raises(StoreUnavailableError, match="SlowDown"):
            await get(store)
    assert len(script.asked()) < 100


async def test_store_that_cannot_be_reached_is_unavailable() -> None:
    async with s3_of() as (store, _):
        endpoint = store._connections.endpoint
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        object.__setattr__(endpoint, "port", listener.socket.getsockname()[1])
        await listener.aclose()
        store._connections._clients.clear()
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await get(store)


async def test_store_that_says_nothing_is_unavailable() -> None:
    async with s3_of(*[b"HTTP/1.1 "] * 9, patience=Patience(deadline=0.2, answer=0.1)) as (store, _):
        with pytest.raises(StoreUnavailableError, match="no answer within"):
            await get(store)


async def test_what_must_not_be_done_twice_is_not_repeated_after_a_lost_answer() -> None:
    async with s3_of(BROKEN) as (store, script):
        with pytest.raises(StoreUnavailableError):
            await store.create_multipart_upload(CREATE)
    assert len(script.requests) == 1


async def test_what_must_not_be_done_twice_is_repeated_when_it_was_turned_away() -> None:
    created = b"<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>"
    async with s3_of(SLOW_DOWN, answer(200, created)) as (store, _):
        assert await store.create_multipart_upload(CREATE) == "id"


async def test_refusal_passes_with_its_code_and_message() -> None:
    async with s3_of(refusal(403, "AccessDenied")) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await get(store)


# Whose fault it is


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
async def test_refused_credentials_are_not_the_client_s(code: str) -> None:
    async with s3_of(refusal(403, code)) as (store, _):
        with pytest.raises(StoreUnavailableError, match="credentials of this gateway"):
            await get(store)


class Renewing(FixedCredentials):
    def __init__(self) -> None:
        super().__init__(Credentials(access_key="old", secret_key="x", region="us-east-1"))

    def forget(self) -> None:
        self._credentials = CREDENTIALS


async def test_expired_credentials_are_renewed() -> None:
    async with s3_of(refusal(400, "ExpiredToken"), stored(b"data"), credentials=Renewing()) as (store, script):
        assert await get(store) == b"data"
    assert "Credential=old/" in (script.header("authorization", 0) or "")
    assert "Credential=key/" in (script.header("authorization", 1) or "")


@pytest.mark.parametrize(
    "redirect",
    [
        answer(301, b"", {"Location": "http://127.0.0.1:1/", "x-amz-bucket-region": "eu-west-1"}),
        refusal(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
        answer(400, b"", {"x-amz-bucket-region": "eu-west-1"}),
    ],
)
async def test_bucket_elsewhere_is_told_by_its_region(redirect: bytes) -> None:
    async with s3_of(redirect) as (store, script):
        with pytest.raises(BucketUnusableError, match="eu-west-1"):
            await get(store)
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    # rclone CVE-2026-71310
    async with s3_of(answer(status, b"", {"Location": "/elsewhere"})) as (store, script):
        with pytest.raises(StoreUnavailableError, match="not followed"):
            await get(store)
    assert len(script.requests) == 1


# What is sent


async def test_request_is_signed_and_wants_no_coding() -> None:
    async with s3_of(stored(b"data")) as (store, script):
        await get(store)
    assert (script.header("authorization") or "").startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert "accept-encoding" not in (script.header("authorization") or "")
    assert script.header("accept-encoding") == "identity"
    assert script.header("x-amz-checksum-mode") == "ENABLED"


async def test_anonymous_request_is_not_signed() -> None:
    async with s3_of(stored(b"data"), credentials=FixedCredentials(None)) as (store, script):
        await get(store)
    assert script.header("authorization") is None
    assert script.header("x-amz-date") is None


# A hostile store


@pytest.mark.parametrize(
    "hostile",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        Cut(stored(b"data", {"Content-Length": "5"})),
        answer(200, b"data", {"Last-Modified": "x"}),
        answer(200, b"data"),
        answer(204),
    ],
    ids=["head", "interim", "both framings", "chunk size", "short", "bad date", "no date", "no content"],
)
async def test_hostile_answer_to_a_read_is_unavailable(hostile: bytes) -> None:
    # rclone CVE-2026-71310: endless heads, wrong lengths
    async with s3_of(*[hostile] * 100) as (store, _):
        with pytest.raises((StoreUnavailableError, ConnectionLostError)):
            await bytes_of(await (await store.get_object(GET)).read(ByteRange(0, 5)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        LISTING[:-1],
        b"<!DOCTYPE a><ListBucketResult/>",
        b"<ListBucketResult>" + b"<Contents/>" * 100_000 + b"</ListBucketResult>",
        b"<ListBucketResult><Contents><Key>b</Key></Contents></ListBucketResult>",
    ],
)
async def test_hostile_listing_is_unavailable(body: bytes) -> None:
    # rclone CVE-2026-71310: a bad XML listing
    async with s3_of(answer(200, body)) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.list_objects(BUCKET, ListQuery())


async def test_document_without_end_is_unavailable() -> None:
    endless = answer(200, b" " * (9 << 20))
    async with s3_of(*[endless] * 50) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.list_objects(BUCKET, ListQuery())


async def test_compressed_body_is_given_as_it_is() -> None:
    # rclone CVE-2026-71310: Content-Encoding says something of the object, and is not to be decoded here
    async with s3_of(stored(b"\x1f\x8b not", {"Content-Encoding": "gzip"})) as (store, _):
        opened = await store.get_object(GET)
        assert opened.info.metadata.content_encoding == "gzip"
        assert await bytes_of(await opened.read(ByteRange(0, 6))) == b"\x1f\x8b not"


# What is held


class Counting:
    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def slot(self) -> AbstractAsyncContextManager[None]:
        return self._counted()


async def test_slot_is_held_until_the_body_is_closed() -> None:
    limiter = Counting()
    async with s3_of(described(4), stored(b"data"), refusal(403, "AccessDenied"), limiter=limiter) as (store, _):
        await head(store)
        assert limiter.held == 0
        opened = await store.get_object(GET)
        assert limiter.held == 1
        body = await opened.read(ByteRange(0, 4))
        await opened.aclose()
        assert limiter.held == 1
        await body.aclose()
        await body.aclose()
        assert limiter.held == 0
        with raises(ErrorCode.ACCESS_DENIED):
            await store.get_object(GET)
        assert limiter.held == 0


async def test_cancelled_request_gives_its_slot_back() -> None:
    limiter = Counting()
    async with s3_of(b"HTTP/1.1 ", limiter=limiter) as (store, _):
        with trio.move_on_after(0.05):
            await store.get_object(GET)
        assert limiter.held == 0


async def test_wait_for_a_turn_ends_with_the_deadline_and_sends_nothing() -> None:
    limiter = FairLimiter(1)
    async with s3_of(stored(b"data"), limiter=limiter, patience=Patience(deadline=0.1)) as (store, script):
        async with limiter.slot():
            with pytest.raises(StoreUnavailableError, match="too many requests"):
                await get(store)
        assert script.requests == []
        assert await get(store) == b"data"


async def test_wait_for_a_turn_takes_nothing_of_the_time_for_the_answer() -> None:
    limiter = FairLimiter(1)
    patience = Patience(deadline=5, answer=0.2)
    async with s3_of(stored(b"data"), limiter=limiter, patience=patience) as (store, script):
        async with trio.open_nursery() as nursery:
            await limiter.acquire()
            nursery.start_soon(get, store)
            await trio.sleep(0.4)
            limiter.release()
        assert len(script.requests) == 1


async def test_delete_of_an_unknown_bucket_is_named() -> None:
    async with s3_of(refusal(404, "NoSuchBucket")) as (store, _):
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.delete_object(DeleteObject(bucket=Bucket("nope"), key=KEY))


async def test_each_attempt_is_counted_and_what_failed_as_an_error() -> None:
    meters = Meters.private()
    answers = (BROKEN, SLOW_DOWN, stored(b"data"), refusal(404, "NoSuchKey"))
    async with s3_of(*answers, meter=meters.store("far")) as (store, _):
        assert await get(store) == b"data"
        with raises(ErrorCode.NO_SUCH_KEY):
            await get(store)
    reading = meters.read().stores["far"]
    assert (reading.latency.count, reading.errors) == (4, 2)
    assert reading.latency.seconds > 0


async def test_attempt_that_took_too_long_is_counted_as_an_error_with_its_time() -> None:
    meters = Meters.private()
    patience = Patience(deadline=0.2, answer=0.1)
    async with s3_of(*[b"HTTP/1.1 "] * 9, patience=patience, meter=meters.store("far")) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await get(store)
    reading = meters.read().stores["far"]
    assert reading.errors == reading.latency.count >= 1
    assert reading.latency.seconds >= 0.1
