"""The relay between a client and a small store, over real sockets."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
import trio

from tests.faults.body import Body, answer_body, request_body
from tests.faults.heads import Head, Reader, parse_head
from tests.faults.link import Shape
from tests.faults.relay import Relay, relaying
from tests.faults.rules import Fault, Rule

_OBJECT = bytes(range(256)) * 2000
_ETAG = b'"real"'


async def _store(stream: trio.SocketStream) -> None:
    """One object under every path, in one version; PUT is answered with what was sent."""
    async with stream:
        with suppress(trio.BrokenResourceError):
            reader = Reader(stream)
            while (request := await reader.head()) is not None:
                sent = await _whole(request_body(reader, request))
                await stream.send_all(_answer(request, sent))


def _answer(request: Head, sent: bytes) -> bytes:
    if request.header(b"if-match") not in {None, _ETAG}:
        return b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
    body = sent if request.method == b"PUT" else _OBJECT
    status = b"200 OK"
    if (asked := request.header(b"range")) is not None:
        first, last = asked.removeprefix(b"bytes=").split(b"-")
        body, status = body[int(first) : int(last) + 1], b"206 Partial Content"
    head = b"HTTP/1.1 %b\r\nETag: %b\r\n" % (status, _ETAG)
    if request.path == "/chunked":
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\nx: y\r\n\r\n" % (len(body), body)
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    return head if request.method == b"HEAD" else head + body


async def _whole(body: Body) -> bytes:
    pieces = []
    while (piece := await body.piece(2**18))[0]:
        pieces += [piece[0]] if piece[1] else []
    return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class _Client:
    stream: trio.SocketStream
    reader: Reader

    async def ask(self, text: bytes, body: bytes = b"") -> tuple[Head, bytes]:
        await self.stream.send_all(text.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        head = await self.reader.head()
        if head is None:
            raise trio.BrokenResourceError
        return head, await _whole(answer_body(self.reader, parse_head(text.split(b"\n")[0]), head))


@asynccontextmanager
async def _relayed(*rules: Rule, shape: Shape | None = None) -> AsyncIterator[Relay]:
    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, _store, 0)
        port = listeners[0].socket.getsockname()[1]
        async with relaying(("127.0.0.1", port), shape=shape, rules=rules) as relay:
            with trio.fail_after(10):
                yield relay
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _client(relay: Relay) -> AsyncIterator[_Client]:
    async with await trio.open_tcp_stream("127.0.0.1", relay.port) as stream:
        yield _Client(stream, Reader(stream))


async def _ask_each(relay: Relay, texts: Iterable[bytes]) -> list[tuple[int, bytes]]:
    async with _client(relay) as client:
        answers = [await client.ask(text) for text in texts]
    return [(head.status, body) for head, body in answers]


@pytest.mark.parametrize(
    "shape", [Shape(), Shape(delay_seconds=0.002, bytes_per_second=500e6)], ids=["plain", "shaped"]
)
@pytest.mark.parametrize("path", [b"/key", b"/chunked"])
async def test_relay_passes_requests_of_one_connection_on(shape: Shape, path: bytes) -> None:
    async with _relayed(shape=shape) as relay:
        answers = await _ask_each(relay, [b"GET %b HTTP/1.1" % path, b"HEAD /key HTTP/1.1"] * 2)
    assert answers == [(200, _OBJECT), (200, b"")] * 2


@pytest.mark.parametrize(
    ("framing", "body"),
    [(b"Content-Length: 5", b"hello"), (b"Transfer-Encoding: chunked", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")],
)
async def test_relay_passes_bodies_of_requests_on_and_counts_them(framing: bytes, body: bytes) -> None:
    async with _relayed() as relay, _client(relay) as client:
        assert (await client.ask(b"PUT /key HTTP/1.1\n" + framing, body))[1] == b"hello"
        assert relay.tally.body_bytes("PUT") == 10


async def test_tally_says_what_the_store_saw() -> None:
    async with _relayed() as relay:
        await _ask_each(relay, [b"GET /a?x=y HTTP/1.1", b"GET /a HTTP/1.1\nRange: bytes=0-9", b"HEAD /b HTTP/1.1"])
        assert (relay.tally.requests("GET"), relay.tally.requests("*", "/b")) == (2, 1)
        assert relay.tally.body_bytes("GET", "/a") == len(_OBJECT) + 10
        assert relay.tally.connections == 1


async def test_tally_is_read_and_cleared_through_the_port() -> None:
    async with _relayed() as relay:
        await _ask_each(relay, [b"GET /a HTTP/1.1"])
        (_, text), (status, _) = [
            (await _ask_each(relay, [line]))[0] for line in (b"GET /-/tally HTTP/1.1", b"PUT /-/tally HTTP/1.1")
        ]
        assert b'["GET", "/a", 1, %d]' % len(_OBJECT) in text
        assert (status, relay.tally.requests()) == (200, 0)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATE])
@pytest.mark.parametrize("at", [0, 1000, 300_000])
@pytest.mark.parametrize("shape", [Shape(), Shape(delay_seconds=0.002)], ids=["plain", "shaped"])
async def test_body_that_is_cut_has_so_many_bytes(fault: Fault, at: int, shape: Shape) -> None:
    async with _relayed(Rule(fault=fault, at=at), shape=shape) as relay, _client(relay) as client:
        await client.stream.send_all(b"GET /key HTTP/1.1\r\n\r\n")
        head = await client.reader.head()
        assert head is not None
        assert head.length == len(_OBJECT)
        received = 0
        try:
            while more := await client.reader.some(2**20):
                received += len(more)
            assert fault is Fault.TRUNCATE
        except trio.BrokenResourceError:
            assert fault is Fault.RESET
        assert received == at


async def test_storm_of_503_does_not_reach_the_store_and_passes() -> None:
    async with _relayed(Rule(fault=Fault.UNAVAILABLE, times=2)) as relay:
        answers = await _ask_each(relay, [b"GET /key HTTP/1.1"] * 3)
    assert [status for status, _ in answers] == [503, 503, 200]
    assert b"<Code>SlowDown</Code>" in answers[0][1]


async def test_range_is_answered_with_the_whole_object() -> None:
    async with _relayed(Rule(fault=Fault.WHOLE)) as relay:
        assert await _ask_each(relay, [b"GET /key HTTP/1.1\nRange: bytes=5-9"]) == [(200, _OBJECT)]


async def test_replaced_object_has_another_etag_and_refuses_who_pins_the_former() -> None:
    async with _relayed(Rule(fault=Fault.OTHER_ETAG, skip=1, etag='"new"')) as relay, _client(relay) as client:
        first, _ = await client.ask(b"GET /key HTTP/1.1")
        pinned, _ = await client.ask(b'GET /key HTTP/1.1\nIf-Match: "real"')
        second, _ = await client.ask(b"GET /key HTTP/1.1")
        again, _ = await client.ask(b'GET /key HTTP/1.1\nIf-Match: "new"')
    assert [each.header(b"etag") for each in (first, second, again)] == [_ETAG, b'"new"', b'"new"']
    assert [each.status for each in (first, pinned, second, again)] == [200, 412, 200, 200]


async def test_store_that_ignores_if_match_answers_with_another_etag() -> None:
    async with _relayed(Rule(fault=Fault.UNPINNED, etag='"new"')) as relay, _client(relay) as client:
        head, body = await client.ask(b'GET /key HTTP/1.1\nIf-Match: "real"\nRange: bytes=0-1')
    assert (head.status, head.header(b"etag"), len(body)) == (206, b'"new"', 2)


@pytest.mark.parametrize("fault", [Fault.ENDLESS_HEAD, Fault.ENDLESS_INTERIM])
async def test_endless_heads_go_on_until_the_client_leaves(fault: Fault) -> None:
    async with _relayed(Rule(fault=fault)) as relay, _client(relay) as client:
        await client.stream.send_all(b"GET /key HTTP/1.1\r\n\r\n")
        received = b""
        while len(received) < 2**20:
            received += await client.reader.some(2**20)
        assert received.startswith(b"HTTP/1.1 200" if fault is Fault.ENDLESS_HEAD else b"HTTP/1.1 102")


async def test_drip_is_slow() -> None:
    async with _relayed(Rule(fault=Fault.DRIP, bytes_per_second=1000)) as relay:
        begin = trio.current_time()
        assert await _ask_each(relay, [b"GET /key HTTP/1.1\nRange: bytes=0-199"]) == [(206, _OBJECT[:200])]
        assert trio.current_time() - begin > 0.15


async def test_hanging_request_is_never_answered_and_others_are() -> None:
    async with _relayed(Rule(fault=Fault.HANG, path="/stuck")) as relay, _client(relay) as client:
        with trio.move_on_after(0.2) as waited:
            await client.ask(b"GET /stuck HTTP/1.1")
        assert waited.cancelled_caught
        assert (await _ask_each(relay, [b"GET /key HTTP/1.1"]))[0][0] == 200
        assert relay.tally.requests("GET", "/stuck") == 1


async def test_refusal_cuts_everybody_off_and_ends() -> None:
    async with _relayed() as relay, _client(relay) as client:
        await client.ask(b"GET /key HTTP/1.1")
        relay.refuse(0.2)
        with pytest.raises(trio.BrokenResourceError):
            await client.ask(b"GET /key HTTP/1.1")
        with pytest.raises(OSError, match=r"all attempts|refused"):
            await trio.open_tcp_stream("127.0.0.1", relay.port)
        await trio.sleep(0.3)
        assert (await _ask_each(relay, [b"GET /key HTTP/1.1"]))[0][0] == 200


async def test_store_that_is_gone_closes_the_connection() -> None:
    async with relaying(("127.0.0.1", 1)) as relay, _client(relay) as client:
        with pytest.raises(trio.BrokenResourceError):
            await client.ask(b"GET /key HTTP/1.1")
