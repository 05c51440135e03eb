"""What figures are called, and which way they should go."""

import pytest

from bench.columns import Better, column, deciding, in_order, times_as_good


@pytest.mark.parametrize(
    ("metric", "number", "shown"),
    [
        ("requests_per_second", 12345.6, "12,346"),
        ("requests_per_second", 4.66, "4.66"),
        ("requests_per_second", 4.0, "4"),
        ("p50_ms", 0.123, "0.12"),
        ("hops_per_day", 3.14159, "3.14"),
    ],
)
def test_column_shows_as_many_digits_as_say_something(metric: str, number: float, shown: str) -> None:
    assert column(metric).show(number) == shown


def test_column_of_a_metric_that_is_not_known_has_its_name_and_decides_nothing() -> None:
    assert column("hops_per_day").title == "hops per day"
    assert column("hops_per_day").better is Better.NEITHER


def test_in_order_puts_what_is_not_known_last() -> None:
    assert in_order(["hops", "p99_ms", "requests_per_second", "p99_ms"]) == ["requests_per_second", "p99_ms", "hops"]


def test_deciding_is_the_rate_before_the_time_before_anything() -> None:
    assert deciding({"seconds": 1, "mb_per_second": 2}) == "mb_per_second"
    assert deciding({"store_mb": 1, "seconds": 2}) == "seconds"
    assert deciding({"hops": 1, "rss_growth_mib": 2}) == "rss_growth_mib"


def test_times_as_good_is_above_one_for_the_better_whichever_way_the_metric_goes() -> None:
    assert times_as_good("mb_per_second", 20, 10) == 2
    assert times_as_good("seconds", 10, 20) == 2
    assert times_as_good("seconds", 0, 20) is None
    assert times_as_good("seconds", None, 20) is None
