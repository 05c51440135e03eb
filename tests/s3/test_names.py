import pytest

from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket
from s3proxy.s3.names import check_new_bucket, parse_bucket, parse_key


@pytest.mark.parametrize("name", ["abc", "1ab", "a.b.c", "a-b", "x" * 63, "my--bucket", "1.2.3", "1.2.3.4.5"])
def test_new_bucket_with_a_good_name_is_accepted(name: str) -> None:
    check_new_bucket(Bucket(name))


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "ab",
        "x" * 64,
        "Abc",
        "_abc",
        "foo_bar",
        "abc-",
        "-abc",
        ".abc",
        "abc.",
        "foo..bar",
        "foo.-bar",
        "foo-.bar",
        "192.168.5.123",
        "xn--abc",
        "sthree-abc",
        "amzn-s3-demo-bucket",
        "abc-s3alias",
        "abc--ol-s3",
        "abc.mrap",
        "abc--x-s3",
        "abc--table-s3",
        "abc\n",
    ],
)
def test_new_bucket_with_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(S3Error) as caught:
        check_new_bucket(Bucket(name))
    assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME


@pytest.mark.parametrize("name", ["a", "My_Data", "x" * 255, "data.2024"])
def test_bucket_that_was_not_made_through_s3_can_be_named(name: str) -> None:
    assert parse_bucket(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\0", "x" * 256, "a b", "ü", "a\n"])
def test_bucket_name_that_could_leave_the_root_is_refused(name: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_bucket(name)
    assert caught.value.code is ErrorCode.INVALID_BUCKET_NAME


@pytest.mark.parametrize(
    ("key", "fits"), [("k" * 1024, True), ("k" * 1025, False), ("€" * 341, True), ("€" * 342, False)]
)
def test_key_length_counts_utf8_bytes(key: str, fits: bool) -> None:
    if fits:
        assert parse_key(key) == key
        return
    with pytest.raises(S3Error) as caught:
        parse_key(key)
    assert caught.value.code is ErrorCode.KEY_TOO_LONG_ERROR
