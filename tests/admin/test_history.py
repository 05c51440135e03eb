import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from s3proxy.admin.history import SERIES, History, Sample, kept_points, point_between
from s3proxy.metrics.histograms import BUCKETS, Histogram


def durations(bucket: int, count: int) -> Histogram:
    return Histogram(counts=tuple(count if place == bucket else 0 for place in range(BUCKETS)), seconds=1.0)


def test_point_has_rates_a_second_of_what_came_between() -> None:
    point = point_between(Sample(requests=100, bytes_disk=10), Sample(requests=150, bytes_disk=10), 5)
    assert (point["requests"], point["bytes_disk"]) == (10, 0)


def test_point_has_levels_as_they_are_now() -> None:
    point = point_between(Sample(connections=9, memory_used=5), Sample(connections=3, memory_used=4), 5)
    assert (point["connections"], point["memory_used"]) == (3, 4)


def test_point_tells_shares_of_hits_in_reads_and_in_bytes() -> None:
    now = Sample(hits=3, misses=1, bytes_memory=10, bytes_disk=20, bytes_missed=70, bytes_store=1000)
    point = point_between(Sample(), now, 5)
    assert (point["hit_ratio"], point["hit_byte_ratio"]) == (0.75, 0.3)


def test_point_without_requests_has_neither_shares_nor_quantiles() -> None:
    point = point_between(Sample(), Sample(), 5)
    assert {name for name, value in point.items() if value is None} == {
        "hit_ratio", "hit_byte_ratio", "latency_p50", "latency_p90", "latency_p99", "first_byte_p50", "first_byte_p99",
        "store_latency_p50", "store_latency_p99",
    }  # fmt: skip


def test_point_has_quantiles_of_what_came_between_alone() -> None:
    point = point_between(Sample(latency=durations(0, 1000)), Sample(latency=durations(0, 1000) + durations(5, 10)), 5)
    assert point["latency_p50"] == pytest.approx(0.006)


def test_counters_that_began_anew_give_no_negative_rate() -> None:
    before = Sample(requests=1000, hits=50, misses=50, latency=durations(3, 500))
    point = point_between(before, Sample(requests=10, hits=1, misses=0, latency=durations(2, 4)), 5)
    assert point["requests"] == 2
    assert point["hit_ratio"] == 1
    assert point["latency_p99"] is not None
    assert all(value is None or value >= 0 for value in point.values())


def clock() -> float:
    """That of the wall, which is five seconds ahead of the event loop's by chance."""
    return 1_700_000_005 + trio.current_time()


def counting() -> Callable[[], Sample]:
    """A node that answers ten requests between any two samples."""
    samples = iter(range(10_000))
    return lambda: replace(Sample(), requests=next(samples) * 10)


async def test_history_keeps_an_hour_of_points_five_seconds_apart(autojump_clock: MockClock) -> None:
    with closing(kept_points()) as points:
        history = History(counting(), points, clock=clock)
        with trio.move_on_after(5 * 800 + 1):
            await history.run()
        content = history.content()
    assert content["interval_seconds"] == 5
    assert len(content["at"]) == 720
    assert [at % 5 for at in content["at"]] == [0] * 720
    assert content["series"].keys() == set(SERIES)
    assert content["series"]["requests"] == [2] * 720


async def test_history_goes_on_from_that_of_the_process_before(autojump_clock: MockClock) -> None:
    fd = os.memfd_create("history")
    with closing(kept_points(fd)) as points, trio.move_on_after(32):
        await History(counting(), points, clock=clock).run()
    with closing(kept_points(fd)) as points:
        history = History(counting(), points, clock=clock)
        assert len(history.content()["at"]) == 6
        with trio.move_on_after(10):
            await history.run()
        assert len(history.content()["at"]) == 8
    os.close(fd)


async def test_two_processes_at_once_make_one_history(autojump_clock: MockClock) -> None:
    fd = os.memfd_create("history")
    with closing(kept_points(fd)) as old, closing(kept_points(fd)) as new:
        ahead = History(counting(), new, clock=clock)
        with trio.move_on_after(31):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(History(counting(), old, clock=clock).run)
                await trio.sleep(12)
                nursery.start_soon(ahead.run)
        content = ahead.content()
    assert len(content["at"]) == 6
    assert len(set(content["at"])) == 6
    os.close(fd)
