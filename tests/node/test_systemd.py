"""The words of sd_notify(3) on a real datagram socket, and descriptors as sd_listen_fds(3) says."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from s3proxy.node import systemd
from s3proxy.node.failures import StartError


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What stands for the service manager."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield sock


def test_words_are_told_in_one_datagram(told: socket.socket) -> None:
    systemd.notify(systemd.READY, systemd.status("serving\nall"))
    assert told.recv(4096) == b"READY=1\nSTATUS=serving all"


def test_words_are_told_in_the_abstract_name_space(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"s3proxy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        systemd.notify(systemd.STOPPING)
        assert sock.recv(4096) == b"STOPPING=1"


def test_reload_tells_its_moment(told: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    systemd.notify(*systemd.reloading())
    first, second = told.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    name, _, moment = second.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(moment) <= time.monotonic_ns() // 1000


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify(systemd.READY)


def test_service_manager_that_is_gone_is_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "absent"))
    systemd.notify(systemd.READY)
    assert "cannot be told READY=1: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_is_fed_when_the_service_manager_waits_for_this_process(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert systemd.watchdog_seconds(environ) == seconds


def test_descriptors_of_another_process_are_not_taken() -> None:
    assert systemd.passed_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "2"}) == {"data": [], "admin": []}
    assert systemd.passed_sockets({}) == {"data": [], "admin": []}


def passed(monkeypatch: pytest.MonkeyPatch, *given: socket.socket, names: str) -> dict[str, list[socket.socket]]:
    """As if ``given`` had been passed under numbers that follow each other."""
    copies = [os.dup(each.fileno()) for each in given]
    monkeypatch.setattr(systemd, "_listening", lambda fd, real=systemd._listening: real(copies[fd - 3]))
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": names}
    return systemd.passed_sockets(environ)


def test_descriptors_are_told_apart_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
        socket.create_server(("127.0.0.1", 0)) as three,
    ):
        found = passed(monkeypatch, one, two, three, names="s3proxy.socket:admin")
        names = {name: [each.getsockname() for each in sockets] for name, sockets in found.items()}
        assert names == {"data": [one.getsockname(), three.getsockname()], "admin": [two.getsockname()]}
        for each in (*found["data"], *found["admin"]):
            assert not each.getblocking()
            assert not each.get_inheritable()
            each.close()


def test_descriptor_that_is_no_listening_tcp_socket_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, pytest.raises(StartError, match="no listening TCP"):
        passed(monkeypatch, sock, names="data")
