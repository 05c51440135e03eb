"""Results as lines and tables."""

from pathlib import Path

import pytest

from bench import BenchError
from bench.report import Results, ResultsFile, aligned, difference, read_results, tables, turn_line
from bench.samples import Failure, Sample


def _sample(target: str, rate: float, *, load_limited: bool = False) -> Sample:
    metrics = {"requests_per_second": rate, "p50_ms": 0.5}
    return Sample(workload="get", case="get-4KiB", target=target, turn=0, metrics=metrics, load_limited=load_limited)


_FAILURE = Failure(case="put-4KiB", target="s3proxy", turn=1, reason="a wrong response")


def test_results_that_were_written_are_read_back(tmp_path: Path) -> None:
    file = ResultsFile(tmp_path / "new")
    file.add(_sample("s3proxy", 10))
    file.add(_FAILURE)
    assert read_results(tmp_path / "new") == Results(
        machine=None, samples=[_sample("s3proxy", 10)], failures=[_FAILURE]
    )


@pytest.mark.parametrize("text", ["not json", "[]", "{}", '{"kind": "sample", "case": "a"}'])
def test_read_results_of_something_else_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.jsonl").write_text(text)
    with pytest.raises(BenchError, match=r"results\.jsonl cannot be read"):
        read_results(tmp_path)


def test_tables_show_the_ratio_to_the_faster_nginx() -> None:
    samples = [_sample("s3proxy", 50), _sample("nginx", 80), _sample("nginx-uncorked", 100)]
    text = tables(Results(machine=None, samples=samples, failures=[]))
    ratios = [line.split()[-2] for line in text.splitlines()[2:]]
    assert ratios == ["0.50", "0.80", "1.00"]


def test_tables_say_where_the_load_was_the_limit() -> None:
    text = tables(Results(machine=None, samples=[_sample("nginx", 80, load_limited=True)], failures=[]))
    assert "80*" in text
    assert "the load generator was the limit" in text


def test_tables_do_not_hide_failures() -> None:
    text = tables(Results(machine=None, samples=[_sample("nginx", 80)], failures=[_FAILURE]))
    assert text.endswith("put-4KiB s3proxy #2: FAILED: a wrong response")


def test_turn_line_names_each_figure() -> None:
    assert turn_line(_sample("nginx", 1234)) == "get-4KiB nginx #1: 1,234 req/s, 0.50 p50 ms"


def test_difference_of_two_runs_gives_new_over_old() -> None:
    old = Results(machine=None, samples=[_sample("nginx", 100)], failures=[])
    new = Results(machine=None, samples=[_sample("nginx", 150), _sample("s3proxy", 1)], failures=[])
    rate, latency = [line.split() for line in difference(old, new).splitlines()[2:]]
    assert rate == ["get-4KiB", "nginx", "req/s", "100", "150", "1.50"]
    assert latency[-1] == "1.00"


def test_aligned_puts_names_left_and_figures_right() -> None:
    assert aligned([["a", "b", "c"], ["long", "x", "10"]]).splitlines() == ["a     b   c", "-----------", "long  x  10"]
