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


def test_goal_of_the_cold_first_byte_is_a_difference_and_of_its_throughput_a_ratio() -> None:
    summaries = [
        _summary("cold-1GiB-shaped", "s3proxy-cache", mb_per_second=240, first_byte_ms=7),
        _summary("cold-1GiB-shaped", "direct", mb_per_second=250, first_byte_ms=4.5),
        _summary("cold-1GiB-shaped", "nginx-slice-1m", mb_per_second=100, first_byte_ms=6),
        _summary("cold-1GiB-shaped", "nginx-slice-4m", mb_per_second=160, first_byte_ms=6),
    ]
    assert _verdict("cold 1 GiB over a link, x direct", summaries).split()[-4:] == ["holds", "0.96", ">=", "0.95"]
    assert _verdict("cold first byte", summaries).split()[-4:] == ["MISSED", "2.5", "<=", "2"]
    assert _verdict("cold 1 GiB over a link, x nginx", summaries).split()[-4:] == ["holds", "1.5", ">=", "1"]


def test_goal_of_no_store_request_holds_at_none() -> None:
    summaries = [_summary("warm-64KiB", "s3proxy-cache", store_requests=0, p99_ms=3)]
    assert "holds" in _verdict("warm 64 KiB, store requests", summaries)
