"""The admin plane of a whole node: two workers with both tiers over another node, asked by HTTP as operators do."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import server
from tests.dashboard.test_real_node import free_port
from tests.server import Server, Settings

TOKEN = "a-token-for-tests-only"
KIB = 1024


@dataclass(frozen=True, slots=True)
class Node:
    server: Server
    admin_port: int
    admin_socket: Path

    def ask(self, target: str, *, token: str = TOKEN, **headers: str) -> tuple[int, bytes]:
        """GET from the admin plane."""
        sent = {name.title(): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return _request(self.admin_port, "GET", target, headers=sent)

    def status(self) -> dict[str, Any]:
        code, body = self.ask("/status")
        assert code == 200, body
        content: dict[str, Any] = json.loads(body)
        return content

    def get(self, key: str) -> bytes:
        """GET an object of ``bucket`` on a new connection, so that any worker may have it."""
        code, body = _request(self.server.port, "GET", f"/bucket/{key}")
        assert code == 200, body
        return body


def _request(port: int, method: str, target: str, *, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, target, headers=headers or {})
        with connection.getresponse() as response:
            return response.status, response.read()


@contextmanager
def under_store(tmp_path: Path, port: int) -> Iterator[Server]:
    with server.started(
        tmp_path / "root", tmp_path / "under", settings={"server": {"listen": f"127.0.0.1:{port}"}}
    ) as under:
        yield under


@contextmanager
def running_node(tmp_path: Path, under_port: int) -> Iterator[Node]:
    admin_port = free_port()
    settings: Settings = {
        "server": {"workers": 2},
        "store": {"kind": "s3", "endpoint": f"http://127.0.0.1:{under_port}", "root": None, "fsync": None}
        | {"access_key": "any", "secret_key": "unchecked"},
        "memory_tier": {"directory": str(tmp_path / "memory"), "size": "64 MiB"},
        "disk_tier": {"directory": str(tmp_path / "disk"), "size": "64 MiB"},
        "admin": {"listen": f"127.0.0.1:{admin_port}", "token": TOKEN, "socket": str(tmp_path / "admin.sock")},
    }
    with server.started(tmp_path / "none", tmp_path / "node", settings=settings) as started:
        yield Node(started, admin_port, tmp_path / "admin.sock")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests but those that break something."""
    tmp_path = tmp_path_factory.mktemp("admin")
    bucket = tmp_path / "root" / "bucket"
    bucket.mkdir(parents=True)
    for name, size in (("small", 4 * KIB), ("large", 9 * KIB * KIB), ("browsed", 9 * KIB * KIB)):
        (bucket / name).write_bytes(b"x" * size)
    for name in ("loaded/small", "loaded/large"):
        (bucket / name).parent.mkdir(exist_ok=True)
        (bucket / name).write_bytes(b"x" * 5 * KIB * KIB)
    port = free_port()
    with under_store(tmp_path, port), running_node(tmp_path, port) as running:
        yield running


def wait_for(is_so: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def test_node_is_ready_while_its_store_is_there(tmp_path: Path) -> None:
    port = free_port()
    with running_node(tmp_path, port) as node:
        watch_readiness(tmp_path, port, node)


def watch_readiness(tmp_path: Path, under_port: int, node: Node) -> None:
    assert node.ask("/livez", token="") == (200, b"ok\n")
    unreachable = (503, b"the default store cannot be reached\n")
    wait_for(lambda: node.ask("/readyz", token="") == unreachable)
    with under_store(tmp_path, under_port) as under:
        wait_for(lambda: node.ask("/readyz", token="") == (200, b"ok\n"))
        under.kill()
        wait_for(lambda: node.ask("/readyz", token="") == unreachable)
        assert not node.status()["node"]["is_ready"]
        (store,) = node.status()["stores"]
        assert (store["is_reachable"], bool(store["reason"])) == (False, True)
    with under_store(tmp_path, under_port):
        wait_for(lambda: node.ask("/readyz", token="") == (200, b"ok\n"))
    assert node.ask("/livez", token="")[0] == 200


def test_status_adds_up_what_both_workers_did(node: Node) -> None:
    before = node.status()
    for _ in range(40):
        assert len(node.get("small")) == 4 * KIB
    code, error = _request(node.server.port, "GET", "/bucket/missing")
    assert code == 404
    wait_for(lambda: node.status()["requests"]["total"] == before["requests"]["total"] + 41)
    status = node.status()

    def more(*path: str) -> int:
        return _number(status, path) - _number(before, path)

    assert more("requests", "by_operation", "GetObject", "count") == 41
    assert more("requests", "by_operation", "GetObject", "errors") == more("requests", "errors_4xx") == 1
    assert more("bytes", "sent") - len(error) == 40 * 4 * KIB
    assert more("bytes", "memory") + more("bytes", "disk") + more("bytes", "store") == 40 * 4 * KIB
    assert more("cache", "hits") + more("cache", "misses") == 40
    assert more("connections", "accepted") == 41
    assert [each["is_ready"] for each in status["node"]["workers"]] == [True, True]
    assert len({each["pid"] for each in status["node"]["workers"]}) == 2
    wait_for(lambda: node.status()["busiest"][:1] != [] and node.status()["busiest"][0]["key"] == "small")
    assert status["stores"][0]["requests"] > 0


def _number(content: dict[str, Any], path: Sequence[str]) -> int:
    """What stands there; 0 for what was not counted yet."""
    *tables, name = path
    for each in tables:
        content = content.get(each, {})
    return int(content.get(name, 0))


def test_metrics_are_what_prometheus_reads_and_agree_with_the_status(node: Node) -> None:
    for _ in range(10):
        node.get("large")
    time.sleep(1.5)  # workers count what they did once a second
    status = node.status()
    code, text = node.ask("/metrics")
    assert code == 200
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    requests = [each for each in families["s3proxy_requests"].samples if each.name == "s3proxy_requests_total"]
    assert sum(each.value for each in requests) == status["requests"]["total"] >= 10
    sources = {each.labels["source"]: each.value for each in families["s3proxy_object_bytes"].samples}
    assert sources == {name: status["bytes"][name] for name in ("memory", "disk", "store", "local")}
    assert sum(sources.values()) >= 10 * 9 * KIB * KIB
    processes = {each.labels["process"] for each in families["s3proxy_process_cpu_seconds"].samples}
    assert processes == {"supervisor", "admin", "0", "1"}


def test_browser_shows_what_of_an_object_is_cached(node: Node) -> None:
    def blocks() -> list[list[int]]:
        found: list[list[int]] = json.loads(node.ask("/blocks?bucket=bucket&key=browsed")[1])["blocks"]
        return found

    assert blocks() == [[0, 0]] * 3
    node.get("browsed")
    wait_for(lambda: blocks() == [[4 << 20, 0], [4 << 20, 0], [1 << 20, 0]])
    listing = json.loads(node.ask("/objects?bucket=bucket&prefix=b")[1])
    assert [(each["key"], each["memory_bytes"]) for each in listing["objects"]] == [("browsed", 9 << 20)]


def test_admin_plane_wants_its_token_and_knows_its_names(node: Node) -> None:
    for target in ("/metrics", "/status", "/history", "/buckets"):
        assert node.ask(target, token="")[0] == 401, target
        assert node.ask(target, token="wrong")[0] == 401, target
        assert node.ask(target, host="rebound.example")[0] == 403, target
        assert node.ask(target, origin="http://rebound.example")[0] == 403, target
    assert node.ask("/", token="")[0] == 200


def test_scrape_during_load_is_answered_and_no_request_fails(node: Node) -> None:
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            assert len(node.get("small")) == 4 * KIB

    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load) for _ in range(4)]
        try:
            assert {node.ask("/metrics")[0] for _ in range(20)} == {200}
        finally:
            stop.set()
        for each in loads:
            each.result()


def test_node_stays_ready_while_all_its_processes_are_replaced(node: Node) -> None:
    wait_for(lambda: node.ask("/readyz") == (200, b"ok\n"))
    before = set(node.server.children())
    os.kill(node.server.pid, signal.SIGUSR2)
    answers = set()
    deadline = time.monotonic() + 30
    while before & set(node.server.children()) and time.monotonic() < deadline:
        answers.add(node.ask("/readyz"))
    assert answers == {(200, b"ok\n")}
    assert not before & set(node.server.children())


def test_flood_of_the_admin_port_leaves_the_unix_socket_and_the_data_port_alone(node: Node) -> None:
    held = [socket.create_connection(("127.0.0.1", node.admin_port)) for _ in range(100)]
    try:
        assert len(node.get("small")) == 4 * KIB
        asked = _on_unix_socket(node.admin_socket, "/livez")
        assert asked.startswith(b"HTTP/1.1 200 ")
    finally:
        for each in held:
            each.close()


def test_unix_socket_wants_no_token(node: Node) -> None:
    answer = _on_unix_socket(node.admin_socket, "/status")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["node"]["is_ready"] in {True, False}


def _on_unix_socket(path: Path, target: str) -> bytes:
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while piece := client.recv(65_536):
            answer += piece
    return answer


def test_load_from_the_command_line_caches_and_then_finds_nothing_missing(node: Node) -> None:
    def load() -> dict[str, Any]:
        command = [sys.executable, "-m", "s3proxy", "cache"]
        options = ["--socket", str(node.admin_socket)]
        subprocess.run([*command, "load", "s3://bucket/loaded/", *options, "--quiet"], check=True, timeout=60)
        listing: dict[str, Any] = json.loads(node.ask("/objects?bucket=bucket&prefix=loaded/")[1])
        return {each["key"]: each["memory_bytes"] for each in listing["objects"]}

    assert load() == {"loaded/large": 5 << 20, "loaded/small": 5 << 20}
    before = node.status()["cache"]["fill_bytes"]
    assert load() == {"loaded/large": 5 << 20, "loaded/small": 5 << 20}
    assert node.status()["cache"]["fill_bytes"] == before
