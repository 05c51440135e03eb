"""What could not be used when a process started, and is looked for again until it can be.

A process that finds it is not changed under its requests: it says so to its supervisor, and makes way for another one
that starts with everything.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from time import time_ns
from typing import Final

import trio

_FIRST_PAUSE_SECONDS: Final = 1.0
_MOST_PAUSE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Absence:
    """A tier or a store that cannot be used."""

    reason: str
    since: float = field(default_factory=lambda: time_ns() / 1e9)
    """Seconds since 1970."""


def pauses() -> Iterator[float]:
    """Seconds between two looks, ever longer up to a minute."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(2 * pause, _MOST_PAUSE_SECONDS)


async def look_for(look: Callable[[], bool], on_found: Callable[[], Awaitable[object]]) -> None:
    """Look again and again, until cancelled, and act each time that something is found.

    Args:
        look: blocks its thread; one that hangs keeps nobody waiting but the next look.
        on_found: acts; may be in vain, and is then called again.
    """
    threads = trio.CapacityLimiter(1)
    for pause in pauses():
        await trio.sleep(pause)
        if await trio.to_thread.run_sync(look, abandon_on_cancel=True, limiter=threads):
            await on_found()
