"""One server for the whole folder; its logs are searched for secrets when the last test has ended."""

import os
from collections.abc import Iterator

import pytest

from tests.nodes import SEEN, Under, merged
from tests.security.logs import secrets_in
from tests.security.site import ALICE, BOB, CANARY, KEPT, Site, tree
from tests.server import Settings, started
from tests.wire import HOST

SETTINGS: Settings = {"server": {"domains": [HOST.decode()]}}


@pytest.fixture(scope="session")
def site(under: Under, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if under.kind not in SEEN:
        pytest.skip(f"the attacks are seen by what is in files, and a node of the kind {under.kind} has none")
    base = tmp_path_factory.mktemp("site")
    (base / "outside").mkdir()
    (base / "outside" / "canary").write_bytes(CANARY)
    settings = merged(SETTINGS, under.settings(base / "scratch"))
    with started(base / "root", base / "scratch", users=(ALICE, BOB), settings=settings) as server:
        site = Site(server, base, under.root or server.root)
        assert site.ask("PUT", "/alice").status == 200
        assert site.ask("PUT", "/bob", keys=BOB).status == 200
        assert site.ask("PUT", "/alice/kept", KEPT).status == 200
        yield site
    assert (base / "outside" / "canary").read_bytes() == CANARY
    for log in (*server.logs, *under.logs):
        assert secrets_in(log.read_bytes(), ALICE, BOB) == []


@pytest.fixture
def untouched(site: Site) -> Iterator[None]:
    """What lies outside Alice's buckets stays as it is."""

    def others() -> dict[str, str]:
        root = tree(site.root)
        return {**tree(site.outside), **{path: root[path] for path in root if f"{site.root}/bob" in path}}

    before, names = others(), sorted(os.listdir(site.base))
    yield
    assert others() == before
    assert sorted(os.listdir(site.base)) == names
