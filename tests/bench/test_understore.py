"""What stands behind a cache."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import BenchError
from bench.client import check_objects
from bench.content import KIB, things
from bench.dataset import Dataset
from bench.requests import Endpoint
from bench.targets import Upstream
from bench.understore import Link, UnderStore, forget, seen

_THINGS = things("under", 64 * KIB, 3)


@pytest.fixture
def under_store(tmp_path: Path) -> Iterator[UnderStore]:
    for part in ("root", "sources", "scratch"):
        (tmp_path / part).mkdir()
    dataset = Dataset(tmp_path / "root", tmp_path / "sources")
    with UnderStore("s3proxy", dataset, tmp_path / "scratch", os.sched_getaffinity(0)) as under_store:
        yield under_store


def test_relayed_under_store_counts_what_it_is_asked(under_store: UnderStore) -> None:
    under_store.store(_THINGS)
    with under_store.linked(Link(delay_ms=1)) as upstream:
        check_objects(upstream.endpoint, _THINGS)
        assert (seen(upstream).requests(), seen(upstream).body_bytes("GET")) == (3, 3 * 64 * KIB)
        forget(upstream)
        assert seen(upstream).requests() == 0


def test_under_store_without_a_relay_cannot_tell(under_store: UnderStore) -> None:
    under_store.store(_THINGS)
    under_store.store(_THINGS)  # as each case does
    with under_store.linked(Link(is_relayed=False)) as upstream:
        check_objects(upstream.endpoint, _THINGS)
        forget(upstream)
        with pytest.raises(BenchError, match="nothing counts"):
            seen(upstream)


@pytest.mark.parametrize("upstream", [None, Upstream(endpoint=Endpoint(host="127.0.0.1", port=1), pid=1)])
def test_seen_without_an_under_store_is_an_error(upstream: Upstream | None) -> None:
    with pytest.raises(BenchError, match="nothing counts"):
        seen(upstream)


def test_ceph_that_is_not_here_is_named_as_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CEPH_RGW", raising=False)
    with (
        UnderStore("ceph", Dataset(tmp_path, tmp_path), tmp_path, {0}) as under_store,
        pytest.raises(BenchError, match="absent: CEPH_RGW names no program"),
    ):
        under_store.store(_THINGS)
