"""A node of several workers, seen from outside."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from s3proxy.commands.admin_client import connect, read
from tests.integration.watched import wait_until
from tests.server import Server, Settings, StartError, started

MIB = 2**20
TWO: Settings = {"server": {"workers": 2}}


def send(server: Server, method: str, path: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data=body, method=method)
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 (our own server)
        content: bytes = response.read()
    return content


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descriptors_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def connections_of(pid: int, ports: set[int]) -> int:
    """How many connections a process has with clients at these ports, by Linux' proc(5)."""
    table = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in table]
    inodes = {f"socket:[{row[9]}]" for row in rows if int(row[2].partition(":")[2], 16) in ports}
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sum(os.readlink(link) in inodes for link in links)


def said(server: Server) -> str:
    return server.logs[1].read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with started(tmp_path / "root", tmp_path / "scratch", settings=TWO) as server:
        send(server, "PUT", "/bucket")
        yield server


def test_two_workers_serve_one_port(server: Server) -> None:
    assert len(server.workers()) == 2
    send(server, "PUT", "/bucket/key", b"data")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: send(server, "GET", "/bucket/key"), range(200)))
    assert set(answers) == {b"data"}
    assert said(server).count("s3proxy ready on") == 1
    wait_until(lambda: len(server.logs[0].read_text().splitlines()) >= 202, seconds=5)
    lines = server.logs[0].read_text().splitlines()
    assert len(lines) == 202
    assert all(line.count(" GET ") + line.count(" PUT ") == 1 for line in lines)


def test_connections_are_shared_evenly_among_workers(server: Server) -> None:
    with ExitStack() as stack:
        # As fast as they come: one worker alone could let all of them in.
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(16)]
        ports = {client.getsockname()[1] for client in clients}
        wait_until(lambda: sum(connections_of(pid, ports) for pid in server.workers()) == 16, seconds=5)
        shares = [connections_of(pid, ports) for pid in server.workers()]
    assert sum(shares) == 16
    assert max(shares) <= 12  # 8 where both had the time to take their turns


def test_killed_worker_is_replaced_and_the_node_serves_on(server: Server) -> None:
    send(server, "PUT", "/bucket/key", b"data")
    before = server.workers()
    descriptors = descriptors_of(server.pid)
    for _ in range(3):
        victim, other = server.workers()
        os.kill(victim, signal.SIGKILL)
        for _ in range(10):
            # The other one serves meanwhile; only a connection that the dead one had accepted is lost.
            with suppress(ConnectionError):
                assert send(server, "GET", "/bucket/key") == b"data"
        wait_until(lambda: len(set(server.workers()) - {victim}) == 2, seconds=10)  # noqa: B023 (called here)
        assert other in server.workers()
    assert not set(before) <= set(server.workers())
    assert "was ended by signal 9; starting another" in said(server)
    wait_until(lambda: descriptors_of(server.pid) == descriptors, seconds=5)
    assert descriptors_of(server.pid) == descriptors
    assert server.stop() == 0


def test_worker_that_is_told_to_end_finishes_its_requests_and_is_replaced(server: Server) -> None:
    before = server.workers()
    os.kill(before[0], signal.SIGTERM)
    wait_until(lambda: len(set(server.workers()) - {before[0]}) == 2, seconds=10)
    assert len(server.workers()) == 2
    assert before[0] not in server.workers()


def test_sigterm_lets_requests_in_flight_finish_and_refuses_new_ones(server: Server) -> None:
    body = os.urandom(MIB)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"PUT /bucket/late HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.sendall(body[: MIB // 2])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port)).close()
        client.sendall(body[MIB // 2 :])
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(10) == 0
    assert (server.root / "bucket" / "late").read_bytes() == body
    assert "Traceback" not in said(server)


def test_workers_do_not_outlive_their_supervisor(server: Server) -> None:
    workers = server.workers()
    server.kill()
    wait_until(lambda: not any(map(is_alive, workers)), seconds=10)
    assert not any(map(is_alive, workers))


def test_worker_that_stops_answering_does_not_keep_the_node_from_ending(tmp_path: Path) -> None:
    settings: Settings = {"server": {"workers": 2, "drain_seconds": 0}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        os.kill(server.workers()[0], signal.SIGSTOP)
        assert server.stop() == 0


def test_worker_whose_event_loop_stands_still_is_replaced_and_counted(tmp_path: Path) -> None:
    settings: Settings = {
        "server": {"workers": 2, "worker_timeout_seconds": 2},
        "admin": {"listen": "127.0.0.1:0", "socket": str(tmp_path / "admin.sock")},
    }
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        wait_until(lambda: len(set(server.workers()) - {victim}) == 2, seconds=10)
        assert len(server.workers()) == 2
        assert victim not in server.workers()
        assert re.search(r"was killed, for its event loop stood still for [23] seconds; starting another", said(server))
        assert b's3proxy_lost_processes_total{reason="hung"} 1.0' in shown(tmp_path / "admin.sock", "/metrics")
        assert json.loads(shown(tmp_path / "admin.sock", "/status"))["node"]["lost_processes"] == {"died": 0, "hung": 1}


def test_scrape_asks_nothing_of_the_workers(tmp_path: Path) -> None:
    settings: Settings = {**TWO, "admin": {"listen": "127.0.0.1:0", "socket": str(tmp_path / "admin.sock")}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        send(server, "PUT", "/bucket")
        counted = b's3proxy_requests_total{operation="CreateBucket",status="200"} 1.0'
        wait_until(lambda: counted in shown(tmp_path / "admin.sock", "/metrics"), seconds=5)
        for pid in server.workers():
            os.kill(pid, signal.SIGSTOP)
        assert counted in shown(tmp_path / "admin.sock", "/metrics")
        for pid in server.workers():
            os.kill(pid, signal.SIGCONT)


def test_status_tells_the_port_that_the_kernel_chose(tmp_path: Path) -> None:
    settings: Settings = {"admin": {"listen": "127.0.0.1:0", "socket": str(tmp_path / "admin.sock")}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        status = json.loads(shown(tmp_path / "admin.sock", "/status"))
        assert status["node"]["listen"] == [f"127.0.0.1:{server.port}"]


def shown(admin: Path, path: str) -> bytes:
    """What the admin plane shows."""
    with connect([admin]) as connection:
        return read(connection, path)


def test_node_whose_workers_cannot_start_says_why_once(tmp_path: Path) -> None:
    with (
        pytest.raises(StartError, match=r"ended with code 1: s3proxy: log\.access = \"/absent/log\": No such file"),
        started(tmp_path / "root", tmp_path, settings={**TWO, "log": {"access": "/absent/log"}}),
    ):
        pass


def test_secrets_are_in_no_worker_s_command_line_or_environment(tmp_path: Path) -> None:
    # RustFS GHSA-r54g-49rx-98cr: secrets where others see them.
    stores = [
        {"name": "far", "kind": "s3", "endpoint": "http://127.0.0.1:1", "access_key": "AK", "secret_key": "hush-hush"}
    ]
    with started(tmp_path / "root", tmp_path / "scratch", settings={**TWO, "stores": stores}) as server:
        for pid in server.workers():
            for name in ("cmdline", "environ"):
                assert b"hush-hush" not in Path(f"/proc/{pid}/{name}").read_bytes()


def test_mounts_show_the_buckets_of_another_directory(tmp_path: Path) -> None:
    (tmp_path / "second" / "deep" / "raw").mkdir(parents=True)
    (tmp_path / "second" / "deep" / "raw" / "a").write_bytes(b"data")
    settings: Settings = {
        **TWO,
        "stores": [{"name": "second", "root": str(tmp_path / "second")}],
        "mount": [
            {"bucket": "lake", "store": "second", "target_bucket": "deep", "prefix": "raw/", "read_only": True},
        ],
    }
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        assert send(server, "GET", "/lake/a") == b"data"
        assert b"<Key>a</Key>" in send(server, "GET", "/lake")
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            send(server, "PUT", "/lake/b", b"data")
        assert b"read-only mount" in refused.value.read()
        refused.value.close()


def test_bodies_are_sent_no_faster_than_the_limit(tmp_path: Path) -> None:
    settings: Settings = {"limits": {"connection_read_bytes_per_second": "2 MiB"}}
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        send(server, "PUT", "/bucket")
        send(server, "PUT", "/bucket/key", bytes(2 * MIB))
        began = time.monotonic()
        assert len(send(server, "GET", "/bucket/key")) == 2 * MIB
        assert time.monotonic() - began > 0.8


def test_cache_of_two_workers_answers_commands_also_after_one_was_killed(tmp_path: Path) -> None:
    (tmp_path / "root" / "bucket").mkdir(parents=True)  # everybody's
    (tmp_path / "root" / "bucket" / "key").write_bytes(os.urandom(9 * MIB))
    with started(tmp_path / "root", tmp_path / "store") as store:
        admin = tmp_path / "admin.sock"
        settings: Settings = {
            **TWO,
            "store": {"kind": "s3", "endpoint": f"http://127.0.0.1:{store.port}", "root": None, "fsync": None}
            | {"access_key": "any", "secret_key": "unchecked"},
            "memory_tier": {"directory": str(tmp_path / "memory"), "size": "64 MiB"},
            "disk_tier": {"directory": str(tmp_path / "disk"), "size": "64 MiB"},
            "admin": {"socket": str(admin)},
        }
        with started(tmp_path / "none", tmp_path / "node", settings=settings) as node:
            assert len(send(node, "GET", "/bucket/key")) == 9 * MIB
            for _ in range(2):
                assert b"100%" in command(admin, "status", "s3://bucket/")
                workers = node.workers()
                for pid in workers:
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: len(set(node.workers()) - set(workers)) == 2, seconds=10)  # noqa: B023 (called here)
            assert len(send(node, "GET", "/bucket/key")) == 9 * MIB
            assert b"100%" in command(admin, "status", "s3://bucket/")
            assert node.stop() == 0
        assert not admin.exists()


def command(socket_path: Path, *arguments: str) -> bytes:
    """What ``s3proxy cache`` prints, once the node answers."""
    call = [sys.executable, "-m", "s3proxy", "cache", *arguments, "--socket", str(socket_path)]
    deadline = time.monotonic() + 20
    done = subprocess.run(call, capture_output=True, check=False, timeout=30)
    while done.returncode == 3 and time.monotonic() < deadline:
        time.sleep(0.1)
        done = subprocess.run(call, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout
