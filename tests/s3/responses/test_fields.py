import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.s3.model import Checksum, ChecksumAlgorithm, ChecksumType, Owner
from s3proxy.s3.responses.fields import (
    checksum_elements,
    checksum_headers,
    etag_element,
    etag_header,
    header_value,
    owner_element,
)


@given(st.text())
def test_header_value_can_never_end_a_line(text: str) -> None:
    # Ceph CVE-2020-10753, CVE-2021-3524
    assert re.fullmatch(
        rb"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?", header_value(text)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", b"plain"),
        ("Hello World\xe9", b"Hello World\xe9"),
        ("漢", b"\xe6\xbc\xa2"),
        ("a\r\nSet-Cookie: b", b"a  Set-Cookie: b"),
        (" a\0 ", b"a"),
        ("\ud800漢", b"?\xe6\xbc\xa2"),
    ],
)
def test_header_value_gives_back_the_bytes_that_came(text: str, value: bytes) -> None:
    assert header_value(text) == value


@given(st.binary().map(lambda raw: raw.decode("latin-1")).filter(lambda text: re.fullmatch("[!-~\x80-\xff]*", text)))
def test_header_value_of_latin1_is_the_same_bytes(text: str) -> None:
    assert header_value(text) == text.encode("latin-1")


def test_etag_is_quoted_everywhere() -> None:
    assert etag_header("abc-2") == (b"etag", b'"abc-2"')
    assert etag_element("a<b") == "<ETag>&quot;a&lt;b&quot;</ETag>"


def test_checksum_has_its_type() -> None:
    checksum = Checksum(ChecksumAlgorithm.CRC64NVME, "abc=", ChecksumType.FULL_OBJECT)
    assert checksum_headers(checksum) == [
        (b"x-amz-checksum-crc64nvme", b"abc="),
        (b"x-amz-checksum-type", b"FULL_OBJECT"),
    ]
    assert checksum_elements(checksum) == (
        "<ChecksumCRC64NVME>abc=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>"
    )
    assert checksum_headers(None) == []
    assert checksum_elements(None) == ""


def test_missing_owner_is_left_out() -> None:
    assert owner_element(None) == ""
    assert (
        owner_element(Owner("i&d", "n"), "Initiator")
        == "<Initiator><ID>i&amp;d</ID><DisplayName>n</DisplayName></Initiator>"
    )
