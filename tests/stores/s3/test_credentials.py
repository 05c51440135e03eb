import pytest
import trio
from botocore.credentials import Credentials as Found

from s3proxy.stores.base import StoreUnavailableError
from s3proxy.stores.s3.credentials import FixedCredentials, ProviderChain
from tests.stores.s3.scripted import CREDENTIALS


class Session:
    """A chain that gives other credentials each time."""

    def __init__(self, *found: Found | Exception | None) -> None:
        self.found = list(found)

    def get_credentials(self) -> Found | None:
        found = self.found.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


FIRST, SECOND = Found("first", "secret", "token"), Found("second", "secret")


async def test_fixed_credentials_stay() -> None:
    fixed = FixedCredentials(CREDENTIALS)
    fixed.forget()
    assert await fixed.current() is CREDENTIALS
    assert await FixedCredentials(None).current() is None


async def test_chain_is_asked_once_a_minute_however_many_wait() -> None:
    now = 0.0
    chain = ProviderChain("eu", session=Session(FIRST, SECOND), clock=lambda: now)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(chain.current)
    found = await chain.current()
    assert (found.access_key, found.region, found.session_token) == ("first", "eu", "token")
    now = 61.0
    assert (await chain.current()).access_key == "second"


async def test_chain_is_asked_again_when_the_store_says_expired() -> None:
    chain = ProviderChain("eu", session=Session(FIRST, SECOND))
    await chain.current()
    chain.forget()
    assert (await chain.current()).access_key == "second"


@pytest.mark.parametrize("found", [None, OSError("no such file")])
async def test_chain_without_credentials_makes_the_store_unavailable(found: Exception | None) -> None:
    with pytest.raises(StoreUnavailableError, match="no credentials"):
        await ProviderChain("eu", session=Session(found)).current()


async def test_secrets_are_not_in_the_text_of_credentials() -> None:
    # RustFS GHSA-r54g-49rx-98cr
    chain = ProviderChain("eu", session=Session(Found("first", "s3cret", "t0ken")))
    text = repr(await chain.current())
    assert "s3cret" not in text
    assert "t0ken" not in text
