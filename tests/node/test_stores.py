from pathlib import Path

import pytest

from s3proxy.config import Config
from s3proxy.node import stores as node_stores
from s3proxy.node.failures import StartError
from s3proxy.s3.errors import ErrorCode
from s3proxy.s3.model import Bucket
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.caching.store import CachingStore
from s3proxy.stores.local.store import LocalStore
from s3proxy.stores.mounts import Mounts
from s3proxy.stores.s3.store import S3Store
from tests.node.configuring import all_tiers, configured, opened
from tests.stores.vocabulary import BUCKET, get, make_bucket, put, raises

FAR = {"kind": "s3", "endpoint": "http://127.0.0.1:1", "anonymous": True, "deadline_seconds": 0.2}


async def test_directory_alone_is_served_as_it_is(tmp_path: Path) -> None:
    async with opened(configured(tmp_path / "root", **all_tiers(tmp_path))) as stores:
        assert type(stores.store) is LocalStore
        assert stores.cache is None


async def test_s3_is_cached_where_there_is_a_tier(tmp_path: Path) -> None:
    async with opened(far(tmp_path, **all_tiers(tmp_path))) as stores:
        assert type(stores.store) is CachingStore
        assert stores.cache is not None
        assert [tier.name for tier in stores.cache.tiers] == ["memory", "disk"]
        assert [evictor.tier.name for evictor in stores.cache.evictors] == ["memory", "disk"]


def far(tmp_path: Path, **tables: object) -> Config:
    config = configured(tmp_path / "root", **(tables | {"store": FAR}))
    assert config.store.kind == "s3"
    return config


async def test_s3_without_a_tier_is_not_cached(tmp_path: Path) -> None:
    async with opened(far(tmp_path)) as stores:
        assert type(stores.store) is S3Store


async def test_s3_that_is_to_be_read_through_is_not_cached(tmp_path: Path) -> None:
    async with opened(far(tmp_path, cache={"read": "through"}, **all_tiers(tmp_path))) as stores:
        assert type(stores.store) is S3Store


async def test_directory_on_a_network_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_stores, "is_on_network", lambda _: True)
    async with opened(configured(tmp_path / "root", **all_tiers(tmp_path))) as stores:
        assert type(stores.store) is CachingStore
        await make_bucket(stores.store)
        await put(stores.store, b"x" * 100_000)
        assert await get(stores.store) == b"x" * 100_000
        assert list((tmp_path / "memory" / "blocks").iterdir())


async def test_directory_is_cached_where_that_is_asked_for(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", cache={"read": "cache", "write": "cache-through"}, **all_tiers(tmp_path))
    async with opened(config) as stores:
        assert type(stores.store) is CachingStore


async def test_write_through_a_mount_that_is_not_cached_is_seen_through_one_that_is(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "root",
        cache={"read": "through", "metadata_ttl_seconds": float("inf")},
        mount=[{"bucket": "cached", "target_bucket": BUCKET, "read": "cache"}],
        **all_tiers(tmp_path),
    )
    async with opened(config) as stores:
        await make_bucket(stores.store)
        for data in (b"old", b"newer"):
            await put(stores.store, data)
            assert await get(stores.store, bucket="cached") == data


async def test_mounts_lead_to_their_stores(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    config = configured(
        tmp_path / "root",
        stores=[{"name": "second", "root": str(tmp_path / "second"), "fsync": False}],
        mount=[{"bucket": "lake", "store": "second", "target_bucket": "deep"}, {"bucket": "ro", "read_only": True}],
    )
    async with opened(config) as stores:
        await make_bucket(stores.store, "lake")
        await put(stores.store, b"data", bucket="lake")
        assert (tmp_path / "second" / "deep" / "a" / "key").read_bytes() == b"data"
        with raises(ErrorCode.ACCESS_DENIED):
            await make_bucket(stores.store, "ro")


async def test_read_only_store_refuses_writes_whatever_its_kind(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", store=FAR | {"read_only": True})
    async with opened(config) as stores:
        with raises(ErrorCode.ACCESS_DENIED):
            await make_bucket(stores.store)


async def test_further_store_that_is_not_there_takes_only_its_own_buckets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(
        tmp_path / "root",
        stores=[{"name": "nas", "root": str(tmp_path / "absent")}],
        mount=[{"bucket": "lake", "store": "nas"}],
    )
    async with opened(config) as stores:
        assert isinstance(stores.store, Mounts)
        await make_bucket(stores.store)
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            await stores.store.get_bucket(Bucket("lake"))
    assert "store nas is not there" in capsys.readouterr().err


async def test_default_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = configured(tmp_path / "root")
    (tmp_path / "root").rmdir()
    with pytest.RaisesGroup(pytest.RaisesExc(StartError, match="does not exist")):
        async with opened(config):
            pass


async def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    config = configured(
        tmp_path / "root", store=FAR | {"endpoint": "https://rgw", "ca_file": str(tmp_path / "absent.pem")}
    )
    with pytest.RaisesGroup(pytest.RaisesExc(StartError, match="store.ca_file.*absent.pem")):
        async with opened(config):
            pass


async def test_what_is_done_once_on_a_node_is_done_by_the_first_worker(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", cache={"read": "cache"}, **all_tiers(tmp_path))
    counts = []
    for worker in (0, 1):
        async with opened(config, worker=worker, workers=2) as stores:
            counts.append(len(stores.jobs))
    assert counts == [2, 1]  # upkeep in all of them; all duties together in the first


async def test_requests_at_once_are_shared_out_between_the_workers(tmp_path: Path) -> None:
    config = far(tmp_path, limits={"max_store_requests": 5}, stores=[FAR | {"name": "other", "max_requests": 9}])
    async with opened(config, workers=2) as stores:
        assert repr(stores.limiter_of(config.store)) == "<FairLimiter: 3 free, 0 waiting>"
        assert repr(stores.limiter_of(config.stores[0])) == "<FairLimiter: 5 free, 0 waiting>"
