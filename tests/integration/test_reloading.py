"""A node whose workers are replaced while clients use it, seen from outside."""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.watched import wait_until
from tests.server import Server, Settings, configuration, started

RELOADS = 20
TWO: Settings = {"server": {"workers": 2}}


class Load:
    """Clients that keep their connections, and one that opens a new one for each request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._is_over = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._keep_alive, args=(number,)) for number in range(4)),
            threading.Thread(target=self._connect_anew),
        ]
        self.requests = 0
        self.connections = 0
        self.failures: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()

    def _keep_alive(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        while not self._is_over.is_set():
            time.sleep(0.002 * number)
            self._ask(connection, number)
        connection.close()

    def _connect_anew(self) -> None:
        while not self._is_over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            self._ask(connection, 9)
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, number: int) -> None:
        """One request; connects again only where the answer before this one said that its connection ended."""
        is_new = connection.sock is None
        try:
            if self.requests % 3:
                connection.request("GET", "/bucket/key")
            else:
                connection.request("PUT", f"/bucket/{number}", b"data")
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self.failures.append(f"status {response.status}")
        except OSError as error:
            self.failures.append(f"{error!r} on a {'new' if is_new else 'kept'} connection")
            connection.close()
        self.requests += 1
        self.connections += is_new


def start_and_fill(server: Server) -> None:
    for path, body in (("/bucket", None), ("/bucket/key", b"data" * 1000)):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("PUT", path, body)
        assert connection.getresponse().read() == b""
        connection.close()


def replace_all(server: Server, number: signal.Signals = signal.SIGUSR2) -> None:
    """Ask for new workers, and wait until there are only such."""
    before = set(server.workers())
    server.process.send_signal(number)
    wait_until(lambda: not before & set(server.workers()), seconds=30)
    assert not before & set(server.workers())
    assert len(server.workers()) == 2


def said(server: Server) -> str:
    return server.logs[1].read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with started(tmp_path / "root", tmp_path / "scratch", settings=TWO) as server:
        start_and_fill(server)
        yield server


@pytest.mark.timeout(300)
def test_rolling_reloads_under_load_fail_no_request(server: Server) -> None:
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    load = Load(server.port)
    with load.running():
        for _ in range(RELOADS):
            replace_all(server)
    assert load.failures == []
    assert load.requests > RELOADS * 10
    assert load.connections > RELOADS  # so the kept ones were ended, by answers that said so
    wait_until(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) == descriptors, seconds=5)
    assert len(os.listdir(f"/proc/{server.pid}/fd")) == descriptors
    assert server.stop() == 0
    assert "Traceback" not in said(server)


def test_reload_lets_an_upload_finish_on_the_worker_that_began_it(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"PUT /bucket/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf")
        time.sleep(0.3)
        before = set(server.workers())
        server.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: len(set(server.workers()) - before) == 2, seconds=20)
        client.sendall(b"half")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    wait_until(lambda: not before & set(server.workers()), seconds=10)
    assert (server.root / "bucket" / "slow").read_bytes() == b"halfhalf"


def test_sighup_serves_with_the_new_configuration(server: Server, tmp_path: Path) -> None:
    rewrite(server, tmp_path, {"server": {"workers": 2, "domains": ["s3.test"]}})
    replace_all(server, signal.SIGHUP)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /key HTTP/1.1\r\nHost: bucket.s3.test\r\nConnection: close\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"server": {"workers": 2, "region": 5}}, "server.region"),
        ({"server": {"workers": 2, "listen": "127.0.0.1:1"}}, "server.listen cannot change while the node runs"),
        ({"server": {"workers": 2}, "tls": {"certificate_file": "/absent", "key_file": "/absent"}}, "certificate_file"),
        ({"server": {"workers": 2}, "log": {"access": "/absent/log"}}, "worker 0 failed: log.access"),
    ],
)
def test_sighup_with_what_cannot_be_served_goes_on_as_before_and_says_why(
    server: Server, tmp_path: Path, settings: Settings, words: str
) -> None:
    before = server.workers()
    rewrite(server, tmp_path, settings)
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in said(server), seconds=20)
    assert "reload refused: " in said(server)
    assert words in said(server).split("reload refused: ")[1]
    assert server.workers() == before
    start_and_fill(server)
    rewrite(server, tmp_path, TWO)
    replace_all(server, signal.SIGHUP)


def test_command_reloads_the_node(tmp_path: Path) -> None:
    admin = tmp_path / "admin.sock"
    settings: Settings = {**TWO, "admin": {"listen": "127.0.0.1:0", "socket": str(admin)}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        before = set(server.children())
        assert len(before) == 3
        done = subprocess.run(
            [sys.executable, "-m", "s3proxy", "reload", "--socket", str(admin)],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        assert done.stdout.splitlines()[-2:] == [
            "3 of 3 processes replaced", "done; those that were replaced finish the requests that they have",
        ]  # fmt: skip
        assert len(set(server.children()) - before) == 3
        wait_until(lambda: not before & set(server.children()), seconds=30)
        assert not before & set(server.children())
        assert len(server.children()) == 3
        assert server.stop() == 0
    assert not admin.exists()


def test_command_says_why_a_configuration_is_refused(tmp_path: Path) -> None:
    settings: Settings = {**TWO, "admin": {"listen": "127.0.0.1:0", "socket": str(tmp_path / "admin.sock")}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        before = server.workers()
        rewrite(server, tmp_path, {**settings, "log": {"access": "/absent/log"}})
        done = subprocess.run(
            [sys.executable, "-m", "s3proxy", "reload", "--reread", "--socket", str(tmp_path / "admin.sock")],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == 1
        assert 'refused: worker 0 failed: log.access = "/absent/log": No such file' in done.stderr
        assert server.workers() == before


def rewrite(server: Server, tmp_path: Path, settings: Settings) -> None:
    """Change the configuration that the node was started with."""
    text = configuration(server.root, server.logs[0], settings=settings)
    (tmp_path / "scratch" / "s3proxy.toml").write_text(text, encoding="utf-8")


# The service manager


class Service:
    """A node started as systemd would, with a real socket for what it tells.

    *Closes:* ``running`` everything.
    """

    def __init__(self, tmp_path: Path, environment: dict[str, str], *, settings: Settings = TWO) -> None:
        self.root = tmp_path / "root"
        self.root.mkdir()
        self._config = tmp_path / "s3proxy.toml"
        self._config.write_text(configuration(self.root, tmp_path / "access.log", settings=settings), encoding="utf-8")
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(str(tmp_path / "notify"))
        self._told.settimeout(20)
        self._environment = os.environ | environment | {"NOTIFY_SOCKET": str(tmp_path / "notify")}

    @contextmanager
    def running(self, *sockets: socket.socket) -> Iterator["subprocess.Popen[bytes]"]:
        copies = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD, 50) for each in sockets]
        passing = " ".join(f"{3 + place}<&{fd} {fd}<&-" for place, fd in enumerate(copies))
        with self._told:
            serve = [sys.executable, "-m", "s3proxy", "serve", "--config", str(self._config)]
            process = subprocess.Popen(
                ["bash", "-c", f'LISTEN_PID=$$ exec "$@" {passing}', "node", *serve],
                env=self._environment | {"LISTEN_FDS": str(len(sockets))},
                pass_fds=copies,
            )
            for fd in copies:
                os.close(fd)
            try:
                yield process
            finally:
                process.kill()
                process.wait(20)

    def hear(self, *words: str) -> list[str]:
        """What the node tells next that begins with these words."""
        while (told := self._told.recv(4096).decode().split("\n"))[: len(words)] != list(words):
            pass
        return told

    def hears(self, word: str, *, seconds: float) -> bool:
        """Whether the node tells this within the time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._told.settimeout(left)
            with suppress(TimeoutError):
                if word in self._told.recv(4096).decode().split("\n"):
                    return True
        return False


def workers_of(process: "subprocess.Popen[bytes]") -> list[int]:
    return Server(process=process, port=0, root=Path(), logs=(Path(), Path())).workers()


def test_service_manager_is_told_of_the_node_s_life(tmp_path: Path) -> None:
    service = Service(tmp_path, {})
    with service.running() as node:
        assert service.hear("READY=1") == ["READY=1", "STATUS=serving with 2 workers"]
        node.send_signal(signal.SIGUSR2)
        told = service.hear("RELOADING=1")
        assert told[1].startswith("MONOTONIC_USEC=")
        assert service.hear("READY=1") == ["READY=1", "STATUS=serving with 2 workers; reloaded"]
        (tmp_path / "s3proxy.toml").write_text("[server")
        node.send_signal(signal.SIGHUP)
        service.hear("RELOADING=1")
        assert "the last reload was refused: " in service.hear("READY=1")[1]
        node.send_signal(signal.SIGTERM)
        assert service.hear("STOPPING=1") == ["STOPPING=1", "STATUS=draining"]
        assert node.wait(20) == 0


def test_watchdog_is_fed_while_every_worker_s_loop_goes_round(tmp_path: Path) -> None:
    service = Service(tmp_path, {"WATCHDOG_USEC": "4000000"})
    with service.running() as node:
        service.hear("READY=1")
        assert service.hears("WATCHDOG=1", seconds=5)
        victim = workers_of(node)[0]
        os.kill(victim, signal.SIGSTOP)
        service.hears("never", seconds=3)  # what it tells before the silence is noticed
        assert not service.hears("WATCHDOG=1", seconds=4)
        os.kill(victim, signal.SIGCONT)
        assert service.hears("WATCHDOG=1", seconds=10)


def test_sockets_of_the_service_manager_are_served(tmp_path: Path) -> None:
    settings: Settings = {**TWO, "admin": {"listen": "127.0.0.1:1", "socket": str(tmp_path / "admin.sock")}}
    service = Service(tmp_path, {"LISTEN_FDNAMES": "data:admin"}, settings=settings)
    with socket.create_server(("127.0.0.1", 0)) as data, socket.create_server(("127.0.0.1", 0)) as admin:
        # Who comes before the node waits, and is not refused.
        early = http.client.HTTPConnection("127.0.0.1", data.getsockname()[1], timeout=20)
        early.connect()
        with service.running(data, admin):
            service.hear("READY=1")
            early.request("GET", "/")
            assert early.getresponse().read()
            early.close()
            live = http.client.HTTPConnection("127.0.0.1", admin.getsockname()[1], timeout=20)
            live.request("GET", "/livez")
            assert live.getresponse().status == 200
            live.close()


# The end


def test_sigterm_says_that_it_is_not_ready_before_it_refuses(tmp_path: Path) -> None:
    port = free_port()
    settings: Settings = {
        "server": {"workers": 2, "readiness_seconds": 2},
        "admin": {"listen": f"127.0.0.1:{port}", "socket": str(tmp_path / "admin.sock")},
    }
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        wait_until(lambda: readiness(port)[0] == 200, seconds=10)
        assert readiness(port)[0] == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: readiness(port)[0] == 503, seconds=1.5)
        status, reason = readiness(port)
        assert status == 503
        assert b"drain" in reason
        start_and_fill(server)  # it still serves
        assert server.process.wait(20) == 0


@pytest.mark.timeout(120)
def test_worker_that_dies_again_and_again_ends_the_node_with_the_reason(tmp_path: Path) -> None:
    with started(tmp_path / "root", tmp_path / "scratch") as server:
        while server.process.poll() is None:
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        assert server.process.returncode == 1
        assert "worker 0 died 5 times in a row, each time within 30 seconds of its start" in said(server)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def readiness(port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
