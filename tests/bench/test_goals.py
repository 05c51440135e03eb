"""Claims as conditions."""

from pathlib import Path
from types import ModuleType

import pytest

from bench.cases import Outcome, Session, Settings
from bench.catalogue import TARGETS
from bench.dataset import Dataset
from bench.figures import Finding, plain
from bench.goals import GOALS, Goal, goals_table
from bench.requests import Endpoint
from bench.samples import Metrics, Summary
from bench.targets import Server
from bench.understore import UnderStore
from bench.workloads import get, warm


def _summary(case: str, target: str, *, load_limited: bool = False, **medians: float) -> Summary:
    metrics: Metrics = dict(medians)
    workload = case.partition("-")[0]
    return Summary(workload=workload, case=case, target=target, turns=1, medians=metrics, load_limited=load_limited)


def _finding(claim: str, summaries: list[Summary]) -> Finding | None:
    return next(goal for goal in GOALS if goal.claim == claim).figure(summaries)


def _verdict(claim: str, summaries: list[Summary]) -> str:
    return next(line for line in goals_table(summaries).splitlines() if line.startswith(claim))


def test_goal_holds_at_its_bound() -> None:
    figure = plain("", "", "")
    least, most = Goal(claim="", figure=figure, at_least=1.2), Goal(claim="", figure=figure, at_most=50)
    assert (least.holds(1.2), least.holds(1.19), most.holds(50), most.holds(51)) == (True, False, True, False)


def test_every_claim_has_one_bound_and_is_made_once() -> None:
    assert len({goal.claim for goal in GOALS}) == len(GOALS)
    assert all((goal.at_least is None) != (goal.at_most is None) for goal in GOALS)


def test_goals_that_were_not_measured_say_so() -> None:
    lines = goals_table([]).splitlines()[2:]
    assert len(lines) == len(GOALS)
    assert all("not measured" in line for line in lines)


def test_goal_of_large_gets_is_about_the_worst_size_and_the_faster_nginx() -> None:
    summaries = [
        _summary("get-4KiB", "s3proxy", requests_per_second=1),
        _summary("get-4KiB", "nginx", requests_per_second=10),
        _summary("get-1MiB", "s3proxy", requests_per_second=30),
        _summary("get-1MiB", "nginx", requests_per_second=10),
        _summary("get-1MiB", "nginx-uncorked", requests_per_second=20),
        _summary("get-64MiB", "s3proxy", requests_per_second=16),
        _summary("get-64MiB", "nginx", requests_per_second=8),
    ]
    claim = "GET of 1 MiB and more, x the faster nginx"
    assert _finding(claim, summaries) == Finding(number=1.5, note="get-1MiB")
    assert _verdict(claim, summaries).split()[-5:] == ["holds", "1.5", ">=", "1.5", "get-1MiB"]


def test_goal_where_the_load_was_the_limit_is_about_cpu() -> None:
    summaries = [
        _summary("get-1MiB", "s3proxy", requests_per_second=10, cpu_us_per_request=100, load_limited=True),
        _summary("get-1MiB", "nginx", requests_per_second=10, cpu_us_per_request=180),
    ]
    finding = _finding("GET of 1 MiB and more, x the faster nginx", summaries)
    assert finding == Finding(number=1.8, note="get-1MiB, by CPU: load limited")


def test_goal_of_requests_of_a_core_counts_cpu_seconds_only_where_the_load_was_the_limit() -> None:
    claim = "GET 64 KiB, req/s of a core"
    free, limited = (
        _summary(
            "get-64KiB", "s3proxy", load_limited=load_limited, requests_per_second=9_000.0, cpu_us_per_request=80.0
        )
        for load_limited in (False, True)
    )
    assert _finding(claim, [free]) == Finding(number=9_000)
    assert _finding(claim, [limited]) == Finding(number=12_500, note="each CPU second")


def test_goal_against_s3_servers_is_of_ours_that_checks_signatures() -> None:
    summaries = [
        _summary("get-1MiB", "s3proxy-signed", requests_per_second=20),
        _summary("get-1MiB", "minio", requests_per_second=10),
        _summary("get-1MiB", "versitygw", requests_per_second=25),
    ]
    assert _finding("GET of 1 MiB and more, x the best S3 server", summaries) == Finding(number=0.8, note="get-1MiB")


def test_goal_of_the_p99_is_only_of_cases_with_that_many_connections() -> None:
    claim = "GET 64 KiB at 64 connections, x nginx's p99"
    few = [_summary("get-64KiB", target, p99_ms=9, connections=32) for target in ("s3proxy", "nginx")]
    assert _finding(claim, few) is None
    many = [_summary("get-64KiB", target, p99_ms=p99, connections=64) for target, p99 in (("s3proxy", 9), ("nginx", 6))]
    assert _finding(claim, many) == Finding(number=1.5, note="get-64KiB")


def test_goal_of_nginxs_cpu_is_about_the_thriftier_nginx() -> None:
    summaries = [
        _summary("get-1MiB", "s3proxy", cpu_seconds_per_gib=0.3),
        _summary("get-1MiB", "nginx", cpu_seconds_per_gib=0.6),
        _summary("get-1MiB", "nginx-uncorked", cpu_seconds_per_gib=0.4),
    ]
    line = _verdict("GET of 1 MiB and more, x nginx's CPU per GiB", summaries)
    assert line.split()[-5:] == ["MISSED", "0.75", "<=", "0.7", "get-1MiB"]


def test_goal_of_a_listing_counts_only_at_its_number_of_keys() -> None:
    small = [_summary("list", "s3proxy", walk_keys=100_000, walk_seconds=3, page_p50_ms=12)]
    large = [_summary("list", "s3proxy", walk_keys=1_000_000, walk_seconds=30, page_p50_ms=12)]
    assert "not measured" in _verdict("walk over", small)
    assert "holds" in _verdict("page of 100,000", small)
    assert "not measured" in _verdict("page of 100,000", large)
    assert "holds" in _verdict("walk over", large)


def test_goal_of_pages_is_a_ratio_of_times_to_the_quickest_s3_server() -> None:
    summaries = [
        _summary("list", target, walk_keys=1_000_000, page_p50_ms=time)
        for target, time in (("s3proxy-signed", 10), ("minio", 30), ("versitygw", 15))
    ]
    assert _finding("list 1,000 of 1,000,000 keys, x the best S3 server", summaries) == Finding(number=1.5)


def test_goal_of_the_cold_first_byte_is_a_difference_and_of_its_throughput_a_ratio() -> None:
    summaries = [
        _summary("cold-1GiB-shaped", "s3proxy-cache", mb_per_second=240, first_byte_ms=7),
        _summary("cold-1GiB-shaped", "direct", mb_per_second=250, first_byte_ms=4.5),
        _summary("cold-1GiB-shaped", "nginx-slice-1m", mb_per_second=100, first_byte_ms=6),
        _summary("cold-1GiB-shaped", "varnish", mb_per_second=300, first_byte_ms=6),
    ]
    assert _finding("cold GET, x direct", summaries) == Finding(number=0.96, note="cold-1GiB-shaped")
    assert _verdict("cold first byte", summaries).split()[-4:] == ["MISSED", "2.5", "<=", "2"]
    best = _finding("cold GET, x the best of nginx slice, Varnish and ATS", summaries)
    assert best == Finding(number=0.8, note="cold-1GiB-shaped")


def test_goals_of_parquet_are_about_the_slowest_scan_of_their_kind() -> None:
    seconds = {"tpch-q6-5ms-warm": 1, "scan-16-5ms-warm": 2, "scan-16-5ms-cold": 4.2, "scan-16-local-cold": 4.4}
    summaries = [
        _summary(case, target, seconds=taken)
        for case, ours in seconds.items()
        for target, taken in (("s3proxy-cache", ours), ("direct", 4))
    ]
    warm, cold, local = (
        _finding(claim, summaries)
        for claim in (
            "Parquet over a link of 5 ms, warm, x direct",
            "Parquet over a link of 5 ms, cold, x direct",
            "Parquet from a local store, x direct",
        )
    )
    assert warm == Finding(number=2, note="scan-16-5ms-warm")
    assert cold == Finding(number=4 / 4.2, note="scan-16-5ms-cold")
    assert local == Finding(number=4 / 4.4, note="scan-16-local-cold")


def test_goal_of_small_puts_is_their_cpu_without_and_the_devices_rate_with_fsync() -> None:
    summaries = [
        _summary("put-4KiB", "s3proxy", requests_per_second=800, device_ratio=0.9),
        _summary("put-4KiB", "s3proxy-nofsync", requests_per_second=700, cpu_us_per_request=500),
    ]
    assert _finding("PUT 4 KiB without fsync, requests each CPU second", summaries) == Finding(
        number=2_000, note="each CPU second"
    )
    assert "holds" in _verdict("PUT 4 KiB with fsync", summaries)


def test_goal_of_no_store_request_holds_at_none() -> None:
    summaries = [_summary("warm-64KiB", "s3proxy-cache", store_requests=0, p99_ms=3)]
    assert "holds" in _verdict("warm 64 KiB, store requests", summaries)


@pytest.mark.parametrize("workload", [get, warm])
def test_case_of_64_kib_that_the_p99_is_compared_in_has_64_connections(
    workload: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: list[int] = []

    def measure(_server: Server, _requests: object, connections: int, _settings: object) -> Outcome:
        used.append(connections)
        return Outcome(metrics={})

    monkeypatch.setattr(workload, "measure_throughput", measure)
    monkeypatch.setattr(workload, "check_objects", lambda *_: None)
    case = next(case for case in workload.cases() if case.name.endswith("-64KiB"))
    dataset, core = Dataset(tmp_path, tmp_path), frozenset({0})
    session = Session(
        settings=Settings(server_cores=core, load_cores=core),
        dataset=dataset,
        scratch=tmp_path,
        under_store=UnderStore("s3proxy", dataset, tmp_path, core),
    )
    case.measure(session, Server(target=TARGETS[0], endpoint=Endpoint(host="127.0.0.1", port=1), pid=0))
    assert used == [64]
