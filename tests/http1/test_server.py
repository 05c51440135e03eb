"""Accepting, refusing, and ending gracefully."""

import errno
import socket
from contextlib import suppress
from dataclasses import replace

import pytest
import trio

from s3proxy.http1.connection import Incident
from s3proxy.http1.messages import Request, Response
from s3proxy.http1.server import HttpServer
from s3proxy.http1.transfer import SocketTransport
from tests.http1.serving import (
    PATIENCE_SECONDS,
    QUICK,
    ListBody,
    SentRecorder,
    descriptor_count,
    echo,
    error_response,
    get,
    loopback_listener,
    serving,
)


async def test_serve_on_several_listeners_answers_on_each() -> None:
    server = HttpServer(echo, error_response, observe=lambda *_: None)
    listeners = [loopback_listener(), loopback_listener()]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, listeners)
        for listener in listeners:
            async with await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1]) as stream:
                await stream.send_all(get())
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK")
        server.drain()


async def test_serve_on_a_unix_socket_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("s") / "socket")
    server = HttpServer(echo, error_response, observe=lambda *_: None)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, [sock])
        async with await trio.open_unix_socket(path) as stream:
            await stream.send_all(get())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK")
        server.drain()


async def test_serve_sends_small_pieces_at_once_to_who_connected_before_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    without_delay: list[int] = []

    class NotedTransport(SocketTransport):
        def __init__(self, sock: socket.socket, peer: str, *, stall_seconds: float, disk: trio.CapacityLimiter) -> None:
            without_delay.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            super().__init__(sock, peer, stall_seconds=stall_seconds, disk=disk)

    monkeypatch.setattr("s3proxy.http1.server.SocketTransport", NotedTransport)
    server = HttpServer(echo, error_response, observe=lambda *_: None)
    listener = loopback_listener()
    async with trio.open_nursery() as nursery, await trio.open_tcp_stream(*listener.getsockname()) as stream:
        nursery.start_soon(server.serve, [listener])
        await stream.send_all(get())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK")
        server.drain()
    assert without_delay == [1]


# Limits. security.md 11: Ceph CVE-2019-19337, CVE-2019-10222, CVE-2020-1700, CVE-2019-3821


async def test_serve_connection_above_the_limit_is_503_until_one_ends() -> None:
    async with serving(echo, replace(QUICK, max_connections=1)) as running:
        async with running.client() as first:
            assert (await first.ask(get())).status == 200
            async with running.client() as second:
                reply = await second.reply()
                assert (reply.status, reply.headers[b"connection"]) == (503, b"close")
                assert await second.rest() == b""
            assert (await first.ask(get())).status == 200
        await running.wait_until(lambda: running.server.connections == 0)
        async with running.client() as third:
            assert (await third.ask(get())).status == 200
        assert running.incident_kinds() == [Incident.CONNECTION_REFUSED]
        assert (running.server.accepted, running.server.refused) == (3, 1)


async def test_serve_with_no_room_leaves_connections_to_another_worker_on_the_same_socket() -> None:
    async with serving(echo, replace(QUICK, max_connections=1)) as full, full.client() as first:
        assert (await first.ask(get())).status == 200
        other = HttpServer(echo, error_response, observe=lambda *_: None, limits=QUICK)
        full.nursery.start_soon(other.serve, [full.share_listener()])
        for _ in range(20):
            async with full.client() as client:
                assert (await client.ask(get())).status == 200
        assert (full.server.refused, other.accepted) == (0, 20)


class Neighbour:
    """One of two servers, which see each other's connections."""

    def __init__(self, counts: dict[str, int | None], name: str) -> None:
        self.counts = counts
        self.name = name

    def tell_connections(self, count: int | None) -> None:
        self.counts[self.name] = count

    def fewest_elsewhere(self) -> int | None:
        return min(
            (count for name, count in self.counts.items() if name != self.name and count is not None), default=None
        )


async def test_serve_shares_connections_evenly_with_another_worker_on_the_same_socket() -> None:
    counts: dict[str, int | None] = {}
    async with serving(echo, neighbours=Neighbour(counts, "one")) as one:
        other = HttpServer(echo, error_response, observe=lambda *_: None, neighbours=Neighbour(counts, "other"))
        one.nursery.start_soon(other.serve, [one.share_listener()])
        clients = [await one.connect() for _ in range(16)]
        await one.wait_until(lambda: one.server.connections + other.connections == 16)
        assert max(one.server.connections, other.connections) <= 12  # 8 where both had the time to take their turns
        for client in clients:
            await client.stream.aclose()
        await one.wait_until(lambda: counts == {"one": 0, "other": 0})


async def test_serve_takes_connections_that_a_worker_with_fewer_leaves() -> None:
    counts: dict[str, int | None] = {"busy": 0}
    async with serving(echo, neighbours=Neighbour(counts, "one")) as running:
        clients = [await running.connect() for _ in range(16)]
        await running.wait_until(lambda: counts["one"] == 16)
        for client in clients:
            await client.stream.aclose()


async def test_drain_tells_other_workers_that_no_more_connections_are_taken() -> None:
    counts: dict[str, int | None] = {}
    async with serving(echo, neighbours=Neighbour(counts, "one")) as running, running.client() as client:
        assert (await client.ask(get())).status == 200
        assert counts == {"one": 1}
        running.server.drain()
        await running.ended.wait()
        assert counts == {"one": None}


async def test_serve_connection_above_the_limit_of_refusals_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s3proxy.http1.server._MAX_REFUSALS", 0)
    async with serving(echo, replace(QUICK, max_connections=0)) as running:
        with suppress(OSError):  # the reset may come before the client knows that it is connected
            async with running.client() as client:
                assert await client.rest() == b""
        assert running.incidents == []
        assert (running.server.accepted, running.server.refused) == (1, 1)


async def test_serve_thousands_of_half_open_connections_still_answers_and_frees_them() -> None:
    before = descriptor_count()
    async with serving(echo, replace(QUICK, head_timeout_seconds=0.5)) as running:
        idle = descriptor_count()
        clients = [await running.connect() for _ in range(500)]
        for client in clients[::2]:
            await client.send(b"GET / HTTP/1.1\r\nHost")
        async with running.client() as client:
            assert (await client.ask(get())).status == 200

        await running.wait_until(lambda: running.server.connections == 0)
        for client in clients:
            await client.stream.aclose()
        assert descriptor_count() == idle
    assert descriptor_count() == before


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ECONNABORTED, errno.EPROTO])
async def test_serve_accept_that_fails_for_a_while_goes_on(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [OSError(code, "for a while")] * 2
    real_accept = socket.socket.accept

    def accept(sock: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return real_accept(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    async with serving(echo) as running, running.client() as client:
        assert (await client.ask(get())).status == 200
        assert not failures
        exhausted = code in (errno.EMFILE, errno.ENFILE)
        assert running.incident_kinds() == ([Incident.ACCEPT_FAILED] * 2 if exhausted else [])


async def test_serve_listener_that_is_no_socket_any_more_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def accept(_: socket.socket) -> object:
        raise OSError(errno.EINVAL, "not listening")

    monkeypatch.setattr(socket.socket, "accept", accept)
    listener = loopback_listener()
    server = HttpServer(echo, error_response, observe=lambda *_: None)
    with socket.create_connection(listener.getsockname()), pytest.RaisesGroup(OSError, flatten_subgroups=True):
        await server.serve([listener])
    assert listener.fileno() == -1


@pytest.mark.parametrize("step", ["connected", "in the head", "in the body", "in the handler", "in the response"])
async def test_serve_client_that_disconnects_at_any_step_leaves_nothing(step: str) -> None:
    entered, released = trio.Event(), trio.Event()

    async def handler(request: Request) -> Response:
        entered.set()
        if step == "in the handler":
            await released.wait()
        await echo(request)
        return Response(200, [], ListBody([b"x" * 1_000_000] * 20, 20_000_000))

    async with serving(handler) as running:
        before = descriptor_count()
        client = await running.connect()
        head = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
        await client.send(
            {"connected": b"", "in the head": head[:20], "in the body": head + b"a"}.get(step, head + b"abcd")
        )
        if step.startswith(("in the body", "in the handler", "in the response")):
            await entered.wait()
        if step == "in the response":
            await client.stream.receive_some(10_000)
        await client.stream.aclose()
        released.set()

        await running.wait_until(lambda: running.server.connections == 0)
        assert descriptor_count() == before
        assert running.incidents == []


# The graceful end


async def test_drain_closes_the_listener_at_once_and_idle_connections_soon() -> None:
    limits = replace(QUICK, drain_idle_seconds=0.1)
    async with serving(echo, limits) as running, running.client() as silent, running.client() as idle:
        await idle.ask(get())
        await running.wait_until(lambda: "2 connections, 2 idle>" in repr(running.server))
        assert running.server.idle == 2
        running.server.drain()

        await trio.sleep(0.01)
        with pytest.raises(OSError, match="connect"):
            await running.connect()
        with trio.fail_after(1):
            assert await idle.rest() == await silent.rest() == b""
            await running.ended.wait()


async def test_drain_answers_what_is_on_its_way_on_idle_connections_and_says_that_it_is_the_last() -> None:
    async with serving(echo) as running, running.client() as silent, running.client() as idle:
        await idle.ask(get())
        await running.wait_until(lambda: "2 connections, 2 idle>" in repr(running.server))
        running.server.drain()
        await trio.sleep(0.05)
        for client in (idle, silent):
            reply = await client.ask(get())
            assert (reply.status, reply.headers[b"connection"]) == (200, b"close")
            assert await client.rest() == b""


async def test_drain_right_after_a_connection_was_accepted_answers_its_request() -> None:
    async with serving(echo) as running, running.client() as client:
        while running.server.connections == 0:
            await trio.lowlevel.checkpoint()
        running.server.drain()
        await trio.sleep(0.05)
        reply = await client.ask(get())
        assert (reply.status, reply.headers[b"connection"]) == (200, b"close")


async def test_drain_after_a_head_that_promised_another_request_answers_that_one_too() -> None:
    body = ListBody([b"x" * 1_000_000] * 20, 20_000_000)

    async def handler(request: Request) -> Response:
        return Response(200, [], body if request.target == b"/long" else b"short")

    async with serving(handler) as running, running.client() as client:
        await client.send(get(b"/long"))
        await client.wait_for_bytes()
        running.server.drain()
        reply = await client.reply()
        assert b"connection" not in reply.headers
        reply = await client.ask(get(b"/short"))
        assert (reply.body, reply.headers[b"connection"]) == (b"short", b"close")


async def test_drain_lets_a_request_in_flight_finish_and_then_closes() -> None:
    entered, released = trio.Event(), trio.Event()

    async def handler(_: Request) -> Response:
        entered.set()
        await released.wait()
        return Response(200, [], b"done")

    async with serving(handler) as running, running.client() as client:
        await client.send(get())
        await entered.wait()
        running.server.drain()
        assert "draining" in repr(running.server)
        released.set()

        reply = await client.reply()
        assert (reply.body, reply.headers[b"connection"]) == (b"done", b"close")
        assert await client.rest() == b""
        with trio.fail_after(PATIENCE_SECONDS):
            await running.ended.wait()


async def test_drain_while_a_response_is_sent_completes_it_and_closes() -> None:
    body = ListBody([b"x" * 1_000_000] * 20, 20_000_000)

    async def handler(_: Request) -> Response:
        return Response(200, [], body)

    async with serving(handler) as running, running.client() as client:
        await client.send(get())
        await client.receive_exactly(b"HTTP/1.1 200 OK\r\n")
        running.server.drain()

        assert (await client.rest()).endswith(b"\r\n\r\n" + b"x" * 20_000_000)


async def test_drain_cancels_what_is_not_done_in_time() -> None:
    body = ListBody([b"x" * 1_000_000] * 50, 50_000_000)
    recorder = SentRecorder()

    async def handler(request: Request) -> Response:
        if request.target == b"/sleep":
            await trio.sleep_forever()
        return Response(200, [], body, on_sent=recorder)

    async with (
        serving(handler, replace(QUICK, drain_seconds=0.1)) as running,
        running.client() as sleeping,
        running.client() as reading,
    ):
        await sleeping.send(get(b"/sleep"))
        await reading.send(get(b"/read"))
        await reading.receive_exactly(b"HTTP/1.1 200 OK\r\n")
        running.server.drain()
        with trio.fail_after(PATIENCE_SECONDS):
            await running.ended.wait()

    assert [sent.is_complete for sent in recorder.calls] == [False]
    assert body.closed == 1
    assert running.server.connections == 0


async def test_drain_before_serve_accepts_nothing() -> None:
    server = HttpServer(echo, error_response, observe=lambda *_: None)
    server.drain()
    with trio.fail_after(PATIENCE_SECONDS):
        await server.serve([loopback_listener()])
