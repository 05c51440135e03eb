import pytest

from s3proxy.s3.addressing import parse_address
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.requests.text import RequestText, check_printable, header_fields, parse_number
from tests.s3.requests.asking import refuse


def test_repeated_headers_are_joined_in_order() -> None:
    headers = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"a", b"4")]
    assert header_fields(headers) == {b"a": b"1,3,4", b"b": b"2"}
    assert list(header_fields(headers)) == [b"a", b"b"]


def test_header_text_keeps_every_byte() -> None:
    value = bytes(range(256))
    text = RequestText(parse_address(b"/"), {b"a": value}).field(b"a")
    assert text is not None
    assert text.encode("latin-1") == value


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("1000", 1000), ("007", 7), ("2147483647", 2147483647)])
def test_number_in_range_is_read(value: str, number: int) -> None:
    assert parse_number(value, "max-keys") == number


@pytest.mark.parametrize("value", ["", "blah", "-1", "1.5", "+1", " 1", "2147483648", "9" * 5000, "٣", "0x1"])
def test_number_that_is_none_names_its_argument(value: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_number(value, "max-keys")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT
    assert caught.value.detail == {"ArgumentName": "max-keys", "ArgumentValue": value}


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x1b", "\x7f"])
def test_control_character_is_refused(character: str) -> None:
    # Ceph CVE-2020-10753
    with pytest.raises(S3Error) as caught:
        check_printable(f"a{character}b", "x-amz-meta-a")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT


def test_tab_and_high_bytes_are_printable() -> None:
    assert check_printable("a\tb\xe9\xff", "x") == "a\tb\xe9\xff"


def test_empty_version_id_is_refused() -> None:
    assert refuse("GET", "/bucket/key?versionId=").code is ErrorCode.INVALID_ARGUMENT
