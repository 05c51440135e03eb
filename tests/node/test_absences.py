"""Looking again and again for what was absent at the start."""

from itertools import islice
from time import time_ns

import pytest
import trio

from s3proxy.node import absences
from s3proxy.node.absences import Absence, look_for, pauses


def test_pauses_grow_up_to_a_minute() -> None:
    assert list(islice(pauses(), 9)) == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_absence_is_dated() -> None:
    assert Absence("why").since == pytest.approx(time_ns() / 1e9, abs=60)


async def test_what_is_found_is_told_as_often_as_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absences, "_FIRST_PAUSE_SECONDS", 0.001)
    looks = iter([False, False, True, False, True])
    told: list[float] = []
    scope = trio.CancelScope()

    async def tell() -> None:
        told.append(trio.current_time())
        if len(told) == 2:
            scope.cancel()

    with trio.fail_after(10), scope:
        await look_for(lambda: next(looks), tell)
    assert len(told) == 2
