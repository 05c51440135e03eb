"""Tasks of a worker run in the order in which they could."""

import pytest
import trio
import trio.testing
from trio._core import _run

from s3proxy.node.scheduling import run_in_order

_TASKS = 8
_ROUNDS = 20


def test_tasks_run_in_the_order_in_which_they_could(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "_r", _run._r)  # to be put back
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)  # hypothesis has set it in this process
    run_in_order()
    assert trio.run(_turns) == list(range(_TASKS)) * _ROUNDS


async def _turns() -> list[int]:
    turns: list[int] = []

    async def take_turns(number: int, begin: trio.Event) -> None:
        await begin.wait()
        for _ in range(_ROUNDS):
            turns.append(number)
            await trio.lowlevel.checkpoint()

    events = [trio.Event() for _ in range(_TASKS)]
    async with trio.open_nursery() as nursery:
        for number, event in enumerate(events):
            nursery.start_soon(take_turns, number, event)
        await trio.testing.wait_all_tasks_blocked()
        for event in events:
            event.set()
    return turns
