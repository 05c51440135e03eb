import pytest

from s3proxy.s3.client import request


def test_query_is_escaped_and_named_as_on_the_wire() -> None:
    assert request.query(max_keys=3, prefix="a b&c=/é") == b"max-keys=3&prefix=a%20b%26c%3D%2F%C3%A9"


def test_path_keeps_its_slashes_and_dots() -> None:
    assert request.quoted_path("/a/../b//c d") == "/a/../b//c%20d"


@pytest.mark.parametrize(("etag", "strict", "bare"), [("*", b"*", b"*"), ("a-1", b'"a-1"', b"a-1")])
def test_etags_are_quoted_where_they_are_read_and_bare_where_they_are_written(
    etag: str, strict: bytes, bare: bytes
) -> None:
    assert (request.etag_value(etag), request.write_etag_value(etag)) == (strict, bare)


def test_text_cannot_end_its_header() -> None:
    # Ceph CVE-2020-10753, the other way round
    assert request.text_header(b"expires", "a\r\nx-evil: b") == ((b"expires", b"a  x-evil: b"),)
    assert request.text_header(b"expires", None) == ()
