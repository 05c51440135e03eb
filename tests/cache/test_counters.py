from s3proxy.cache.counters import Counter
from s3proxy.cache.shared import COLUMNS
from s3proxy.cache.usage import MAX_TIERS


def test_counters_have_adjacent_places_that_leave_those_of_the_tiers_alone() -> None:
    assert sorted(Counter) == list(range(len(Counter)))
    assert len(Counter) <= COLUMNS - 4 * MAX_TIERS
