"""A request goes out whole and in order, or says who broke it off."""

import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from s3proxy.http1.client.request import UnsendableRequestError
from s3proxy.http1.client.response_head import ResponseHead
from s3proxy.http1.client.sending import Outgoing, send_until_answered
from s3proxy.http1.client.wire import Wire
from s3proxy.http1.messages import ConnectionLostError
from tests.http1.client.scripted import Pieces

ANSWER = ResponseHead(status=403, headers=(), length=0, is_chunked=False, keep_alive=True)


@pytest.fixture
def sockets() -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # which keeps the pieces apart
    ours.setblocking(False)
    with ours, theirs:
        yield Wire(ours, stall_seconds=5), theirs


async def never() -> ResponseHead:
    await trio.sleep_forever()
    raise AssertionError


async def test_head_goes_out_together_with_the_first_piece(sockets: tuple[Wire, socket.socket]) -> None:
    wire, peer = sockets
    outgoing = Outgoing(wire, (b"head",), Pieces(b"one", b"", b"two"))
    assert not outgoing.is_sent

    assert await send_until_answered(outgoing, never) is None
    assert outgoing.is_sent
    assert [peer.recv(100), peer.recv(100)] == [b"headone", b"two"]


async def test_head_waits_for_its_stream_and_stays_when_that_fails(sockets: tuple[Wire, socket.socket]) -> None:
    wire, peer = sockets
    failure = ConnectionLostError("the client went away")
    outgoing = Outgoing(wire, (b"head",), Pieces(failure, length=1))

    with pytest.raises(ConnectionLostError) as caught:
        await send_until_answered(outgoing, never)
    assert caught.value is failure
    assert outgoing.failure is None
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(1)


async def test_failure_of_the_connection_is_told_from_that_of_the_stream(sockets: tuple[Wire, socket.socket]) -> None:
    wire, peer = sockets
    peer.close()
    outgoing = Outgoing(wire, (b"head", b"body"))

    with pytest.raises(ConnectionLostError) as caught:
        await send_until_answered(outgoing, never)
    assert caught.value is outgoing.failure
    assert not outgoing.is_sent


@pytest.mark.parametrize("length", [1, 3])
async def test_stream_of_another_length_raises_and_is_not_sent(
    sockets: tuple[Wire, socket.socket], length: int
) -> None:
    outgoing = Outgoing(sockets[0], (b"head",), Pieces(b"12", length=length))

    with pytest.raises(UnsendableRequestError):
        await send_until_answered(outgoing, never)
    assert not outgoing.is_sent


@pytest.mark.parametrize(("length", "is_sent"), [(1, True), (2, False)])
async def test_answer_while_the_stream_goes_on_ends_it(
    sockets: tuple[Wire, socket.socket], length: int, is_sent: bool
) -> None:
    async def answer() -> ResponseHead:
        await trio.testing.wait_all_tasks_blocked()
        return ANSWER

    outgoing = Outgoing(sockets[0], (b"head",), Pieces(b"1", trio.sleep_forever, length=length))

    assert await send_until_answered(outgoing, answer) is ANSWER
    assert outgoing.is_sent == is_sent


async def test_answer_that_is_none_ends_the_sending(sockets: tuple[Wire, socket.socket]) -> None:
    failure = ConnectionLostError("closed")

    async def answer() -> ResponseHead:
        await trio.testing.wait_all_tasks_blocked()
        raise failure

    outgoing = Outgoing(sockets[0], (b"head",), Pieces(b"1", trio.sleep_forever, length=2))

    with pytest.raises(ConnectionLostError) as caught:
        await send_until_answered(outgoing, answer)
    assert caught.value is failure
