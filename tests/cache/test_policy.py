from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.cache.ghosts import Ghosts
from s3proxy.cache.policy import LRU, Candidates, Entry, Policy, S3Fifo, Standing

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
SIZE = 1000


@pytest.fixture
def ghosts(tmp_path: Path) -> Ghosts:
    return Ghosts(tmp_path, tier_bytes=SIZE, reach_bytes=1 << 20)


@pytest.fixture
def fifo(ghosts: Ghosts) -> S3Fifo:
    return S3Fifo(ghosts)


class Blocks:
    """Blocks of 10 bytes, as a scan finds them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.atimes: dict[str, int] = {}
        self.now = NOW

    def come(self, *names: str) -> None:
        for name in names:
            self.now += SECOND
            self.atimes[name] = self.policy.joining(name, self.now)

    def use(self, *names: str) -> None:
        for name in names:
            self.now += 10 * SECOND
            self.atimes[name] = self.policy.after_use(self.atimes[name], self.now)

    def listed(self, size: int = SIZE) -> Candidates:
        return self.policy.candidates([Entry(name, 10, atime) for name, atime in self.atimes.items()], size)

    def evict(self, count: int, candidates: Candidates | None = None) -> list[str]:
        """The names of ``count`` blocks in the order in which they go."""
        candidates = candidates or self.listed()
        gone: list[str] = []
        while len(gone) < count and (entry := candidates.take(10 * len(self.atimes))) is not None:
            renewed = candidates.renewed(entry, self.atimes[entry.name])
            if renewed is None:
                gone.append(entry.name)
                del self.atimes[entry.name]
                candidates.note_evicted(entry)
            else:
                self.atimes[entry.name] = renewed
        return gone


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


# LRU


def test_lru_goes_by_use() -> None:
    blocks = Blocks(LRU)
    blocks.come("a", "b", "c")
    blocks.use("a")
    assert blocks.evict(9) == ["b", "c", "a"]


def test_lru_block_that_was_used_since_the_scan_stays() -> None:
    blocks = Blocks(LRU)
    blocks.come("a", "b")
    listed = blocks.listed()
    blocks.use("a")
    assert blocks.evict(9, listed) == ["b"]


def test_lru_block_that_is_copied_is_as_old_as_it_was() -> None:
    assert LRU.joining("a", NOW, Standing(7)) == 7
    assert LRU.joining("a", NOW) == NOW


# S3-FIFO


@given(times=st.lists(st.integers(5, 10**7), max_size=8), is_main=st.booleans())
def test_access_time_tells_use_queue_and_uses_and_only_grows(
    times: list[int], is_main: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    policy = S3Fifo(Ghosts(tmp_path_factory.mktemp("tier"), tier_bytes=1, reach_bytes=1))
    now = NOW + 123
    atime = policy.joining("name", now, Standing(0, is_main))
    for seconds in times:
        now += seconds * SECOND
        later = policy.after_use(atime, now)
        assert later > atime
        atime = later
    standing = policy.standing(atime)
    assert (standing.is_main, standing.uses) == (is_main, min(len(times), 3))
    assert 0 <= now - standing.used_ns < SECOND
    assert atime // SECOND == NOW // SECOND


@given(atime=st.integers(0, 1 << 62), later=st.integers(5 * SECOND, 1 << 61))
def test_any_access_time_makes_some_sense(atime: int, later: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    policy = S3Fifo(Ghosts(tmp_path_factory.mktemp("tier"), tier_bytes=1, reach_bytes=1))
    standing = policy.standing(atime)
    used = policy.after_use(atime, standing.used_ns + later)
    assert used // SECOND == atime // SECOND
    assert policy.standing(used).uses == min(standing.uses + 1, 3)


def test_new_blocks_go_in_the_order_in_which_they_came(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    blocks.come("a", "b", "c")
    blocks.use("a")
    assert blocks.evict(2) == ["a", "b"]


def test_block_that_was_used_twice_goes_after_what_was_not(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    blocks.come("a", "b", "c")
    blocks.use("a", "a")
    assert blocks.evict(2, blocks.listed(100)) == ["b", "c"]
    assert fifo.standing(blocks.atimes["a"])._replace(used_ns=0) == Standing(0, is_main=True)


def test_scan_goes_and_leaves_what_is_read_again_and_again(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    hot = names("hot", 80)
    blocks.come(*hot)
    blocks.use(*hot, *hot)
    for number in range(50):
        blocks.come(*names(f"scan{number}-", 20))
        blocks.evict(len(blocks.atimes) - 90)
        assert set(hot) <= set(blocks.atimes)


def test_block_that_comes_back_soon_joins_the_main_queue(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    blocks.come("a", "b")
    blocks.evict(1)
    blocks.come("a", "c")
    assert [fifo.standing(blocks.atimes[name]).is_main for name in "abc"] == [True, False, False]


def test_main_queue_gives_another_round_for_each_use_up_to_three(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    main = ["a", "b", "c"]
    blocks.come(*main)
    for name in main:
        blocks.atimes[name] = fifo.joining(name, blocks.now, Standing(0, is_main=True))
    blocks.use(*["b"] * 9, "c")
    assert blocks.evict(9) == ["a", "c", "b"]


def test_main_queue_goes_only_while_the_small_one_is_below_its_part(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    main, small = names("main", 30), names("small", 10)
    blocks.come(*main)
    for name in main:
        blocks.atimes[name] = fifo.joining(name, blocks.now, Standing(0, is_main=True))
    blocks.come(*small)
    gone = blocks.evict(3)  # the small queue is a tenth of the tier, of which it may have so much
    assert [name.rstrip("0123456789") for name in gone] == ["small", "main", "main"]


def test_list_without_new_blocks_is_soon_made_again_for_there_may_be_some(fifo: S3Fifo) -> None:
    blocks = Blocks(fifo)
    assert blocks.listed().good_seconds == 0
    blocks.come("a")
    blocks.use("a", "a")
    listed = blocks.listed()
    assert listed.good_seconds > 10
    blocks.come("b", "c")
    entry = listed.take(30)
    assert entry is not None
    assert listed.renewed(entry, blocks.atimes["a"]) is not None
    assert 0 < listed.good_seconds < 10


def test_copied_block_keeps_its_queue_and_begins_without_uses(fifo: S3Fifo) -> None:
    for is_main in (False, True):
        joined = fifo.joining("a", NOW, Standing(5, is_main=is_main, uses=3))
        assert fifo.standing(joined) == Standing(NOW, is_main=is_main)
