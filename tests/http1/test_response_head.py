"""A response head is lines of name and value, and nothing in it can make more of them."""

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.http1.response_head import UnsendableHeaderError, render_head


def test_render_head_gives_status_date_server_headers_and_framing_in_order() -> None:
    lines = render_head(200, [(b"ETag", b'"e"'), (b"x-amz-meta-a", b"")], b"Content-Length: 3\r\n").split(b"\r\n")

    assert lines[0] == b"HTTP/1.1 200 OK"
    assert parsedate_to_datetime(lines[1].removeprefix(b"Date: ").decode()).year >= 2024
    assert lines[2:] == [b"Server: s3proxy", b'ETag: "e"', b"x-amz-meta-a: ", b"Content-Length: 3", b"", b""]


def test_render_head_of_unregistered_status_has_an_empty_reason() -> None:
    assert render_head(299, [], b"").startswith(b"HTTP/1.1 299 \r\nDate: ")


# security.md 10: Ceph CVE-2021-3524 and CVE-2020-10753
@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nSet-Cookie: b"),
        (b"x", b"a\r\nb"),
        (b"x", b"a\nSet-Cookie: b"),
        (b"x", b"a\rb"),
        (b"x", b"a\r\n"),
        (b"x", b"\x00"),
        (b"x", b"\x7f"),
        (b"x: a\r\ny", b"b"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"", b"a"),
    ],
)
def test_render_head_with_header_that_leaves_its_line_raises(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnsendableHeaderError):
        render_head(200, [(b"first", b"1"), header, (b"last", b"2")], b"")


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=3))
def test_render_head_of_any_headers_gives_one_line_each_or_raises(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        lines = render_head(200, headers, b"").split(b"\r\n")
    except UnsendableHeaderError:
        return
    assert lines[3:-2] == [name + b": " + value for name, value in headers]
