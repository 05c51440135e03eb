import pytest
import trio
from trio.testing import MockClock

from s3proxy.admin.command import CommandError
from s3proxy.admin.load import load
from s3proxy.admin.messages import Failed, Loaded, Progress, TooSmall
from tests.admin.fakes import MIB, FakeCaches, Told, request


async def test_load_fetches_every_object_below_the_prefix() -> None:
    caches = FakeCaches({"a/1": MIB, "a/2": 3 * MIB, "a/3": 0, "b": MIB})
    told = Told()
    await load(caches, request(prefix="a/"), told)
    assert sorted(caches.cached) == [("a/1", 0), ("a/2", 0), ("a/2", 1), ("a/2", 2)]
    assert told.messages[-1] == Loaded(objects=3, bytes=4 * MIB, fetched_bytes=4 * MIB, failed=0)


async def test_load_again_fetches_only_what_is_missing() -> None:
    caches = FakeCaches({"a": 3 * MIB, "b": MIB})
    caches.cached = {("a", 0), ("a", 2), ("b", 0)}
    told = Told()
    await load(caches, request(), told)
    assert caches.fetched == [("a", MIB, 2 * MIB)]
    assert told.messages[-1] == Loaded(objects=2, bytes=4 * MIB, fetched_bytes=MIB, failed=0)


async def test_load_ends_with_progress_that_says_all() -> None:
    told = Told()
    await load(FakeCaches({"a": MIB, "b": MIB, "c": MIB}), request(), told)
    assert told.messages[-2] == Progress(
        objects=3, bytes=3 * MIB, fetched_bytes=3 * MIB, total_objects=3, total_bytes=3 * MIB, is_counted=True
    )


async def test_load_of_an_object_that_fails_names_it_once_and_loads_the_others() -> None:
    caches = FakeCaches({"a": 5 * MIB, "b": MIB})
    caches.broken["a"] = "the store is gone"
    told = Told()
    await load(caches, request(jobs=4), told)
    assert [each for each in told.messages if isinstance(each, Failed)] == [
        Failed(name="s3://data/a", reason="the store is gone")
    ]
    assert told.messages[-1] == Loaded(objects=2, bytes=MIB, fetched_bytes=MIB, failed=1)


async def test_load_from_a_bucket_that_cannot_be_listed_is_refused() -> None:
    with pytest.raises(CommandError, match="there is no bucket other"):
        await load(FakeCaches(), request("other"), Told())


async def test_load_without_a_bucket_is_refused() -> None:
    with pytest.raises(CommandError, match="needs a bucket"):
        await load(FakeCaches(), request(None), Told())


async def test_load_of_more_than_the_tiers_hold_says_so_and_goes_on() -> None:
    told = Told()
    await load(FakeCaches({"a": 3 * MIB}, size_bytes=2 * MIB), request(), told)
    assert TooSmall(size_bytes=2 * MIB, total_bytes=3 * MIB) in told.messages
    assert isinstance(told.messages[-1], Loaded)


async def test_load_with_a_rate_is_no_faster(instant: MockClock) -> None:
    caches = FakeCaches({"a": 5 * MIB, "b": 5 * MIB})
    start = trio.current_time()
    await load(caches, request(rate=float(MIB)), Told())
    assert trio.current_time() - start >= 9


@pytest.mark.parametrize(("jobs", "seconds"), [(1, 8), (4, 2)])
async def test_load_fetches_spans_of_one_object_at_once(instant: MockClock, jobs: int, seconds: int) -> None:
    caches = FakeCaches({"a": 8 * MIB})
    caches.fetch_seconds = 1.0
    start = trio.current_time()
    await load(caches, request(jobs=jobs), Told())
    assert seconds <= trio.current_time() - start < seconds + 1


async def test_load_cancelled_stops_at_once_and_a_later_one_goes_on(instant: MockClock) -> None:
    caches = FakeCaches({"a": 8 * MIB})
    caches.fetch_seconds = 1.0
    with trio.move_on_after(3.5):
        await load(caches, request(jobs=1), Told())
    assert len(caches.fetched) == 3
    told = Told()
    await load(caches, request(jobs=1), told)
    assert told.messages[-1] == Loaded(objects=1, bytes=8 * MIB, fetched_bytes=5 * MIB, failed=0)


async def test_load_tells_how_far_it_is_twice_a_second(instant: MockClock) -> None:
    caches = FakeCaches({"a": 4 * MIB})
    caches.fetch_seconds = 1.0
    told = Told()
    await load(caches, request(jobs=1), told)
    seen = [each.bytes // MIB for each in told.messages if isinstance(each, Progress)]
    assert seen == sorted(seen)
    assert len(seen) in {8, 9}
