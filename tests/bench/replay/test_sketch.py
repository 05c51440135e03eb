"""How often names were used, roughly."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.replay.sketch import FrequencySketch


@given(names=st.lists(st.integers(0, 1 << 40), max_size=150))
def test_estimate_is_never_too_low_before_the_first_halving(names: list[int]) -> None:
    sketch = FrequencySketch(16)
    for name in names:
        sketch.add(name)
    assert all(sketch.estimate(name) >= min(count, 15) for name, count in Counter(names).items())


def test_estimate_of_few_names_is_exact_up_to_what_four_bits_hold() -> None:
    sketch = FrequencySketch(64)
    for name in range(10):
        for _ in range(2 * name):
            sketch.add(name)
    assert [sketch.estimate(name) for name in range(10)] == [0, 2, 4, 6, 8, 10, 12, 14, 15, 15]


def test_counters_are_halved_after_ten_uses_of_each_name() -> None:
    sketch = FrequencySketch(16)
    for _ in range(12):
        sketch.add(1)
    for name in range(1000, 1148):
        sketch.add(name)
    assert sketch.estimate(1) in {6, 7}
