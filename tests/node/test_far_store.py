from pathlib import Path

import pytest

from s3proxy.config import StoreConfig
from s3proxy.node.failures import StartError
from s3proxy.node.far_store import open_s3
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.fairness import FairLimiter
from tests.stores.vocabulary import BUCKET

NOWHERE = "http://127.0.0.1:1"


async def test_store_that_nobody_answers_for_is_unavailable_when_the_deadline_is_over() -> None:
    limiter = FairLimiter(1)
    store = open_s3(
        "store",
        StoreConfig(kind="s3", endpoint=NOWHERE, anonymous=True, deadline_seconds=0.2),
        limiter,
        remembers_buckets=True,
    )
    with pytest.raises(StoreUnavailableError):
        await store.get_bucket(BUCKET)
    await store.aclose()
    assert repr(limiter) == "<FairLimiter: 1 free, 0 waiting>"


async def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    config = StoreConfig(kind="s3", endpoint="https://rgw", ca_file=str(tmp_path / "absent.pem"))
    with pytest.raises(StartError, match=r"stores\.far\.ca_file = .*absent\.pem.*No such file"):
        open_s3("stores.far", config, FairLimiter(1), remembers_buckets=True)


async def test_endpoint_that_is_none_is_named() -> None:
    with pytest.raises(StartError, match=r"store\.endpoint"):
        open_s3("store", StoreConfig(kind="s3", endpoint="rgw"), FairLimiter(1), remembers_buckets=True)
