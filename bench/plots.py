"""Which pictures a run gives: for each workload its throughput, what that costs in CPU, and how long requests take.

Here is what they show; how they are drawn, which needs matplotlib, is in ``bench.drawing``.
"""

import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import BenchError
from bench.catalogue import BASELINES
from bench.columns import Better, column
from bench.report import over
from bench.results import Results
from bench.samples import Summary, summarise

_RATES: Final = ("requests_per_second", "mb_per_second", "seconds", "page_p50_ms")
_LARGE_BYTES: Final = 500_000
"""From such requests on MB/s say more than requests per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One target: its median, and the smallest and largest turn; or of a latency, what p50 and p99 are."""

    target: str
    median: float
    low: float
    high: float
    load_limited: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One case: its targets, the best first."""

    case: str
    unit: str
    better: Better
    bars: list[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One picture of several cases."""

    name: str
    """Of its files, without what says the format."""
    title: str
    panels: list[Panel]
    is_latency: bool = False
    """The bars go from p50 to p99 instead of from 0."""
    notes: list[str] = field(default_factory=list)


_Choice = Callable[[list[Summary]], Panel | None]


def plots_of(results: Results) -> list[Plot]:
    """All pictures of a run; a picture that would show nothing is left out."""
    summaries = summarise(results.samples)
    kinds: tuple[tuple[str, str, _Choice], ...] = (
        ("throughput", "how fast", _throughput),
        ("cpu", "what a GiB costs the server in CPU", _cpu),
        ("latency", "how long a request takes, p50 to p99", _latency),
    )
    plots = []
    for workload in dict.fromkeys(each.workload for each in summaries):
        chosen = [each for each in summaries if each.workload == workload]
        cases = _by_case(chosen)
        for kind, title, choose in kinds:
            panels = [panel for case in cases if (panel := choose(case))]
            if panels:
                plot = Plot(
                    name=f"{workload}-{kind}",
                    title=f"{workload}: {title}",
                    panels=panels,
                    is_latency=choose is _latency,
                    notes=[*_reading(panels, max(each.turns for each in chosen), kind), *_about(results)],
                )
                plots.append(plot)
    return plots


def _by_case(summaries: Iterable[Summary]) -> list[list[Summary]]:
    groups: dict[str, list[Summary]] = {}
    for each in summaries:
        groups.setdefault(each.case, []).append(each)
    return list(groups.values())


def _throughput(summaries: list[Summary]) -> Panel | None:
    metric = next((name for name in _RATES if any(name in each.medians for each in summaries)), None)
    if metric == "requests_per_second" and any(_request_bytes(each) >= _LARGE_BYTES for each in summaries):
        metric = "mb_per_second"
    return None if metric is None else _panel(summaries, metric)


def _request_bytes(summary: Summary) -> float:
    rate = summary.medians.get("requests_per_second")
    return summary.medians.get("mb_per_second", 0) * 1e6 / rate if rate else 0.0


def _cpu(summaries: list[Summary]) -> Panel | None:
    # The process of `direct` is the store's: what a cache saves, not what one costs.
    return _panel([each for each in summaries if each.target != "direct"], "cpu_seconds_per_gib")


def _panel(summaries: Sequence[Summary], metric: str) -> Panel | None:
    shown = column(metric)
    bars = [
        Bar(
            target=each.target,
            median=each.medians[metric],
            low=each.smallest.get(metric, each.medians[metric]),
            high=each.largest.get(metric, each.medians[metric]),
            load_limited=each.load_limited and shown.better is Better.HIGHER,
        )
        for each in summaries
        if metric in each.medians
    ]
    bars.sort(key=lambda bar: bar.median, reverse=shown.better is Better.HIGHER)
    return Panel(case=summaries[0].case, unit=shown.title, better=shown.better, bars=bars) if bars else None


def _latency(summaries: list[Summary]) -> Panel | None:
    bars = [
        Bar(target=each.target, median=each.medians["p50_ms"], low=each.medians["p50_ms"], high=each.medians["p99_ms"])
        for each in summaries
        if {"p50_ms", "p99_ms"} <= each.medians.keys()
    ]
    bars.sort(key=lambda bar: bar.high)
    return Panel(case=summaries[0].case, unit="ms", better=Better.LOWER, bars=bars) if bars else None


def _reading(panels: Sequence[Panel], turns: int, kind: str) -> list[str]:
    """How a picture is to be read."""
    notes = [f"medians of {turns} turns" if turns > 1 else "one turn"]
    if kind == "latency":
        notes.append("circle p50, diamond p99")
    elif turns > 1:
        notes.append("whiskers from the smallest to the largest")
    if any(bar.load_limited for panel in panels for bar in panel.bars):
        notes.append("* at least: the load generator was the limit")
    return notes


def _about(results: Results) -> list[str]:
    """Where the figures come from."""
    machine = results.machine
    if machine is None:
        return []
    return [f"{machine.processor}, {machine.cores} cores, Linux {machine.kernel}", f"source {machine.revision}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case: how many times as good as the baseline each target is."""

    case: str
    ratios: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Every case that has the baseline, on one page."""

    name: str = "overview"
    title: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)


def overview_of(results: Results, baseline: str | None = None) -> Overview | None:
    """All ratios of a run to a target, or to the faster nginx; None where that took part in nothing."""
    summaries = summarise(results.samples)
    baselines = (baseline,) if baseline else BASELINES
    rows = []
    for group in _by_case(summaries):
        ratios = {each.target: over(group, each, baselines) for each in group if each.target not in baselines}
        known = {target: number for target, number in ratios.items() if number is not None}
        if known:
            rows.append(Row(case=group[0].case, ratios=known))
    title = f"times as fast as {baseline or 'the faster nginx'}"
    return Overview(title=title, rows=rows, notes=_about(results)) if rows else None


def write_plots(results: Results, directory: Path, baseline: str | None = None) -> list[Path]:
    """Draw every picture into ``directory``, as SVG and as PNG; the paths.

    Raises:
        BenchError: matplotlib is not installed.
    """
    reason = plots_absence()
    if reason:
        raise BenchError(reason)
    from bench.drawing import draw, draw_overview  # noqa: PLC0415 (only plots need what it imports)

    directory.mkdir(parents=True, exist_ok=True)
    overview = overview_of(results, baseline)
    paths = draw_overview(overview, directory) if overview else []
    return paths + [path for plot in plots_of(results) for path in draw(plot, directory)]


def plots_absence() -> str | None:
    """Why there can be no plots here, or None."""
    if importlib.util.find_spec("matplotlib") is None:
        return "plots need matplotlib: pip install 's3proxy[bench]'"
    return None
