"""What goals are about."""

import pytest

from bench.figures import Cases, Finding, against, later, provided, requests_per_cpu_second, share_of, size_in
from bench.samples import Summary


def _summary(target: str, **medians: float) -> Summary:
    return Summary(workload="get", case="get-4KiB", target=target, turns=1, medians=dict(medians))


@pytest.mark.parametrize(
    ("case", "size"),
    [("get-64KiB", 65536), ("get-1MiB", 1 << 20), ("cold-1GiB-shaped", 1 << 30), ("get-1024MiB", 1 << 30), ("herd", 0)],
)
def test_size_in_the_name_of_a_case(case: str, size: int) -> None:
    assert size_in(case) == size


def test_against_is_above_one_for_the_better_also_where_less_is_better() -> None:
    summaries = [_summary("ours", seconds=2), _summary("a", seconds=4), _summary("b", seconds=3)]
    assert against("get-4KiB", "ours", "a", "b", "absent")(summaries) == Finding(number=1.5)


def test_figures_of_what_is_missing_are_none() -> None:
    summaries = [_summary("ours", seconds=2)]
    assert against("get-4KiB", "ours", "a")(summaries) is None
    assert against("get-4KiB", "a", "ours")(summaries) is None
    assert share_of("get-4KiB", "ours", "a", metric="seconds")(summaries) is None
    assert later("get-4KiB", "ours", "a", "seconds")(summaries) is None
    assert requests_per_cpu_second("get-4KiB", "ours")(summaries) is None


def test_share_of_is_of_the_smallest() -> None:
    summaries = [_summary("ours", store_mb=2), _summary("a", store_mb=4), _summary("b", store_mb=1)]
    assert share_of("get-4KiB", "ours", "a", "b", metric="store_mb")(summaries) == Finding(number=2)


def test_provided_gives_the_figure_only_at_that_value() -> None:
    figure = provided("get-4KiB", "ours", "walk_keys", 10, lambda _: Finding(number=1))
    assert figure([_summary("ours", walk_keys=10)]) == Finding(number=1)
    assert figure([_summary("ours", walk_keys=11)]) is None


def test_cases_are_those_of_the_names_and_as_large_as_said() -> None:
    other = Summary(workload="put", case="put-4KiB", target="ours", turns=1, medians={})
    summaries = [_summary("ours"), _summary("theirs"), other]
    assert Cases(names=("list", "get-*")).among(summaries) == ["get-4KiB"]
    assert Cases(names=("get-*",), at_least=8192).among(summaries) == []
