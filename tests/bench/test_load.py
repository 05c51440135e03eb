"""The load generator against a server that answers what it is told to."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import pytest

from bench import BenchError
from bench.content import KIB, MIB, Thing, content
from bench.load import Load
from bench.measure import Stopwatch, Usage
from bench.requests import Endpoint, FileBody, render_get, render_put

Answer = Callable[[bytes], tuple[bytes, ...]]
"""A whole request in, the response out in pieces; nothing to close the connection."""


@contextmanager
def _serving(answer: Answer) -> Iterator[Endpoint]:
    """Answer every request of one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer))
        thread.start()
        try:
            yield Endpoint(host="127.0.0.1", port=listener.getsockname()[1])
        finally:
            thread.join(10)


def _serve(listener: socket.socket, answer: Answer) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        try:
            while request := _read_request(stream.readline, stream.read):
                pieces = answer(request)
                if not pieces:
                    return
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.001 * (len(pieces) > 1))  # let the load read this one alone
        except OSError:  # the load has what it wants
            return


def _read_request(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> bytes:
    head, length = b"", 0
    while (line := readline()) not in {b"\r\n", b""}:
        head += line
        if line.startswith(b"content-length:"):
            length = int(line.split()[1])
    body = read(length)
    return head + body if len(body) == length else b""  # the load closes in the middle of its last request


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("size", [0, 4 * KIB, 64 * KIB, 8 * MIB])
def test_load_counts_responses_of_any_size(size: int) -> None:
    thing = Thing(key="a", number=3, size=size)
    response = _ok(content(3, 0, size))
    with _serving(lambda _: (response,)) as endpoint, Load(endpoint, [cycle([render_get(endpoint, thing)])]) as load:
        tally = load.run(0.2)
    assert len(tally.latencies) > 1
    assert list(tally.latencies) == sorted(tally.latencies)
    assert size * len(tally.latencies) <= tally.body_bytes <= size * (len(tally.latencies) + 1)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4096\r\n\r\n" + content(3, 0, 4096), "404"),
        (_ok(content(3, 0, 4095)), "4095"),
        (_ok(content(3, 0, 4096)) + b"x", "was answered"),
        (_ok(content(4, 0, 4096)), "other bytes"),
        (b"x" * 9000, "was answered"),
        (b"", "closed a connection"),
    ],
    ids=["status", "length", "too-much", "content", "not-http", "closed"],
)
def test_load_with_a_wrong_response_fails(response: bytes, reason: str) -> None:
    thing = Thing(key="a", number=3, size=4096)
    with (
        _serving(lambda _: (response,) if response else ()) as endpoint,
        Load(endpoint, [cycle([render_get(endpoint, thing)])]) as load,
        pytest.raises(BenchError, match=reason),
    ):
        load.run(5)


@pytest.mark.parametrize("cut", [20, 45])
def test_load_with_a_response_in_two_pieces_waits_for_the_rest(cut: int) -> None:
    thing = Thing(key="a", number=3, size=8)
    response = _ok(content(3, 0, 8))
    pieces = response[:cut], response[cut:]
    with _serving(lambda _: pieces) as endpoint, Load(endpoint, [cycle([render_get(endpoint, thing)])]) as load:
        tally = load.run(0.2)
    assert len(tally.latencies) > 1


@pytest.mark.parametrize("size", [4 * KIB, 9 * MIB])
def test_load_of_uploads_sends_every_byte(tmp_path: Path, size: int) -> None:
    body = content(5, 0, size)
    wrong: list[bytes] = []

    def answer(request: bytes) -> tuple[bytes, ...]:
        if not request.endswith(body):
            wrong.append(request[:100])
        return (b"HTTP/1.1 204 No Content\r\n\r\n",)

    path = tmp_path / "body"
    path.write_bytes(body)
    with path.open("rb") as file, _serving(answer) as endpoint:
        data = body if size == 4 * KIB else FileBody(fd=file.fileno(), length=size)
        with Load(endpoint, [cycle([render_put(endpoint, "k", data)])]) as load:
            tally = load.run(0.3)
    assert not wrong
    assert len(tally.latencies) > 1
    # The first upload may have begun before the measuring did.
    assert tally.body_bytes > size * (len(tally.latencies) - 1)


def test_load_of_a_supply_that_ends_sends_each_request_once() -> None:
    thing = Thing(key="a", number=3, size=4 * KIB)
    asked: list[bytes] = []

    def answer(request: bytes) -> tuple[bytes, ...]:
        asked.append(request)
        return (_ok(content(3, 0, 4 * KIB)),)

    with _serving(answer) as endpoint, Load(endpoint, [iter([render_get(endpoint, thing)] * 5)]) as load:
        tally = load.run(10)
    assert len(asked) == len(tally.latencies) == 5
    assert tally.seconds < 5
    assert tally.body_bytes == 5 * 4 * KIB


def test_load_that_checks_every_response_finds_one_wrong_one() -> None:
    thing = Thing(key="a", number=3, size=8)
    bodies = iter([content(3, 0, 8), content(4, 0, 8)])
    request = [render_get(Endpoint(host="", port=0), thing)] * 2
    with (
        _serving(lambda _: (_ok(next(bodies)),)) as endpoint,
        Load(endpoint, [iter(request)], check_every=1) as load,
        pytest.raises(BenchError, match="other bytes"),
    ):
        load.run(5)


_SERVER = """
import hashlib, select, socket, sys
response, rounds = sys.stdin.buffer.read(), int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
ready, connections = select.epoll(), {listener.fileno(): listener}
ready.register(listener, select.EPOLLIN)
while True:
    for fileno, _ in ready.poll():
        if fileno == listener.fileno():
            connection, _ = listener.accept()
            connections[connection.fileno()] = connection
            ready.register(connection, select.EPOLLIN)
        elif connections[fileno].recv(65536):
            for _ in range(rounds):
                hashlib.sha256(response)
            connections[fileno].sendall(response)
        else:
            connections.pop(fileno).close()
"""


@contextmanager
def _serving_apart(response: bytes, rounds: int) -> Iterator[tuple[Endpoint, int]]:
    """A process that answers everything alike, after so much work."""
    command = [sys.executable, "-c", _SERVER, str(rounds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(response)
        process.stdin.close()
        try:
            yield Endpoint(host="127.0.0.1", port=int(process.stdout.readline())), process.pid
        finally:
            process.kill()


@pytest.mark.parametrize(("rounds", "is_limit"), [(0, True), (200, False)], ids=["quick-server", "slow-server"])
def test_load_says_whether_it_was_the_limit(rounds: int, *, is_limit: bool) -> None:
    thing = Thing(key="a", number=3, size=16 * KIB)
    response = _ok(content(3, 0, thing.size))
    with _serving_apart(response, rounds) as (endpoint, pid):
        supplies = [cycle([render_get(endpoint, thing)]) for _ in range(64)]
        # Comparing every byte makes this load several times as slow as that server.
        with Load(endpoint, supplies, check_every=1) as load:
            usages = [_usage_of(load, pid) for _ in range(5)]
    # On a busy machine the server may be kept waiting, too.
    assert any(usage.load_limited for usage in usages) is is_limit, usages


def _usage_of(load: Load, pid: int) -> Usage:
    stopwatch = Stopwatch(pid)
    load.run(0.4)
    return stopwatch.stop()
