"""Connections are made in time and to whom they should be, or not at all."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from s3proxy.http1.client.connecting import NotSentError, connect
from s3proxy.http1.client.origin import ClientLimits, Origin
from s3proxy.http1.client.wire import TlsWire
from tests.http1.client.certificates import NAME, contexts
from tests.http1.client.scripted import PATIENT, QUICK
from tests.http1.serving import descriptor_count


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = descriptor_count()
    yield
    assert descriptor_count() == before


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[int]:
    """Shakes hands, says hello, and waits until the client closes."""

    async def serve(stream: trio.SocketStream) -> None:
        secured = trio.SSLStream(stream, context, server_side=True)
        try:
            await secured.send_all(b"hello")
            await secured.receive_some()
        except trio.BrokenResourceError:
            pass
        await trio.aclose_forcefully(stream)

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts into its backlog, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_connect_plain_sends_small_pieces_at_once(silent_port: int) -> None:
    wire = await connect(Origin(host="127.0.0.1", port=silent_port), PATIENT)

    with socket.fromfd(wire._fd, socket.AF_INET, socket.SOCK_STREAM) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    wire.close()


async def test_connect_where_nobody_listens_raises_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(NotSentError, match="cannot be reached"):
        await connect(Origin(host="127.0.0.1", port=port), PATIENT)


async def test_connect_to_an_unknown_name_raises_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(NotSentError, match="not known"):
        await connect(Origin(host="nowhere.test", port=1), PATIENT)


async def test_connect_to_what_can_be_no_name_raises_not_sent() -> None:
    with pytest.raises(NotSentError):
        await connect(Origin(host="a" * 64 + ".test", port=1), PATIENT)


async def test_connect_through_tls_to_the_named_server_succeeds() -> None:
    server, client = contexts()
    async with tls_server(server) as port:
        wire = await connect(Origin(host=NAME, port=port, tls=client), PATIENT)
        assert isinstance(wire, TlsWire)
        assert await wire.receive() == b"hello"
        wire.close()


async def test_connect_through_tls_to_a_server_of_another_name_raises_not_sent() -> None:
    server, client = contexts("other.test")
    async with tls_server(server) as port:
        with pytest.raises(NotSentError, match="Hostname mismatch"):
            await connect(Origin(host=NAME, port=port, tls=client), PATIENT)


async def test_connect_through_tls_to_a_server_nobody_vouches_for_raises_not_sent() -> None:
    server, _ = contexts()
    _, client = contexts("other.test")
    async with tls_server(server) as port:
        with pytest.raises(NotSentError, match="unable to get local issuer"):
            await connect(Origin(host=NAME, port=port, tls=client), PATIENT)


async def test_connect_through_tls_to_an_address_checks_the_address() -> None:
    server, client = contexts("127.0.0.1")
    async with tls_server(server) as port:
        wire = await connect(Origin(host="127.0.0.1", port=port, tls=client), PATIENT)
        wire.close()


async def test_connect_through_tls_to_a_plain_server_raises_not_sent() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with pytest.raises(NotSentError):
            await connect(Origin(host="127.0.0.1", port=port, tls=contexts()[1]), PATIENT)
        nursery.cancel_scope.cancel()


async def test_connect_through_tls_to_a_silent_server_raises_not_sent_in_time(silent_port: int) -> None:
    limits = ClientLimits(connect_timeout_seconds=0.1)

    with pytest.raises(NotSentError, match="did not answer"):
        await connect(Origin(host="127.0.0.1", port=silent_port, tls=contexts()[1]), limits)


async def test_connect_cancelled_within_the_handshake_closes_the_socket(silent_port: int) -> None:
    with trio.move_on_after(0.05) as scope:
        await connect(Origin(host="127.0.0.1", port=silent_port, tls=contexts()[1]), QUICK)

    assert scope.cancelled_caught
