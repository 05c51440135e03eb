"""Two runs side by side."""

import pytest

from bench.difference import difference, difference_table
from bench.results import Results
from bench.samples import Failure, Sample


def _run(*rates: float, target: str = "nginx", metric: str = "requests_per_second") -> Results:
    samples = [
        Sample(workload="get", case="get-4KiB", target=target, turn=turn, metrics={metric: rate, "server_cores": 1})
        for turn, rate in enumerate(rates)
    ]
    return Results(machine=None, samples=samples, failures=[])


def test_difference_table_gives_new_over_old_of_what_both_measured() -> None:
    found = difference(_run(100), _run(150))
    rows = [line.split() for line in difference_table(found).splitlines()[2:]]
    assert rows == [["get-4KiB", "nginx", "req/s", "100", "150", "1.50", "better"]]


@pytest.mark.parametrize(
    ("metric", "old", "new", "verdict"),
    [
        ("requests_per_second", (90, 100, 110), (70, 80, 89), "WORSE"),
        ("requests_per_second", (90, 100, 110), (70, 80, 90), ""),
        ("requests_per_second", (90, 100, 110), (111, 112, 113), "better"),
        ("p99_ms", (9, 10, 11), (12, 13, 14), "WORSE"),
        ("p99_ms", (9, 10, 11), (7, 8, 8.5), "better"),
        ("clients", (9, 10, 11), (7, 8, 8.5), ""),
    ],
)
def test_change_says_better_or_worse_only_beyond_the_spread(
    metric: str, old: tuple[float, ...], new: tuple[float, ...], verdict: str
) -> None:
    changes = difference(_run(*old, metric=metric), _run(*new, metric=metric)).changes
    assert next(each for each in changes if each.metric == metric).verdict == verdict


@pytest.mark.parametrize(("new", "count"), [((89, 88, 87), 1), ((91, 92, 93), 0), ((89, 88, 101), 0), ((120,), 0)])
def test_regressions_are_below_the_bound_and_beyond_the_spread(new: tuple[float, ...], count: int) -> None:
    assert len(difference(_run(100, 101, 102), _run(*new)).regressions(0.9)) == count


def test_regressions_count_a_target_that_fails_now_but_not_one_that_was_not_chosen() -> None:
    failed = Failure(case="get-4KiB", target="nginx", turn=0, reason="died")
    found = difference(_run(100), Results(machine=None, samples=[], failures=[failed]))
    assert found.regressions(0.9) == ["get-4KiB nginx: gave no figures"]
    assert "measured before, and failed now" in difference_table(found)
    assert difference(_run(100), _run(5, target="s3proxy")).regressions(0.9) == []
