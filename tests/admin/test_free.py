from s3proxy.admin.free import free
from s3proxy.admin.messages import Freed, Pin
from tests.admin.fakes import MIB, FakeCaches, Told, request


async def test_free_drops_the_blocks_below_the_prefix_and_no_others() -> None:
    caches = FakeCaches()
    caches.cached = {("a/1", 0), ("a/1", 1), ("b", 0)}
    told = Told()
    await free(caches, request(prefix="a/"), told)
    assert caches.cached == {("b", 0)}
    assert told.messages[-1] == Freed(blocks=2, bytes=2 * MIB, pinned_blocks=0)


async def test_free_leaves_what_is_pinned() -> None:
    caches = FakeCaches()
    caches.cached = {("a/1", 0), ("b", 0)}
    caches.pinned = [Pin(bucket="data", prefix="a/")]
    told = Told()
    await free(caches, request(), told)
    assert caches.cached == {("a/1", 0)}
    assert told.messages[-1] == Freed(blocks=1, bytes=MIB, pinned_blocks=1)


async def test_free_with_pinned_drops_what_is_pinned_too() -> None:
    caches = FakeCaches()
    caches.cached = {("a/1", 0)}
    caches.pinned = [Pin(bucket="data", prefix="a/")]
    told = Told()
    await free(caches, request(pinned=True), told)
    assert caches.cached == set()
    assert told.messages[-1] == Freed(blocks=1, bytes=MIB, pinned_blocks=0)


async def test_free_goes_through_more_blocks_than_fit_into_one_batch() -> None:
    caches = FakeCaches()
    caches.cached = {("a", index) for index in range(1000)}
    told = Told()
    await free(caches, request(), told)
    assert told.messages[-1] == Freed(blocks=1000, bytes=1000 * MIB, pinned_blocks=0)
