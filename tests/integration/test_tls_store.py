"""A store behind TLS: its certificate is checked, and everything else is as over plain TCP."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.certificates import Certified, certify
from tests.integration.watched import ANN
from tests.server import Server, Settings, started

DATA = bytes(range(256)) * 40_000  # three blocks
MIB = 2**20
TIERS = ("memory_tier", "disk_tier")


@dataclass(frozen=True)
class Store:
    """A node that serves TLS, whose certificate is for 127.0.0.1 and not for localhost."""

    server: Server
    certified: Certified

    def requests(self) -> list[str]:
        return self.server.logs[0].read_text().splitlines()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    base = tmp_path_factory.mktemp("tls-store")
    certified = certify(base, "127.0.0.1")
    settings: Settings = {"tls": {"certificate_file": str(certified.certificate), "key_file": str(certified.key)}}
    with started(base / "root", base / "log", users=(ANN,), settings=settings) as server:
        yield Store(server, certified)


@contextmanager
def node(directory: Path, store: Store, *, ca_file: Path | None, host: str = "127.0.0.1") -> Iterator[Server]:
    settings: Settings = {
        "store": {
            "kind": "s3",
            "endpoint": f"https://{host}:{store.server.port}",
            "ca_file": None if ca_file is None else str(ca_file),
            "access_key": ANN.access_key,
            "secret_key": ANN.secret_key,
            "deadline_seconds": 2,
            "root": None,
            "fsync": None,
        },
        **{name: {"directory": str(directory / name), "size": 64 * MIB} for name in TIERS},
    }
    with started(directory / "root", directory / "log", settings=settings) as server:
        yield server


def ask(server: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{server.port}{path}"
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (our own server)
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def server(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with node(tmp_path_factory.mktemp("node"), store, ca_file=store.certified.authority) as server:
        assert ask(server, "PUT", "/bucket")[0] == 200
        assert ask(server, "PUT", "/bucket/key", DATA)[0] == 200
        yield server


def test_object_written_through_is_whole_in_the_store(server: Server, store: Store) -> None:
    assert (store.server.root / "bucket" / "key").read_bytes() == DATA


def test_range_of_a_cold_object_is_fetched_and_kept(server: Server, store: Store) -> None:
    assert ask(server, "PUT", "/bucket/ranged", DATA)[0] == 200
    found = ask(server, "GET", "/bucket/ranged", Range="bytes=5000000-5000999")
    assert found == (206, DATA[5_000_000:5_001_000])
    asked = len(store.requests())
    assert ask(server, "GET", "/bucket/ranged", Range="bytes=5000500-5000599")[1] == DATA[5_000_500:5_000_600]
    assert len(store.requests()) == asked


def test_cold_object_is_filled_whole(server: Server) -> None:
    for _ in range(2):
        assert ask(server, "GET", "/bucket/key") == (200, DATA)


def test_missing_object_is_missing(server: Server) -> None:
    assert ask(server, "GET", "/bucket/absent")[0] == 404


def test_store_whose_certificate_nobody_vouches_for_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    with node(tmp_path, store, ca_file=None) as server:
        assert ask(server, "GET", "/bucket/key")[0] == 503
        said = server.logs[1].read_text()
    assert "has a certificate that is not trusted: unable to get local issuer certificate" in said


def test_store_whose_certificate_is_for_another_host_is_refused_in_words(store: Store, tmp_path: Path) -> None:
    with node(tmp_path, store, ca_file=store.certified.authority, host="localhost") as server:
        assert ask(server, "GET", "/bucket/key")[0] == 503
        said = server.logs[1].read_text()
    assert "has a certificate that is not trusted: Hostname mismatch, certificate is not valid for 'localhost'" in said
