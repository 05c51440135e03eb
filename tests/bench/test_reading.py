"""The reading client against a server that answers what it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import BenchError
from bench.content import KIB, MIB, Thing, content
from bench.dataset import write_file
from bench.reading import reading_from
from bench.requests import Endpoint, render_get, render_range

_THING = Thing(key="a", number=3, size=9 * MIB + 5)


@contextmanager
def _answering(*answers: bytes) -> Iterator[Endpoint]:
    """Give one answer to each thing that is received on one connection, then close it."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for answer in answers:
                connection.recv(4 * KIB)
                try:
                    connection.sendall(answer)
                except OSError:  # the reader has seen enough
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(host="127.0.0.1", port=listener.getsockname()[1])
        thread.join(10)


def _answer(body: bytes, length: int | None = None, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body) if length is None else length, body)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_file(tmp_path / "source", _THING)
    return tmp_path / "source"


def test_reading_takes_whole_objects_and_ranges_one_after_the_other(source: Path) -> None:
    whole, part = content(3, 0, _THING.size), content(3, MIB + 1, 3 * MIB)
    answers = _answer(whole), _answer(part, status=b"206 Partial Content")
    with _answering(*answers) as endpoint, reading_from(endpoint) as reader:
        first = reader.read(render_get(endpoint, _THING), source)
        second = reader.read(render_range(endpoint, _THING, MIB + 1, 3 * MIB), source)
    assert all(0 < each.first_byte_seconds <= each.seconds for each in (first, second))


@pytest.mark.parametrize(
    ("at", "is_found"), [(0, True), (8 * MIB + 77, True), (9 * MIB + 4, True), (MIB + 8, True), (MIB + 100, False)]
)
def test_wrong_byte_is_found_where_it_is_looked_for(at: int, is_found: bool, source: Path) -> None:
    body = bytearray(content(3, 0, _THING.size))
    body[at] ^= 1
    with _answering(_answer(bytes(body))) as endpoint, reading_from(endpoint) as reader:
        if is_found:
            with pytest.raises(BenchError, match="other bytes"):
                reader.read(render_get(endpoint, _THING), source)
        else:
            reader.read(render_get(endpoint, _THING), source)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_answer(b"no such key", status=b"404 Not Found"), "404"),
        (_answer(b"short"), "was answered"),
        (_answer(b"cut", _THING.size), "middle of a body|other bytes"),
        (b"HTTP/1.1 200 OK\r\n", "closed in the head"),
    ],
    ids=["status", "length", "cut", "head"],
)
def test_answer_that_is_not_the_object_fails(answer: bytes, reason: str, source: Path) -> None:
    with (
        _answering(answer) as endpoint,
        pytest.raises(BenchError, match=reason),
        reading_from(endpoint) as reader,
    ):
        reader.read(render_get(endpoint, _THING), source)
