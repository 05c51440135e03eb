"""Who has asked again already is not waited for; who takes their time is not looked for in vain."""

import socket

import trio
import trio.testing

from s3proxy.http1.connection import Occupancy, ServerConnection
from s3proxy.http1.messages import Request, Response
from s3proxy.http1.transfer import SocketTransport
from tests.http1.serving import PATIENCE_SECONDS, Client, echo, get, unobserved


class WaitCounter(SocketTransport):
    """Counts how often the connection waits for a request, and how often it looks for one in vain."""

    __slots__ = ("looks_in_vain", "waits")

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, "test", stall_seconds=PATIENCE_SECONDS, disk=trio.CapacityLimiter(1))
        self.waits = self.looks_in_vain = 0

    async def receive(self) -> bytes:
        self.waits += 1
        return await super().receive()

    def receive_now(self) -> bytes | None:
        data = super().receive_now()
        self.looks_in_vain += data is None
        return data


async def serve_eager_client(requests: int, scope: trio.CancelScope) -> tuple[int, int]:
    """Serve one who sends each request before it has the answer to the last.

    Returns:
        How many were served before ``scope`` was cancelled, which the last of them does, and how many waited for.
    """
    theirs, ours = socket.socketpair()
    transport = WaitCounter(ours)
    served = 0

    async def handler(request: Request) -> Response:
        nonlocal served
        served += 1
        theirs.send(get())
        if served == requests:
            scope.cancel()
        return Response(200, [], b"")

    with theirs, scope:
        theirs.send(get())
        await ServerConnection(transport, unobserved(handler), Occupancy()).serve()
    return served, transport.waits


async def test_serve_client_that_has_asked_again_already_is_not_waited_for() -> None:
    served, waits = await serve_eager_client(50, trio.CancelScope())

    assert served == 50
    assert waits <= 3


async def test_serve_client_that_is_never_waited_for_can_be_cancelled() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        served, _ = await serve_eager_client(10, trio.CancelScope())

    assert served == 10


async def test_serve_client_that_takes_its_time_is_seldom_looked_for() -> None:
    theirs, ours = socket.socketpair()
    transport = WaitCounter(ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ServerConnection(transport, unobserved(echo), Occupancy()).serve)
        client = Client(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
        for _ in range(70):
            await trio.testing.wait_all_tasks_blocked()
            await client.ask(get())
        await client.stream.aclose()

    assert transport.looks_in_vain <= 3
