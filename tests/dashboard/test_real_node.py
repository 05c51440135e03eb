"""The page on a real node: a cache of two workers over another node, under requests."""

import http.client
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from tests.dashboard.chromium import ABSENCE, Page
from tests.dashboard.fake_node import HOSTILE_KEY, MIB
from tests.dashboard.test_page import HAS_HISTORY, HAS_STATUS, texts
from tests.server import Server, Settings, started

pytestmark = pytest.mark.skipif(ABSENCE is not None, reason=ABSENCE or "")


@dataclass(frozen=True, slots=True)
class Node:
    server: Server
    page: str
    """Its address."""

    def get(self, key: str) -> bytes:
        """An object of the bucket."""
        return self.ask(f"/bucket/{quote(key)}")

    def ask(self, address: str) -> bytes:
        """What is answered to GET, be it an error."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request("GET", address)
            return connection.getresponse().read()
        finally:
            connection.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Node]:
    bucket = tmp_path / "root" / "bucket"
    (bucket / "img").mkdir(parents=True)
    (bucket / "nine").write_bytes(os.urandom(9 * MIB))
    (bucket / HOSTILE_KEY).write_bytes(b"text")
    port = free_port()
    with (
        TemporaryDirectory(prefix="s3proxy-test-", dir="/dev/shm") as memory,
        started(tmp_path / "root", tmp_path / "store") as store,
    ):
        settings: Settings = {
            "server": {"workers": 2},
            "store": {"kind": "s3", "endpoint": f"http://127.0.0.1:{store.port}", "root": None, "fsync": None}
            | {"access_key": "any", "secret_key": "unchecked"},
            "memory_tier": {"directory": memory, "size": "64 MiB"},
            "disk_tier": {"directory": str(tmp_path / "disk"), "size": "64 MiB"},
            "admin": {"listen": f"127.0.0.1:{port}", "socket": str(tmp_path / "admin.sock")},
        }
        with started(tmp_path / "none", tmp_path / "node", settings=settings) as server:
            yield Node(server, f"http://127.0.0.1:{port}/")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_page_shows_what_a_real_node_does(page: Page, real: Node) -> None:
    page.open(real.page + "#bucket=bucket&key=nine")
    page.wait_for(HAS_STATUS)
    assert page.text("#readiness") == "Ready"
    assert page.text("#workers-ready") == "2 of 2 ready"
    page.wait_for("document.querySelector('.map') !== null")
    assert texts(page, "#blocks .legend b") == ["0", "0", "0", "3"]
    for _ in range(20):
        assert len(real.get("nine")) == 9 * MIB
    assert real.get(HOSTILE_KEY) == b"text"
    assert b"InvalidArgument" in real.ask("/bucket?max-keys=many")
    page.wait_for("document.querySelector('#blocks .legend b').textContent === '3'")
    page.wait_for(HAS_HISTORY)
    page.wait_for("document.querySelector('#busiest').innerText.includes('bucket/nine')")
    page.wait_for(f"document.querySelector('#busiest').innerText.includes({HOSTILE_KEY!r})")
    page.wait_for("document.querySelector('#errors').innerText.includes('InvalidArgument')")
    page.wait_for("document.querySelector('#slowest').innerText.includes('GetObject')")
    assert texts(page, "#tiers h4") == ["Memory", "Disk"]
    assert texts(page, "#stores .state")[0] == "Reachable"
    assert page.complaints() == []


def test_plots_move_when_a_real_node_is_asked(page: Page, real: Node) -> None:
    page.open(real.page)
    page.wait_for(HAS_HISTORY)
    before = page.evaluate("document.querySelector('.plot canvas').toDataURL()")
    page.evaluate(f"window.before = {before!r}; null")
    for _ in range(30):
        real.get("nine")
    page.wait_for("document.querySelector('[data-colour=memory] ~ b').textContent.endsWith('MiB/s')")
    page.wait_for("parseFloat(document.querySelector('#stat-throughput').textContent) > 1")
    assert page.evaluate("document.querySelector('.plot canvas').toDataURL() !== window.before") is True


def test_browser_of_a_real_node_keeps_names_as_text(page: Page, real: Node) -> None:
    page.open(real.page + "#bucket=bucket&prefix=img/")
    page.wait_for("document.querySelector('#listing tbody') !== null")
    assert texts(page, "#listing td:first-child") == [HOSTILE_KEY.removeprefix("img/")]
    assert page.evaluate("document.querySelectorAll('main img').length") == 0
    assert page.complaints() == []
