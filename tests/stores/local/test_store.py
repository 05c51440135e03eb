import pytest

from s3proxy.stores.local.store import LocalStore
from tests.stores.contracts import CHECKS, Check, name_of


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
async def test_local_store_keeps_the_contract(check: Check, store: LocalStore) -> None:
    await check(store)
