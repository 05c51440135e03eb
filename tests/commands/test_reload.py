import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from s3proxy.admin.reload_progress import Progress
from s3proxy.cli import main

LISTENER = """
import signal, socket, sys
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))
with socket.socket(socket.AF_UNIX) as sock:
    sock.bind(sys.argv[1])
    sock.listen()
    print("listening", flush=True)
    signal.pause()
"""


def test_reload_without_waiting_signals_the_process_that_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "admin.sock"
    with subprocess.Popen([sys.executable, "-c", LISTENER, str(path)], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        node.stdout.readline()
        assert main(["reload", "--no-wait", "--socket", str(path)]) == 0
        assert node.wait(10) == 7
    assert capsys.readouterr().out.startswith(f"process {node.pid} was asked to replace its workers")


def test_reload_without_a_node_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reload", "--socket", str(tmp_path / "absent.sock")]) == 3
    said = capsys.readouterr().err
    assert "no node is running here" in said
    assert "absent.sock" in said


def test_reload_of_a_node_that_died_a_moment_ago_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGUSR2)
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(os, "kill", refuse)
    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        assert main(["reload", "--no-wait", "--socket", str(path)]) == 1
    assert capsys.readouterr().err == "s3proxy: the node cannot be asked: No such process\n"


class Node:
    """Shows what it is given as its progress, each for one request and the last one for all others.

    *Closes:* ``close``.
    """

    def __init__(self, path: Path) -> None:
        self.told: list[Progress | str] = []
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                now = node.told.pop(0) if len(node.told) > 1 else node.told[0]
                body = now if isinstance(now, str) else json.dumps(asdict(now))
                self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body.encode() if body else b"")

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("", 0), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = socket.socket(socket.AF_UNIX)
        self._server.socket.bind(str(path))
        self._server.socket.listen()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that were sent, here to nobody."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "admin.sock"


@pytest.fixture
def node(path: Path) -> Iterator[Node]:
    node = Node(path)
    yield node
    node.close()


def test_reload_waits_and_says_how_far_it_is(
    node: Node, path: Path, asked: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    node.told = [
        Progress(),
        Progress(begun=1, processes=2),
        Progress(begun=1, processes=2, replaced=1),
        Progress(begun=1, ended=1, processes=2, replaced=2),
    ]
    assert main(["reload", "--socket", str(path)]) == 0
    assert asked == [(os.getpid(), signal.SIGUSR2)]
    assert capsys.readouterr().out.splitlines() == [
        f"process {os.getpid()} replaces its workers",
        "1 of 2 processes replaced",
        "2 of 2 processes replaced",
        "done; those that were replaced finish the requests that they have",
    ]


def test_reload_that_is_refused_says_why_and_exits_with_1(
    node: Node, path: Path, asked: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    node.told = [Progress(), Progress(begun=1, ended=1, processes=2, refusal="worker 0 ended with code 1")]
    assert main(["reload", "--socket", str(path), "--reread"]) == 1
    assert asked == [(os.getpid(), signal.SIGHUP)]
    assert capsys.readouterr().err == (
        "s3proxy: the reload was refused: worker 0 ended with code 1; the node goes on as before, its log tells more\n"
    )


def test_reload_that_was_going_on_already_is_not_the_one_that_is_waited_for(
    node: Node, path: Path, asked: list[tuple[int, int]]
) -> None:
    node.told = [
        Progress(begun=5, ended=4, processes=2, replaced=1),
        Progress(begun=5, ended=5, processes=2, replaced=2, refusal="of another one's"),
        Progress(begun=6, ended=5, processes=2),
        Progress(begun=6, ended=6, processes=2, replaced=2),
    ]
    assert main(["reload", "--socket", str(path)]) == 0
    assert len(node.told) == 1


def test_reload_goes_on_waiting_while_the_admin_process_is_replaced(
    node: Node, path: Path, asked: list[tuple[int, int]]
) -> None:
    node.told = [Progress(), "", Progress(begun=1, ended=1)]
    assert main(["reload", "--socket", str(path)]) == 0


def test_reload_that_takes_too_long_exits_with_1_and_goes_on(
    node: Node, path: Path, asked: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    node.told = [Progress(begun=0)]
    assert main(["reload", "--socket", str(path), "--timeout", "0.5"]) == 1
    assert capsys.readouterr().err == (
        "s3proxy: the reload was not over after 0.5 seconds, and goes on; the node's log tells how\n"
    )


def test_reload_of_what_is_no_s3proxy_asks_nothing_of_it(
    node: Node, path: Path, asked: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    node.told = ["hello"]
    assert main(["reload", "--socket", str(path)]) == 1
    assert asked == []
    assert "of another version, or none; nothing was asked of it" in capsys.readouterr().err
