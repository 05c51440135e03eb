import pytest

from s3proxy.s3 import responses
from s3proxy.s3.client import hidden
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket, BucketInfo, CannedAcl, CreateBucket, ListBuckets, Owner
from s3proxy.stores.base import StoreUnavailableError
from tests.stores.s3.scripted import answer, refusal, s3_of
from tests.stores.vocabulary import BUCKET, OWNER, head, raises

CREATE = CreateBucket(bucket=BUCKET, acl=CannedAcl.PUBLIC_READ, location_constraint="here")
MISSING, UNTAGGED = refusal(404, "NoSuchBucket"), refusal(404, "NoSuchTagSet")
INFO = BucketInfo(name=BUCKET, owner=OWNER, created_ns=10**18, acl=CannedAcl.PUBLIC_READ, location="here")


def tagged(**tags: str) -> bytes:
    body = responses.get_object_tagging({name.replace("_", ":"): value for name, value in tags.items()}).body
    assert isinstance(body, bytes)
    return answer(200, body)


def headless(given: bytes) -> bytes:
    """The answer to a HEAD in place of a GET."""
    return given.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


OURS = tagged(s3proxy_bucket=hidden.render_bucket(INFO), team="a")


async def test_bucket_is_known_by_its_hidden_tag() -> None:
    async with s3_of(OURS, OURS) as (store, script):
        assert await store.get_bucket(BUCKET) == INFO
        assert await store.get_bucket(BUCKET) == INFO  # without asking again
        assert await store.get_bucket_tagging(BUCKET) == {"team": "a"}
    assert script.asked() == ["GET /bucket?tagging"] * 2


@pytest.mark.parametrize("untagged", [UNTAGGED, tagged(team="a"), refusal(501, "NotImplemented")])
async def test_bucket_without_the_tag_belongs_to_everybody(untagged: bytes) -> None:
    async with s3_of(untagged, answer(200)) as (store, _):
        assert (await store.get_bucket(BUCKET)).owner is None


@pytest.mark.parametrize("missing", [answer(404), MISSING])
async def test_missing_bucket_is_told_from_one_without_tags(missing: bytes) -> None:
    # MinIO answers NoSuchTagSet to both
    async with s3_of(UNTAGGED, headless(missing)) as (store, script):
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.get_bucket(BUCKET)
    assert script.asked() == ["GET /bucket?tagging", "HEAD /bucket"]


async def test_bucket_that_may_not_be_looked_at_is_there() -> None:
    async with s3_of(UNTAGGED, headless(refusal(403, "AccessDenied"))) as (store, _):
        assert (await store.get_bucket(BUCKET)).owner is None


async def test_bucket_whose_owner_cannot_be_told_belongs_to_nobody() -> None:
    # 403 to a GET of the tags must not make a private bucket everybody's
    async with s3_of(refusal(403, "AccessDenied"), tagged(s3proxy_bucket="?")) as (store, _):
        with raises(ErrorCode.ACCESS_DENIED):
            await store.get_bucket(BUCKET)
        with pytest.raises(StoreUnavailableError):
            await store.get_bucket(BUCKET)


async def test_bucket_that_was_there_is_not_asked_for_because_a_key_is_missing() -> None:
    # behind a cache, that is, where a HEAD that misses would otherwise cost two requests more
    async with s3_of(OURS, answer(404), answer(204), answer(404), MISSING, bucket_seconds=0.0) as (store, script):
        await store.get_bucket(BUCKET)
        with raises(ErrorCode.NO_SUCH_KEY):
            await head(store)
        await store.delete_bucket(BUCKET)
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await head(store)
    missed = "HEAD /bucket/a/key"
    assert script.asked() == ["GET /bucket?tagging", missed, "DELETE /bucket", missed, "GET /bucket?tagging"]


async def test_missing_bucket_is_asked_for_each_time() -> None:
    async with s3_of(MISSING, OURS) as (store, _):
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.get_bucket(BUCKET)
        assert (await store.get_bucket(BUCKET)).owner == OWNER


async def test_create_marks_the_bucket_as_its_owner_s() -> None:
    async with s3_of(MISSING, answer(200), UNTAGGED, answer(200)) as (store, script):
        await store.create_bucket(CREATE, OWNER)
    assert script.asked() == ["GET /bucket?tagging", "PUT /bucket", "GET /bucket?tagging", "PUT /bucket?tagging"]
    assert b"<Key>s3proxy:bucket</Key>" in script.requests[-1].body
    assert script.requests[1].body == b""  # the store has its own idea of locations


@pytest.mark.parametrize("there", [OURS, UNTAGGED, refusal(403, "AccessDenied")])
async def test_create_of_a_bucket_that_is_there_is_refused(there: bytes) -> None:
    async with s3_of(there, answer(200)) as (store, script):
        with raises(ErrorCode.BUCKET_ALREADY_EXISTS):
            await store.create_bucket(CREATE, OWNER)
    assert not any("PUT" in asked for asked in script.asked())


@pytest.mark.parametrize("answers", [[refusal(409, "BucketAlreadyOwnedByYou")], [answer(200), OURS]])
async def test_create_that_another_was_faster_with_is_refused_and_changes_nothing(answers: list[bytes]) -> None:
    async with s3_of(MISSING, *answers) as (store, script):
        with raises(ErrorCode.BUCKET_ALREADY_EXISTS):
            await store.create_bucket(CREATE, OWNER)
    assert not any("PUT /bucket?tagging" in asked or "DELETE" in asked for asked in script.asked())


async def test_create_that_cannot_be_marked_is_taken_back() -> None:
    async with s3_of(MISSING, answer(200), UNTAGGED, refusal(501, "NotImplemented"), answer(204)) as (store, script):
        with raises(ErrorCode.NOT_IMPLEMENTED):
            await store.create_bucket(CREATE, OWNER)
    assert script.asked()[-1] == "DELETE /bucket"


async def test_create_that_can_be_neither_marked_nor_taken_back_says_so() -> None:
    denied = refusal(403, "AccessDenied")
    async with s3_of(MISSING, answer(200), UNTAGGED, denied, denied) as (store, _):
        with pytest.raises(StoreUnavailableError, match="neither marked"):
            await store.create_bucket(CREATE, OWNER)


async def test_create_with_a_name_too_long_to_keep_makes_nothing() -> None:
    async with s3_of() as (store, script):
        with raises(ErrorCode.INVALID_REQUEST):
            await store.create_bucket(CREATE, Owner("id", "x" * 300))
    assert script.requests == []


async def test_put_tagging_keeps_the_hidden_tag() -> None:
    async with s3_of(OURS, answer(200)) as (store, script):
        await store.put_bucket_tagging(BUCKET, {"new": "b"})
    assert b"<Key>s3proxy:bucket</Key>" in script.requests[-1].body
    assert b"team" not in script.requests[-1].body


async def test_delete_makes_the_bucket_unknown() -> None:
    async with s3_of(OURS, answer(204), MISSING) as (store, _):
        await store.get_bucket(BUCKET)
        await store.delete_bucket(BUCKET)
        with raises(ErrorCode.NO_SUCH_BUCKET):
            await store.get_bucket(BUCKET)


async def test_list_shows_the_buckets_that_can_be_used() -> None:
    infos = [BucketInfo(name=Bucket(name), owner=OWNER, created_ns=10**18) for name in ("elsewhere",)]
    body = responses.list_buckets(ListBuckets(), OWNER, [*infos, INFO], None).body
    assert isinstance(body, bytes)
    elsewhere = answer(301, b"", {"x-amz-bucket-region": "eu-west-1"})
    async with s3_of(OURS, answer(200, body), elsewhere) as (store, _):
        await store.get_bucket(BUCKET)
        assert await store.list_buckets() == [INFO]


async def test_list_of_a_store_that_fails_is_no_list_of_fewer_buckets() -> None:
    body = responses.list_buckets(ListBuckets(), OWNER, [INFO], None).body
    assert isinstance(body, bytes)
    async with s3_of(answer(200, body), *[refusal(503, "SlowDown")] * 99) as (store, _):
        with pytest.raises(StoreUnavailableError):
            await store.list_buckets()
