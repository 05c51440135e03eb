"""What every ObjectStore does: one suite, run through each implementation.

A check takes a store without buckets, whose parts have S3's minimum size of 5 MiB, and makes what it needs. ``CHECKS``
lists them all:

    @pytest.mark.parametrize("check", CHECKS, ids=name_of)
    async def test_store_keeps_the_contract(check, store): await check(store)
"""

from collections.abc import Awaitable, Callable

from s3proxy.stores.base import ObjectStore
from tests.stores import contracts_of_access, contracts_of_buckets, contracts_of_objects, contracts_of_uploads

Check = Callable[[ObjectStore], Awaitable[None]]

CHECKS: tuple[Check, ...] = tuple(
    check
    for module in (contracts_of_access, contracts_of_buckets, contracts_of_objects, contracts_of_uploads)
    for name, check in vars(module).items()
    if name.startswith("check_")
)


def name_of(check: Check) -> str:
    return getattr(check, "__name__", "").removeprefix("check_")
