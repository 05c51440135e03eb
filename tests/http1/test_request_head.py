"""Heads are read in one way or refused."""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s3proxy.http1.limits import Limits
from s3proxy.http1.request_head import RefusedRequestError, RequestHead, find_head_end, parse_head

LIMITS = Limits()
SMALL = Limits(max_head_bytes=100, max_request_line_bytes=50, max_header_count=3)


def parse(head: bytes, limits: Limits = LIMITS) -> RequestHead:
    assert find_head_end(head, limits) == len(head)
    return parse_head(head, limits)


def refusal(head: bytes, limits: Limits = LIMITS) -> int:
    with pytest.raises(RefusedRequestError) as caught:
        parse(head, limits)
    return caught.value.status


def test_parse_head_plain_get_gives_names_in_lower_case_and_values_stripped() -> None:
    head = parse(b"GET /b/k%20x?list-type=2 HTTP/1.1\r\nHost: s3\r\nX-Amz-Date: \t 2025 \t\r\nEmpty:\r\n\r\n")

    assert head == RequestHead(
        method=b"GET",
        target=b"/b/k%20x?list-type=2",
        headers=((b"host", b"s3"), (b"x-amz-date", b"2025"), (b"empty", b"")),
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"", {"length": 0}),
        (b"Content-Length: 0\r\n", {"length": 0}),
        (b"Content-Length: 007\r\n", {"length": 7}),
        (b"content-length:5368709120\r\n", {"length": 5368709120}),
        (b"Transfer-Encoding: Chunked\r\n", {"length": None}),
        (b"Expect: 100-Continue\r\n", {"expects_continue": True}),
        # Ceph's s3-tests send an empty Expect and want it ignored.
        (b"Expect:\r\n", {"expects_continue": False}),
        (b"Connection: close\r\n", {"keep_alive": False}),
        (b"Connection: foo, Close\r\n", {"keep_alive": False}),
        (b"Connection: Keep-Alive\r\n", {"keep_alive": True}),
        (b"Connection: Upgrade\r\nUpgrade: h2c\r\n", {"keep_alive": True}),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_parse_head_with_valid_framing_gives_its_meaning(
    method: bytes, fields: bytes, expected: dict[str, object]
) -> None:
    head = parse(b"%s / HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, fields))

    assert {name: getattr(head, name) for name in expected} == expected


def test_parse_head_of_http10_never_keeps_alive_nor_waits_for_continue() -> None:
    head = parse(b"PUT / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")

    assert (head.is_http10, head.keep_alive, head.expects_continue, head.length) == (True, False, False, 3)


# security.md 12: h11 CVE-2025-43859, Kestrel CVE-2025-55315, Go CVE-2025-22871
SMUGGLING = {
    "length and transfer coding": (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
    "transfer coding and length": (b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
    "two differing lengths": (b"Content-Length: 5\r\nContent-Length: 6", 400),
    "two equal lengths": (b"Content-Length: 5\r\nContent-Length: 5", 400),
    "a list of lengths": (b"Content-Length: 5, 6", 400),
    "a list of equal lengths": (b"Content-Length: 5, 5", 400),
    "length with a plus": (b"Content-Length: +5", 400),
    "negative length": (b"Content-Length: -5", 400),
    "hexadecimal length": (b"Content-Length: 0x5", 400),
    "length with an underscore": (b"Content-Length: 1_0", 400),
    "empty length": (b"Content-Length:", 400),
    "length of many digits": (b"Content-Length: " + b"9" * 21, 400),
    "folded line": (b"X-A: 1\r\n 2", 400),
    "folded framing": (b"Transfer-Encoding:\r\n chunked", 400),
    "line that begins with a space": (b" X-A: 1", 400),
    "bare LF": (b"X-A: 1\nX-B: 2", 400),
    "bare LF before framing": (b"X-A: 1\nContent-Length: 5", 400),
    "bare CR": (b"X-A: 1\rX-B: 2", 400),
    "NUL": (b"X-A: 1\x002", 400),
    "control character": (b"X-A: 1\x0b2", 400),
    "space before the colon": (b"Content-Length : 5", 400),
    "tab before the colon": (b"Transfer-Encoding\t: chunked", 400),
    "space within the name": (b"Content Length: 5", 400),
    "no colon": (b"Content-Length", 400),
    "no name": (b": 5", 400),
    "chunked and identity": (b"Transfer-Encoding: chunked, identity", 501),
    "identity": (b"Transfer-Encoding: identity", 501),
    "gzip and chunked": (b"Transfer-Encoding: gzip, chunked", 501),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
    "chunked with a control character": (b"Transfer-Encoding: \x0bchunked", 400),
    "quoted chunked": (b'Transfer-Encoding: "chunked"', 501),
    "a second host": (b"Host: y", 400),
    "an equal second host": (b"Host: x", 400),
}


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize(("fields", "status"), SMUGGLING.values(), ids=SMUGGLING)
def test_parse_head_that_others_may_read_differently_is_refused(method: bytes, fields: bytes, status: int) -> None:
    assert refusal(method + b" / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n") == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/0.9", 505),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /\xc3\xa9 HTTP/1.1", 400),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"GET /\n HTTP/1.1", 400),
        (b"G(T / HTTP/1.1", 400),
        (b"GET http://x/ HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"CONNECT x:443 HTTP/1.1", 400),
        (b"GET ?a HTTP/1.1", 400),
    ],
)
def test_parse_head_with_unacceptable_request_line_is_refused(line: bytes, status: int) -> None:
    assert refusal(line + b"\r\nHost: x\r\n\r\n") == status


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"user@a", b"a,b\\", b'"a"', b"\xff"])
def test_parse_head_with_malformed_host_is_refused(host: bytes) -> None:
    assert refusal(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == 400


@pytest.mark.parametrize("method", [b"GET", b"PUT"])
def test_parse_head_without_host_is_refused(method: bytes) -> None:
    assert refusal(method + b" / HTTP/1.1\r\nX: y\r\n\r\n") == 400


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_parse_head_with_transfer_coding_in_http10_is_refused(version: bytes) -> None:
    head = b"PUT / HTTP/%s\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % version
    if version == b"1.1":
        assert parse(head).length is None
    else:
        assert refusal(head) == 400


def test_parse_head_with_too_many_headers_is_431() -> None:
    assert refusal(b"GET / HTTP/1.1\r\nHost: x\r\nA: \r\nB: \r\nC: \r\n\r\n", SMALL) == 431


def test_parse_head_with_long_request_line_is_414() -> None:
    assert refusal(b"GET /" + b"k" * 50 + b" HTTP/1.1\r\nHost: x\r\n\r\n", SMALL) == 414


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 100, 431),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 100 + b"\r\n\r\n", 431),
        (b"GET /" + b"k" * 100, 414),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b" GET / HTTP/1.1", 400),
    ],
)
def test_find_head_end_in_hopeless_data_is_refused_at_once(data: bytes, status: int) -> None:
    with pytest.raises(RefusedRequestError) as caught:
        find_head_end(data, SMALL)
    assert caught.value.status == status


def test_find_head_end_stops_before_the_body() -> None:
    assert find_head_end(b"GET / HTTP/1.1\r\n\r\nbody\r\n\r\n", LIMITS) == 18


@given(st.integers(0, 39))
def test_find_head_end_in_incomplete_head_asks_for_more(cut: int) -> None:
    assert find_head_end(b"GET / HTTP/1.1\r\nHost: localhost:9000\r\n\r\n"[:cut], LIMITS) == 0


@pytest.mark.timeout(10)
@pytest.mark.parametrize("filling", [b" ", b"\t", b"a ", b"a:", b"\r", b"a\r\n"])
def test_parse_head_of_pathological_text_takes_linear_time(filling: bytes) -> None:
    filler = filling * (30_000 // len(filling))
    with pytest.raises(RefusedRequestError):
        parse_head(b"GET / HTTP/1.1\r\nHost: x\r\nX:" + filler + b"\x00\r\n\r\n", LIMITS)


PIECES = st.sampled_from(
    [
        *(b"GET ", b"PUT ", b"HEAD ", b"/", b"/k?a=b", b" HTTP/1.1", b" HTTP/1.0"),
        *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b": ", b",", b"\x00", b"\xff", b"\x0c"),
        *(b"Host", b"Host: x\r\n", b"X-Amz-Date: 1\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n"),
        *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(PIECES, max_size=8).map(b"".join))
@example(b"", b"")
def test_parse_head_accepts_nothing_that_h11_reads_differently(line: bytes, fields: bytes) -> None:
    for head in (line + fields + b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n"):
        end = head.find(b"\r\n\r\n") + 4
        try:
            ours = parse_head(head[:end], LIMITS)
        except RefusedRequestError:
            continue
        oracle = h11.Connection(h11.SERVER)
        oracle.receive_data(head[:end])
        theirs = oracle.next_event()
        assert isinstance(theirs, h11.Request)
        assert (ours.method, ours.target) == (theirs.method, theirs.target)
        # h11 tidies the values of framing headers; what they mean is compared below.
        framing = (b"content-length", b"transfer-encoding")
        assert [h for h in ours.headers if h[0] not in framing] == [h for h in theirs.headers if h[0] not in framing]
        assert oracle.trailing_data == (b"", False)
        assert (oracle.their_state is h11.MUST_CLOSE) <= (not ours.keep_alive)
        assert ours.expects_continue == oracle.they_are_waiting_for_100_continue
        assert (ours.length == 0) == isinstance(oracle.next_event(), h11.EndOfMessage)
