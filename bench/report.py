"""What a run leaves behind: JSON lines to compute with, and tables to read."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import BenchError
from bench.catalogue import BASELINES
from bench.machine import Machine
from bench.samples import Failure, Sample, Summary, best, ratio, summarise, value

RESULTS = "results.jsonl"

_COLUMNS = {
    "requests_per_second": ("req/s", "{:,.0f}"),
    "mb_per_second": ("MB/s", "{:,.0f}"),
    "page_p50_ms": ("page p50 ms", "{:.2f}"),
    "page_p99_ms": ("page p99 ms", "{:.2f}"),
    "walk_seconds": ("walk s", "{:.2f}"),
    "walk_keys": ("keys", "{:,.0f}"),
    "p50_ms": ("p50 ms", "{:.2f}"),
    "p99_ms": ("p99 ms", "{:.2f}"),
    "cpu_seconds_per_gib": ("CPU s/GiB", "{:.2f}"),
    "cpu_us_per_request": ("CPU us/req", "{:,.1f}"),
    "requests_per_cpu_second": ("req/CPU s", "{:,.0f}"),
    "largest_share": ("of it the busiest worker", "{:.2f}"),
    "projected_requests_per_second": ("req/s with a core each", "{:,.0f}"),
    "scrapes": ("scrapes", "{:,.0f}"),
    "scrapes_per_second": ("scrapes/s", "{:.1f}"),
    "scrape_cpu_ms": ("CPU ms/scrape", "{:.1f}"),
    "scrape_p50_ms": ("scrape p50 ms", "{:.1f}"),
    "p50_ms_unscraped": ("p50 ms unscraped", "{:.2f}"),
    "p99_ms_unscraped": ("p99 ms unscraped", "{:.2f}"),
    "read_kib_per_second": ("read KiB/s each", "{:.0f}"),
    "written_kib_per_second": ("written KiB/s each", "{:.0f}"),
    "rss_before_mib": ("RSS before MiB", "{:.0f}"),
    "peak_rss_mib": ("peak RSS MiB", "{:.0f}"),
    "rss_growth_mib": ("RSS growth MiB", "{:.1f}"),
    "first_byte_ms": ("first byte ms", "{:.2f}"),
    "seconds": ("s", "{:.2f}"),
    "store_requests": ("store requests", "{:,.0f}"),
    "store_mb": ("store MB", "{:,.1f}"),
    "store_ratio": ("x bytes at the store", "{:.3f}"),
    "clients": ("clients", "{:,.0f}"),
    "md5_ratio": ("x MD5", "{:.2f}"),
    "server_cores": ("server cores", "{:.2f}"),
    "load_cores": ("load cores", "{:.2f}"),
    "store_cores": ("store cores", "{:.2f}"),
    "other_cores": ("other cores", "{:.2f}"),
}
_RATIOS = {
    "x nginx": (BASELINES, "requests_per_second"),
    "x direct": (("direct",), "mb_per_second"),
}
"""Title -> the targets that the others are compared with, the fastest of them, and what is compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one run measured."""

    machine: Machine | None
    samples: list[Sample]
    failures: list[Failure]


class ResultsFile:
    """``results.jsonl`` as it grows: a line for the machine, then one a turn, each written out at once."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / RESULTS
        self.path.write_text("")

    def add(self, entry: Machine | Sample | Failure) -> None:
        """Append one line; ``kind`` says what it is."""
        with self.path.open("a") as file:
            file.write(json.dumps({"kind": type(entry).__name__.lower(), **asdict(entry)}) + "\n")


def read_results(directory: Path) -> Results:
    """Read what a run left.

    Raises:
        BenchError: there is no such file, or it is not one of ours.
    """
    machine = None
    samples, failures = [], []
    try:
        for line in (directory / RESULTS).read_text().splitlines():
            entry = json.loads(line)
            match entry.pop("kind"):
                case "machine":
                    machine = Machine(**entry)
                case "sample":
                    samples.append(Sample(**entry))
                case "failure":
                    failures.append(Failure(**entry))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"{directory / RESULTS} cannot be read: {error}") from error
    return Results(machine=machine, samples=samples, failures=failures)


def facts(machine: Machine) -> str:
    """The machine, a fact a line."""
    return "\n".join(f"{name}: {fact}" for name, fact in asdict(machine).items())


def turn_line(entry: Sample | Failure) -> str:
    """One turn in one line."""
    start = f"{entry.case} {entry.target} #{entry.turn + 1}: "
    if isinstance(entry, Failure):
        return f"{start}FAILED: {entry.reason}"
    shown = [f"{_COLUMNS[name][1].format(number)} {_COLUMNS[name][0]}" for name, number in entry.metrics.items()]
    return start + ", ".join(shown) + (", load limited" if entry.load_limited else "")


def tables(results: Results) -> str:
    """A table for each workload, with the median of all turns, and the spread of what decides."""
    summaries = summarise(results.samples)
    workloads = dict.fromkeys(each.workload for each in summaries)
    parts = [_table(name, [each for each in summaries if each.workload == name]) for name in workloads]
    if any(each.load_limited for each in summaries):
        parts.append("* the load generator was the limit; compare CPU us/req instead of req/s")
    if "put" in workloads:
        parts.append("PUT: nginx neither hashes nor syncs; compare it with s3proxy-nofsync, and s3proxy with MD5")
    parts += [turn_line(failure) for failure in results.failures]
    return "\n\n".join(parts)


def _table(workload: str, summaries: Sequence[Summary]) -> str:
    columns = [name for name in _COLUMNS if any(name in each.medians for each in summaries)]
    targets = {each.target for each in summaries}
    ratios = {
        title: (baselines, metric)
        for title, (baselines, metric) in _RATIOS.items()
        if metric in columns and targets.intersection(baselines)
    }
    titles = [workload, "target", *(_COLUMNS[name][0] for name in columns), *ratios, "spread"]
    rows = []
    for each in summaries:
        over = [_over(summaries, each, *ratio_of) for ratio_of in ratios.values()]
        deciding = next(name for name in columns if name in each.spreads)
        rows.append([each.case, each.target, *_cells(each, columns), *over, f"{each.spreads[deciding]:.0%}"])
    return aligned([titles, *rows])


def _cells(summary: Summary, columns: Iterable[str]) -> list[str]:
    cells = []
    for name in columns:
        number = summary.medians.get(name)
        mark = "*" if summary.load_limited and name == "requests_per_second" else ""
        cells.append("-" if number is None else _COLUMNS[name][1].format(number) + mark)
    return cells


def _over(summaries: Sequence[Summary], summary: Summary, baselines: Sequence[str], metric: str) -> str:
    return _optional(ratio(summary.medians.get(metric), best(summaries, summary.case, baselines, metric)))


def _optional(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def difference(old: Results, new: Results) -> str:
    """A table of what changed between two runs: each row's deciding metrics, old, new, and new over old."""
    before = summarise(old.samples)
    rows = [["case", "target", "metric", "old", "new", "new / old"]]
    for each in summarise(new.samples):
        for name, number in each.medians.items():
            was = value(before, each.case, each.target, name)
            if was is not None and name not in {"server_cores", "load_cores", "store_cores", "other_cores"}:
                shown = _COLUMNS[name][1].format
                rows.append(
                    [
                        each.case,
                        each.target,
                        _COLUMNS[name][0],
                        shown(was),
                        shown(number),
                        _optional(ratio(number, was)),
                    ]
                )
    return aligned(rows)


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
