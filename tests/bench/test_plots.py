"""Which pictures a run gives."""

import importlib.util
from pathlib import Path

import pytest

from bench import BenchError
from bench.plots import Panel, Plot, overview_of, plots_of, write_plots
from bench.results import Results
from bench.samples import Metrics, Sample


def _sample(case: str, target: str, turn: int, metrics: Metrics, *, load_limited: bool = False) -> Sample:
    return Sample(
        workload=case.partition("-")[0],
        case=case,
        target=target,
        turn=turn,
        metrics=metrics,
        load_limited=load_limited,
    )


def _plots(*samples: Sample) -> dict[str, Plot]:
    return {plot.name: plot for plot in plots_of(Results(machine=None, samples=list(samples), failures=[]))}


def _panel(*samples: Sample, name: str) -> Panel:
    (panel,) = _plots(*samples)[name].panels
    return panel


def test_plots_of_a_workload_are_throughput_cpu_and_latency_as_far_as_measured() -> None:
    whole: Metrics = {"requests_per_second": 1, "cpu_seconds_per_gib": 1, "p50_ms": 1, "p99_ms": 2}
    assert set(_plots(_sample("get-4KiB", "a", 0, whole), _sample("scan-1", "a", 0, {"seconds": 1}))) == {
        "get-throughput",
        "get-cpu",
        "get-latency",
        "scan-throughput",
    }


def test_plot_of_throughput_puts_the_best_first_with_the_smallest_and_largest_turn() -> None:
    samples = [
        _sample("get-4KiB", target, turn, {"requests_per_second": rate})
        for target, rates in (("slow", (1, 2, 3)), ("fast", (7, 9, 8)))
        for turn, rate in enumerate(rates)
    ]
    panel = _panel(*samples, name="get-throughput")
    assert [(bar.target, bar.low, bar.median, bar.high) for bar in panel.bars] == [("fast", 7, 8, 9), ("slow", 1, 2, 3)]
    assert panel.unit == "req/s"


def test_plot_of_throughput_of_large_requests_is_in_mb_and_of_scans_in_seconds() -> None:
    large = _sample("get-1MiB", "a", 0, {"requests_per_second": 1000, "mb_per_second": 1048.6})
    assert _panel(large, name="get-throughput").unit == "MB/s"
    quick, slow = (_sample("scan-1", name, 0, {"seconds": seconds}) for name, seconds in (("q", 1), ("s", 2)))
    panel = _panel(slow, quick, name="scan-throughput")
    assert (panel.unit, [bar.target for bar in panel.bars]) == ("s", ["q", "s"])


def test_plot_says_where_the_load_was_the_limit() -> None:
    plot = _plots(_sample("get-4KiB", "a", 0, {"requests_per_second": 1}, load_limited=True))["get-throughput"]
    assert plot.panels[0].bars[0].load_limited
    assert any("load generator was the limit" in note for note in plot.notes)


def test_overview_has_the_ratio_of_every_target_to_the_faster_baseline() -> None:
    rates = {"s3proxy": 30, "nginx": 10, "nginx-uncorked": 20}
    samples = [_sample("get-4KiB", name, 0, {"requests_per_second": rate}) for name, rate in rates.items()]
    results = Results(machine=None, samples=samples, failures=[])
    usual, chosen = overview_of(results), overview_of(results, "nginx")
    assert usual is not None
    assert [row.ratios for row in usual.rows] == [{"s3proxy": 1.5}]
    assert chosen is not None
    assert [row.ratios for row in chosen.rows] == [{"s3proxy": 3, "nginx-uncorked": 2}]
    assert overview_of(results, "minio") is None


def test_write_plots_without_matplotlib_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BenchError, match="pip install"):
        write_plots(Results(machine=None, samples=[], failures=[]), tmp_path)
