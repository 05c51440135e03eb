"""Among several connections, whoever has an answer ready lets the others prepare theirs before it is sent."""

import socket
from contextlib import ExitStack

import pytest
import trio

from s3proxy.http1.connection import Occupancy, ServerConnection
from s3proxy.http1.messages import Request, Response, Sent
from s3proxy.http1.transfer import SocketTransport
from tests.http1.serving import PATIENCE_SECONDS, ListBody, SentRecorder, get, unobserved


def transport_of(sock: socket.socket) -> SocketTransport:
    return SocketTransport(sock, "test", stall_seconds=PATIENCE_SECONDS, disk=trio.CapacityLimiter(1))


async def events_of(connections: int) -> list[str]:
    """What happens when all of so many connections have sent a request before the first is looked at."""
    events: list[str] = []
    occupancy = Occupancy(connections=connections)

    def note_sent(_: Sent) -> None:
        events.append("sent")

    async def handler(_: Request) -> Response:
        events.append("asked")
        return Response(200, [], b"answer", on_sent=note_sent)

    with ExitStack() as clients, trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                theirs, ours = socket.socketpair()
                clients.enter_context(theirs)
                theirs.send(get())
                theirs.shutdown(socket.SHUT_WR)
                nursery.start_soon(ServerConnection(transport_of(ours), unobserved(handler), occupancy).serve)
    return events


async def test_serve_of_several_connections_sends_answers_after_all_have_asked() -> None:
    assert await events_of(3) == ["asked"] * 3 + ["sent"] * 3


@pytest.mark.parametrize("connections", [1, 2])
async def test_serve_of_few_connections_answers_at_once(connections: int) -> None:
    assert await events_of(connections) == ["asked", "sent"] * connections


async def test_serve_cancelled_while_others_prepare_their_answers_closes_the_body() -> None:
    theirs, ours = socket.socketpair()
    body, recorder = ListBody([b"never sent"], 10), SentRecorder()

    async def handler(_: Request) -> Response:
        scope.cancel()
        return Response(200, [], body, on_sent=recorder)

    with theirs, trio.CancelScope() as scope:
        theirs.send(get())
        await ServerConnection(transport_of(ours), unobserved(handler), Occupancy(connections=3)).serve()

    assert scope.cancelled_caught
    assert body.closed == 1
    assert recorder.calls == [Sent(body_bytes=0, is_complete=False)]
