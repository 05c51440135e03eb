"""Before the first request: who somebody claims to be, and handshakes that are none."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import IO

import pytest

from tests.certificates import Certified, certify
from tests.security.site import ALICE, call
from tests.server import Server, Settings, Table, started
from tests.signing import sign_v4
from tests.wire import ask

BALANCER, STRANGER = "127.0.0.2", "127.0.0.1"
_PATIENCE_SECONDS = 60
"""For what comes at once on a quiet machine."""

PROXY_V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\n"
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + socket.inet_aton("203.0.113.9") + bytes(8)


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A node behind a balancer, which others reach as well."""
    base = tmp_path_factory.mktemp("balanced")
    settings: Settings = {"server": {"trusted_proxies": [BALANCER], "proxy_protocol": True}}
    with started(base / "root", base, users=(ALICE,), settings=settings) as server:
        yield server
    assert server.logs[1].read_text() == f"s3proxy ready on http://127.0.0.1:{server.port}\n"


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("certificates"), "127.0.0.1")


@pytest.fixture(scope="module")
def secured(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from served_by_tls(certified, tmp_path_factory.mktemp("secured"), {})


@pytest.fixture(scope="module")
def impatient(certified: Certified, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that waits for nobody for long."""
    yield from served_by_tls(certified, tmp_path_factory.mktemp("impatient"), {"head_timeout_seconds": 1})


def served_by_tls(certified: Certified, base: Path, table: Table) -> Iterator[Server]:
    settings: Settings = {
        "server": table,
        "tls": {"certificate_file": str(certified.certificate), "key_file": str(certified.key)},
    }
    with started(base / "root", base, users=(ALICE,), settings=settings) as server:
        yield server
    # Whatever was tried on it, it has nothing to say about it, a traceback least of all.
    assert server.logs[1].read_text() == f"s3proxy ready on https://127.0.0.1:{server.port}\n"


def spoken(server: Server, data: bytes, source: str = STRANGER) -> bytes:
    """What comes back to ``data`` until the server closes."""
    with socket.create_connection(
        ("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS, source_address=(source, 0)
    ) as sock:
        sock.sendall(data)
        answer = b""
        with suppress(ConnectionResetError):
            while received := sock.recv(65536):
                answer += received
        return answer


def clients_of(server: Server, path: str) -> list[str]:
    """Who asked for a path, by the access log."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        lines = [line for line in server.logs[0].read_text().splitlines() if f" {path} " in line]
        if lines:
            return [line.split(" ")[1] for line in lines]
        time.sleep(0.02)
    return []


def closing(path: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n" % (path, lines)


# Names that are not one's own


def test_forwarded_address_of_a_stranger_is_not_believed(balanced: Server) -> None:
    # RustFS CVE-2026-21862: X-Forwarded-For was trusted, whoever sent it.
    for header in (b"X-Forwarded-For: 203.0.113.9", b"Forwarded: for=203.0.113.9", b"X-Real-IP: 203.0.113.9"):
        assert spoken(balanced, closing(b"/spoofed", header)).startswith(b"HTTP/1.1 404")
    assert set(clients_of(balanced, "/spoofed")) == {STRANGER}


def test_forwarded_address_that_the_client_itself_wrote_is_not_believed(balanced: Server) -> None:
    local = b"PROXY UNKNOWN\r\n"
    spoken(balanced, local + closing(b"/appended", b"X-Forwarded-For: 203.0.113.9, 198.51.100.7"), BALANCER)
    assert clients_of(balanced, "/appended") == ["198.51.100.7"]


@pytest.mark.parametrize("header", [PROXY_V1, PROXY_V2])
def test_proxy_header_of_a_stranger_is_refused(balanced: Server, header: bytes) -> None:
    answer = spoken(balanced, header + closing(b"/introduced"))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert "203.0.113.9" not in balanced.logs[0].read_text()


def test_proxy_header_of_the_balancer_counts_once(balanced: Server) -> None:
    answer = spoken(balanced, PROXY_V1 + PROXY_V1 + closing(b"/twice"), BALANCER)
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("header", [b"X-Forwarded-Host", b"X-Original-Host", b"Forwarded"])
def test_signature_for_another_host_does_not_hold_whatever_is_forwarded(balanced: Server, header: bytes) -> None:
    # Or a request for one virtual-hosted bucket could be replayed against another.
    signed = sign_v4(call("GET", "/"), ALICE)
    assert ask(balanced.port, signed).status == 200
    host = signed.header(b"host") or b""
    moved = replace(
        signed,
        headers=tuple((name, b"other.test" if name == b"host" else value) for name, value in signed.headers),
    ).having((header, b"host=" + host if header == b"Forwarded" else host))
    local = b"PROXY UNKNOWN\r\n"
    for source, introduction in ((STRANGER, b""), (BALANCER, local)):
        data = introduction + moved.having((b"connection", b"close")).render()
        assert b"<Code>SignatureDoesNotMatch</Code>" in spoken(balanced, data, source)


# Handshakes


@pytest.mark.parametrize(
    "data",
    [
        closing(b"/"),
        b"\x00" * 1000,
        b"\xff" * 1000,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000,  # a record larger than there are
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"x" * 70_000,  # a ClientHello of 16 MiB
        b"\x17\x03\x03\x00\x20" + b"x" * 32,
        b"\x80\x2e\x01\x00\x02",  # SSL 2
        PROXY_V1,
    ],
)
def test_what_is_no_tls_is_closed_without_a_word_of_http(impatient: Server, data: bytes) -> None:
    assert b"HTTP" not in spoken(impatient, data)


def test_handshakes_that_never_end_are_closed_and_leave_nothing(impatient: Server, certified: Certified) -> None:
    # Ceph CVE-2019-3821 and its like: connections that are never let go.
    assert_serves(impatient, certified)
    before = impatient.descriptors()
    slow = [socket.create_connection(("127.0.0.1", impatient.port), timeout=_PATIENCE_SECONDS) for _ in range(100)]
    for index, sock in enumerate(slow):
        sock.sendall(b"\x16\x03\x01\x02\x00"[: index % 5])
    for sock in slow:
        with sock, suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    assert_serves(impatient, certified)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while impatient.descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert impatient.descriptors() <= before


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("version", "key", "echo", "is_answered"),
    [
        ("-tls1_2", b"R", b"RENEGOTIATING", False),
        ("-tls1_3", b"K", b"KEYUPDATE", True),
        ("-tls1_3", b"k", b"KEYUPDATE", True),
    ],
)
def test_keys_may_be_renewed_and_handshakes_not_repeated(
    secured: Server, certified: Certified, version: str, key: bytes, echo: bytes, is_answered: bool
) -> None:
    # CVE-2011-1473: a client that renegotiates again and again costs a core. TLS 1.3 has a cheap KeyUpdate instead.
    address, authority = f"127.0.0.1:{secured.port}", str(certified.authority)
    command = ["openssl", "s_client", "-connect", address, version, "-CAfile", authority]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, bufsize=0) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        # s_client takes a command only from a read that holds nothing else, so each waits for what it says to the last.
        heard(client.stdout, b"Verify return code: 0 (ok)")
        client.stdin.write(key + b"\n")
        heard(client.stdout, echo)
        with suppress(BrokenPipeError):  # it has ended
            client.stdin.write(closing(b"/renewed"))
        said = client.stdout.read()  # before its input ends, for then it would not wait for the answer
    assert (b"HTTP/1.1 404" in said) == is_answered
    assert_serves(secured, certified)


def heard(stream: IO[bytes], words: bytes) -> None:
    """Read until these words have come."""
    said = b""
    while words not in said:
        more = stream.read(4096)
        assert more, f"no {words!r} in {said!r}"
        said += more


def test_tls_without_the_right_version_or_cipher_is_refused(secured: Server, certified: Certified) -> None:
    context = certified.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")  # no forward secrecy, and CBC
    with (
        socket.create_connection(("127.0.0.1", secured.port), timeout=_PATIENCE_SECONDS) as sock,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
    ):
        context.wrap_socket(sock, server_hostname="127.0.0.1")


def assert_serves(server: Server, certified: Certified) -> None:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS) as sock,
        certified.context().wrap_socket(sock, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(closing(b"/"))
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")
