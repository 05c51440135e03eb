import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from s3proxy.admin.messages import Pin
from s3proxy.cli import main
from s3proxy.commands.cache import parse_url
from tests.admin.fakes import MIB, FakeCaches
from tests.admin.serving import serving

Said = tuple[int, str, str]
Cache = Callable[..., Said]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "admin.sock"


@pytest.fixture
def cache(path: Path, capsys: pytest.CaptureFixture[str]) -> Cache:
    """Run ``s3proxy cache``; gives its exit code, standard output and standard error."""

    def cache(action: str, *arguments: str) -> Said:
        code = main(["cache", action, "--socket", str(path), *arguments])
        return code, *capsys.readouterr()

    return cache


def start(*arguments: str) -> "subprocess.Popen[str]":
    # A shell's background jobs ignore SIGINT, and so would what they start.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "s3proxy", "cache", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def given(caches: FakeCaches, path: Path, command: Callable[..., Said], *arguments: str) -> Said:
    async with serving(caches, path):
        return await trio.to_thread.run_sync(command, *arguments)


async def test_load_says_what_it_loaded(cache: Cache, path: Path) -> None:
    caches = FakeCaches({"a/1": MIB, "a/2": 2 * MIB, "b": MIB})
    said = await given(caches, path, cache, "load", "s3://data/a/")
    assert said == (0, "2 objects loaded, 3.00 MiB cached, of which 3.00 MiB were fetched now\n", "")


async def test_load_that_fails_in_part_names_what_failed_and_exits_with_1(cache: Cache, path: Path) -> None:
    caches = FakeCaches({"a": MIB, "b\x1b[31m": MIB})
    caches.broken["b\x1b[31m"] = "NoSuchKey"
    code, out, errors = await given(caches, path, cache, "load", "s3://data", "--quiet")
    assert (code, out, errors) == (1, "", "failed: s3://data/b\\x1b[31m: NoSuchKey\n")


async def test_load_of_what_cannot_be_listed_exits_with_1(cache: Cache, path: Path) -> None:
    said = await given(FakeCaches(), path, cache, "load", "s3://other/")
    assert said == (1, "", "s3proxy: there is no bucket other\n")


async def test_status_of_the_cache_and_of_objects(cache: Cache, path: Path) -> None:
    caches = FakeCaches({"a": 2 * MIB})
    caches.cached = {("a", 0)}
    async with serving(caches, path):
        code, out, _ = await trio.to_thread.run_sync(cache, "status")
        assert (code, out.split()[:2]) == (0, ["tier", "used"])
        code, out, _ = await trio.to_thread.run_sync(cache, "status", "s3://data/")
        assert (code, out.splitlines()[-1]) == (0, "50% of 1 object: 1.00 MiB of 2.00 MiB cached")
        code, out, _ = await trio.to_thread.run_sync(cache, "status", "s3://data/", "--json")
        assert [json.loads(line)["type"] for line in out.splitlines()] == ["object", "shown"]


async def test_pin_free_and_unpin(cache: Cache, path: Path) -> None:
    caches = FakeCaches({"a": MIB})
    caches.cached = {("a", 0)}
    async with serving(caches, path):
        assert await trio.to_thread.run_sync(cache, "pin", "s3://data/a") == (0, "s3://data/a: pinned\n", "")
        assert caches.pinned == [Pin(bucket="data", prefix="a")]
        said = await trio.to_thread.run_sync(cache, "free", "s3://data/")
        assert said == (0, "0 blocks freed, 0 B; 1 pinned block kept\n", "")
        assert await trio.to_thread.run_sync(cache, "unpin", "s3://data/a") == (0, "s3://data/a: unpinned\n", "")
        said = await trio.to_thread.run_sync(cache, "unpin", "s3://data/a")
        assert said == (0, "s3://data/a: had no pin\n", "")
        said = await trio.to_thread.run_sync(cache, "free", "s3://data/", "--pinned")
        assert said == (0, "1 block freed, 1.00 MiB\n", "")


async def test_verify_that_finds_damage_exits_with_1(cache: Cache, path: Path) -> None:
    caches = FakeCaches()
    caches.cached = caches.damaged = {("a", 0)}
    code, out, errors = await given(caches, path, cache, "verify", "--rate", "1GiB")
    assert (code, out) == (1, "1 block verified, 1.00 MiB; 1 damaged block dropped\n")
    assert "s3://data/a" in errors


async def test_load_stopped_by_ctrl_c_says_so_without_a_traceback_and_the_node_stops_too(path: Path) -> None:
    caches = FakeCaches({"a": 10_000 * MIB}, size_bytes=10_000 * MIB)
    caches.fetch_seconds = 0.01
    async with serving(caches, path):
        client = await trio.to_thread.run_sync(start, "load", "--socket", str(path), "s3://data/")
        await caches.has_fetched.wait()
        await trio.sleep(0.2)
        client.send_signal(signal.SIGINT)
        out, errors = await trio.to_thread.run_sync(client.communicate)
        assert (client.returncode, out) == (1, "")
        assert errors == "s3proxy: stopped; the same command goes on from here\n"
        await trio.sleep(0.2)
        fetched = len(caches.fetched)
        await trio.sleep(0.2)
        assert len(caches.fetched) == fetched


async def test_load_whose_node_ends_says_so(cache: Cache, path: Path) -> None:
    caches = FakeCaches({"a": 10_000 * MIB}, size_bytes=10_000 * MIB)
    caches.fetch_seconds = 0.01
    said: list[Said] = []

    async def load() -> None:
        said.append(await trio.to_thread.run_sync(cache, "load", "s3://data/"))

    async with trio.open_nursery() as nursery, serving(caches, path) as scope:
        nursery.start_soon(load)
        await caches.has_fetched.wait()
        scope.cancel()
    assert (said[0][0], said[0][2].count("\n")) == (1, 1)
    assert "the node went away" in said[0][2]


async def test_status_into_a_closed_pipe_ends_quietly(path: Path) -> None:
    caches = FakeCaches({f"key{index:05}": 1 for index in range(20_000)})
    caches.page_size = 1000
    command = f"{sys.executable} -m s3proxy cache status --socket {path} s3://data/ | head -1"
    async with serving(caches, path):
        done = await trio.run_process(command, shell=True, capture_stdout=True, capture_stderr=True)  # noqa: S604 (fixed)
    assert done.stdout.split() == [b"here", b"size", b"memory", b"key"]
    assert done.stderr == b""


def test_command_without_a_node_exits_with_3_and_names_the_socket(cache: Cache, path: Path) -> None:
    code, out, errors = cache("status")
    assert (code, out) == (3, "")
    assert str(path) in errors
    assert errors.count("\n") == 1


def test_command_looks_where_a_node_on_that_port_would_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["cache", "status", "--port", "4711"]) == 3
    assert f"{tmp_path}/s3proxy-4711.sock" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://data", ("data", "")),
        ("s3://data/", ("data", "")),
        ("S3://data/a/b c?%20#x", ("data", "a/b c?%20#x")),
        ("s3://data//a", ("data", "/a")),
    ],
)
def test_parse_url_takes_the_prefix_as_it_stands(url: str, parts: tuple[str, str]) -> None:
    assert parse_url(url) == parts


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data/prefix", "does not begin with s3://; write for example s3://data/prefix"),
        ("/data/prefix", "s3://data/prefix"),
        ("s3:/data", "does not begin with s3://"),
        ("http://data/x", "does not begin with s3://"),
        ("s3://", "names no bucket"),
        ("s3:///key", "names no bucket"),
        ("s3://bu*/x", "names no bucket"),
        ("", "does not begin with s3://"),
    ],
)
def test_parse_url_that_is_wrong_says_what(url: str, reason: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        parse_url(url)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["load"], "s3://BUCKET/PREFIX"),
        (["load", "data"], "does not begin with s3://"),
        (["load", "s3://data", "--rate", "fast"], "'fast' is not a size"),
        (["load", "s3://data", "--jobs", "0"], "from 1 to 256"),
        (["destroy"], "destroy"),
    ],
)
def test_wrong_call_exits_with_2(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cache", *arguments])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err
