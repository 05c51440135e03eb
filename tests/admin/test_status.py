import pytest

from s3proxy.admin.command import CommandError
from s3proxy.admin.messages import BucketUsage, Counter, ObjectPresence, Pin, Shown, TierUsage
from s3proxy.admin.status import status
from tests.admin.fakes import MIB, FakeCaches, Told, request


async def test_status_shows_tiers_pins_buckets_and_counters() -> None:
    caches = FakeCaches()
    caches.cached = {("a", 0), ("a", 1), ("b", 0)}
    caches.pinned = [Pin(bucket="data", prefix="a")]
    told = Told()
    await status(caches, request(None), told)
    assert told.messages == [
        TierUsage(tier="memory", directory="/cache", size_bytes=1024 * MIB, used_bytes=3 * MIB, blocks=3),
        Pin(bucket="data", prefix="a"),
        BucketUsage(bucket="data", blocks=3, cached={"memory": 3 * MIB}),
        Counter(name="hits", value=7),
        Shown(),
    ]


async def test_status_of_a_prefix_shows_how_much_of_each_object_is_cached() -> None:
    caches = FakeCaches({"a/1": 3 * MIB, "a/2": MIB, "a/3": 0, "b": MIB})
    caches.cached = {("a/1", 1), ("a/2", 0)}
    told = Told()
    await status(caches, request(prefix="a/"), told)
    assert told.messages == [
        ObjectPresence(key="a/1", size=3 * MIB, present_bytes=MIB, cached={"memory": MIB}),
        ObjectPresence(key="a/2", size=MIB, present_bytes=MIB, cached={"memory": MIB}),
        ObjectPresence(key="a/3", size=0, present_bytes=0, cached={"memory": 0}),
        Shown(objects=3, total_bytes=4 * MIB, present_bytes=2 * MIB),
    ]


async def test_status_of_a_bucket_that_cannot_be_listed_is_refused() -> None:
    with pytest.raises(CommandError, match="there is no bucket other"):
        await status(FakeCaches(), request("other"), Told())
