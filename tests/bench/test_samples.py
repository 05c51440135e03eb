"""Percentiles, medians, spreads, ratios."""

import pytest

from bench.samples import Sample, best, percentile, ratio, summarise, value


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [
        ([5], 0.5, 5),
        ([1, 2, 3, 4], 0.5, 2),
        ([1, 2, 3, 4, 5], 0.5, 3),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 102)), 0.99, 100),
        ([1, 2], 1.0, 2),
        ([1, 2], 0.01, 1),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[float], fraction: float, expected: float) -> None:
    assert percentile(values, fraction) == expected


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def _sample(target: str, turn: int, rate: float, *, load_limited: bool = False) -> Sample:
    metrics = {"requests_per_second": rate}
    return Sample(workload="get", case="get-4KiB", target=target, turn=turn, metrics=metrics, load_limited=load_limited)


def test_summarise_takes_median_and_spread_of_the_turns_of_each_target() -> None:
    ours, theirs = summarise(
        [_sample("a", 0, 90), _sample("b", 0, 50), _sample("a", 1, 100), _sample("b", 1, 50), _sample("a", 2, 120)]
    )
    assert (ours.turns, ours.medians["requests_per_second"], ours.spread("requests_per_second")) == (3, 100, 0.3)
    assert (theirs.turns, theirs.spread("requests_per_second")) == (2, 0)


def test_summarise_is_load_limited_when_one_turn_was() -> None:
    summaries = summarise([_sample("a", 0, 1), _sample("a", 1, 1, load_limited=True)])
    assert summaries[0].load_limited


def test_value_and_best_of_what_was_not_measured_are_none() -> None:
    summaries = summarise([_sample("a", 0, 10), _sample("b", 0, 20)])
    assert value(summaries, "get-4KiB", "a", "p50_ms") is None
    assert value(summaries, "get-4KiB", "c", "requests_per_second") is None
    assert best(summaries, "get-4KiB", ("a", "b", "c"), "requests_per_second") == 20
    assert best(summaries, "get-4KiB", ("c",), "requests_per_second") is None


def test_ratio_of_something_missing_or_to_nothing_is_none() -> None:
    assert (ratio(3, 2), ratio(None, 2), ratio(3, None), ratio(3, 0)) == (1.5, None, None, None)


def test_summarise_of_a_metric_that_one_turn_lacks_takes_the_others() -> None:
    more = Sample(workload="get", case="get-4KiB", target="a", turn=1, metrics={"requests_per_second": 3, "p50_ms": 7})
    (summary,) = summarise([_sample("a", 0, 1), more])
    assert summary.medians == {"requests_per_second": 2, "p50_ms": 7}
    assert (summary.smallest["requests_per_second"], summary.largest["requests_per_second"]) == (1, 3)
