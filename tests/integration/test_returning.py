"""Tiers and stores that are absent when a node starts, and come back."""

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from tests.integration.test_reloading import free_port
from tests.integration.watched import wait_until
from tests.server import Server, Settings, started

MIB = 2**20


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 (our own server)
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def said(server: Server) -> str:
    return server.logs[1].read_text()


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Where a tier cannot be made: below a file."""
    (tmp_path / "mount").touch()
    return tmp_path / "mount" / "disk"


@pytest.fixture
def admin_port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, disk: Path, admin_port: int) -> Iterator[Server]:
    settings: Settings = {
        "server": {"workers": 2},
        "cache": {"read": "cache"},
        "disk_tier": {"directory": str(disk), "size": 64 * MIB},
        "admin": {"listen": f"127.0.0.1:{admin_port}", "socket": str(tmp_path / "admin.sock")},
        "stores": [{"name": "nas", "kind": "local", "root": str(tmp_path / "nas"), "fsync": False}],
        "mount": [{"bucket": "far", "store": "nas", "read_only": False}],
    }
    with started(tmp_path / "root", tmp_path / "scratch", settings=settings) as server:
        yield server


def tier_of(port: int) -> dict[str, Any]:
    status, body = ask(port, "/status")
    assert status == 200
    tier: dict[str, Any] = json.loads(body)["cache"]["tiers"][0]
    return tier


def test_tier_that_was_absent_comes_back_by_itself(server: Server, disk: Path, admin_port: int) -> None:
    tier = tier_of(admin_port)
    assert not tier["is_working"]
    assert 0 <= time_ns() / 1e9 - tier["down_since"] < 60
    assert str(disk) in tier["reason"]
    assert b's3proxy_tier_down_since_seconds{tier="disk"}' in ask(admin_port, "/metrics")[1]
    ask(server.port, "/bucket", "PUT")
    ask(server.port, "/bucket/key", "PUT", b"x" * MIB)
    assert ask(server.port, "/bucket/key") == (200, b"x" * MIB)

    disk.parent.unlink()
    wait_until(lambda: "the disk tier can be used now" in said(server), seconds=30)
    wait_until(lambda: tier_of(admin_port)["is_working"], seconds=30)
    assert (tier_of(admin_port)["reason"], tier_of(admin_port)["down_since"]) == ("", None)

    def is_cached() -> bool:
        assert ask(server.port, "/bucket/key") == (200, b"x" * MIB)
        return any((disk / "blocks").iterdir())

    wait_until(is_cached, seconds=30)


def test_store_that_was_absent_comes_back_by_itself(server: Server, tmp_path: Path) -> None:
    assert ask(server.port, "/far/key")[0] == 503
    elsewhere = tmp_path / "prepared"
    (elsewhere / "far").mkdir(parents=True)
    (elsewhere / "far" / "key").write_bytes(b"data")
    shutil.move(elsewhere, tmp_path / "nas")
    wait_until(lambda: ask(server.port, "/far/key") == (200, b"data"), seconds=30)
