"""Within one machine nothing is paced; what the operator chose for other links stays."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from s3proxy.http1 import congestion
from s3proxy.http1.congestion import unpace_within_machine
from tests.http1.serving import echo, get, serving


@contextmanager
def connected(source: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection from an address of this machine to 127.0.0.1, both ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), source_address=(source, 0))
        accepted, _ = listener.accept()
        with client, accepted:
            yield client, accepted


def algorithm(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The algorithm of this machine, which is taken for one that paces."""
    with socket.socket() as sock:
        name = algorithm(sock)
    monkeypatch.setattr(congestion, "_PACED", name)
    return name


@pytest.mark.usefixtures("usual")
def test_connection_within_the_machine_is_not_paced() -> None:
    with connected("127.0.0.1") as ends:
        for end in ends:
            unpace_within_machine(end)
            assert algorithm(end) == b"reno"


def test_connection_from_another_address_keeps_the_algorithm_of_the_machine(usual: bytes) -> None:
    with connected("127.0.0.2") as ends:
        for end in ends:
            unpace_within_machine(end)
            assert algorithm(end) == usual


def test_algorithm_that_does_not_pace_is_left_alone(usual: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(congestion, "_PACED", b"another")
    with connected("127.0.0.1") as ends:
        for end in ends:
            unpace_within_machine(end)
            assert algorithm(end) == usual


def test_socket_that_is_closed_is_no_failure() -> None:
    with connected("127.0.0.1") as (client, _):
        client.close()
        unpace_within_machine(client)


@pytest.mark.usefixtures("usual")
async def test_server_does_not_pace_what_it_sends_within_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[bytes] = []
    real = congestion.unpace_within_machine

    def noted(sock: socket.socket) -> None:
        real(sock)
        accepted.append(algorithm(sock))

    monkeypatch.setattr("s3proxy.http1.server.unpace_within_machine", noted)
    async with serving(echo) as running, running.client() as client:
        await client.ask(get())

    assert accepted == [b"reno"]
