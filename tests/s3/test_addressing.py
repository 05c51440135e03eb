from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3proxy.s3.addressing import parse_address, parse_query
from s3proxy.s3.errors import ErrorCode, S3Error

DOMAINS = (b"s3.example.com", b"example.com")


@pytest.mark.parametrize(
    ("target", "bucket", "key"),
    [
        (b"/", None, None),
        (b"/?list-type=2", None, None),
        (b"/bucket", "bucket", None),
        (b"/bucket/", "bucket", None),
        (b"/bucket/key", "bucket", "key"),
        (b"/bucket/a/b/", "bucket", "a/b/"),
        (b"/bucket/a+b", "bucket", "a+b"),
        (b"/bucket/a%2Bb%20c", "bucket", "a+b c"),
        (b"/bucket/%C3%BC", "bucket", "ü"),
        (b"/bucket/100%25", "bucket", "100%"),
        (b"/bucket/%252e", "bucket", "%2e"),
        (b"/bucket/a%00b", "bucket", "a\0b"),
        (b"/bucket/a?b", "bucket", "a"),
        (b"/bucket/a%3Fb", "bucket", "a?b"),
        (b"/api/v1/s3", None, None),
        (b"/api/v1/s3/", None, None),
        (b"/api/v1/s3/bucket/key", "bucket", "key"),
        (b"/api/v1/s3x/key", "api", "v1/s3x/key"),
        (b"/apis/v1", "apis", "v1"),
        (b"http://host/bucket/key?x=y", "bucket", "key"),
        (b"http://host", None, None),
        (b"HTTP://HOST/bucket", "bucket", None),
    ],
)
def test_path_style_names_bucket_and_key(target: bytes, bucket: str | None, key: str | None) -> None:
    address = parse_address(target, b"host")
    assert (address.bucket, address.key, address.is_virtual_hosted) == (bucket, key, False)


@pytest.mark.parametrize(
    ("host", "target", "bucket", "key"),
    [
        (b"photos.s3.example.com", b"/a/b", "photos", "a/b"),
        (b"photos.s3.example.com:39999", b"/", "photos", None),
        (b"Photos.S3.Example.COM", b"/k", "photos", "k"),
        (b"a.b.s3.example.com", b"/k", "a.b", "k"),
        (b"photos.example.com", b"/k", "photos", "k"),
        (b"s3.example.com", b"/photos/k", "photos", "k"),
        (b"s3.example.com:80", b"/photos/k", "photos", "k"),
        (b"nots3.example.org", b"/photos/k", "photos", "k"),
        (b"127.0.0.1:39999", b"/photos/k", "photos", "k"),
        (b"photos.s3.example.com", b"/api/v1/s3/k", "photos", "api/v1/s3/k"),
        (b"photos.s3.example.com", b"//k", "photos", "/k"),
    ],
)
def test_virtual_host_style_takes_the_bucket_from_the_longest_domain(
    host: bytes, target: bytes, bucket: str, key: str | None
) -> None:
    address = parse_address(target, host, DOMAINS)
    assert (address.bucket, address.key) == (bucket, key)


@pytest.mark.parametrize("name", ["a/../b", "..", ".", "../../etc/passwd", "/x", "a//b", "\\..\\", "a/./b", "\0"])
@pytest.mark.parametrize("safe", ["/", "", "/."])
def test_traversal_in_a_key_is_kept_as_a_plain_key(name: str, safe: str) -> None:
    # gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg: a key is never normalised, however it is escaped.
    assert parse_address(b"/bucket/" + quote(name, safe=safe).encode()).key == name


@pytest.mark.parametrize("bucket", ["..", ".", ".s3proxy", "%2e%2e", "a%2Fb", "a%5Cb", "a%00", "%C3%BC", "a b", "%20"])
def test_traversal_in_a_bucket_name_is_refused(bucket: str) -> None:
    # gaul/s3proxy #769, RustFS GHSA-8r6f-hmq2-28rg
    with pytest.raises(S3Error) as caught:
        parse_address(f"/{bucket}/key".encode())
    assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME


@pytest.mark.parametrize(
    "target",
    [
        b"/bucket/%",
        b"/bucket/%4",
        b"/bucket/%zz",
        b"/bucket/%+1",
        b"/bucket/%ff",
        b"/bucket/\xff",
        b"/bucket/%c0%ae%c0%ae",  # overlong ".."
        b"/bucket/%e0%80%ae",
        b"/bucket/%ed%a0%80",  # a surrogate
        b"/%ff/key",
        b"/bucket?prefix=%ff",
        b"/bucket?%zz",
        b"*",
        b"host:443",
        b"",
        b"bucket/key",
        b"ftp://host/bucket",
    ],
)
def test_what_cannot_be_decoded_is_invalid_uri(target: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        parse_address(target, b"host")
    assert caught.value.code is ErrorCode.INVALID_URI


def test_absolute_form_for_another_host_is_refused() -> None:
    # CVE-2026-42882, CVE-2026-30914: the signature covers Host, so Host must be what names the bucket.
    with pytest.raises(S3Error) as caught:
        parse_address(b"http://victim.s3.example.com/key", b"mine.s3.example.com", DOMAINS)
    assert caught.value.code is ErrorCode.INVALID_URI


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100), st.sampled_from(["", "/", "/+"]))
@settings(max_examples=200)
def test_one_decode_gives_the_key_that_was_encoded(key: str, safe: str) -> None:
    # CVE-2026-42882, CVE-2026-30914: the authorised key is the opened key; there is one decode and one value.
    escaped = quote(key, safe=safe).encode()
    path_style = parse_address(b"/bucket/" + escaped)
    drop_in = parse_address(b"/api/v1/s3/bucket/" + escaped)
    hosted = parse_address(b"/" + escaped, b"bucket.s3.example.com", DOMAINS)
    assert (path_style.bucket, path_style.key) == ("bucket", key)
    assert (drop_in.bucket, drop_in.key) == (hosted.bucket, hosted.key) == ("bucket", key)
    assert path_style.resource == f"/bucket/{key}"


@given(st.binary(max_size=60), st.binary(max_size=30))
@settings(max_examples=300)
def test_any_target_gives_an_address_or_an_s3_error(target: bytes, host: bytes) -> None:
    for prefix in (b"", b"/", b"/bucket/", b"http://", b"/bucket?"):
        try:
            address = parse_address(prefix + target, host, DOMAINS)
        except S3Error:
            continue
        assert address.key != ""
        assert address.bucket != ""


def test_key_of_1024_bytes_is_accepted_and_one_more_is_too_long() -> None:
    longest = "ü" * 512
    assert parse_address(b"/bucket/" + quote(longest).encode()).key == longest
    with pytest.raises(S3Error) as caught:
        parse_address(b"/bucket/" + quote(longest + "x").encode())
    assert caught.value.code is ErrorCode.KEY_TOO_LONG_ERROR
    assert caught.value.detail == {"Size": "1025", "MaxSizeAllowed": "1024"}


def test_empty_bucket_before_a_key_is_refused() -> None:
    with pytest.raises(S3Error) as caught:
        parse_address(b"//key")
    assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME


def test_raw_bytes_are_kept_for_signatures() -> None:
    address = parse_address(b"/bucket/a%2fb?prefix=%7e&acl")
    assert address.raw_path == b"/bucket/a%2fb"
    assert address.raw_query == b"prefix=%7e&acl"


def test_query_keeps_order_and_reads_plus_as_space() -> None:
    address = parse_address(b"/bucket?b=1+2&a=%2B&acl&&b=second&c=x=y")
    assert address.query == (("b", "1 2"), ("a", "+"), ("acl", ""), ("b", "second"), ("c", "x=y"))
    assert address.parameters == {"b": "1 2", "a": "+", "acl": "", "c": "x=y"}


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8")))))
@settings(max_examples=100)
def test_query_round_trips(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(urlencode(pairs).encode()) == tuple(pairs)


@pytest.mark.parametrize(
    ("target", "resource"), [(b"/", "/"), (b"/bucket", "/bucket"), (b"/bucket/a%20b", "/bucket/a b")]
)
def test_resource_is_the_decoded_path(target: bytes, resource: str) -> None:
    assert parse_address(target).resource == resource
