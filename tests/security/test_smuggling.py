"""Row 12 of the advisories: a message is read in one way, or refused and the connection ended."""

import pytest

from tests.security.site import ALICE, KEPT, Site, call
from tests.signing import UNSIGNED, sign_v4
from tests.wire import Call, Connection, NoAnswerError

HIDDEN = b"GET /alice/hidden HTTP/1.1\r\nhost: s3.test\r\n\r\n"
"""What an attacker hides behind a request: an answer to it is the proof that it was read."""

AMBIGUOUS = {
    "a length and a transfer coding": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a transfer coding and a length": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "the same length twice": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 5\r\n\r\n",
    "a list of the same length": b"Content-Length: 0, 0\r\n\r\n",
    "a plus sign": b"Content-Length: +5\r\n\r\nhello",
    "a minus sign": b"Content-Length: -5\r\n\r\n",
    "hexadecimal": b"Content-Length: 0x5\r\n\r\nhello",
    "an underscore": b"Content-Length: 1_0\r\n\r\n0123456789",
    "a fraction": b"Content-Length: 5.0\r\n\r\nhello",
    "other digits": b"Content-Length: \xd9\xa5\r\n\r\nhello",
    "superscript digits": b"Content-Length: \xb2\r\n\r\nhe",
    "an empty length": b"Content-Length:\r\n\r\n",
    "a length of 400 digits": b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "a space before the colon": b"Content-Length : 0\r\n\r\n",
    "a tab before the colon": b"Content-Length\t: 0\r\n\r\n",
    "a space before the name": b"X: 1\r\n Content-Length: 5\r\n\r\n",
    "a folded header": b"X-Folded: 1\r\n\tfolded\r\nContent-Length: 0\r\n\r\n",
    "a folded coding": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a first header that is folded": b" X: 1\r\nContent-Length: 0\r\n\r\n",
    "a bare LF between headers": b"X: 1\nContent-Length: 0\r\n\r\n",
    "a bare LF at the end of the head": b"Content-Length: 0\r\n\n",
    "a bare LF in every line": b"Content-Length: 0\n\n",
    "a bare CR in a value": b"X: 1\rContent-Length: 5\r\n\r\n",
    "NUL in a value": b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a name": b"X\0: b\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"Content-Length 0\r\n\r\n",
    "a header without a name": b": 0\r\nContent-Length: 0\r\n\r\n",
    "chunked and identity": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "identity and chunked": b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
    "identity": b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "two codings in two headers": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "gzip and chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding with a control character": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
    "an empty coding": b"Transfer-Encoding:\r\nContent-Length: 0\r\n\r\n",
    "a coding in quotes": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
}


def prefix(line: bytes = b"PUT /alice/smuggled HTTP/1.1") -> bytes:
    return line + b"\r\nHost: s3.test\r\n"


def is_refused(site: Site, data: bytes, *, after: bytes = HIDDEN) -> int:
    """Send ``data`` and a hidden request behind it: one answer comes, an error, and the connection ends."""
    with site.connect() as connection:
        connection.send(data + after)
        answer = connection.receive()
        assert connection.is_ended(), "a second answer, or the connection was kept"
    return answer.status


@pytest.mark.parametrize("headers", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_framing_is_refused_and_the_connection_ends(site: Site, headers: bytes) -> None:
    # h11 CVE-2025-43859, Kestrel CVE-2025-55315, Go CVE-2025-22871 and their kin.
    assert is_refused(site, prefix() + headers) in {400, 411, 413, 501}


HEADS = {
    "no host": b"GET /alice HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /alice HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a host with a path": b"GET /alice HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a bare LF behind the request line": b"GET /alice HTTP/1.1\nHost: a\r\n\r\n",
    "a line without a version": b"GET /alice\r\nHost: a\r\n\r\n",
    "another version": b"GET /alice HTTP/9.9\r\nHost: a\r\n\r\n",
    "HTTP/2's greeting": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.10": b"GET /alice HTTP/1.10\r\nHost: a\r\n\r\n",
    "lower-case version": b"GET /alice http/1.1\r\nHost: a\r\n\r\n",
    "a tab in the line": b"GET\t/alice HTTP/1.1\r\nHost: a\r\n\r\n",
    "two spaces in the line": b"GET  /alice HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the path": b"GET /al ice HTTP/1.1\r\nHost: a\r\n\r\n",
    "a byte over 127 in the path": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an absolute target": b"GET http://other/alice HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "a coding in HTTP/1.0": b"PUT /alice/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a head of 1 MiB": b"GET /alice HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_048_576 + b"\r\n\r\n",
    "a line of 1 MiB": b"GET /" + b"a" * 1_048_576 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "10,000 headers": b"GET /alice HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 10_000 + b"\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
def test_malformed_head_is_refused_and_the_connection_ends(site: Site, head: bytes) -> None:
    # Kestrel CVE-2025-55315 and its kin.
    with site.connect() as connection:
        connection.send(head)
        connection.send(HIDDEN)
        try:
            assert connection.receive().status in {400, 413, 414, 417, 431, 501, 505}
        except NoAnswerError:  # it closed while we still sent: as good
            return
        assert connection.is_ended()


CHUNKED_BODIES = {
    "LF in an extension": b"5;a=b\nc\r\nhello\r\n0\r\n\r\n",
    "a bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "a bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a plus sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "a minus sign": b"-5\r\nhello\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "an empty size": b"\r\nhello\r\n0\r\n\r\n",
    "a size over 64 bits": b"1" + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n",
    "a size of 100,000 digits": b"5" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "an extension of 1 MiB": b"5;" + b"a" * 1_048_576 + b"\r\nhello\r\n0\r\n\r\n",
    "other bytes where the chunk ends": b"5\r\nhelloXX0\r\n\r\n",
    "a bare LF where the chunk ends": b"5\r\nhello\n0\r\n\r\n",
    "a longer chunk than said": b"4\r\nhello\r\n0\r\n\r\n",
    "a bare LF at the end": b"5\r\nhello\r\n0\n\n",
    "a trailer that is folded": b"5\r\nhello\r\n0\r\nx: 1\r\n y\r\n\r\n",
    "a trailer with a bare LF": b"5\r\nhello\r\n0\r\nx: 1\n\r\n",
    "a trailer of 1 MiB": b"5\r\nhello\r\n0\r\nx: " + b"a" * 1_048_576 + b"\r\n\r\n",
}


@pytest.mark.parametrize("body", CHUNKED_BODIES.values(), ids=CHUNKED_BODIES.keys())
def test_malformed_chunked_body_is_refused_and_the_connection_ends(site: Site, body: bytes) -> None:
    # h11 CVE-2025-43859 (line end of a chunk unchecked), Go CVE-2025-22871 (bare LF), Kestrel CVE-2025-55315
    # (LF in a chunk extension).
    key = site.fresh("chunked")
    put = call("PUT", f"/alice/{key}", transfer_encoding="chunked", x_amz_decoded_content_length="5")
    with site.connect() as connection:
        connection.send(sign_v4(put, ALICE, UNSIGNED).render() + body)
        connection.send(HIDDEN)
        try:
            assert connection.receive(b"PUT").status in {400, 403, 411}
            assert connection.is_ended()
        except NoAnswerError:
            pass  # closed without a word: nothing hidden was answered either
    assert site.ask("GET", f"/alice/{key}").status == 404
    assert site.server.temporaries() == []


def test_well_formed_chunked_body_is_stored_and_the_connection_kept(site: Site) -> None:
    key = site.fresh("chunked")
    put = call("PUT", f"/alice/{key}", transfer_encoding="chunked", x_amz_decoded_content_length="5")
    with site.connect() as connection:
        connection.send(sign_v4(put, ALICE, UNSIGNED).render() + b'2;a="b"\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n')
        assert connection.receive(b"PUT").status == 200
        assert connection.ask(sign_v4(call("GET", f"/alice/{key}"), ALICE)).body == b"hello"


UNREAD = {
    "refused": call("PUT", "/alice/kept"),
    "without a bucket": sign_v4(call("PUT", "/no-such-bucket/key"), ALICE, UNSIGNED),
    "a read with a body": sign_v4(call("GET", "/alice/kept"), ALICE, UNSIGNED),
}


@pytest.mark.parametrize("head", UNREAD.values(), ids=UNREAD.keys())
@pytest.mark.parametrize("framing", [(b"content-length", b"%d" % len(HIDDEN)), (b"transfer-encoding", b"chunked")])
def test_body_that_was_not_read_is_never_read_as_a_request(
    site: Site, head: Call, framing: tuple[bytes, bytes]
) -> None:
    # Go CVE-2025-22871, h11 CVE-2025-43859: after an unread body the connection closes.
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    body = chunked if framing[1] == b"chunked" else HIDDEN
    with site.connect() as connection:
        connection.send(head.having(framing).render() + body + HIDDEN * 2)
        first = connection.receive(head.method)
        answered = _answers_behind(connection)
    # Either the connection ended, or the body was read as one and the requests behind it are answered: never one more.
    assert first.status in {200, 400, 403, 404, 411}
    assert answered in {0, 2}


def _answers_behind(connection: Connection) -> int:
    count = 0
    try:
        while count < 4:
            connection.receive()
            count += 1
            if count == 2:
                connection.end_sending()
    except NoAnswerError:
        pass
    return count


def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    targets = ["/alice/kept", "/alice/missing", "/alice/kept"]
    with site.connect() as connection:
        connection.send(b"".join([sign_v4(call("GET", target), ALICE).render() for target in targets]))
        answers = [connection.receive() for _ in targets]
    assert [answer.status for answer in answers] == [200, 404, 200]
    assert answers[2].body == KEPT
