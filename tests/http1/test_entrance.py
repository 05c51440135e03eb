"""How a connection begins: who is asked for a PROXY header, what becomes of it, and who is not let in."""

import socket
from collections.abc import Iterator

import pytest
import trio

from s3proxy.http1.entrance import Entrance, HandshakeError
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.http1.proxies import Proxies
from s3proxy.http1.transfer import SocketTransport
from tests.http1.certificates import server_context

BALANCER = "192.0.2.1"
CLIENT = "198.51.100.7"
HEADER = f"PROXY TCP4 {CLIENT} {BALANCER} 40000 80\r\n".encode()
PROXIES = Proxies([BALANCER])

Ends = tuple[SocketTransport, socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A connection from the balancer: the server's transport and its socket, and the other end."""
    server, client = socket.socketpair()
    server.setblocking(False)
    transport = SocketTransport(server, BALANCER, stall_seconds=5, disk=trio.CapacityLimiter(1))
    with client:
        yield transport, server, client
    transport.abort()


async def test_plain_entrance_asks_for_nothing(ends: Ends) -> None:
    transport, _, _ = ends
    assert await Entrance().enter(transport, 0) is transport
    assert transport.peer == BALANCER


async def test_header_of_a_balancer_names_the_client_and_is_all_that_is_taken(ends: Ends) -> None:
    transport, _, client = ends
    client.sendall(HEADER + b"GET / HTTP/1.1\r\n")
    entered = await Entrance(proxies=PROXIES).enter(transport, 0)
    assert entered.peer == CLIENT
    assert await entered.receive() == b"GET / HTTP/1.1\r\n"


async def test_header_that_names_nobody_leaves_the_balancer_as_the_client(ends: Ends) -> None:
    transport, _, client = ends
    client.sendall(b"PROXY UNKNOWN\r\n")
    assert (await Entrance(proxies=PROXIES).enter(transport, 0)).peer == BALANCER


async def test_header_of_somebody_else_is_not_looked_at(ends: Ends) -> None:
    transport, _, client = ends
    transport.peer = "203.0.113.9"
    client.sendall(HEADER)
    entered = await Entrance(proxies=PROXIES).enter(transport, 0)
    assert entered.peer == "203.0.113.9"
    assert await entered.receive() == HEADER


@pytest.mark.parametrize("entrance", [Entrance(proxies=PROXIES), Entrance(tls=server_context())])
async def test_who_speaks_http_where_something_else_is_due_is_not_let_in(ends: Ends, entrance: Entrance) -> None:
    transport, server, client = ends
    client.sendall(b"GET / HTTP/1.1\r\nhost: s3.example.com\r\n\r\n")
    client.shutdown(socket.SHUT_WR)
    with pytest.raises(HandshakeError):
        await entrance.enter(transport, 0)
    assert server.fileno() == -1


@pytest.mark.parametrize("entrance", [Entrance(proxies=PROXIES), Entrance(tls=server_context())])
async def test_client_that_goes_before_it_is_in_is_lost(ends: Ends, entrance: Entrance) -> None:
    transport, server, client = ends
    client.close()
    with pytest.raises((ConnectionLostError, HandshakeError)):
        await entrance.enter(transport, 0)
    assert server.fileno() == -1
