from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3 import model, responses
from s3proxy.s3.client import listings
from s3proxy.s3.client.answers import MalformedAnswerError
from s3proxy.s3.listing import encode_token, list_query
from s3proxy.s3.model import ETag, Key, ListedObject, ListPage, ListQuery
from tests.s3.client.asking import asked
from tests.stores.listed import page_of_objects

BUCKET = model.Bucket("bucket")
KEYS = st.sets(st.text("ab/é \n&+", min_size=1, max_size=4), max_size=12)


def _rendered(page: ListPage, *, encoding_type: str | None = "url") -> bytes:
    operation = model.ListObjectsV2(bucket=BUCKET, encoding_type=encoding_type)
    body = responses.list_objects_v2(operation, page, None).body
    assert isinstance(body, bytes)
    return body


def _answer(keys: Sequence[str] = (), prefixes: Sequence[str] = (), *, is_truncated: bool = False) -> bytes:
    objects = tuple(ListedObject(key=Key(key), size=1, etag=ETag("e"), last_modified_ns=10**18) for key in keys)
    page = ListPage(objects=objects, common_prefixes=tuple(prefixes), is_truncated=is_truncated, next_after="x")
    return _rendered(page)


@pytest.mark.parametrize("asked_for", [ListQuery(), ListQuery(prefix="a b", delimiter="/é", after="a b&", max_keys=7)])
def test_request_is_read_as_its_query(asked_for: ListQuery) -> None:
    operation = asked(listings.list_objects(BUCKET, asked_for))
    assert isinstance(operation, model.ListObjectsV2)
    assert (list_query(operation), operation.encoding_type) == (asked_for, "url")


@given(KEYS, st.sampled_from(["", "/", "a"]), st.sampled_from(["", "a"]), st.integers(1, 4), st.booleans())
@settings(max_examples=150)
def test_pages_through_a_store_like_s3_are_those_of_the_keys(
    keys: set[str], delimiter: str, prefix: str, most: int, does_url: bool
) -> None:
    infos = {
        key: model.ObjectInfo(size=1, etag=ETag("e"), last_modified_ns=10**18, metadata=model.ObjectMetadata())
        for key in keys
    }
    query = ListQuery(prefix=prefix, delimiter=delimiter, max_keys=most)
    if not does_url and any("\n" in key for key in keys):
        return  # which XML cannot tell otherwise
    while True:
        expected = page_of_objects(infos, query)
        request = listings.list_objects(BUCKET, query)
        operation = asked(request)
        assert isinstance(operation, model.ListObjectsV2)
        # Like S3, the store takes start-after for a key, and repeats a common prefix that it is within.
        answered = page_of_objects(infos, replace(list_query(operation), after_is_prefix=False))
        page, token = listings.parse_listing(query, _rendered(answered, encoding_type="url" if does_url else None))
        assert token is None
        assert page == expected
        if not page.is_truncated:
            return
        query = replace(query, after=page.next_after, after_is_prefix=page.next_is_prefix)


@pytest.mark.parametrize(
    ("query", "keys", "prefixes"),
    [
        (ListQuery(prefix="a"), ["b"], []),
        (ListQuery(), ["b", "a"], []),
        (ListQuery(), ["a", "a"], []),
        (ListQuery(after="m"), ["a"], []),
        (ListQuery(after="m"), ["m"], []),
        (ListQuery(), [], ["a/"]),
        (ListQuery(delimiter="/"), [], ["b/", "a/"]),
        (ListQuery(delimiter="/"), [], ["a"]),
        (ListQuery(delimiter="/", prefix="b"), [], ["a/"]),
        (ListQuery(delimiter="/", after="m"), [], ["a/"]),
        (ListQuery(), [f"{number:04}" for number in range(1001)], []),
    ],
)
def test_listing_with_entries_that_were_not_asked_for_is_malformed(
    query: ListQuery, keys: list[str], prefixes: list[str]
) -> None:
    # rclone CVE-2026-71310: a bad listing
    with pytest.raises(MalformedAnswerError):
        listings.parse_listing(query, _answer(keys, prefixes))


def test_page_with_more_than_asked_for_is_cut_and_goes_on() -> None:
    page, _ = listings.parse_listing(ListQuery(max_keys=1), _answer(["a", "b"]))
    assert ([listed.key for listed in page.objects], page.is_truncated, page.next_after) == (["a"], True, "a")


def test_empty_page_that_is_not_the_last_gives_the_store_s_token() -> None:
    page, token = listings.parse_listing(ListQuery(), _answer(is_truncated=True))
    assert (page.objects, page.is_truncated, token) == ((), False, encode_token("x"))
    request = listings.list_objects(BUCKET, ListQuery(after="a"), token)
    assert b"continuation-token=" in request.query
    assert b"start-after" not in request.query


def test_page_of_no_keys_is_never_truncated() -> None:
    page, token = listings.parse_listing(ListQuery(max_keys=0), _answer(is_truncated=True))
    assert (page.is_truncated, token) == (False, None)


@pytest.mark.parametrize("old", ["<Key>a</Key>", "<Size>1</Size>", "<LastModified>"])
def test_entry_that_lacks_something_is_malformed(old: str) -> None:
    body = _answer(["a"])
    assert old.encode() in body
    with pytest.raises(MalformedAnswerError):
        listings.parse_listing(ListQuery(), body.replace(old.encode(), old.replace(">", "Not>", 1).encode()))
