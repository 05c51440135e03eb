"""Whether a node should get requests: its workers live, it is not draining, and its default store answers."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Never

import trio

from s3proxy.http1.messages import ConnectionLostError
from s3proxy.s3.errors import S3Error
from s3proxy.stores.base import StoreUnavailableError
from s3proxy.telemetry import log_error

PROBE_SECONDS: Final = 2.0
"""Between two probes."""

DEADLINE_SECONDS: Final = 3.0
"""For the answer to a probe."""

_STALE_SECONDS: Final = PROBE_SECONDS + DEADLINE_SECONDS + 5
"""A probe of a directory can hang in the kernel, where no deadline reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of a store."""

    is_reachable: bool
    reason: str = ""
    """Why it is not."""
    checked_at: float | None = None
    """Seconds since 1970; None when it has never answered or failed."""


class StoreProbe:
    """Asks a store something cheap every few seconds.

    Args:
        ask: returns, or raises S3Error, when the store answers.
        clock: seconds since 1970.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[object]], *, clock: Callable[[], float] = lambda: time.time_ns() / 1e9
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._found = Health(is_reachable=False, reason="it was not asked yet")
        self.has_asked: Final = trio.Event()
        """Set when it is known for the first time."""

    async def run(self) -> Never:
        """Ask until cancelled."""
        while True:
            reason = await self._probe()
            if reason != self._found.reason and reason:
                log_error(f"a store cannot be used: {reason}")
            self._found = Health(is_reachable=not reason, reason=reason, checked_at=self._clock())
            self.has_asked.set()
            await trio.sleep(PROBE_SECONDS)

    @property
    def health(self) -> Health:
        """What the last probe found."""
        found = self._found
        if found.checked_at is not None and self._clock() - found.checked_at > _STALE_SECONDS:
            return Health(is_reachable=False, reason="it does not answer", checked_at=found.checked_at)
        return found

    async def _probe(self) -> str:
        try:
            with trio.fail_after(DEADLINE_SECONDS):
                await self._ask()
        except S3Error:
            return ""  # an answer, whatever it says
        except trio.TooSlowError:
            return f"it did not answer within {DEADLINE_SECONDS:.0f} s"
        except (StoreUnavailableError, ConnectionLostError) as error:
            return str(error) or "it cannot be reached"
        except Exception as error:  # the probe itself must go on
            log_error("a probe of a store failed", error)
            return "it could not be asked; the node's log tells more"
        return ""


def reason_against(*, is_draining: bool, missing_workers: Sequence[int], default_store: Health) -> str:
    """Why a node should get no requests, in a sentence that tells strangers nothing; empty when it should."""
    if is_draining:
        return "draining"
    if missing_workers:
        numbers = ", ".join(map(str, missing_workers))
        return f"worker{'s' * (len(missing_workers) > 1)} {numbers} missing"
    if not default_store.is_reachable:
        return "the default store cannot be reached"
    return ""
