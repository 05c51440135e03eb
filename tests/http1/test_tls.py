"""TLS over real sockets: what comes through, who is let in, and how it ends."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from s3proxy.http1.connection import Incident
from s3proxy.http1.entrance import Entrance
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import Handler, Request, Response
from s3proxy.http1.transfer import RECEIVE_BYTES
from tests.http1.certificates import client_context, demanding_context, server_context
from tests.http1.client.certificates import NAME
from tests.http1.serving import (
    PATIENCE_SECONDS,
    QUICK,
    Client,
    ListBody,
    Running,
    descriptor_count,
    echo,
    get,
    put,
    serving,
)


@pytest.fixture(autouse=True)
def no_descriptor_is_left() -> Iterator[None]:
    before = descriptor_count()
    yield
    assert descriptor_count() == before


@asynccontextmanager
async def secured(
    handler: Handler, limits: Limits = QUICK, context: ssl.SSLContext | None = None
) -> AsyncIterator[Running]:
    async with serving(handler, limits, Entrance(tls=context or server_context())) as running:
        yield running


async def encrypt(running: Running, context: ssl.SSLContext | None = None) -> trio.SSLStream[trio.SocketStream]:
    """A client's side, on which a missing close_notify is an error."""
    stream = await trio.open_tcp_stream("127.0.0.1", running.port)
    return trio.SSLStream(stream, context or client_context(), server_hostname=NAME)


@asynccontextmanager
async def client_of(running: Running, context: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
    async with await encrypt(running, context) as stream:
        yield Client(stream)


async def ended(stream: trio.abc.ReceiveStream) -> bytes:
    """What comes until the server closes."""
    data = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while received := await stream.receive_some(65536):
            data += received
    return data


async def asked_and_ended(stream: trio.SSLStream[trio.SocketStream]) -> bytes:
    await stream.send_all(get())
    return await ended(stream)


# Requests and responses


async def test_request_over_tls_is_answered_and_the_connection_kept() -> None:
    async with secured(echo) as running, client_of(running) as client:
        assert (await client.ask(get(b"/a"))).body == b"GET /a "
        assert (await client.ask(put(b"x" * 100_000))).body == b"PUT /k " + b"x" * 100_000
        assert (await client.ask(get(b"/b"))).body == b"GET /b "


async def test_requests_in_one_record_are_answered_one_by_one() -> None:
    # What OpenSSL has decrypted and not given out, the socket does not tell of.
    padding = b"X-Padding: %s\r\n" % (b"x" * (RECEIVE_BYTES // 2))
    async with secured(echo) as running, client_of(running) as client:
        await client.send(get(b"/a", padding) + get(b"/b", padding) + get(b"/c"))
        assert [(await client.reply()).body for _ in range(3)] == [b"GET /a ", b"GET /b ", b"GET /c "]


async def test_handler_learns_that_the_client_came_by_https() -> None:
    async def scheme(request: Request) -> Response:
        return Response(200, [], request.scheme.encode())

    async with secured(scheme) as running, client_of(running) as client:
        assert (await client.ask(get())).body == b"https"
    async with serving(scheme) as running, running.client() as client:
        assert (await client.ask(get())).body == b"http"


async def test_http_1_1_is_agreed_on() -> None:
    context = client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with secured(echo) as running, await encrypt(running, context) as stream:
        await stream.do_handshake()
        assert stream.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_session_of_an_earlier_connection_is_resumed(version: ssl.TLSVersion) -> None:
    context = client_context()
    context.minimum_version = context.maximum_version = version

    def ask(port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection(("127.0.0.1", port)) as sock,
            context.wrap_socket(sock, server_hostname=NAME, session=session) as secured,
        ):
            secured.sendall(get())
            assert secured.recv(4096)
            return secured.session, secured.session_reused

    async with secured(echo) as running:
        session, _ = await trio.to_thread.run_sync(ask, running.port, None)
        _, is_resumed = await trio.to_thread.run_sync(ask, running.port, session)
    assert is_resumed


# The handshake


async def test_plain_request_to_the_tls_port_is_closed_without_an_answer() -> None:
    async with secured(echo) as running, running.client() as client:
        await client.send(get())
        assert not (await client.rest()).startswith(b"HTTP")
        await running.wait_until(lambda: running.incident_kinds() == [Incident.HANDSHAKE_FAILED])
        assert running.server.failed_handshakes == 1


async def test_slow_handshake_counts_as_a_connection_and_is_closed_in_time() -> None:
    limits = replace(QUICK, head_timeout_seconds=0.2)
    async with secured(echo, limits) as running, running.client() as client:
        await client.send(b"\x16\x03\x01\x02")  # the start of a ClientHello
        await running.wait_until(lambda: running.server.connections == 1)
        assert await client.rest() == b""
        await running.wait_until(lambda: running.server.connections == 0)
        assert running.incident_kinds() == [Incident.HANDSHAKE_FAILED]


async def test_client_that_leaves_within_the_handshake_is_no_incident() -> None:
    async with secured(echo) as running:
        async with running.client() as client:
            await running.wait_until(lambda: running.server.connections == 1)
            await client.send(b"\x16\x03\x01")
        await running.wait_until(lambda: running.server.connections == 0)
        assert running.incidents == []


async def test_drain_does_not_wait_for_a_handshake() -> None:
    async with secured(echo, replace(QUICK, head_timeout_seconds=60)) as running, running.client() as client:
        await running.wait_until(lambda: running.server.connections == 1)
        running.server.drain()
        assert await client.rest() == b""
        with trio.fail_after(PATIENCE_SECONDS):
            await running.ended.wait()
        assert running.incidents == []


async def test_connection_above_the_limit_is_told_so_over_tls() -> None:
    async with secured(echo, replace(QUICK, max_connections=1)) as running, client_of(running) as first:
        await first.ask(get())
        async with client_of(running) as second:
            assert (await second.ask(b"")).status == 503


# Certificates of clients


async def test_client_with_a_certificate_that_is_trusted_is_let_in() -> None:
    trusted = client_context(signed_by="clients")
    async with secured(echo, context=demanding_context()) as running, client_of(running, trusted) as client:
        assert (await client.ask(get())).status == 200


@pytest.mark.parametrize(
    ("signed_by", "mode", "alert"),
    [
        (None, ssl.CERT_REQUIRED, "CERTIFICATE_REQUIRED"),
        ("strangers", ssl.CERT_REQUIRED, "UNKNOWN_CA"),
        ("strangers", ssl.CERT_OPTIONAL, "UNKNOWN_CA"),
    ],
)
async def test_client_without_a_trusted_certificate_is_told_why(
    signed_by: str | None, mode: ssl.VerifyMode, alert: str
) -> None:
    async with secured(echo, context=demanding_context(mode)) as running:
        stream = await encrypt(running, client_context(signed_by))
        with pytest.raises(trio.BrokenResourceError) as caught:
            await asked_and_ended(stream)
        assert alert in str(caught.value.__cause__)
        await trio.aclose_forcefully(stream)
        await running.wait_until(lambda: running.incident_kinds() == [Incident.HANDSHAKE_FAILED])


async def test_client_without_a_certificate_is_let_in_where_it_is_optional() -> None:
    async with secured(echo, context=demanding_context(ssl.CERT_OPTIONAL)) as running, client_of(running) as client:
        assert (await client.ask(get())).status == 200


# The end of a connection


async def test_last_response_is_followed_by_a_close_notify() -> None:
    async with secured(echo) as running, await encrypt(running) as stream:
        await stream.send_all(get(headers=b"Connection: close\r\n"))
        assert (await ended(stream)).endswith(b"GET / ")  # which a missing close_notify would have broken off


async def test_unread_body_does_not_keep_the_client_from_the_answer() -> None:
    async def refuse(_: Request) -> Response:
        return Response(403, [], b"no")

    async with secured(refuse) as running, await encrypt(running) as stream:
        await stream.send_all(put(b"x" * 300_000))
        assert (await ended(stream)).endswith(b"no")


async def test_idle_connection_is_closed_with_a_close_notify() -> None:
    async with secured(echo, replace(QUICK, idle_timeout_seconds=0.1)) as running, await encrypt(running) as stream:
        await stream.send_all(get())
        assert (await ended(stream)).endswith(b"GET / ")


async def test_client_that_says_the_end_is_let_go_without_an_incident() -> None:
    async with secured(echo) as running:
        async with await encrypt(running) as stream:
            await stream.send_all(get())
            await stream.receive_some()
        await running.wait_until(lambda: running.server.connections == 0)
        assert running.incidents == []


async def test_response_that_breaks_off_is_not_followed_by_a_close_notify() -> None:
    # Or a body without a length would seem whole.
    async def broken(_: Request) -> Response:
        return Response(200, [], ListBody([b"some", OSError("the disk")], None))

    async with secured(broken) as running, await encrypt(running) as stream:
        await stream.send_all(get())
        with pytest.raises(trio.BrokenResourceError):
            await ended(stream)
        assert running.incident_kinds() == [Incident.RESPONSE_FAILED]


async def test_record_that_was_tampered_with_ends_the_connection() -> None:
    async with secured(echo) as running:
        plain = await trio.open_tcp_stream("127.0.0.1", running.port)
        stream = trio.SSLStream(plain, client_context(), server_hostname=NAME)
        await stream.do_handshake()
        await plain.send_all(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        await running.wait_until(lambda: running.server.connections == 0)
        await trio.aclose_forcefully(stream)
        assert running.incidents == []
