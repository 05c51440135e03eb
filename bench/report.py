"""A run as tables to read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from bench.catalogue import BASELINES
from bench.columns import column, deciding, in_order, times_as_good
from bench.machine import Machine
from bench.results import Results
from bench.samples import Failure, Sample, Summary, found, summarise

_Baselines = Mapping[str, Sequence[str]]
_USUAL_BASELINES: Final[_Baselines] = {"x nginx": BASELINES, "x direct": ("direct",)}
"""Title -> the targets that the others are compared with, the best of them."""


def facts(machine: Machine) -> str:
    """The machine, a fact a line."""
    lines = []
    for name, fact in asdict(machine).items():
        text = ", ".join(f"{key} {value}" for key, value in fact.items()) if isinstance(fact, dict) else fact
        lines.append(f"{name.replace('_', ' ')}: {text}")
    return "\n".join(lines)


def turn_line(entry: Sample | Failure) -> str:
    """One turn in one line."""
    start = f"{entry.case} {entry.target} #{entry.turn + 1}: "
    if isinstance(entry, Failure):
        return f"{start}FAILED: {entry.reason}"
    shown = [f"{column(name).show(number)} {column(name).title}" for name, number in entry.metrics.items()]
    return start + ", ".join(shown) + (", load limited" if entry.load_limited else "")


def tables(results: Results, baseline: str | None = None) -> str:
    """A table for each workload, with the median of all turns, the ratios to a baseline, and the spread.

    Args:
        results: what was measured.
        baseline: the target that the others are compared with; None for the faster nginx, and for no cache at all.
    """
    baselines: _Baselines = {f"x {baseline}": (baseline,)} if baseline else _USUAL_BASELINES
    summaries = summarise(results.samples)
    workloads = dict.fromkeys(each.workload for each in summaries)
    parts = [_table(name, [each for each in summaries if each.workload == name], baselines) for name in workloads]
    if any(each.load_limited for each in summaries):
        parts.append("* the load generator was the limit; compare CPU us/req instead of req/s")
    if "put" in workloads:
        parts.append("PUT: nginx neither hashes nor syncs; compare it with s3proxy-nofsync, and s3proxy with MD5")
    parts += [turn_line(failure) for failure in results.failures]
    return "\n\n".join(parts)


def _table(workload: str, summaries: Sequence[Summary], baselines: _Baselines) -> str:
    columns = in_order(name for each in summaries for name in each.medians)
    targets = {each.target for each in summaries}
    present = {title: names for title, names in baselines.items() if targets.intersection(names)}
    titles = [workload, "target", *(column(name).title for name in columns), *present, "spread"]
    rows = []
    for each in summaries:
        ratios = [_optional(over(summaries, each, names)) for names in present.values()]
        rows.append(
            [each.case, each.target, *_cells(each, columns), *ratios, f"{each.spread(deciding(each.medians)):.0%}"]
        )
    return aligned([titles, *rows])


def _cells(summary: Summary, columns: Iterable[str]) -> list[str]:
    cells = []
    for name in columns:
        number = summary.medians.get(name)
        mark = "*" if summary.load_limited and name == "requests_per_second" else ""
        cells.append("-" if number is None else column(name).show(number) + mark)
    return cells


def over(summaries: Sequence[Summary], summary: Summary, baselines: Iterable[str]) -> float | None:
    """How many times as good as the best of ``baselines`` it did in the same case; None where none was measured."""
    metric = deciding(summary.medians)
    others = (found(summaries, summary.case, name) for name in baselines)
    ratios = (times_as_good(metric, summary.medians[metric], each.medians.get(metric)) for each in others if each)
    return min((each for each in ratios if each is not None), default=None)


def _optional(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as columns: the first two to the left, the others to the right; a rule below the titles."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])
