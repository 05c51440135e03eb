"""A body is received in place and ends where its framing says."""

from collections.abc import Sequence

import h11
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from s3proxy.body import ByteStream
from s3proxy.http1.framing import ChunkedBody, FramedBody, Inbound, MalformedBodyError, SizedBody
from s3proxy.http1.messages import ConnectionLostError


class ScriptedStream(ByteStream):
    """Gives the pieces of a list, one per call, then the end."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    async def receive_into(self, buffer: memoryview) -> int:
        await trio.lowlevel.checkpoint()
        if not self._pieces:
            return 0
        piece = self._pieces[0][: len(buffer)]
        self._pieces[0] = self._pieces[0][len(piece) :]
        if not self._pieces[0]:
            del self._pieces[0]
        buffer[: len(piece)] = piece
        return len(piece)

    def unread(self) -> bytes:
        return b"".join(self._pieces)


class Source(Inbound):
    """What a peer sends, and how much of it was left unread."""

    def __init__(self, *pieces: bytes, ahead: bytes = b"") -> None:
        self._script = ScriptedStream(pieces)
        super().__init__(self._script, ahead)

    def unread(self) -> bytes:
        return self.ahead + self._script.unread()


async def read(body: FramedBody, buffer_size: int = 7) -> bytes:
    buffer = memoryview(bytearray(buffer_size))
    data = b""
    while count := await body.receive_into(buffer):
        data += buffer[:count]
    return data


@pytest.mark.parametrize("ahead", [b"", b"01", b"0123456789", b"0123456789GET /"])
async def test_sized_body_ends_at_its_length_and_leaves_the_next_request(ahead: bytes) -> None:
    stream = b"0123456789GET / HTTP/1.1"
    source = Source(stream[len(ahead) :], ahead=ahead)
    body = SizedBody(source, 10)

    assert not body.is_finished
    assert await read(body) == b"0123456789"
    assert body.is_finished
    assert await body.receive_into(memoryview(bytearray(9))) == 0
    assert source.unread() == b"GET / HTTP/1.1"


@pytest.mark.parametrize("body_class", [SizedBody, ChunkedBody])
async def test_body_that_breaks_off_raises(body_class: type[FramedBody]) -> None:
    source = Source(b"5\r\n123")
    body = SizedBody(source, 10) if body_class is SizedBody else ChunkedBody(source)

    with pytest.raises(ConnectionLostError):
        await read(body)
    assert not body.is_finished


CHUNKED = {
    "one chunk": (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "two chunks": (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
    "no chunk": (b"0\r\n\r\n", b""),
    "hexadecimal": (b"00a\r\n0123456789\r\n000\r\n\r\n", b"0123456789"),
    "capital hexadecimal": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "extension": (b"2;a=b;c\r\nhi\r\n0;d\r\n\r\n", b"hi"),
    "trailers": (b"2\r\nhi\r\n0\r\nX-A: b\r\nX-C:\r\n\r\n", b"hi"),
}


@pytest.mark.parametrize(("stream", "expected"), CHUNKED.values(), ids=CHUNKED)
@pytest.mark.parametrize("piece_size", [1, 3, 1000])
async def test_chunked_body_in_any_pieces_gives_its_data_and_leaves_the_next_request(
    stream: bytes, expected: bytes, piece_size: int
) -> None:
    whole = stream + b"GET /"
    source = Source(*[whole[i : i + piece_size] for i in range(0, len(whole), piece_size)])
    body = ChunkedBody(source)

    assert await read(body) == expected
    assert body.is_finished
    assert source.unread() == b"GET /"


# security.md 12: Kestrel CVE-2025-55315 (line ends in chunk extensions), Go CVE-2025-22871 (bare LF after a chunk
# size), h11 CVE-2025-43859 (anything taken for the CRLF after a chunk).
MALFORMED = {
    "LF in an extension": b"2;a\nb\r\nhi\r\n0\r\n\r\n",
    "CR in an extension": b"2;a\rb\r\nhi\r\n0\r\n\r\n",
    "bare LF after a size": b"2\nhi\r\n0\r\n\r\n",
    "bare CR after a size": b"2\rhi\r\n0\r\n\r\n",
    "no CRLF after a chunk": b"2\r\nhiXX0\r\n\r\n",
    "chunk longer than its size": b"2\r\nhi!\r\n0\r\n\r\n",
    "bare LF after a chunk": b"2\r\nhi\n0\r\n\r\n",
    "bare LF at the end": b"2\r\nhi\r\n0\r\n\n\r\n",
    "size with a plus": b"+2\r\nhi\r\n0\r\n\r\n",
    "negative size": b"-2\r\nhi\r\n0\r\n\r\n",
    "size with 0x": b"0x2\r\nhi\r\n0\r\n\r\n",
    "size with an underscore": b"0_2\r\nhi\r\n0\r\n\r\n",
    "size after a space": b" 2\r\nhi\r\n0\r\n\r\n",
    "empty size": b"\r\nhi\r\n0\r\n\r\n",
    "huge size": b"1" + b"0" * 16 + b"\r\nhi\r\n0\r\n\r\n",
    "long extension": b"2;" + b"a" * 5000 + b"\r\nhi\r\n0\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "trailer with a space before the colon": b"0\r\nA : b\r\n\r\n",
    "bare LF in a trailer": b"0\r\nA: b\nC: d\r\n\r\n",
    "space before an extension": b"1 ;x\r\nz\r\n0\r\n\r\n",
    "many trailers": b"0\r\n" + b"A: b\r\n" * 40 + b"\r\n",
    "long trailer": b"0\r\nA: " + b"b" * 5000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED)
async def test_chunked_body_that_others_may_read_differently_raises(stream: bytes) -> None:
    body = ChunkedBody(Source(stream))

    with pytest.raises(MalformedBodyError):
        await read(body)
    assert not body.is_finished


PIECES = st.sampled_from(
    [b"0", b"1", b"2", b"a", b"\r\n", b"\r", b"\n", b";", b" ", b"x", b"X: y\r\n", b"hi", b"1\r\nz\r\n"]
)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=10).map(b"".join))
@example(b"1\r\nz\r\n")
@example(b"0 ;")
def test_chunked_body_accepts_nothing_that_h11_reads_differently(start: bytes) -> None:
    stream = start + b"0\r\n\r\n"
    source = Source(stream)
    body = ChunkedBody(source)
    try:
        ours = trio.run(read, body)
    except ConnectionLostError:
        return
    oracle = h11.Connection(h11.SERVER)
    oracle.receive_data(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + stream)
    oracle.next_event()
    theirs = b""
    while isinstance(event := oracle.next_event(), h11.Data):
        theirs += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert (ours, source.unread()) == (theirs, oracle.trailing_data[0])
