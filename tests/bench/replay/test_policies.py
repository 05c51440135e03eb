"""Cache policies: what holds for all of them, and what the papers say of each."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.replay.policies import POLICIES, Lru, Min, Policy, S3Fifo, WTinyLfu, next_uses_of

NAMES = st.lists(st.integers(0, 30), max_size=300)
WEIGHTS = st.lists(st.integers(1, 40), min_size=31, max_size=31)


def run(policy: Policy, names: Sequence[int], weights: Sequence[int] | None = None) -> list[bool]:
    return [policy.access(name, weights[name] if weights else 1) for name in names]


def made(kind: str, capacity: int, names: Sequence[int]) -> Policy:
    return POLICIES[kind](capacity, 1, next_uses_of(names))


@pytest.mark.parametrize("kind", POLICIES)
@given(names=NAMES, weights=WEIGHTS, capacity=st.integers(1, 200))
@settings(max_examples=60)
def test_capacity_is_never_exceeded_and_a_hit_is_what_was_kept(
    kind: str, names: list[int], weights: list[int], capacity: int
) -> None:
    policy = made(kind, capacity, names)
    for name in names:
        was_kept = name in policy
        assert policy.access(name, weights[name]) == was_kept
        assert policy.weight <= capacity
        assert policy.weight == sum(weights[each] for each in set(names) if each in policy)


@pytest.mark.parametrize("kind", POLICIES)
@given(names=NAMES, growth=st.lists(st.integers(0, 9), min_size=300, max_size=300), again=st.lists(st.booleans()))
@settings(max_examples=40)
def test_capacity_is_kept_to_while_names_grow(
    kind: str, names: list[int], growth: list[int], again: list[bool]
) -> None:
    policy = made(kind, 60, names)
    weights = dict.fromkeys(range(31), 1)
    for place, name in enumerate(names):
        weights[name] += growth[place]
        policy.access(name, weights[name], is_again=place < len(again) and again[place])
        assert policy.weight == sum(weights[each] for each in weights if each in policy) <= 60


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != "min"])
@given(names=NAMES, capacity=st.integers(1, 31))
@settings(max_examples=60)
def test_nothing_hits_more_often_than_min_where_all_weigh_the_same(kind: str, names: list[int], capacity: int) -> None:
    assert sum(run(made(kind, capacity, names), names)) <= sum(run(made("min", capacity, names), names))


@pytest.mark.parametrize("kind", POLICIES)
@given(names=NAMES)
@settings(max_examples=30)
def test_what_fits_in_whole_misses_only_once(kind: str, names: list[int]) -> None:
    hits = run(made(kind, 10_000, names), names)
    assert hits.count(False) == len(set(names))


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != "min"])
def test_what_is_larger_than_the_capacity_is_not_kept_and_takes_no_room(kind: str) -> None:
    policy = made(kind, 100, [])
    policy.access(1, 10)
    assert not policy.access(2, 101)
    assert 1 in policy
    assert 2 not in policy


def test_min_of_beladys_own_kind_of_example() -> None:
    names = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5]  # which textbooks use: FIFO hits 3 times, LRU 2, the optimum 5
    assert sum(run(Lru(3), names)) == 2
    assert sum(run(Min(3, next_uses_of(names)), names)) == 5


def test_next_uses_of_names_are_where_they_come_again() -> None:
    assert next_uses_of([7, 8, 7, 7]) == [2, float("inf"), 3, float("inf")]


def test_lru_of_a_loop_that_is_a_little_too_long_never_hits() -> None:
    assert sum(run(Lru(9), [*range(10)] * 5)) == 0


def test_lru_use_that_belongs_to_the_one_before_does_not_renew() -> None:
    policy = Lru(2)
    run(policy, [1, 2])
    policy.access(1, 1, is_again=True)
    policy.access(3, 1)
    assert 1 not in policy


def warm(policy: Policy) -> Policy:
    """Twenty names that were each used three times."""
    run(policy, [*range(20)] * 3)
    return policy


@pytest.mark.parametrize("make", [S3Fifo, WTinyLfu])
def test_scan_does_not_turn_over_what_is_used_again(make: Callable[[int], Policy]) -> None:
    policy = warm(make(25))
    run(policy, range(1000, 1100))
    assert sum(name in policy for name in range(20)) >= 18
    lru = warm(Lru(25))
    run(lru, range(1000, 1100))
    assert not any(name in lru for name in range(20))


def test_s3_fifo_what_is_new_leaves_first_and_is_remembered() -> None:
    policy = S3Fifo(10)
    run(policy, range(10))
    policy.access(10, 1)
    assert 0 not in policy
    policy.access(0, 1)  # a ghost: it joins the main queue, and what is new goes before it
    run(policy, range(20, 40))
    assert 0 in policy


def test_s3_fifo_one_use_in_the_small_queue_is_not_enough_and_two_are() -> None:
    policy = S3Fifo(10)
    run(policy, [*range(10), 0, 1, 1])
    run(policy, [20, 21, 22])
    assert 0 not in policy
    assert 1 in policy


def test_s3_fifo_main_queue_gives_what_is_used_another_round() -> None:
    policy = S3Fifo(4)
    run(policy, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    run(policy, [5])  # all go to the main queue, whose first leaves
    assert 1 not in policy
    run(policy, [2, 6, 6, 6, 7])
    assert 2 in policy


def test_w_tinylfu_admits_what_is_used_more_often_than_what_it_replaces() -> None:
    policy = warm(WTinyLfu(20))
    run(policy, [100, 101])
    assert 100 not in policy
    run(policy, [102, 103] * 8)
    assert 102 in policy


def test_w_tinylfu_forgets_what_was_popular_once() -> None:
    policy = WTinyLfu(20)
    run(policy, [*range(19)] * 15)
    run(policy, [*range(100, 119)] * 60)
    assert sum(name in policy for name in range(100, 119)) >= 17
