"""Which cases there are, where their stores are, and that the goals are about them."""

from collections import Counter

import pytest

from bench.cases import Case
from bench.figures import Finding
from bench.goals import GOALS
from bench.readers import READERS
from bench.samples import Summary
from bench.understore import Link
from bench.workloads import all_cases, downloads, sampling, scans, tpch

_CASES = {case.name: case for workload in (tpch, scans, sampling, downloads) for case in workload.cases()}
_FAMILIES = {
    *(f"tpch-{query}-{reader}" for query in ("q1", "q3", "q6") for reader in ("pyarrow", "polars", "duckdb")),
    *(f"scan-{clients}" for clients in (1, 4, 16)),
    *("samples-boto3", "samples-s3fs", "download-boto3", "download-awscli"),
}
_ENDINGS = ("-local-cold", "-local-warm", "-5ms-cold", "-5ms-warm", "")
_PARQUET = [name for name in _CASES if name.startswith(("tpch-", "scan-"))]


def test_every_family_has_a_case_for_each_store_cold_and_warm_and_one_for_servers() -> None:
    assert set(_CASES) == {f"{family}{ending}" for family in _FAMILIES for ending in _ENDINGS}
    assert set(_CASES) <= {case.name for case in all_cases()}


def test_every_reader_has_a_family() -> None:
    named = {part for family in _FAMILIES for part in family.split("-")}
    assert set(READERS) <= named


@pytest.mark.parametrize(
    ("ending", "link"),
    [
        ("-local-cold", Link(is_relayed=False)),
        ("-local-warm", Link(is_relayed=False)),
        ("-5ms-cold", Link(delay_ms=5)),
        ("-5ms-warm", Link(delay_ms=5)),
    ],
)
def test_cases_before_a_store_are_for_our_cache_and_none_over_the_link_that_they_name(ending: str, link: Link) -> None:
    cases = [_CASES[f"{family}{ending}"] for family in _FAMILIES]
    assert all(case.link == link for case in cases)
    assert all({"s3proxy-cache", "direct"} <= set(case.targets) for case in cases)


def test_cases_without_an_ending_are_for_servers_that_have_the_objects() -> None:
    cases: list[Case] = [_CASES[family] for family in _FAMILIES]
    assert all(case.link is None for case in cases)
    assert all("s3proxy" in case.targets and "direct" not in case.targets for case in cases)


@pytest.mark.parametrize(
    ("claim", "endings"),
    [
        ("Parquet over a link of 5 ms, warm, x direct", {"-5ms-warm"}),
        ("Parquet over a link of 5 ms, cold, x direct", {"-5ms-cold"}),
        ("Parquet from a local store, x direct", {"-local-cold", "-local-warm"}),
    ],
)
def test_goals_of_parquet_are_about_every_scan_and_query_of_their_kind(claim: str, endings: set[str]) -> None:
    goal = next(goal for goal in GOALS if goal.claim == claim)
    kinds: Counter[str] = Counter()
    for name in _PARQUET:
        summaries = [_summary(name, target, seconds) for target, seconds in (("s3proxy-cache", 4.0), ("direct", 1.0))]
        if (finding := goal.figure(summaries)) is not None:
            assert finding == Finding(number=0.25, note=name)
            kinds[f"-{'-'.join(name.split('-')[-2:])}"] += 1
    assert kinds == dict.fromkeys(endings, 12)


def _summary(case: str, target: str, seconds: float) -> Summary:
    return Summary(workload="", case=case, target=target, turns=1, medians={"seconds": seconds})
