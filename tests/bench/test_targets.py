"""Starting and stopping servers."""

import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import BenchError
from bench.catalogue import CACHES, SERVERS
from bench.client import connected
from bench.requests import Endpoint
from bench.targets import Data, Place, Server, Target, Upstream, started


def _target(command: Callable[[Place], list[str]]) -> Target:
    return Target(name="made-up", summary="", absence=lambda: None, command=command)


def _http_server(place: Place) -> list[str]:
    return [sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", str(place.root), str(place.port)]


def test_started_target_serves_on_its_core_and_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello")
    core = min(os.sched_getaffinity(0))
    with started(_target(_http_server), tmp_path, tmp_path, {core}) as server:
        assert os.sched_getaffinity(server.pid) == {core}
        with urllib.request.urlopen(f"http://{server.endpoint.authority}/a") as response:
            assert response.read() == b"hello"
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


def test_started_target_leaves_nobody_behind(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > {root}/pid; exec {python} -m http.server -b 127.0.0.1 {port}"

    def command(place: Place) -> list[str]:
        return ["sh", "-c", script.format(root=place.root, python=sys.executable, port=place.port)]

    with started(_target(command), tmp_path, tmp_path, {0}):
        child = int((tmp_path / "pid").read_text())
    assert _ends(child)


def _ends(pid: int) -> bool:
    """Whether a killed process ends soon; as a zombie it has, whoever is to reap it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if "(zombie)" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_started_target_that_no_program_in_the_foreground_is_starts_by_itself(tmp_path: Path) -> None:
    endpoint = Endpoint(host="127.0.0.1", port=8765)
    cores = []

    @contextmanager
    def start(scratch: Path) -> Iterator[Server]:
        cores.append(os.sched_getaffinity(0))
        yield Server(target=replace(target, name="within"), endpoint=endpoint, pid=len(str(scratch)))

    target = Target(name="cluster", summary="", absence=lambda: None, command=None, start=start)
    core, before = min(os.sched_getaffinity(0)), os.sched_getaffinity(0)
    with started(target, tmp_path, tmp_path, {core}) as server:
        assert (server.target, server.endpoint, server.pid) == (target, endpoint, len(str(tmp_path)))
        assert (cores, os.sched_getaffinity(0)) == ([{core}], before)


def test_started_target_that_keeps_its_objects_is_awaited_until_it_lists_buckets(tmp_path: Path) -> None:
    """``http.server`` answers GET / with 200, as one whose parts all serve."""
    target = replace(_target(_http_server), data=Data.OWN)
    with started(target, tmp_path, tmp_path, {0}) as server, connected(server.endpoint) as client:
        assert client.get("/").status == 200


def test_started_with_a_target_that_ends_says_what_it_wrote(tmp_path: Path) -> None:
    target = _target(lambda _: [sys.executable, "-c", "raise SystemExit('no such root')"])
    with pytest.raises(BenchError, match="did not start: no such root"), started(target, tmp_path, tmp_path, {0}):
        pass


def test_started_with_a_server_that_dies_on_the_way_fails_the_turn(tmp_path: Path) -> None:
    turn = started(_target(_http_server), tmp_path, tmp_path, os.sched_getaffinity(0))
    server = turn.__enter__()
    os.kill(server.pid, 9)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(BenchError, match="ended with code -9"):
        turn.__exit__(None, None, None)


@pytest.mark.parametrize(
    "target", [each for each in SERVERS if each.data is not Data.PASSING], ids=lambda each: each.name
)
def test_command_of_each_server_names_its_root_and_port(target: Target, tmp_path: Path) -> None:
    assert target.command is not None
    words = " ".join(target.command(Place(root=tmp_path / "root", scratch=tmp_path, port=4321)))
    configurations = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert str(tmp_path / "root") in words + configurations
    assert "4321" in words + configurations


def _has_tiers(target: Target) -> bool:
    return target.name not in {"s3proxy-through", "varnish"}  # Varnish's memory is its own


@pytest.mark.parametrize("target", CACHES, ids=lambda target: target.name)
def test_command_of_each_cache_names_its_store_tier_and_port(target: Target, tmp_path: Path) -> None:
    if target.command is None:
        return
    upstream = Endpoint(host="127.0.0.1", port=8765)
    tiers = tmp_path / "memory", tmp_path / "disk"
    place = Place(root=tmp_path, scratch=tmp_path, port=4321, upstream=upstream, tiers=tiers)
    words = " ".join(target.command(place))
    configuration = words + "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "127.0.0.1:8765" in configuration
    assert "4321" in configuration
    assert str(tiers[0]) in configuration or str(tiers[1]) in configuration or not _has_tiers(target)


def test_target_that_is_the_under_store_itself_is_not_started(tmp_path: Path) -> None:
    direct = next(each for each in CACHES if each.name == "direct")
    upstream = Upstream(endpoint=Endpoint(host="127.0.0.1", port=8765), pid=os.getpid())
    with started(direct, tmp_path, tmp_path, {0}, upstream) as server:
        assert (server.endpoint, server.pid) == (upstream.endpoint, upstream.pid)


def test_signed_target_shares_the_owner_of_the_open_one_and_keeps_syncing(tmp_path: Path) -> None:
    signed = next(target for target in SERVERS if target.name == "s3proxy-signed")
    assert signed.command is not None
    signed.command(Place(root=tmp_path, scratch=tmp_path, port=1))
    text = (tmp_path / "s3proxy.toml").read_text()
    assert 'mode = "signature"' in text
    assert "fsync = true" in text
    assert signed.credentials is not None
    assert signed.credentials.secret_key in text
