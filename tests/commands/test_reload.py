import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_reload_signals_the_process_that_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "admin.sock"
    with subprocess.Popen([sys.executable, "-c", LISTENER, str(path)], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        node.stdout.readline()
        assert main(["reload", "--socket", str(path)]) == 0
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
        assert main(["reload", "--socket", str(path)]) == 1
    assert capsys.readouterr().err == "s3proxy: the node cannot be asked: No such process\n"
