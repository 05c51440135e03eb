"""The example configurations of balancers, by the programs that read them; and where HAProxy sends what."""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
needs_haproxy = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
needs_nginx = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
OBJECTS = [f"/data/key-{number}" for number in range(300)]


@needs_haproxy
@pytest.mark.parametrize("is_extended", [False, True], ids=["as it is", "with all that is commented out"])
def test_haproxy_configuration_is_accepted_without_a_warning(tmp_path: Path, is_extended: bool) -> None:
    text = (DEPLOY / "haproxy.cfg").read_text()
    if is_extended:
        text = re.sub(r"^    # (?=acl |http-request |hash-balance-factor )", "    ", text, flags=re.MULTILINE)
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run(
        ["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@needs_nginx
def test_nginx_configuration_is_accepted(tmp_path: Path) -> None:
    command = ["nginx", "-t", "-q", "-c", f"{DEPLOY}/nginx.conf", "-p", str(tmp_path), "-g", f"pid {tmp_path}/pid;"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# What HAProxy does with it


class _Node(BaseHTTPRequestHandler):
    """Says its name, and with it the path and the Host header that it got."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    name = ""
    is_broken = False

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        if self.is_broken and self.path != "/readyz":
            self.close_connection = True
            return
        body = f"{self.name} {self.path} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = _answer  # noqa: N815 (names that http.server looks for)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 (as the base class has it)
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as the base class has it)
        pass  # health checks reset their connections


@contextmanager
def _nodes(names: list[str], broken: str = "") -> Iterator[dict[str, int]]:
    servers = []
    for name in names:
        handler = type(name, (_Node,), {"name": name, "is_broken": name == broken})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    try:
        yield {name: server.server_port for name, server in zip(names, servers, strict=True)}
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _nginx(scratch: Path, ports: dict[str, int]) -> Iterator[int]:
    port = _free_port()
    text = (DEPLOY / "nginx.conf").read_text().replace("listen 39999", f"listen 127.0.0.1:{port}")
    for number in (1, 2, 3):
        text = text.replace(f"192.0.2.{number}:39999", f"127.0.0.1:{ports[f'node{number}']}")
    (scratch / "nginx.conf").write_text(text)
    (scratch / "logs").mkdir()
    settings = f"daemon off; pid {scratch}/pid; error_log {scratch}/error.log;"
    process = subprocess.Popen(
        ["nginx", "-q", "-p", str(scratch), "-c", f"{scratch}/nginx.conf", "-e", f"{scratch}/error.log", "-g", settings]
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _balancer(scratch: Path, ports: dict[str, int]) -> Iterator[int]:
    """HAProxy with the example's rules, in front of nodes that answer to health checks on their data port."""
    port = _free_port()
    text = (DEPLOY / "haproxy.cfg").read_text().replace("bind :39999", f"bind 127.0.0.1:{port}")
    text = re.sub(r"^frontend metrics\n(    .*\n)*", "", text, flags=re.MULTILINE).replace("log /dev/log local0", "")
    text = text.replace(" check port 39990", " check").replace("log global", "").replace("maxconn 20000", "maxconn 500")
    for number in (1, 2, 3):
        text = re.sub(rf"(server node{number}) \S+(?= )", rf"\1 127.0.0.1:{ports.get(f'node{number}', 1)}", text)
        if f"node{number}" not in ports:
            text = re.sub(rf"^ *server node{number} .*\n", "", text, flags=re.MULTILINE)
    config = scratch / f"haproxy-{port}.cfg"
    config.write_text(text)
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", config], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            threading.Event().wait(0.05)
        else:
            return
    raise AssertionError("HAProxy does not listen")


def _ask(port: int, target: str, *, method: str = "GET", host: str = "s3.example.com:39999") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(
            f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b""
        while more := sock.recv(65536):
            answer += more
    return answer


def _owner(port: int, target: str) -> str:
    return _ask(port, target).partition(b"\r\n\r\n")[2].split(b" ")[0].decode()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with _nodes(["node1", "node2", "node3"]) as ports, _balancer(tmp_path_factory.mktemp("three"), ports) as port:
        yield port


@needs_haproxy
@pytest.mark.parametrize(
    "other",
    [
        pytest.param("/data/a%20b?partNumber=2&uploadId=x", id="a part of an upload"),
        pytest.param("/data/%61%20b", id="with more escapes than needed"),
        pytest.param("/api/v1/s3/data/a%20b", id="below the prefix of Alluxio"),
    ],
)
def test_same_object_goes_to_the_same_node_however_it_is_asked_for(three: int, other: str) -> None:
    assert _owner(three, "/data/a%20b") == _owner(three, other)


@needs_haproxy
def test_path_and_host_reach_the_node_as_the_client_signed_them(three: int) -> None:
    target = "/api/v1/s3/data/a%2Fb//c/../%0d%0a?x=%20"
    assert _ask(three, target).endswith(f" {target} s3.example.com:39999".encode())


@needs_haproxy
def test_objects_are_spread_over_all_nodes(three: int) -> None:
    owners = [_owner(three, target) for target in OBJECTS]
    assert {name: owners.count(name) for name in set(owners)}.keys() == {"node1", "node2", "node3"}
    assert min(owners.count(name) for name in set(owners)) > len(OBJECTS) / 3 * 0.6


@needs_haproxy
def test_node_that_goes_moves_only_its_own_objects(three: int, tmp_path: Path) -> None:
    before = [_owner(three, target) for target in OBJECTS]
    with _nodes(["node1", "node3"]) as ports, _balancer(tmp_path, ports) as port:
        after = [_owner(port, target) for target in OBJECTS]
    assert all(was == now for was, now in zip(before, after, strict=True) if was != "node2")


@needs_haproxy
def test_node_that_breaks_off_gets_reads_repeated_elsewhere_and_writes_not(tmp_path: Path) -> None:
    with _nodes(["node1", "node2", "node3"], broken="node2") as ports, _balancer(tmp_path, ports) as port:
        reads = {_ask(port, target)[9:12] for target in OBJECTS[:60]}
        writes = {_ask(port, target, method="PUT")[9:12] for target in OBJECTS[:60]}
    assert reads == {b"200"}
    assert writes == {b"200", b"502"}


# And nginx


@pytest.fixture(scope="module")
def three_behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with _nodes(["node1", "node2", "node3"]) as ports, _nginx(tmp_path_factory.mktemp("nginx"), ports) as port:
        yield port


@needs_nginx
@pytest.mark.parametrize("other", ["/data/a%20b?partNumber=2", "/data/%61%20b", "/api/v1/s3/data/a%20b"])
def test_nginx_sends_the_same_object_to_the_same_node(three_behind_nginx: int, other: str) -> None:
    assert _owner(three_behind_nginx, "/data/a%20b") == _owner(three_behind_nginx, other)


@needs_nginx
def test_nginx_passes_path_and_host_on_as_the_client_signed_them(three_behind_nginx: int) -> None:
    target = "/api/v1/s3/data/a%2Fb//c/../%0d%0a?x=%20"
    assert _ask(three_behind_nginx, target).endswith(f" {target} s3.example.com:39999".encode())


@needs_nginx
def test_nginx_spreads_objects_over_all_nodes(three_behind_nginx: int) -> None:
    owners = [_owner(three_behind_nginx, target) for target in OBJECTS]
    assert min(owners.count(f"node{number}") for number in (1, 2, 3)) > len(OBJECTS) / 3 * 0.6
