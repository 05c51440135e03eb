"""What a node of two workers tells Prometheus of its work, and that it forgets none when workers come and go."""

import http.client
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.dashboard.test_real_node import free_port
from tests.integration.watched import wait_until
from tests.server import Server, Settings, started

GETS = 's3proxy_requests_total{operation="GetObject",status="200"}'
BYTES = 4096


@dataclass(frozen=True, slots=True)
class Node:
    server: Server
    admin_port: int

    def get(self, key: str = "key") -> int:
        """GET an object on a new connection, so that any worker may have it."""
        url = f"http://127.0.0.1:{self.server.port}/bucket/{key}"
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                assert len(response.read()) == BYTES
                return 200
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def series(self) -> dict[str, float]:
        """Every sample by its name and labels."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=20)) as connection:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def wait_for(self, name: str, value: float) -> None:
        """Workers tell once a second what they did."""
        wait_until(lambda: self.series().get(name) == value, seconds=10)


def store_with_one_object(root: Path) -> Path:
    bucket = root / "bucket"
    bucket.mkdir(parents=True)
    (bucket / "key").write_bytes(b"x" * BYTES)
    return root


Starting = Callable[[str, Path, Settings], Node]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starting]:
    with ExitStack() as stack:

        def start_one(name: str, root: Path, settings: Settings) -> Node:
            port = free_port()
            admin: Settings = {"admin": {"listen": f"127.0.0.1:{port}", "socket": str(tmp_path / f"{name}.sock")}}
            server = stack.enter_context(started(root, tmp_path / name, settings={**settings, **admin}))
            node = Node(server, port)
            wait_until(lambda: _listens(port), seconds=20)
            return node

        yield start_one


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def node(tmp_path: Path, start: Starting) -> Node:
    return start("node", store_with_one_object(tmp_path / "root"), {"server": {"workers": 2, "max_connections": 3}})


def test_requests_of_all_workers_are_added_up(node: Node) -> None:
    answers = [node.get() for _ in range(20)] + [node.get("missing")]
    assert answers == [200] * 20 + [404]
    node.wait_for(GETS, 20)
    series = node.series()
    assert series['s3proxy_requests_total{operation="GetObject",status="404"}'] == 1
    assert series['s3proxy_request_duration_seconds_count{operation="GetObject"}'] == 21
    assert series['s3proxy_request_first_byte_seconds_count{operation="GetObject"}'] == 21
    assert series['s3proxy_object_bytes_total{source="local"}'] == 20 * BYTES
    assert series["s3proxy_connections_accepted_total"] == 21


def test_heads_that_cannot_be_read_are_counted(node: Node) -> None:
    with socket.create_connection(("127.0.0.1", node.server.port)) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    node.wait_for("s3proxy_requests_refused_total", 1)


def test_connections_are_told_by_what_they_do(node: Node) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", node.server.port))) for _ in range(3)]
        node.wait_for('s3proxy_connections{state="idle"}', 3)
        clients[0].sendall(b"GET /bucket/key HTT")
        node.wait_for('s3proxy_connections{state="busy"}', 1)
    node.wait_for('s3proxy_connections{state="idle"}', 0)
    node.wait_for('s3proxy_connections{state="busy"}', 0)
    assert node.series()["s3proxy_connections_limit"] == 6


def test_what_a_killed_worker_counted_stays(node: Node) -> None:
    for _ in range(20):
        node.get()
    node.wait_for(GETS, 20)
    with socket.create_connection(("127.0.0.1", node.server.port)):
        node.wait_for('s3proxy_connections{state="idle"}', 1)
        before = node.server.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(node.server.workers()) - set(before)) == 2, seconds=20)
        node.wait_for('s3proxy_connections{state="idle"}', 0)
    assert node.get() == 200
    node.wait_for(GETS, 21)


def test_what_replaced_workers_counted_stays_and_their_posts_are_filled(node: Node) -> None:
    for _ in range(20):
        node.get()
    node.wait_for(GETS, 20)
    before = node.server.children()
    node.server.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: not set(before) & set(node.server.children()), seconds=30)
    wait_until(lambda: _listens(node.admin_port), seconds=10)
    assert node.get() == 200
    node.wait_for(GETS, 21)
    processes = {name for name in node.series() if name.startswith("s3proxy_process_cpu_seconds_total")}
    assert processes == {
        f's3proxy_process_cpu_seconds_total{{process="{name}"}}' for name in ("supervisor", "admin", "0", "1")
    }
    assert "starting another" not in node.server.logs[1].read_text()


def test_bytes_and_requests_of_a_store_behind_are_counted(tmp_path: Path, start: Starting) -> None:
    under = start("under", store_with_one_object(tmp_path / "root"), {})
    store = {"kind": "s3", "endpoint": f"http://127.0.0.1:{under.server.port}", "root": None, "fsync": None}
    node = start(
        "over", tmp_path / "none", {"store": {**store, "access_key": "any", "secret_key": "any", "deadline_seconds": 1}}
    )
    for _ in range(3):
        assert node.get() == 200
    node.wait_for('s3proxy_object_bytes_total{source="store"}', 3 * BYTES)
    series = node.series()
    assert series['s3proxy_store_requests_total{store="default"}'] >= 3
    assert series['s3proxy_store_errors_total{store="default"}'] == 0
    assert series['s3proxy_store_request_duration_seconds_count{store="default"}'] >= 3
    assert series['s3proxy_store_reachable{store="default"}'] == 1
    under.server.stop()
    assert node.get() == 503
    node.wait_for('s3proxy_store_reachable{store="default"}', 0)
    assert node.series()['s3proxy_store_errors_total{store="default"}'] > 0
