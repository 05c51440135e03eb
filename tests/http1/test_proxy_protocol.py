"""The PROXY protocol: what is accepted, from whom, and that not a byte behind the header is lost."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.http1.connection import Incident
from s3proxy.http1.entrance import Entrance
from s3proxy.http1.limits import Limits
from s3proxy.http1.messages import Request, Response
from s3proxy.http1.proxies import Proxies
from s3proxy.http1.proxy_protocol import ProxyHeaderError, header_length, parse_source
from tests.http1.certificates import client_context, server_context
from tests.http1.client.certificates import NAME
from tests.http1.serving import QUICK, Client, Running, descriptor_count, get, serving

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
CLIENT = "203.0.113.9"
TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"


def v2(payload: bytes, *, command: int = 0x21, protocol: int = 0x11, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, protocol, len(payload) if length is None else length) + payload


def addresses(source: str, attributes: bytes = b"") -> bytes:
    packed = ip_address(source).packed
    return packed + bytes(len(packed)) + struct.pack("!HH", 4711, 443) + attributes


V2 = v2(addresses(CLIENT, b"\x04\x00\x03abc"))


def read(data: bytes) -> str | None:
    """As a connection does: the length is told from ever more of it, and what follows is not touched."""
    for end in range(1, len(data) + 1):
        length = header_length(data[:end])
        if length <= end:
            assert length == end
            return parse_source(data[:length])
        assert length > end
    raise ProxyHeaderError("incomplete")


# The header


@pytest.mark.parametrize(
    ("header", "source"),
    [
        (V1, CLIENT),
        (b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n", CLIENT),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff:f...f:ffff what ever\r\n", None),
        (V2, CLIENT),
        (v2(addresses("2001:db8::1"), protocol=0x21), "2001:db8::1"),
        (v2(b"", command=0x20, protocol=0), None),  # LOCAL: a health check
        (v2(b"abc", command=0x20, protocol=0xFF), None),
        (v2(b"abc", protocol=0), None),
        (v2(bytes(216), protocol=0x31), None),  # a Unix socket at the balancer
    ],
)
def test_header_says_who_the_client_is(header: bytes, source: str | None) -> None:
    assert read(header) == source


@pytest.mark.parametrize(
    "header",
    [
        b"GET / HTTP/1.1\r\n",
        b"PUT / HTTP/1.1\r\n",
        b"proxy TCP4 203.0.113.9 192.0.2.1 1 2\r\n",
        b"PROXY  TCP4 203.0.113.9 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2 \r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n",
        b"PROXY TCP4 203.0.113.009 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 203.0.113.9 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 65536 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1 00\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1 \xb2\r\n",
        b"PROXY UDP4 203.0.113.9 192.0.2.1 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
        b"PROXY UNKNOWN \n\r\n",
        b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
        SIGNATURE[:-1] + b"X" + bytes(4),
        b"\r\nGET / HTTP/1.1\r\n",
        v2(addresses(CLIENT), command=0x11),
        v2(addresses(CLIENT), command=0x22),
        v2(addresses(CLIENT), protocol=0x12),  # a datagram
        v2(addresses(CLIENT), protocol=0x41),
        v2(addresses(CLIENT)[:-1]),
        v2(addresses(CLIENT), protocol=0x21),
        v2(bytes(215), protocol=0x31),
        v2(addresses(CLIENT, bytes(5000))),
        v2(b"", length=65535),
    ],
)
def test_anything_else_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read(header)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 65535), st.binary(max_size=100))
def test_both_versions_say_the_same(
    source: IPv4Address, destination: IPv4Address, port: int, attributes: bytes
) -> None:
    first = b"PROXY TCP4 %s %s %d 1\r\n" % (str(source).encode(), str(destination).encode(), port)
    assert read(first) == read(v2(addresses(str(source), attributes))) == str(source)


@given(st.ip_addresses(v=6))
def test_version_2_brings_any_address_of_ipv6(source: IPv6Address) -> None:
    assert read(v2(addresses(str(source)), protocol=0x21)) == str(source.ipv4_mapped or source)


@given(st.one_of(st.binary(min_size=1, max_size=200), st.binary(max_size=100).map(lambda rest: b"PROXY " + rest)))
def test_any_bytes_are_a_header_or_refused_within_bounds(data: bytes) -> None:
    with suppress(ProxyHeaderError):
        read(data)


@given(st.binary(max_size=40), st.integers(0, 255), st.integers(0, 255))
def test_any_version_2_header_is_read_or_refused(payload: bytes, command: int, protocol: int) -> None:
    with suppress(ProxyHeaderError):
        source = read(v2(payload, command=command, protocol=protocol))
        assert source is None or len(payload) >= 12


# Connections


async def tell_peer(request: Request) -> Response:
    return Response(200, [], b"%s for %s" % (request.target, request.peer.encode()))


@asynccontextmanager
async def balanced(*, is_tls: bool = False, limits: Limits = QUICK) -> AsyncIterator[Running]:
    before = descriptor_count()
    entrance = Entrance(tls=server_context() if is_tls else None, proxies=Proxies([TRUSTED]))
    async with serving(tell_peer, limits, entrance) as running:
        yield running
    assert descriptor_count() == before


async def connect(running: Running, address: str = TRUSTED) -> trio.SocketStream:
    sock = trio.socket.socket()
    await sock.bind((address, 0))
    await sock.connect(("127.0.0.1", running.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return trio.SocketStream(sock)


@pytest.mark.parametrize("header", [V1, V2])
async def test_request_behind_a_header_is_the_clients(header: bytes) -> None:
    async with balanced() as running, await connect(running) as stream:
        client = Client(stream)
        assert (await client.ask(header + get(b"/a"))).body == b"/a for 203.0.113.9"
        assert (await client.ask(get(b"/b"))).body == b"/b for 203.0.113.9"


@pytest.mark.parametrize("header", [V1, V2])
async def test_header_that_comes_byte_by_byte_is_understood(header: bytes) -> None:
    async with balanced() as running, await connect(running) as stream:
        for byte in header:
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.001)
        assert (await Client(stream).ask(get(b"/a"))).body == b"/a for 203.0.113.9"


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(b"", command=0x20, protocol=0)])
async def test_balancer_that_speaks_for_itself_is_the_client(header: bytes) -> None:
    async with balanced() as running, await connect(running) as stream:
        assert (await Client(stream).ask(header + get(b"/a"))).body == b"/a for 127.0.0.1"


async def test_header_comes_before_the_handshake() -> None:
    async with balanced(is_tls=True) as running, await connect(running) as stream:
        await stream.send_all(V1)
        secured = trio.SSLStream(stream, client_context(), server_hostname=NAME)
        assert (await Client(secured).ask(get(b"/a"))).body == b"/a for 203.0.113.9"
        await trio.aclose_forcefully(secured)


async def test_header_of_a_stranger_is_a_malformed_request() -> None:
    async with balanced() as running, await connect(running, STRANGER) as stream:
        assert (await Client(stream).ask(V1 + get())).status == 400
        assert running.incident_kinds() == [Incident.REQUEST_REFUSED]


async def test_stranger_is_served_as_itself() -> None:
    async with balanced() as running, await connect(running, STRANGER) as stream:
        assert (await Client(stream).ask(get(b"/a"))).body == b"/a for 127.0.0.2"


async def test_header_where_none_is_expected_is_a_malformed_request() -> None:
    async with serving(tell_peer) as running, running.client() as client:
        assert (await client.ask(V1 + get())).status == 400


@pytest.mark.parametrize("data", [get(), SIGNATURE + bytes(4), b"PROXY nonsense\r\n"])
async def test_balancer_without_a_header_is_closed(data: bytes) -> None:
    async with balanced() as running, await connect(running) as stream:
        await stream.send_all(data)
        assert await Client(stream).rest() == b""
        assert running.incident_kinds() == [Incident.HANDSHAKE_FAILED]


async def test_header_that_does_not_come_in_time_ends_the_connection() -> None:
    limits = replace(QUICK, head_timeout_seconds=0.2)
    async with balanced(limits=limits) as running, await connect(running) as stream:
        await stream.send_all(V1[:20])
        await running.wait_until(lambda: running.server.connections == 1)
        assert await Client(stream).rest() == b""
        assert running.incident_kinds() == [Incident.HANDSHAKE_FAILED]


async def test_balancer_that_only_tries_the_port_is_no_incident() -> None:
    async with balanced() as running:
        async with await connect(running):
            await running.wait_until(lambda: running.server.connections == 1)
        await running.wait_until(lambda: running.server.connections == 0)
        assert running.incidents == []
