import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3proxy.metrics.histograms import BOUNDS, BUCKETS, Histogram, bucket_of


def histogram_of(*microseconds: int) -> Histogram:
    counts = [0] * BUCKETS
    for duration in microseconds:
        counts[bucket_of(duration)] += 1
    return Histogram(counts=counts, seconds=sum(microseconds) / 1e6)


@given(st.integers(0, 10**9))
def test_duration_is_in_the_first_bucket_that_ends_after_it(microseconds: int) -> None:
    place = bucket_of(microseconds)
    assert place == BUCKETS - 1 or microseconds / 1e6 < BOUNDS[place]
    assert place == 0 or microseconds / 1e6 >= BOUNDS[place - 1]


def test_buckets_reach_from_a_quarter_of_a_millisecond_to_more_than_a_minute() -> None:
    assert BOUNDS[0] == 0.00025
    assert 60 < BOUNDS[-1] < 70


@pytest.mark.parametrize(
    ("durations", "share", "expected"),
    [
        ((), 0.5, None),
        ((999,), 1.0, 0.001),
        ((999,) * 4, 0.5, 0.00075),  # half of the way through the bucket from 0.5 to 1 ms
        ((100,) * 98 + (900_000, 900_000), 0.5, 0.00025 * 50 / 98),
        ((100,) * 98 + (900_000, 900_000), 0.99, 0.768),
        ((90_000_000,), 0.99, BOUNDS[-1]),  # longer than can be told
    ],
)
def test_quantile_is_estimated_within_its_bucket(
    durations: tuple[int, ...], share: float, expected: float | None
) -> None:
    assert histogram_of(*durations).quantile(share) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.integers(1, 60_000_000), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantile_is_at_most_a_factor_of_two_from_the_true_one(durations: list[int], share: float) -> None:
    below = sum(1 for duration in durations if duration <= 250)
    estimate = histogram_of(*durations).quantile(share)
    assert estimate is not None
    true = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)] / 1e6
    assert estimate <= 2 * true or below
    assert estimate >= true / 2 or below


def test_difference_is_what_came_since() -> None:
    earlier, later = histogram_of(300), histogram_of(300, 5000)
    since = later - earlier
    assert since.counts == tuple(histogram_of(5000).counts)
    assert since.seconds == pytest.approx(0.005)
    assert (earlier + (later - earlier)).count == 2
