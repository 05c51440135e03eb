import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.listing import decode_token, encode_token, list_query, page_of_buckets
from s3proxy.s3.model import (
    Bucket,
    BucketInfo,
    ListBuckets,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListQuery,
)

KEYS = st.text(st.characters(codec="utf-8"), max_size=80)
BUCKET = Bucket("bucket")


@given(KEYS, st.booleans())
def test_token_round_trips(after: str, is_prefix: bool) -> None:
    token = encode_token(after, is_prefix=is_prefix)
    assert token.isascii()
    assert decode_token(token) == (after, is_prefix)


@given(KEYS, st.integers(0), st.characters(codec="ascii"))
def test_token_with_any_character_changed_is_refused(after: str, place: int, character: str) -> None:
    token = encode_token(after)
    place %= len(token)
    forged = token[:place] + character + token[place + 1 :]
    if forged != token:
        with pytest.raises(S3Error):
            decode_token(forged)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_token_that_is_not_ours_is_invalid_argument(token: str) -> None:
    with pytest.raises(S3Error) as caught:
        decode_token(token)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert caught.value.message == "The continuation token provided is incorrect"


@pytest.mark.parametrize(
    ("marker", "prefix", "delimiter", "is_prefix"),
    [
        ("", "", "", False),
        ("a", "", "", False),
        ("a/", "", "", False),
        ("a/", "", "/", True),
        ("a/b", "", "/", False),
        ("a/b/", "", "/", False),  # with this delimiter a page ends with a/, never with a/b/
        ("a/b/", "a/", "/", True),
        ("a/", "a/", "/", False),  # the key a/ itself
        ("b/", "a/", "/", False),
        ("xyyz", "", "yz", True),
    ],
)
def test_marker_that_is_a_common_prefix_skips_its_keys(
    marker: str, prefix: str, delimiter: str, is_prefix: bool
) -> None:
    expected = ListQuery(prefix=prefix, delimiter=delimiter, after=marker, after_is_prefix=is_prefix)
    assert list_query(ListObjects(bucket=BUCKET, prefix=prefix, delimiter=delimiter, marker=marker)) == expected
    versions = ListObjectVersions(bucket=BUCKET, prefix=prefix, delimiter=delimiter, key_marker=marker)
    assert list_query(versions) == expected


def test_continuation_token_wins_over_start_after() -> None:
    token = encode_token("b/", is_prefix=True)
    query = list_query(ListObjectsV2(bucket=BUCKET, start_after="a", continuation_token=token))
    assert query == ListQuery(after="b/", after_is_prefix=True)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_a_listing_starts_after_start_after(token: str | None) -> None:
    query = list_query(ListObjectsV2(bucket=BUCKET, start_after="a", continuation_token=token))
    assert query == ListQuery(after="a")


@pytest.mark.parametrize(("asked", "used"), [(0, 0), (7, 7), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_max_keys_is_clamped(asked: int, used: int) -> None:
    assert list_query(ListObjects(bucket=BUCKET, max_keys=asked)).max_keys == used


def test_buckets_are_listed_page_by_page() -> None:
    buckets = [BucketInfo(name=Bucket(name), owner=None, created_ns=0) for name in ("a1", "a2", "b1", "b2", "b3")]
    seen = []
    token: str | None = None
    while True:
        operation = ListBuckets(prefix="b", max_buckets=2, continuation_token=token)
        page, token = page_of_buckets(operation, buckets)
        seen.append([bucket.name for bucket in page])
        if token is None:
            break
    assert seen == [["b1", "b2"], ["b3"]]


def test_page_that_holds_the_last_bucket_has_no_token() -> None:
    buckets = [BucketInfo(name=Bucket("a"), owner=None, created_ns=0)]
    assert page_of_buckets(ListBuckets(max_buckets=1), buckets) == (buckets, None)
    assert page_of_buckets(ListBuckets(max_buckets=1), []) == ([], None)
