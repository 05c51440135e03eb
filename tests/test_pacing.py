import trio
from trio.testing import MockClock

from s3proxy.pacing import Pace


async def test_pace_without_a_bound_never_waits(autojump_clock: MockClock) -> None:
    start = trio.current_time()
    for _ in range(10):
        await Pace(None).wait_for(10**12)
    assert trio.current_time() == start


async def test_pace_is_shared_by_all_who_ask(autojump_clock: MockClock) -> None:
    pace = Pace(100)
    start = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(11):
            nursery.start_soon(pace.wait_for, 50)
    assert trio.current_time() - start == 5


async def test_pace_after_a_pause_gives_no_credit(autojump_clock: MockClock) -> None:
    pace = Pace(100)
    await pace.wait_for(100)
    await trio.sleep(1000)
    start = trio.current_time()
    for _ in range(3):
        await pace.wait_for(100)
    assert trio.current_time() - start == 2
