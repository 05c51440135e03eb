"""Heads of responses are read in one way or refused."""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s3proxy.http1.client.origin import ClientLimits
from s3proxy.http1.client.response_head import (
    MalformedResponseError,
    ResponseHead,
    find_head_end,
    parse_response_head,
)

LIMITS = ClientLimits()
SMALL = ClientLimits(max_head_bytes=100, max_header_count=3)


def parse(head: bytes, limits: ClientLimits = LIMITS) -> ResponseHead:
    assert find_head_end(head, 0, limits) == len(head)
    return parse_response_head(head, limits)


def test_parse_response_head_gives_names_in_lower_case_and_values_stripped() -> None:
    head = parse(b'HTTP/1.1 206 Partial Content\r\nETag: "a"\r\nX-Amz-Meta-B:\t c \t\r\nEmpty:\r\n\r\n')

    assert head == ResponseHead(
        status=206,
        headers=((b"etag", b'"a"'), (b"x-amz-meta-b", b"c"), (b"empty", b"")),
        length=None,
        is_chunked=False,
        keep_alive=True,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK", {"status": 200, "keep_alive": True}),
        (b"HTTP/1.1 404 ", {"status": 404}),
        (b"HTTP/1.1 503", {"status": 503}),
        (b"HTTP/1.1 100 Continue", {"status": 100}),
        (b"HTTP/1.1 599 \xc3\xa9", {"status": 599}),
        (b"HTTP/1.0 200 OK", {"status": 200, "keep_alive": False}),
    ],
)
def test_parse_response_head_status_line_gives_status_and_version(line: bytes, expected: dict[str, object]) -> None:
    head = parse(line + b"\r\n\r\n")

    assert {name: getattr(head, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", {"length": None, "is_chunked": False}),
        (b"Content-Length: 0\r\n", {"length": 0}),
        (b"Content-Length: 007\r\n", {"length": 7}),
        (b"content-length:5497558138880\r\n", {"length": 5497558138880}),
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", {"length": 5}),
        (b"Transfer-Encoding: Chunked\r\n", {"length": None, "is_chunked": True}),
        (b"Connection: close\r\n", {"keep_alive": False}),
        (b"Connection: foo, Close\r\n", {"keep_alive": False}),
        (b"Connection: foo\r\nConnection: close\r\n", {"keep_alive": False}),
        (b"Connection: close\r\nConnection: foo\r\n", {"keep_alive": False}),
        (b"Connection: Keep-Alive\r\n", {"keep_alive": True}),
        (b"Set-Cookie: a\r\nSet-Cookie: b\r\n", {"headers": ((b"set-cookie", b"a"), (b"set-cookie", b"b"))}),
    ],
)
def test_parse_response_head_with_valid_framing_gives_its_meaning(fields: bytes, expected: dict[str, object]) -> None:
    head = parse(b"HTTP/1.1 200 OK\r\n%s\r\n" % fields)

    assert {name: getattr(head, name) for name in expected} == expected


# security.md 12 and 17: what could make us and the server disagree about where a response ends.
HOSTILE_FIELDS = {
    "length and transfer coding": b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    "transfer coding and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5",
    "two differing lengths": b"Content-Length: 5\r\nContent-Length: 6",
    "two lengths written differently": b"Content-Length: 5\r\nContent-Length: 05",
    "a list of lengths": b"Content-Length: 5, 6",
    "length with a plus": b"Content-Length: +5",
    "negative length": b"Content-Length: -5",
    "hexadecimal length": b"Content-Length: 0x5",
    "length with an underscore": b"Content-Length: 1_0",
    "empty length": b"Content-Length:",
    "length of many digits": b"Content-Length: " + b"9" * 19,
    "folded line": b"X-A: 1\r\n 2",
    "folded framing": b"Transfer-Encoding:\r\n chunked",
    "line that begins with a space": b" X-A: 1",
    "bare LF": b"X-A: 1\nX-B: 2",
    "bare CR": b"X-A: 1\rX-B: 2",
    "NUL": b"X-A: 1\x002",
    "control character": b"X-A: 1\x0b2",
    "space before the colon": b"Content-Length : 5",
    "space within the name": b"Content Length: 5",
    "no colon": b"Content-Length",
    "no name": b": 5",
    "chunked and identity": b"Transfer-Encoding: chunked, identity",
    "identity": b"Transfer-Encoding: identity",
    "gzip and chunked": b"Transfer-Encoding: gzip, chunked",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "quoted chunked": b'Transfer-Encoding: "chunked"',
}


@pytest.mark.parametrize("fields", HOSTILE_FIELDS.values(), ids=HOSTILE_FIELDS)
def test_parse_response_head_that_has_more_than_one_meaning_raises(fields: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n")


def test_parse_response_head_chunked_in_http10_raises() -> None:
    with pytest.raises(MalformedResponseError):
        parse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/1.10 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\rK",
        b"ICY 200 OK",
        b"SSH-2.0-OpenSSH_9.2",
        b"",
    ],
)
def test_parse_response_head_malformed_status_line_raises(line: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        parse_response_head(line + b"\r\n\r\n", LIMITS)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100, "too large"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100 + b"\r\n\r\n", "too large"),
        (b"HTTP/1.1 200 OK\nA: b\n\n", "without CR"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not start like"),
        (b"\x15\x03\x01", "does not start like"),
        (b"\r\nHTTP/1.1 200 OK\r\n", "does not start like"),
    ],
)
def test_find_head_end_of_what_can_be_no_head_raises_at_once(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedResponseError, match=reason):
        find_head_end(data, 0, SMALL)


def test_parse_response_head_with_too_many_headers_raises() -> None:
    with pytest.raises(MalformedResponseError, match="too many"):
        parse(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4 + b"\r\n", SMALL)


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_find_head_end_in_any_pieces_finds_the_same(step: int) -> None:
    whole = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n"
    end = searched = 0
    for stop in range(step, len(whole) + step, step):
        if end := find_head_end(whole[:stop], searched, LIMITS):
            break
        searched = stop

    assert whole[:end] == b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"


LINES = [b"X: y", b"Connection: close", b"Content-Length: 5", b"Transfer-Encoding: chunked"]
PIECES = st.sampled_from(
    [line + b"\r\n" for line in LINES]
    + [b"Content-Length", b"Transfer-Encoding", b": ", b":", b"chunked", b"5", b"\r\n", b"\r", b"\n", b" ", b","]
)


@settings(max_examples=400)
@given(
    st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 ", b"HTTP/1.1 500"]),
    st.lists(PIECES, max_size=8).map(b"".join),
)
@example(b"HTTP/1.1 200 OK", b"Content-Length: 5\r\n")
@example(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked\r\nConnection: close\r\n")
def test_parse_response_head_accepts_nothing_that_h11_reads_differently(line: bytes, fields: bytes) -> None:
    data = line + b"\r\n" + fields + b"\r\n"
    try:
        end = find_head_end(data, 0, LIMITS)
        ours = parse_response_head(data[:end], LIMITS)
    except MalformedResponseError:
        return
    oracle = h11.Connection(h11.CLIENT)
    oracle.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    oracle.send(h11.EndOfMessage())
    oracle.receive_data(data[:end])
    theirs = oracle.next_event()
    assert isinstance(theirs, h11.Response)
    names = [name for name, _ in theirs.headers]
    assert ours.status == theirs.status_code
    assert [name for name, _ in ours.headers if name != b"content-length"] == [
        name for name in names if name != b"content-length"
    ]
    assert ours.is_chunked == (b"transfer-encoding" in names)
    assert ours.length == next((int(value) for name, value in theirs.headers if name == b"content-length"), None)
