import os
from collections.abc import Iterator

import pytest

from s3proxy.cache.shared import SharedWords
from s3proxy.cache.usage import MAX_TIERS, TierUsage


@pytest.fixture
def usage(shared: SharedWords) -> TierUsage:
    return TierUsage(shared, 0, 1000)


@pytest.fixture
def other(shared: SharedWords) -> Iterator[TierUsage]:
    """The same tier in another worker."""
    words = SharedWords.attach(os.dup(shared.fd), 0)
    yield TierUsage(words, 0, 1000)
    words.close()


def test_reservation_counts_as_used_on_all_workers_and_is_refused_beyond_the_size(
    usage: TierUsage, other: TierUsage
) -> None:
    assert usage.reserve(600)
    assert other.used_bytes() == 600
    assert not other.reserve(401)
    assert other.reserve(400)
    assert usage.used_bytes() == 1000


def test_reservation_turns_into_allocation(usage: TierUsage) -> None:
    assert usage.reserve(600)
    usage.allocated(500)
    usage.unreserve(600)
    assert usage.used_bytes() == 500
    usage.removed(200)
    assert usage.used_bytes() == 300


def test_reservations_of_a_worker_that_died_end_with_its_replacement(shared: SharedWords, usage: TierUsage) -> None:
    assert usage.reserve(600)
    usage.allocated(100)
    assert TierUsage(shared, 0, 1000).used_bytes() == 100


def test_count_replaces_what_was_believed(usage: TierUsage, other: TierUsage) -> None:
    usage.allocated(700)
    other.removed(100)
    assert not other.is_counted
    usage.after_count(usage.before_count(), 50)
    assert other.is_counted
    assert other.used_bytes() == 50
    other.allocated(10)
    assert usage.used_bytes() == 60


@pytest.mark.parametrize("is_seen", [True, False])
def test_allocation_during_a_count_is_counted_at_least_once(usage: TierUsage, other: TierUsage, is_seen: bool) -> None:
    begun = usage.before_count()
    other.allocated(100)
    usage.after_count(begun, 100 if is_seen else 0)
    assert usage.used_bytes() >= 100


@pytest.mark.parametrize("is_seen", [True, False])
def test_removal_during_a_count_is_counted_at_most_once(usage: TierUsage, other: TierUsage, is_seen: bool) -> None:
    usage.allocated(300)
    begun = usage.before_count()
    other.removed(100)
    usage.after_count(begun, 300 if is_seen else 200)
    assert usage.used_bytes() >= 200


def test_reservation_during_a_count_stays(usage: TierUsage, other: TierUsage) -> None:
    assert other.reserve(100)
    usage.after_count(usage.before_count(), 0)
    assert usage.used_bytes() == 100


def test_more_removed_than_known_is_nothing(usage: TierUsage) -> None:
    usage.removed(100)
    assert usage.used_bytes() == 0


def test_tiers_have_words_of_their_own(shared: SharedWords) -> None:
    first, last = TierUsage(shared, 0, 10), TierUsage(shared, MAX_TIERS - 1, 10)
    first.allocated(1)
    assert last.used_bytes() == 0
    with pytest.raises(ValueError, match="tier"):
        TierUsage(shared, MAX_TIERS, 10)
