"""Bytes through real sockets: partial sends, files that shrink, clients that vanish or stall."""

import errno
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from s3proxy.body import FileSlice
from s3proxy.http1.messages import ConnectionLostError
from s3proxy.http1.transfer import COPIED_SLICE_BYTES, PIECE_BYTES, SocketTransport
from tests.http1.serving import PATIENCE_SECONDS, descriptor_count

LARGE = 3 * PIECE_BYTES + 12_345
CONTENT = bytes(range(256)) * (LARGE // 256 + 1)


class Pair:
    """A transport and the plain socket at its other end, whose buffers are small enough to block."""

    def __init__(self, stall_seconds: float = 2.0) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.peer = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self.peer.setblocking(False)
        self.transport = SocketTransport(
            accepted, "127.0.0.1", stall_seconds=stall_seconds, disk=trio.CapacityLimiter(2)
        )

    async def read(self, size: int) -> bytes:
        data = b""
        with trio.fail_after(PATIENCE_SECONDS):
            while len(data) < size:
                await trio.lowlevel.wait_readable(self.peer.fileno())
                received = self.peer.recv(65536)
                if not received:
                    break
                data += received
        return data

    def close(self) -> None:
        self.transport.abort()
        self.peer.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    before = descriptor_count()
    pair = Pair()
    yield pair
    pair.close()
    assert descriptor_count() == before


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT[:LARGE])
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


async def received_while(pair: Pair, size: int, send: Callable[..., Awaitable[object]], *args: object) -> bytes:
    received = b""

    async def read() -> None:
        nonlocal received
        received = await pair.read(size)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(send, *args)
    return received


@pytest.mark.parametrize("sizes", [(0,), (1, 0, 2), (100, 4096), (100, LARGE), (LARGE, LARGE), (PIECE_BYTES, 0, 1)])
async def test_send_parts_of_any_size_arrive_joined(pair: Pair, sizes: tuple[int, ...]) -> None:
    parts = [memoryview(CONTENT)[:size] for size in sizes]

    received = await received_while(pair, sum(sizes), pair.transport.send, *parts)

    assert received == b"".join(parts)
    assert pair.transport.sent_bytes == sum(sizes)


@pytest.mark.parametrize("prefix", [b"", b"head\r\n\r\n"])
@pytest.mark.parametrize("offset", [0, 4097])
@pytest.mark.parametrize("length", [1, COPIED_SLICE_BYTES, COPIED_SLICE_BYTES + 1, LARGE - 4097])
async def test_send_file_slice_arrives_after_its_prefix(
    pair: Pair, file: int, prefix: bytes, offset: int, length: int
) -> None:
    expected = prefix + CONTENT[offset : offset + length]

    received = await received_while(
        pair, len(expected), pair.transport.send_file, prefix, FileSlice(file, offset, length)
    )

    assert received == expected
    assert pair.transport.sent_bytes == len(expected)


@pytest.mark.parametrize("length", [1000, LARGE])
@pytest.mark.parametrize("missing", [1, 500])
async def test_send_file_that_shrank_returns_what_was_left(pair: Pair, file: int, length: int, missing: int) -> None:
    os.ftruncate(file, length - missing)
    counts = []

    async def send() -> None:
        counts.append(await pair.transport.send_file(b"", FileSlice(file, 0, length)))

    assert await received_while(pair, length - missing, send) == CONTENT[: length - missing]
    assert counts == [length - missing]


class Probes:
    """Stands in for os.preadv and records which files were sent by which thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError | None) -> None:
        self.threads: list[str] = []
        real_sendfile = os.sendfile

        def preadv(*_: object) -> int:
            if error:
                raise error
            return 1

        def sendfile(*args: int) -> int:
            try:
                trio.lowlevel.current_task()
                self.threads.append("loop")
            except RuntimeError:
                self.threads.append("worker")
            return real_sendfile(*args)

        monkeypatch.setattr(os, "preadv", preadv)
        monkeypatch.setattr(os, "sendfile", sendfile)


@pytest.mark.parametrize(
    ("error", "thread"),
    [
        (None, "loop"),
        (BlockingIOError(errno.EAGAIN, "not in the page cache"), "worker"),
        (OSError(errno.EOPNOTSUPP, "no RWF_NOWAIT"), "worker"),
        (OSError(errno.EIO, "bad disk"), "worker"),
    ],
)
@pytest.mark.parametrize("length", [100, LARGE])
async def test_send_file_not_known_to_be_in_memory_is_sent_by_a_thread(
    pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch, error: OSError | None, thread: str, length: int
) -> None:
    probes = Probes(monkeypatch, error)

    received = await received_while(pair, length, pair.transport.send_file, b"", FileSlice(file, 0, length))

    assert received == CONTENT[:length]
    assert set(probes.threads) <= {thread}
    assert probes.threads or (error is None and length == 100)


async def test_send_file_on_tmpfs_is_sent_without_a_thread(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    # tmpfs answers EOPNOTSUPP to RWF_NOWAIT; the memory tier must not pay for a thread.
    fd = os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR)
    os.write(fd, CONTENT[:LARGE])
    probes = Probes(monkeypatch, OSError(errno.EOPNOTSUPP, "no RWF_NOWAIT"))
    try:
        received = await received_while(pair, LARGE, pair.transport.send_file, b"", FileSlice(fd, 0, LARGE))
    finally:
        os.close(fd)

    assert received == CONTENT[:LARGE]
    assert set(probes.threads) == {"loop"}


async def test_send_file_that_cannot_be_read_raises_the_error_of_the_file(
    pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sendfile(*_: int) -> int:
        raise OSError(errno.EIO, "bad disk")

    monkeypatch.setattr(os, "sendfile", sendfile)

    with pytest.raises(OSError, match="bad disk"):
        await pair.transport.send_file(b"", FileSlice(file, 0, LARGE))


async def transfer_on_and_on(pair: Pair, kind: str, file: int) -> None:
    """More than any socket buffer takes."""
    for _ in range(20):
        if kind == "send":
            await pair.transport.send(CONTENT)
        elif kind == "send_file":
            await pair.transport.send_file(b"head", FileSlice(file, 0, LARGE))
        else:
            await pair.transport.receive_into(memoryview(bytearray(1)))


@pytest.mark.parametrize("kind", ["send", "send_file"])
async def test_send_to_client_that_closed_midway_raises(pair: Pair, file: int, kind: str) -> None:
    async def leave() -> None:
        await pair.read(1000)
        pair.peer.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ConnectionLostError):
            await transfer_on_and_on(pair, kind, file)


@pytest.mark.parametrize("kind", ["send", "send_file", "receive_into"])
async def test_transfer_with_client_that_stalls_raises_after_the_stall_timeout(file: int, kind: str) -> None:
    pair = Pair(stall_seconds=0.05)
    try:
        with trio.fail_after(PATIENCE_SECONDS), pytest.raises(ConnectionLostError, match="no progress"):
            await transfer_on_and_on(pair, kind, file)
    finally:
        pair.close()


async def test_receive_into_fills_the_start_of_the_buffer(pair: Pair) -> None:
    buffer = bytearray(b"........")
    pair.peer.send(b"abc")

    assert await pair.transport.receive_into(memoryview(buffer)) == 3
    assert buffer == b"abc....."


async def test_receive_at_the_end_gives_nothing(pair: Pair) -> None:
    pair.peer.shutdown(socket.SHUT_WR)

    assert await pair.transport.receive() == b""
    assert await pair.transport.receive_into(memoryview(bytearray(1))) == 0


@pytest.mark.parametrize("kind", ["receive", "receive_into"])
async def test_receive_from_client_that_reset_raises(pair: Pair, kind: str) -> None:
    pair.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    pair.peer.close()

    with pytest.raises(ConnectionLostError):
        await (pair.transport.receive() if kind == "receive" else pair.transport.receive_into(memoryview(bytearray(1))))


async def test_finish_while_client_is_still_sending_lets_it_read_the_response(pair: Pair) -> None:
    pair.peer.send(b"x" * 10_000)
    await pair.transport.send(b"response")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.transport.finish, 2.0)
        await trio.testing.wait_all_tasks_blocked(0.01)
        pair.peer.send(b"x" * 10_000)
        assert await pair.read(9) == b"response"
        pair.peer.close()


async def test_finish_with_client_that_never_closes_ends_in_time(pair: Pair) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        await pair.transport.finish(0.05)
    await pair.transport.finish(0.05)


async def test_abort_resets_the_connection(pair: Pair) -> None:
    pair.transport.abort()
    pair.transport.abort()

    await trio.lowlevel.wait_readable(pair.peer.fileno())
    with pytest.raises(ConnectionResetError):
        pair.peer.recv(1)


async def test_send_that_never_waits_still_gives_others_their_turn(
    pair: Pair, file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    def sendfile(_out: int, _fd: int, _offset: int, count: int) -> int:
        return count

    monkeypatch.setattr(os, "sendfile", sendfile)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await pair.transport.send_file(b"", FileSlice(file, 0, 20 * PIECE_BYTES))
        nursery.cancel_scope.cancel()
    assert turns >= 15
