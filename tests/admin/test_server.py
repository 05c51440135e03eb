import http.client
import select
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from s3proxy.admin import server
from s3proxy.admin.app import AdminApp
from s3proxy.admin.cache_commands import cache_commands
from s3proxy.admin.messages import Loaded, decode
from s3proxy.admin.routes import command_routes
from s3proxy.admin.server import serve_admin
from tests.admin.fakes import MIB, FakeCaches
from tests.admin.serving import serving


def post(path: Path, command: str, body: bytes = b'{"bucket": "data"}') -> socket.socket:
    """Send a request and leave its answer for later."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(path))
    client.sendall(
        b"POST /cache/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (command.encode(), len(body)) + body
    )
    return client


def read_answer(client: socket.socket) -> tuple[int, list[bytes]]:
    with client, http.client.HTTPResponse(client) as response:
        response.begin()
        return response.status, response.read().splitlines()


async def test_server_answers_a_command_on_its_socket(tmp_path: Path) -> None:
    caches = FakeCaches({"a": 3 * MIB})
    async with serving(caches, tmp_path / "socket"):
        client = await trio.to_thread.run_sync(post, tmp_path / "socket", "load")
        status, lines = await trio.to_thread.run_sync(read_answer, client)
    assert status == 200
    assert decode(lines[-1]) == Loaded(objects=1, bytes=3 * MIB, fetched_bytes=3 * MIB, failed=0)


async def test_server_whose_client_hangs_up_cancels_the_command(tmp_path: Path) -> None:
    caches = FakeCaches({"a": 1000 * MIB})
    caches.fetch_seconds = 0.01
    async with serving(caches, tmp_path / "socket"):
        client = await trio.to_thread.run_sync(post, tmp_path / "socket", "load")
        await caches.has_fetched.wait()
        client.close()
        await trio.sleep(0.2)
        fetched = len(caches.fetched)
        await trio.sleep(0.2)
        assert len(caches.fetched) == fetched


async def test_server_ends_although_a_client_does_not_read(tmp_path: Path) -> None:
    caches = FakeCaches({f"{'long' * 250}{index}": 1 for index in range(3000)})
    caches.page_size = 1000
    with trio.fail_after(10):
        async with serving(caches, tmp_path / "socket") as scope:
            client = await trio.to_thread.run_sync(post, tmp_path / "socket", "status")
            await trio.sleep(0.5)  # its buffer is full by now
            scope.cancel()
    client.close()


async def test_server_survives_a_client_that_resets_its_connection_before_it_is_accepted() -> None:
    # Health checks of HAProxy do so when they have waited too long; it used to end the process.
    app = AdminApp(command_routes(cache_commands(FakeCaches({}))))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_connection(listener.getsockname()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_admin, app, [listener], trio.Event())
            async with await trio.open_tcp_stream(*listener.getsockname()) as stream:
                await stream.send_all(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 404")
            nursery.cancel_scope.cancel()


async def test_server_survives_what_is_not_http(tmp_path: Path) -> None:
    caches = FakeCaches({"a": MIB})
    async with serving(caches, tmp_path / "socket"):
        for rubbish in (b"", b"\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /cache/load HTTP/1.1\r\nContent-Le"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(str(tmp_path / "socket"))
                client.sendall(rubbish)
        client = await trio.to_thread.run_sync(post, tmp_path / "socket", "load")
        status, _ = await trio.to_thread.run_sync(read_answer, client)
    assert status == 200


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(path))
    return client


def read_to_end(client: socket.socket) -> bytes:
    received = b""
    with client, suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            received += piece
    return received


def drip(client: socket.socket) -> bytes:
    """Send a head byte by byte until the server has had enough of it."""
    with suppress(BrokenPipeError):
        for byte in b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 1000:
            client.sendall(bytes([byte]))
            if select.select([client], [], [], 0.02)[0]:
                break
    return read_to_end(client)


async def test_server_turns_away_more_connections_than_it_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    async with serving(FakeCaches({"a": MIB}), tmp_path / "socket"):
        idle = [connected(tmp_path / "socket") for _ in range(3)]
        await trio.sleep(0.1)
        refused = await trio.to_thread.run_sync(read_to_end, connected(tmp_path / "socket"))
        assert refused.startswith(b"HTTP/1.1 503 ")
        for each in idle:
            each.close()
        await trio.sleep(0.1)
        client = await trio.to_thread.run_sync(post, tmp_path / "socket", "load")
        assert (await trio.to_thread.run_sync(read_answer, client))[0] == 200


async def test_server_closes_a_connection_whose_request_does_not_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Slowloris, CVE-2007-6750.
    monkeypatch.setattr(server, "_IDLE_SECONDS", 0.3)
    async with serving(FakeCaches(), tmp_path / "socket"):
        with trio.fail_after(5):
            assert await trio.to_thread.run_sync(read_to_end, connected(tmp_path / "socket")) == b""
            assert b"200 OK" not in await trio.to_thread.run_sync(drip, connected(tmp_path / "socket"))


async def test_server_gives_up_a_client_that_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SEND_SECONDS", 0.3)
    caches = FakeCaches({f"{'long' * 250}{index}": 1 for index in range(3000)})
    caches.page_size = 1000
    async with serving(caches, tmp_path / "socket"):
        client = await trio.to_thread.run_sync(post, tmp_path / "socket", "status")
        await trio.sleep(1)
        answered = await trio.to_thread.run_sync(read_to_end, client)
        assert b"shown" not in answered  # it was cut off


async def test_server_refuses_a_head_that_is_too_large(tmp_path: Path) -> None:
    async with serving(FakeCaches(), tmp_path / "socket"):
        client = connected(tmp_path / "socket")
        with suppress(BrokenPipeError):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
        assert b" 200 " not in (await trio.to_thread.run_sync(read_to_end, client))[:20]


async def test_server_that_drains_finishes_requests_and_closes_idle_connections(tmp_path: Path) -> None:
    caches = FakeCaches({"a": 20 * MIB})
    caches.fetch_seconds = 0.5
    draining = trio.Event()
    with trio.fail_after(10):
        async with serving(caches, tmp_path / "socket", draining):
            idle = connected(tmp_path / "socket")
            client = await trio.to_thread.run_sync(post, tmp_path / "socket", "load")
            await caches.has_fetched.wait()
            draining.set()
            assert await trio.to_thread.run_sync(read_to_end, idle) == b""
            assert len(caches.fetched) < 20
            status, lines = await trio.to_thread.run_sync(read_answer, client)
    assert status == 200
    assert decode(lines[-1]) == Loaded(objects=1, bytes=20 * MIB, fetched_bytes=20 * MIB, failed=0)
