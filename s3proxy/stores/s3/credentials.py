"""Who signs: fixed keys, the provider chain of botocore, or nobody."""

import time
from collections.abc import Callable
from typing import Protocol

import botocore.session
import trio

from s3proxy.s3.sigv4 import Credentials
from s3proxy.stores.base import StoreUnavailableError

_KEPT_SECONDS = 60.0
"""How long botocore is not asked again. It replaces credentials ten minutes before they expire."""


class CredentialsProvider(Protocol):
    """Gives what requests are signed with."""

    async def current(self) -> Credentials | None:
        """The credentials of this moment; None to send requests unsigned.

        Raises:
            StoreUnavailableError: there are none.
        """
        ...

    def forget(self) -> None:
        """The store says that they have expired: the next ones must be others, where there are others."""


class FixedCredentials:
    """The same credentials for ever, or none at all.

    Args:
        credentials: None for an anonymous client.
    """

    def __init__(self, credentials: Credentials | None) -> None:
        self._credentials = credentials

    async def current(self) -> Credentials | None:
        """What was given."""
        return self._credentials

    def forget(self) -> None:
        """There are no others."""


class ProviderChain:
    """What botocore finds: environment, files, processes, roles, containers and instances, renewed in time.

    Args:
        region: which the requests are signed for.
        session: whose chain it is; a new one by default.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        region: str,
        *,
        session: botocore.session.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._session = session or botocore.session.Session()
        self._clock = clock
        self._lock = trio.Lock()
        self._credentials: Credentials | None = None
        self._asked_at = 0.0

    async def current(self) -> Credentials:
        """What the chain gives, asked at most once a minute; several tasks wait for one question."""
        if (credentials := self._fresh()) is not None:
            return credentials
        async with self._lock:
            if (credentials := self._fresh()) is not None:
                return credentials
            # In a thread: a provider may read files, run a program or ask a server.
            found = await trio.to_thread.run_sync(self._ask)
            self._credentials, self._asked_at = found, self._clock()
            return found

    def forget(self) -> None:
        """Ask again before the minute is over."""
        self._credentials = None

    def _fresh(self) -> Credentials | None:
        return self._credentials if self._clock() - self._asked_at < _KEPT_SECONDS else None

    def _ask(self) -> Credentials:
        try:
            found = self._session.get_credentials()
            frozen = None if found is None else found.get_frozen_credentials()
        except Exception as error:  # whatever a provider of botocore's raises, and they raise a great deal
            raise StoreUnavailableError(f"no credentials: {error}") from error
        if frozen is None:
            raise StoreUnavailableError("no credentials: none of botocore's providers has any")
        return Credentials(
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            region=self._region,
            session_token=frozen.token,
        )
