"""Claims as conditions."""

from bench.goals import Goal, goals_table
from bench.samples import Metrics, Summary


def _summary(case: str, target: str, **medians: float) -> Summary:
    metrics: Metrics = dict(medians)
    return Summary(workload="w", case=case, target=target, turns=1, medians=metrics)


def _verdict(claim: str, summaries: list[Summary]) -> str:
    return next(line for line in goals_table(summaries).splitlines() if line.startswith(claim))


def test_goal_holds_at_its_bound() -> None:
    least = Goal(claim="", figure=lambda _: None, at_least=1.2)
    most = Goal(claim="", figure=lambda _: None, at_most=50)
    assert (least.holds(1.2), least.holds(1.19), most.holds(50), most.holds(51)) == (True, False, True, False)


def test_goal_against_the_faster_nginx_is_stricter_than_against_nginx() -> None:
    summaries = [
        _summary("get-1MiB", "s3proxy", requests_per_second=130),
        _summary("get-1MiB", "nginx", requests_per_second=100),
        _summary("get-1MiB", "nginx-uncorked", requests_per_second=200),
    ]
    assert _verdict("GET 1 MiB, x nginx ", summaries).split()[-4:] == ["holds", "1.3", ">=", "1.2"]
    assert _verdict("GET 1 MiB, x the faster nginx", summaries).split()[-4:] == ["MISSED", "0.65", ">=", "1.2"]


def test_goal_that_was_not_measured_says_so() -> None:
    assert "not measured" in _verdict("PUT 64 MiB", [])


def test_goal_of_a_listing_counts_only_at_its_number_of_keys() -> None:
    small = [_summary("list", "s3proxy", walk_keys=100_000, walk_seconds=3, page_p50_ms=12)]
    large = [_summary("list", "s3proxy", walk_keys=1_000_000, walk_seconds=30, page_p50_ms=12)]
    assert "not measured" in _verdict("walk over", small)
    assert "holds" in _verdict("page of 100,000", small)
    assert "not measured" in _verdict("page of 100,000", large)
    assert "holds" in _verdict("walk over", large)
