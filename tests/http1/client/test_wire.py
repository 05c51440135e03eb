"""Bytes to and from a server, plain and through TLS, over real sockets."""

import socket
import ssl
from collections.abc import AsyncIterator
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.http1.client.wire import StalledError, TlsWire, Wire, unsent
from s3proxy.http1.messages import ConnectionLostError
from tests.http1.client.certificates import NAME, contexts
from tests.http1.serving import PATIENCE_SECONDS, descriptor_count

LARGE = 3_000_001
CONTENT = bytes(range(256)) * (LARGE // 256 + 1)


class Pair:
    """A wire and the stream at its other end."""

    def __init__(self, wire: Wire, peer: trio.abc.Stream, raw: trio.SocketStream) -> None:
        self.wire = wire
        self.peer = peer
        self.raw = raw

    async def read(self, size: int) -> bytes:
        data = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(data) < size and (received := await self.peer.receive_some()):
                data += received
        return data

    async def reset(self) -> None:
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await trio.aclose_forcefully(self.raw)


async def sockets() -> tuple[socket.socket, trio.SocketStream]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    return ours, trio.SocketStream(trio.socket.from_stdlib_socket(theirs))


async def plain_pair(stall_seconds: float) -> Pair:
    ours, raw = await sockets()
    return Pair(Wire(ours, stall_seconds=stall_seconds), raw, raw)


async def tls_pair(stall_seconds: float) -> Pair:
    ours, raw = await sockets()
    server, client = contexts()
    secured = client.wrap_socket(ours, server_hostname=NAME, do_handshake_on_connect=False, suppress_ragged_eofs=False)
    peer = trio.SSLStream(raw, server, server_side=True)

    async def shake() -> None:
        while True:
            try:
                return secured.do_handshake()
            except ssl.SSLWantReadError:
                await trio.lowlevel.wait_readable(secured)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shake)
        nursery.start_soon(peer.do_handshake)
    return Pair(TlsWire(secured, stall_seconds=stall_seconds), peer, raw)


@pytest.fixture(params=["plain", "tls"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    before = descriptor_count()
    pair = await (plain_pair if request.param == "plain" else tls_pair)(PATIENCE_SECONDS)
    yield pair
    pair.wire.close()
    await trio.aclose_forcefully(pair.raw)
    assert descriptor_count() == before


@pytest.fixture(params=["plain", "tls"])
async def hasty(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """A pair whose wire waits only shortly."""
    pair = await (plain_pair if request.param == "plain" else tls_pair)(0.1)
    yield pair
    pair.wire.close()
    await trio.aclose_forcefully(pair.raw)


@pytest.mark.parametrize("sizes", [(1,), (100, 1), (100, 16384), (16384, 1), (20000, LARGE), (100, 200, LARGE)])
async def test_send_parts_of_any_size_arrive_joined(pair: Pair, sizes: tuple[int, ...]) -> None:
    parts = [memoryview(CONTENT)[size : 2 * size] if size < LARGE else CONTENT[:size] for size in sizes]
    received = b""

    async def read() -> None:
        nonlocal received
        received = await pair.read(sum(sizes))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(pair.wire.send, *parts)

    assert received == b"".join(parts)


@pytest.mark.parametrize("buffer_size", [1000, 65536, 1_000_000])
async def test_receive_into_gives_all_bytes_and_the_end(pair: Pair, buffer_size: int) -> None:
    data = bytearray()
    buffer = memoryview(bytearray(buffer_size))

    async def send() -> None:
        await pair.peer.send_all(CONTENT[:LARGE])
        await pair.peer.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        while count := await pair.wire.receive_into(buffer):
            data += buffer[:count]

    assert data == CONTENT[:LARGE]
    assert await pair.wire.receive_into(buffer) == 0


async def test_receive_waits_and_gives_what_is_there(pair: Pair) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.peer.send_all, b"hello")

        assert await pair.wire.receive() == b"hello"


async def test_is_quiet_while_nothing_comes(pair: Pair) -> None:
    assert pair.wire.is_quiet()


async def test_is_quiet_after_something_came_unasked_is_false(pair: Pair) -> None:
    await pair.peer.send_all(b"H")
    await trio.sleep(0.01)

    assert not pair.wire.is_quiet()


async def test_is_quiet_after_the_server_closed_is_false(pair: Pair) -> None:
    await trio.aclose_forcefully(pair.raw)
    await trio.sleep(0.01)

    assert not pair.wire.is_quiet()


async def test_is_quiet_after_a_reset_is_false(pair: Pair) -> None:
    await pair.reset()
    await trio.sleep(0.01)

    assert not pair.wire.is_quiet()


async def test_receive_after_a_reset_raises(pair: Pair) -> None:
    await pair.reset()

    with pytest.raises(ConnectionLostError):
        await pair.wire.receive_into(memoryview(bytearray(10)))
    with pytest.raises(ConnectionLostError):
        await pair.wire.send(CONTENT)


async def test_receive_of_a_head_after_a_reset_raises(pair: Pair) -> None:
    await pair.reset()

    with pytest.raises(ConnectionLostError):
        await pair.wire.receive()


@pytest.fixture
async def ticketed() -> AsyncIterator[tuple[TlsWire, ssl.SSLSocket]]:
    """A wire to which OpenSSL has sent tickets. trio would hold them back until there is data."""
    server, client = contexts()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with (
        client.wrap_socket(ours, server_hostname=NAME, do_handshake_on_connect=False) as secured,
        server.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False) as peer,
    ):
        async with trio.open_nursery() as nursery:
            for handshake in (secured.do_handshake, peer.do_handshake):
                nursery.start_soon(partial(trio.to_thread.run_sync, handshake))
        secured.setblocking(False)
        await trio.lowlevel.wait_readable(secured)
        yield TlsWire(secured, stall_seconds=PATIENCE_SECONDS), peer


async def test_is_quiet_when_only_tickets_of_tls_came(ticketed: tuple[TlsWire, ssl.SSLSocket]) -> None:
    assert ticketed[0].is_quiet()


async def test_receive_passes_over_tickets_of_tls(ticketed: tuple[TlsWire, ssl.SSLSocket]) -> None:
    wire, peer = ticketed
    received = b""

    async def receive() -> None:
        nonlocal received
        received = await wire.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        peer.sendall(b"hello")
    assert received == b"hello"


async def test_receive_through_tls_cut_without_goodbye_raises() -> None:
    pair = await tls_pair(PATIENCE_SECONDS)
    await pair.peer.send_all(b"half of it")
    await trio.aclose_forcefully(pair.raw)
    buffer = memoryview(bytearray(10))

    assert await pair.wire.receive_into(buffer) == 10
    with pytest.raises(ConnectionLostError):
        await pair.wire.receive_into(buffer)
    pair.wire.close()


async def test_receive_into_without_progress_stalls(hasty: Pair) -> None:
    with pytest.raises(StalledError):
        await hasty.wire.receive_into(memoryview(bytearray(10)))


async def test_send_without_progress_stalls(hasty: Pair) -> None:
    with pytest.raises(StalledError):
        await hasty.wire.send(CONTENT * 5)


@given(st.lists(st.binary(max_size=4), max_size=4), st.integers(min_value=0, max_value=16))
def test_unsent_is_what_follows_the_bytes_sent(parts: list[bytes], sent: int) -> None:
    rest = unsent(tuple(parts), sent)

    assert b"".join(rest) == b"".join(parts)[sent:]
    assert bool(rest) == (sent < sum(map(len, parts)))
