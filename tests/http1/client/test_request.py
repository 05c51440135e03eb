"""Requests are rendered as they were given, or not at all."""

import h11
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from s3proxy.http1.client.request import UnsendableRequestError, render_request_head


def test_render_request_head_gives_the_headers_as_they_are() -> None:
    head = render_request_head(b"GET", b"/b/k%20x?a=b", [(b"Host", b"s3"), (b"x-amz-meta-a", b"\xc3\xa9 b")], 0)

    assert head == b"GET /b/k%20x?a=b HTTP/1.1\r\nHost: s3\r\nx-amz-meta-a: \xc3\xa9 b\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "length", "expected"),
    [
        (b"GET", 0, b""),
        (b"HEAD", 0, b""),
        (b"DELETE", 0, b""),
        (b"PUT", 0, b"Content-Length: 0\r\n"),
        (b"POST", 0, b"Content-Length: 0\r\n"),
        (b"PUT", 5 << 40, b"Content-Length: 5497558138880\r\n"),
        (b"DELETE", 3, b"Content-Length: 3\r\n"),
    ],
)
def test_render_request_head_announces_the_body_where_there_usually_is_one(
    method: bytes, length: int, expected: bytes
) -> None:
    assert render_request_head(method, b"/", [], length) == method + b" / HTTP/1.1\r\n" + expected + b"\r\n"


# security.md 10: Ceph CVE-2021-3524, CVE-2020-10753; and 12, as seen from the sender.
UNSENDABLE = {
    "line break in a value": (b"GET", b"/", (b"a", b"b\r\nc: d")),
    "bare LF in a value": (b"GET", b"/", (b"a", b"b\nc: d")),
    "bare CR in a value": (b"GET", b"/", (b"a", b"b\rc")),
    "NUL in a value": (b"GET", b"/", (b"a", b"b\x00")),
    "line break in a name": (b"GET", b"/", (b"a: b\r\nc", b"d")),
    "space in a name": (b"GET", b"/", (b"a b", b"c")),
    "empty name": (b"GET", b"/", (b"", b"c")),
    "space in the target": (b"GET", b"/a b", (b"a", b"b")),
    "line break in the target": (b"GET", b"/ HTTP/1.1\r\nX: y", (b"a", b"b")),
    "empty target": (b"GET", b"", (b"a", b"b")),
    "not ASCII in the target": (b"GET", b"/\xff", (b"a", b"b")),
    "space in the method": (b"GET /x", b"/", (b"a", b"b")),
    "empty method": (b"", b"/", (b"a", b"b")),
    "a length of its own": (b"GET", b"/", (b"Content-length", b"0")),
    "a transfer coding": (b"PUT", b"/", (b"Transfer-Encoding", b"chunked")),
}


@pytest.mark.parametrize(("method", "target", "header"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_render_request_head_that_breaks_out_of_its_place_raises(
    method: bytes, target: bytes, header: tuple[bytes, bytes]
) -> None:
    with pytest.raises(UnsendableRequestError):
        render_request_head(method, target, [(b"Host", b"x"), header], 0)


@settings(max_examples=200)
@given(st.binary(max_size=8), st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=8)), max_size=3))
def test_render_request_head_of_anything_is_one_request_or_an_error(
    target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    assume(all(name.lower() != b"host" for name, _ in headers))  # that there is one is the caller's part
    try:
        head = render_request_head(b"PUT", b"/" + target, [(b"host", b"x"), *headers], 3)
    except UnsendableRequestError:
        return
    server = h11.Connection(h11.SERVER)
    server.receive_data(head)
    event = server.next_event()
    assert isinstance(event, h11.Request)
    assert event.target == b"/" + target
    assert len(event.headers) == len(headers) + 2
