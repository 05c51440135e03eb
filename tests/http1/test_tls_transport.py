"""Bytes of files through TLS: what goes out is what was there, whoever else sends, stalls or is cancelled."""

import itertools
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from s3proxy.body import FileSlice
from s3proxy.http1.entrance import Entrance
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.http1.proxies import Proxies
from s3proxy.http1.tls import PIECE_BYTES, TlsTransport, shared_buffer
from s3proxy.http1.transfer import SocketTransport
from tests.http1.certificates import client_context, server_context
from tests.http1.client.certificates import NAME
from tests.http1.serving import PATIENCE_SECONDS, descriptor_count

LARGE = 20 * PIECE_BYTES + 12_345
CONTENT = bytes(range(251)) * (LARGE // 251 + 1)


class Pair:
    """A transport and the client at its other end; the buffers between them are small enough to block."""

    def __init__(self, transport: TlsTransport, client: trio.SSLStream[trio.SocketStream]) -> None:
        self.transport = transport
        self.client = client

    async def read(self, size: int) -> bytes:
        data = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(data) < size:
                received = await self.client.receive_some(size - len(data))
                if not received:
                    break
                data += received
        return data


async def fresh(stall_seconds: float = 2.0) -> tuple[SocketTransport, trio.SSLStream[trio.SocketStream]]:
    """Both ends of a connection on which nothing was said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = trio.socket.socket()
        await sock.connect(listener.getsockname())
        accepted, _ = listener.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
    plain = SocketTransport(accepted, "127.0.0.1", stall_seconds=stall_seconds, disk=trio.CapacityLimiter(2))
    return plain, trio.SSLStream(trio.SocketStream(sock), client_context(), server_hostname=NAME)


@asynccontextmanager
async def connected(*, stall_seconds: float = 2.0, shared: memoryview | None = None) -> AsyncIterator[Pair]:
    plain, client = await fresh(stall_seconds)
    transport = TlsTransport.over(plain, server_context(), shared_buffer() if shared is None else shared)
    try:
        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(transport.shake_hands)
                await client.do_handshake()
        yield Pair(transport, client)
    finally:
        transport.abort()
        await trio.aclose_forcefully(client)


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = descriptor_count()
    yield
    assert descriptor_count() == before


@pytest.fixture(params=["disk", "tmpfs"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    with tempfile.TemporaryFile(dir=tmp_path if request.param == "disk" else "/dev/shm", buffering=0) as opened:
        opened.write(CONTENT[:LARGE])
        yield opened.fileno()


async def received_while(pair: Pair, size: int, send: Callable[[], Awaitable[Any]]) -> bytes:
    received = b""

    async def read() -> None:
        nonlocal received
        received = await pair.read(size)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(send)
    return received


@pytest.mark.parametrize("is_resident", [True, False])
@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 1), (5, 4096), (3, PIECE_BYTES), (0, LARGE), (PIECE_BYTES - 1, 5 * PIECE_BYTES + 2)],
)
async def test_slice_arrives_behind_its_prefix(file: int, offset: int, length: int, is_resident: bool) -> None:
    async with connected() as pair:
        send = partial(pair.transport.send_file, b"prefix", FileSlice(file, offset, length, is_resident))
        assert await received_while(pair, 6 + length, send) == b"prefix" + CONTENT[offset : offset + length]
        assert pair.transport.sent_bytes == 6 + length


async def test_prefix_larger_than_a_piece_arrives_before_the_slice(file: int) -> None:
    prefix = b"p" * (PIECE_BYTES + 1)
    async with connected() as pair:
        send = partial(pair.transport.send_file, prefix, FileSlice(file, 0, LARGE))
        assert await received_while(pair, len(prefix) + LARGE, send) == prefix + CONTENT[:LARGE]


async def test_slice_that_lies_on_the_disk_is_read_in_a_thread(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3proxy.http1.tls._read_resident", lambda *_: None)
    async with connected() as pair:
        send = partial(pair.transport.send_file, b"prefix", FileSlice(file, 7, LARGE - 7))
        assert await received_while(pair, LARGE - 1, send) == b"prefix" + CONTENT[7:LARGE]


async def test_file_that_ends_early_says_how_much_was_sent(file: int) -> None:
    async with connected() as pair:
        sent = []

        async def send() -> None:
            sent.append(await pair.transport.send_file(b"", FileSlice(file, 0, LARGE + 100)))

        assert await received_while(pair, LARGE, send) == CONTENT[:LARGE]
        assert sent == [LARGE]


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 4, PIECE_BYTES - 3, 10 * PIECE_BYTES + 1])
async def test_parts_arrive_in_order(size: int) -> None:
    async with connected() as pair:
        send = partial(pair.transport.send, b"head", memoryview(CONTENT)[:size])
        assert await received_while(pair, 4 + size, send) == b"head" + CONTENT[:size]
        assert pair.transport.sent_bytes == 4 + size


async def test_connections_that_share_a_buffer_and_wait_do_not_mix(file: int) -> None:
    shared = shared_buffer()
    async with connected(shared=shared) as one, connected(shared=shared) as other, trio.open_nursery() as nursery:
        nursery.start_soon(one.transport.send_file, b"one", FileSlice(file, 0, LARGE - 3))
        nursery.start_soon(other.transport.send_file, b"two", FileSlice(file, 1, LARGE - 3))
        received = [b"", b""]
        for start in range(0, LARGE, 50_000):  # in turns, so that both have to wait
            for index, pair in enumerate((one, other)):
                received[index] += await pair.read(min(50_000, LARGE - start))
    assert received[0] == b"one" + CONTENT[: LARGE - 3]
    assert received[1] == b"two" + CONTENT[1 : LARGE - 2]


async def test_receive_into_fills_the_buffer_across_records() -> None:
    async with connected() as pair:
        await pair.client.send_all(CONTENT[:40_000])
        await pair.client.send_all(CONTENT[40_000:50_000])
        buffer, received = memoryview(bytearray(30_000)), b""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(received) < 50_000:
                received += buffer[: await pair.transport.receive_into(buffer)]
        assert received == CONTENT[:50_000]


async def test_client_that_does_not_read_is_given_up(file: int) -> None:
    async with connected(stall_seconds=0.1) as pair:
        with pytest.raises(ConnectionLostError, match="no progress"), trio.fail_after(PATIENCE_SECONDS):
            await pair.transport.send_file(b"", FileSlice(file, 0, LARGE))


async def test_client_that_does_not_send_is_given_up() -> None:
    async with connected(stall_seconds=0.1) as pair:
        with pytest.raises(ConnectionLostError, match="no progress"), trio.fail_after(PATIENCE_SECONDS):
            await pair.transport.receive_into(memoryview(bytearray(1)))


async def test_client_that_vanishes_is_lost_to_whoever_sends(file: int) -> None:
    async with connected() as pair:
        await trio.aclose_forcefully(pair.client)
        with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ConnectionLostError):
            await pair.transport.send_file(b"", FileSlice(file, 0, LARGE))


async def test_file_that_cannot_be_read_is_not_the_clients_fault(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        async with connected() as pair:
            with pytest.raises(IsADirectoryError):
                await pair.transport.send_file(b"", FileSlice(fd, 0, 1))
    finally:
        os.close(fd)


async def test_finish_closes_though_the_client_reads_nothing() -> None:
    async with connected() as pair:
        with trio.move_on_after(0.1):
            await pair.transport.send(CONTENT)
        with trio.fail_after(PATIENCE_SECONDS):
            await pair.transport.finish(0.1)
            await pair.transport.finish(0.1)


async def test_over_a_connection_that_is_gone_closes_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    plain = SocketTransport(accepted, "127.0.0.1", stall_seconds=1, disk=trio.CapacityLimiter(2))
    plain.abort()
    gone.close()
    with pytest.raises(ConnectionLostError):
        TlsTransport.over(plain, server_context(), shared_buffer())


# Cancellation

_AWAITS = (
    (trio.lowlevel, "checkpoint"),
    (trio.lowlevel, "wait_readable"),
    (trio.lowlevel, "wait_writable"),
    (trio.to_thread, "run_sync"),
)


def cancel_at(monkeypatch: pytest.MonkeyPatch, number: int, scope: trio.CancelScope) -> None:
    """Cancel ``scope`` when this task comes to its await of that number, from 1."""
    task = trio.lowlevel.current_task()
    numbers = itertools.count(1)

    def counting(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*arguments: object, **options: object) -> Any:  # noqa: ANN401 (what it wraps returns)
            if trio.lowlevel.current_task() is task and next(numbers) == number:
                scope.cancel()
            return await original(*arguments, **options)

        return wrapped

    for module, name in _AWAITS:
        monkeypatch.setattr(module, name, counting(getattr(module, name)))


@pytest.mark.parametrize("is_resident", [True, False])
async def test_transfer_that_is_cancelled_anywhere_can_be_closed(
    file: int, is_resident: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_resident:
        monkeypatch.setattr("s3proxy.http1.tls._read_resident", lambda *_: None)
    for number in itertools.count(1):
        scope = trio.CancelScope()
        async with connected() as pair, trio.open_nursery() as nursery:
            nursery.start_soon(pair.read, LARGE)
            with monkeypatch.context() as patch, scope:
                cancel_at(patch, number, scope)
                await pair.transport.send_file(b"", FileSlice(file, 0, LARGE))
                await pair.transport.finish(1)
            nursery.cancel_scope.cancel()
        if not scope.cancelled_caught:
            break
    assert number > LARGE // (256 * 1024)  # of the turns alone there are so many


async def test_entrance_that_is_cancelled_anywhere_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    entrance = Entrance(tls=server_context(), proxies=Proxies(["127.0.0.1"]))
    for number in itertools.count(1):
        scope = trio.CancelScope()
        plain, client = await fresh()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(introduce, client)
            with monkeypatch.context() as patch, scope:
                cancel_at(patch, number, scope)
                (await entrance.enter(plain, 1)).abort()
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(client)
        if not scope.cancelled_caught:
            break
    assert number > 4  # the header in two pieces, and the two flights of a client


async def introduce(client: trio.SSLStream[trio.SocketStream]) -> None:
    for half in (b"PROXY TCP4 192.0.2.1 ", b"192.0.2.2 1 2\r\n"):
        await client.transport_stream.send_all(half)
        await trio.sleep(0.01)
    await client.do_handshake()
