"""The contract of every store, through S3 as moto and Ceph understand it."""

from collections.abc import AsyncIterator

import pytest

from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.s3.credentials import FixedCredentials
from s3proxy.stores.s3.store import S3Store, Settings
from tests.stores.contracts import CHECKS, Check, name_of
from tests.understores import UnderStore, ceph, moto

__all__ = ["ceph", "moto"]  # fixtures


def store_at(place: UnderStore, *, checksum_trailers: bool) -> S3Store:
    credentials = Credentials(access_key=place.access_key, secret_key=place.secret_key, region=place.region)
    settings = Settings(endpoint=place.endpoint, region=place.region, checksum_trailers=checksum_trailers)
    return S3Store.open(settings, credentials=FixedCredentials(credentials))


@pytest.fixture
def clean_moto(moto: UnderStore) -> UnderStore:
    moto.clear()
    return moto


@pytest.fixture
def clean_ceph(ceph: UnderStore) -> UnderStore:
    ceph.clear()
    return ceph


@pytest.fixture
async def moto_store(clean_moto: UnderStore) -> AsyncIterator[S3Store]:
    store = store_at(clean_moto, checksum_trailers=True)
    yield store
    await store.aclose()


@pytest.fixture
async def ceph_store(clean_ceph: UnderStore) -> AsyncIterator[S3Store]:
    store = store_at(clean_ceph, checksum_trailers=False)
    yield store
    await store.aclose()


each_check = pytest.mark.parametrize("check", CHECKS, ids=name_of)


@each_check
async def test_s3_store_over_moto_keeps_the_contract(check: Check, moto_store: S3Store) -> None:
    await check(moto_store)


@each_check
async def test_s3_store_over_ceph_keeps_the_contract(check: Check, ceph_store: S3Store) -> None:
    await check(ceph_store)
