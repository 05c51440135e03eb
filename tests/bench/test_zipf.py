"""How often which of many things is asked for."""

import random
from collections import Counter

from bench.zipf import uniform_places, zipf_places


def test_zipf_places_with_one_seed_are_the_same() -> None:
    first, second = (zipf_places(random.Random(3), 100, 50) for _ in range(2))
    assert first == second
    assert all(0 <= place < 100 for place in first)


def test_zipf_places_second_in_popularity_is_drawn_half_as_often_as_the_first() -> None:
    (_, first), (_, second), *_ = Counter(zipf_places(random.Random(3), 50, 50_000)).most_common()
    assert 1.8 < first / second < 2.2


def test_zipf_places_popular_ones_are_scattered() -> None:
    popular = [place for place, _ in Counter(zipf_places(random.Random(3), 1000, 50_000)).most_common(10)]
    assert max(popular) - min(popular) > 100


def test_uniform_places_are_all_about_as_frequent() -> None:
    counts = Counter(uniform_places(random.Random(3), 50, 50_000))
    assert len(counts) == 50
    assert max(counts.values()) < 1.2 * min(counts.values())
