"""One exchange on one connection: interim and hostile heads, and answers that come early or never."""

from functools import partial

import pytest
import trio

from s3proxy.http1.client import UnsendableRequestError
from s3proxy.http1.client.response_head import MalformedResponseError
from s3proxy.http1.client.wire import StalledError
from s3proxy.http1.messages import ConnectionLostError
from tests.http1.client.scripted import HOST, OK, PATIENT, QUICK, Peer, Pieces, Script, answering, serving

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DENIED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
MIB = bytes(1 << 20)


def unreading(response: bytes) -> Script:
    """Answer as soon as anything of a request comes, and read no more of it."""

    async def script(peer: Peer) -> None:
        await peer.stream.receive_some(100)
        await peer.send(response)
        await trio.sleep_forever()

    return script


@pytest.mark.parametrize("interim", [CONTINUE, CONTINUE * 16, b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"])
async def test_interim_responses_are_passed_over(interim: bytes) -> None:
    async with serving(answering(interim + OK, OK)) as served:
        assert await (await served.get()).read(10) == b"ok"


async def test_interim_responses_in_pieces_are_passed_over() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        for byte in CONTINUE + OK:
            await peer.send(bytes([byte]))
        await peer.wait_closed()

    async with serving(script) as served:
        assert await (await served.get()).read(10) == b"ok"


# security.md 17: rclone CVE-2026-71310
@pytest.mark.parametrize(
    "response",
    [
        CONTINUE * 17,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000,
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/2 200\r\n\r\n",
    ],
    ids=lambda response: str(response[:30]),
)
@pytest.mark.parametrize("method", [b"GET", b"PUT"])
async def test_hostile_head_loses_the_connection(method: bytes, response: bytes) -> None:
    async with serving(answering(response), PATIENT) as served:
        with pytest.raises(MalformedResponseError):
            await served.get(method=method)
        assert served.connections == 1


async def test_head_without_end_is_not_waited_for_longer_than_it_may_be_large() -> None:
    async def script(peer: Peer) -> None:  # security.md 17
        await peer.answer(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"A: " + b"b" * 1000 + b"\r\n")

    async with serving(script) as served:
        with pytest.raises(MalformedResponseError, match="too large"):
            await served.get()


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nCont", CONTINUE])
async def test_no_response_in_time_stalls(response: bytes) -> None:
    async with serving(answering(response), QUICK) as served:
        with pytest.raises(StalledError, match="no response"):
            await served.get()


@pytest.mark.parametrize("response", [b"", b"HTTP/1.1 200 OK\r\nCont", CONTINUE])
async def test_server_that_closes_before_it_answered_loses_the_connection(response: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(response)

    async with serving(script) as served:
        with pytest.raises(ConnectionLostError):
            await served.get()
        assert served.connections == 1


@pytest.mark.parametrize("size", [1, 16_384, 5_000_001])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_body_of_any_size_arrives(size: int, is_stream: bool) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    pieces = Pieces(body[: size // 2], b"", body[size // 2 :])

    async def script(peer: Peer) -> None:
        for _ in range(2):
            received = await peer.answer(OK)
            assert received.body == body
        await peer.wait_closed()

    async with serving(script) as served:
        for _ in range(2):
            response = await served.client.request(b"PUT", b"/", HOST, pieces if is_stream else body)
            assert await response.read(2) == b"ok"
        assert served.connections == 1


async def test_stream_of_nothing_is_a_request_without_body() -> None:
    async def script(peer: Peer) -> None:
        received = await peer.answer(OK)
        assert (b"content-length", b"0") in received.head.headers

    async with serving(script) as served:
        response = await served.client.request(b"PUT", b"/", HOST, Pieces())
        assert await response.read(10) == b"ok"


@pytest.mark.parametrize("is_stream", [True, False])
async def test_early_response_ends_the_sending_and_the_connection(is_stream: bool) -> None:
    pieces = Pieces(*[MIB] * 100)

    async with serving(unreading(CONTINUE + DENIED)) as served:
        body = pieces if is_stream else MIB * 40
        response = await served.client.request(b"PUT", b"/", HOST, body)
        assert (response.status, await response.read(10)) == (403, b"no")
        assert pieces.sent < 100
        assert repr(served.client).endswith("0 idle>")


async def test_early_response_while_the_stream_waits_for_its_own_source_is_noticed() -> None:
    async with serving(unreading(DENIED)) as served:
        response = await served.client.request(b"PUT", b"/", HOST, Pieces(b"x", trio.sleep_forever, length=2))

        assert (response.status, await response.read(10)) == (403, b"no")
        await response.aclose()


async def test_early_response_of_a_server_that_closes_at_once_is_received() -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive_some(100)
        await peer.send(DENIED)

    async with serving(script) as served:
        for _ in range(20):
            response = await served.client.request(b"PUT", b"/", HOST, Pieces(*[MIB] * 20))
            assert response.status == 403
            await response.aclose()


async def test_interim_response_while_sending_is_no_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(CONTINUE)
        received = await peer.answer(OK)
        assert len(received.body) == 8 << 20
        await peer.wait_closed()

    async with serving(script) as served:
        response = await served.client.request(b"PUT", b"/", HOST, Pieces(*[MIB] * 8))
        assert await response.read(10) == b"ok"
        assert repr(served.client).endswith("1 idle>")


async def test_response_at_the_very_end_of_a_stream_leaves_the_connection_to_the_next() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.answer(OK)

    async with serving(script) as served:
        for _ in range(2):
            pieces = Pieces(b"all of it", partial(trio.sleep, 0.02))
            response = await served.client.request(b"PUT", b"/", HOST, pieces)
            assert await response.read(10) == b"ok"
        assert served.connections == 1


async def test_server_that_closes_while_a_stream_waits_loses_the_connection_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive_some(100)

    async with serving(script) as served:
        with pytest.raises(ConnectionLostError):
            await served.client.request(b"PUT", b"/", HOST, Pieces(b"x", trio.sleep_forever, length=2))


async def test_hostile_early_response_loses_the_connection() -> None:
    async with serving(unreading(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n")) as served:
        with pytest.raises(MalformedResponseError):
            await served.client.request(b"PUT", b"/", HOST, Pieces(*[MIB] * 100))


async def test_server_that_does_not_read_stalls_the_sending() -> None:
    async def script(peer: Peer) -> None:
        await trio.sleep_forever()

    async with serving(script, QUICK) as served:
        with pytest.raises(StalledError, match="no progress"):
            await served.client.request(b"PUT", b"/", HOST, MIB * 40)


@pytest.mark.parametrize(
    "failure", [ConnectionLostError("the client went away"), ValueError("x"), ExceptionGroup("g", [OSError()])]
)
@pytest.mark.parametrize("pieces_before", [0, 1])
async def test_failure_of_the_stream_comes_out_as_it_is_and_closes(failure: Exception, pieces_before: int) -> None:
    async with serving(answering(OK), PATIENT) as served:
        with pytest.raises(type(failure)) as caught:
            await served.client.request(b"PUT", b"/", HOST, Pieces(*[b"x"] * pieces_before, failure, length=2))
        assert caught.value is failure


@pytest.mark.parametrize("length", [1, 3])
async def test_stream_of_another_length_than_announced_is_not_sent(length: int) -> None:
    async def script(peer: Peer) -> None:
        data = b""
        while received := await peer.stream.receive_some():
            data += received
        assert data in {b"", b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n12"}

    async with serving(script) as served:
        with pytest.raises(UnsendableRequestError):
            await served.client.request(b"PUT", b"/", HOST, Pieces(b"12", length=length))
