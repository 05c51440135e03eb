"""Bodies end where their framing says, and a connection is used again only when that is certain."""

import pytest
import trio

from s3proxy.http1.client.wire import StalledError
from s3proxy.http1.messages import ConnectionLostError
from tests.http1.client.scripted import OK, PATIENT, QUICK, Peer, answering, read, serving
from tests.http1.test_framing import CHUNKED, MALFORMED

CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = bytes(range(256)) * 4096


def sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


WHOLE = {
    "sized": (b"GET", sized(b"hello"), b"hello", 5),
    "sized, large": (b"GET", sized(LARGE), LARGE, len(LARGE)),
    "sized, empty": (b"GET", sized(b""), b"", 0),
    "chunked": (b"GET", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nA: b\r\n\r\n", b"hello", None),
    "head, with the length of GET": (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", b"", 1234),
    "head, chunked": (b"HEAD", CHUNKED_HEAD, b"", None),
    "no content": (b"DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b"", None),
    "not modified, with a length": (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", b"", 7),
    "error": (b"GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", b"no", 2),
}


@pytest.mark.parametrize(("method", "response", "body", "length"), WHOLE.values(), ids=WHOLE)
async def test_response_wholly_received_leaves_its_connection_to_the_next(
    method: bytes, response: bytes, body: bytes, length: int | None
) -> None:
    async with serving(answering(response, OK)) as served:
        first = await served.get(method=method)
        assert first.length == length
        assert await read(first) == body
        assert await first.receive_into(memoryview(bytearray(1))) == 0
        second = await served.get()  # before aclose: what is received needs no connection
        assert await second.read(2) == b"ok"
        await first.aclose()

        assert served.connections == 1


LAST = {
    "until the connection closes": (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    "until close, and empty": (b"HTTP/1.1 200 OK\r\n\r\n", b""),
    "connection: close": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "HTTP/1.0 that would stay": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "more than its length": (sized(b"ok") + b"HTTP/1.1 200 OK\r\n", b"ok"),
    "more than no content": (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhm", b""),
    "more than its last chunk": (CHUNKED_HEAD + b"2\r\nok\r\n0\r\n\r\nX", b"ok"),
}


@pytest.mark.parametrize(("response", "body"), LAST.values(), ids=LAST)
async def test_response_that_leaves_doubt_is_the_last_of_its_connection(response: bytes, body: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(response)

    async with serving(script) as served:
        last = await served.get()
        assert await last.read(10) == body
        assert await last.receive_into(memoryview(bytearray(1))) == 0
        assert await (await served.get()).read(10) == body
        assert served.connections == 2


@pytest.mark.parametrize(("stream", "expected"), CHUNKED.values(), ids=CHUNKED)
@pytest.mark.parametrize("piece_size", [1, 1000])
async def test_chunked_response_in_any_pieces_gives_its_data(stream: bytes, expected: bytes, piece_size: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for start in range(0, len(stream), piece_size):
            await peer.send((b"" if start else CHUNKED_HEAD) + stream[start : start + piece_size])
        await peer.wait_closed()

    async with serving(script) as served:
        assert await (await served.get()).read(1000) == expected


# security.md 12 and 17
@pytest.mark.parametrize("stream", MALFORMED.values(), ids=MALFORMED)
async def test_chunked_response_that_others_may_read_differently_raises(stream: bytes) -> None:
    async with serving(answering(CHUNKED_HEAD + stream)) as served:
        with pytest.raises(ConnectionLostError):
            await read(await served.get())


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        CHUNKED_HEAD + b"5\r\nhel",
        CHUNKED_HEAD + b"5\r\nhello\r\n",
        CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n",
    ],
)
async def test_response_cut_short_raises_and_goes_on_raising(response: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(response)

    async with serving(script) as served:
        cut = await served.get()
        for _ in range(2):
            with pytest.raises(ConnectionLostError):
                await read(cut)
        await cut.aclose()


async def test_response_that_stalls_raises() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), QUICK) as served:
        with pytest.raises(StalledError):
            await read(await served.get())


@pytest.mark.parametrize("response", [sized(b"x" * 11), CHUNKED_HEAD + b"b\r\n01234567890\r\n0\r\n\r\n"])
async def test_read_of_a_longer_response_raises_and_closes(response: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(response)
        await peer.wait_closed()

    async with serving(script) as served:
        with pytest.raises(ConnectionLostError, match="more than 10 bytes"):
            await (await served.get()).read(10)


async def test_read_of_an_endless_response_stops_at_its_bound() -> None:
    async def script(peer: Peer) -> None:  # security.md 17
        await peer.answer(CHUNKED_HEAD)
        while True:
            await peer.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    async with serving(script) as served:
        with pytest.raises(ConnectionLostError):
            await (await served.get()).read(1_000_000)


async def test_read_of_nothing_allowed_takes_an_empty_body() -> None:
    async with serving(answering(sized(b""))) as served:
        assert await (await served.get()).read(0) == b""


async def test_aclose_before_the_end_closes_the_connection_without_reading_on() -> None:
    closed = trio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            while True:
                await peer.send(LARGE)
        finally:
            closed.set()

    async with serving(script) as served:
        response = await served.get()
        await response.receive_into(memoryview(bytearray(10)))
        await response.aclose()
        await response.aclose()
        await closed.wait()
        with pytest.raises(ConnectionLostError):
            await response.receive_into(memoryview(bytearray(10)))


async def test_receive_into_cancelled_closes_the_connection() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), PATIENT) as served:
        response = await served.get()
        buffer = memoryview(bytearray(10))
        assert await response.receive_into(buffer) == 5
        with trio.move_on_after(0.01):
            await response.receive_into(buffer)

        with pytest.raises(ConnectionLostError):
            await response.receive_into(buffer)


async def test_header_gives_the_first_of_its_name_or_none() -> None:
    async with serving(answering(b"HTTP/1.1 204 No Content\r\nA: 1\r\na: 2\r\n\r\n")) as served:
        response = await served.get()

        assert (response.header(b"a"), response.header(b"b")) == (b"1", None)
