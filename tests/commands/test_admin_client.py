import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from s3proxy.admin.messages import CacheRequest, Message, Progress, Refused, Shown, encode
from s3proxy.commands.admin_client import NodeError, NoNodeError, ask, connect

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Node:
    """Answers one request with the given bytes, whatever it was."""

    def __init__(self, answer: bytes, *, stays: bool = False) -> None:
        self.client, self._server = socket.socketpair()
        self.client.settimeout(5)
        self.request = b""
        self._answer = answer
        self._stays = stays
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._server:
            while not self.request.endswith(b"}"):
                self.request += self._server.recv(65536)
            self._server.sendall(self._answer)
            while self._stays and self._server.recv(1):
                pass

    def end(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def tell(self) -> list[Message]:
        with closing(ask(self.client, "status", CacheRequest(bucket="b"))) as messages:
            return list(messages)


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    started: list[Node] = []
    yield started
    for node in started:
        node.end()


def test_ask_gives_messages_and_skips_heartbeats(nodes: list[Node]) -> None:
    nodes.append(Node(HEAD + chunk(b"\n") + chunk(encode(Progress()) + encode(Shown())) + chunk(b"\n") + b"0\r\n\r\n"))
    assert nodes[0].tell() == [Progress(), Shown()]
    assert nodes[0].request.startswith(b"POST /cache/status HTTP/1.1\r\n")


def test_ask_gives_the_reason_of_a_refused_request(nodes: list[Node]) -> None:
    body = encode(Refused(reason="no"))
    nodes.append(Node(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)))
    assert nodes[0].tell() == [Refused(reason="no")]


def test_ask_of_a_node_that_dies_amid_its_answer_has_no_result(nodes: list[Node]) -> None:
    nodes.append(Node(HEAD + chunk(encode(Progress()))))
    assert nodes[0].tell() == [Progress()]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "went away"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "went away"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "not an s3proxy"),
    ],
)
def test_ask_of_something_else_says_so(nodes: list[Node], answer: bytes, reason: str) -> None:
    nodes.append(Node(answer))
    with pytest.raises(NodeError, match=reason):
        nodes[0].tell()


def test_ask_of_a_silent_node_gives_up(nodes: list[Node]) -> None:
    nodes.append(Node(HEAD, stays=True))
    nodes[0].client.settimeout(0.1)
    with pytest.raises(NodeError, match="said nothing"):
        nodes[0].tell()


def test_ask_closed_early_hangs_up(nodes: list[Node]) -> None:
    nodes.append(Node(HEAD + chunk(encode(Progress())), stays=True))
    messages = ask(nodes[0].client, "load", CacheRequest(bucket="b"))
    assert next(messages) == Progress()
    messages.close()  # which the node's end shows, else it stays


def test_connect_takes_the_first_socket_that_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "second"))
        listener.listen()
        connect([tmp_path / "first", tmp_path / "second"]).close()


def test_connect_without_a_node_names_every_socket_it_tried(tmp_path: Path) -> None:
    with pytest.raises(NoNodeError) as raised:
        connect([tmp_path / "first", tmp_path / "second", tmp_path / ("x" * 200)])
    assert str(tmp_path / "first") in str(raised.value)
    assert "second (No such file or directory)" in str(raised.value)
