from collections.abc import Callable
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

_T = TypeVar("_T")


@pytest.fixture
def instant(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> MockClock:
    """The clock jumps, and no thread makes it jump at the wrong moment: what would run in one runs in place."""

    async def run_in_place(function: Callable[..., _T], *arguments: object) -> _T:
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_in_place)
    return autojump_clock
