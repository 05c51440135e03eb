import trio
from trio.testing import MockClock

from s3proxy.admin.messages import Failed, Verified
from s3proxy.admin.verify import verify
from tests.admin.fakes import MIB, FakeCaches, Told, request


async def test_verify_of_good_blocks_finds_nothing() -> None:
    caches = FakeCaches()
    caches.cached = {("a", 0), ("b", 0)}
    told = Told()
    await verify(caches, request(None), told)
    assert told.messages[-1] == Verified(blocks=2, bytes=2 * MIB, bad=0)


async def test_verify_of_a_damaged_block_names_it_and_drops_it() -> None:
    caches = FakeCaches()
    caches.cached = {("a", 0), ("a", 1)}
    caches.damaged = {("a", 1)}
    told = Told()
    await verify(caches, request(prefix="a"), told)
    failed = [each for each in told.messages if isinstance(each, Failed)]
    assert failed == [Failed(name="s3://data/a", reason="block 1 in tier memory was damaged and is dropped")]
    assert told.messages[-1] == Verified(blocks=2, bytes=2 * MIB, bad=1)
    assert caches.cached == {("a", 0)}


async def test_verify_with_a_rate_reads_no_faster(instant: MockClock) -> None:
    caches = FakeCaches()
    caches.cached = {("a", index) for index in range(5)}
    start = trio.current_time()
    await verify(caches, request(rate=float(MIB)), Told())
    assert trio.current_time() - start == 4
