"""The figures of a replay as a table and as plots."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench import BenchError
from bench.content import MIB
from bench.replay.simulation import Tally

RESULTS: Final = "replay.jsonl"
_PLOT_FORMATS: Final = ("svg", "png")
_MARKERS: Final = {"lru": "o", "s3-fifo": "s", "w-tinylfu": "^", "min": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One policy at one size."""

    policy: str
    size: int
    """Of the tier, in bytes."""
    tally: Tally


def table(figures: Sequence[Figure], footprint: int) -> str:
    """A row for each size; for each policy the hit ratio and the byte hit ratio, in per cent."""
    policies = list(dict.fromkeys(figure.policy for figure in figures))
    found = {(figure.policy, figure.size): figure.tally for figure in figures}
    titles = ["size MiB", "of all", *policies]
    rows = [
        [f"{size / MIB:,.0f}", f"{size / footprint:.0%}", *(_ratios(found[policy, size]) for policy in policies)]
        for size in dict.fromkeys(figure.size for figure in figures)
    ]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [titles, *rows]]
    return "\n".join(lines)


def _ratios(tally: Tally) -> str:
    return f"{tally.hit_ratio:6.1%} /{tally.byte_hit_ratio:6.1%}"


def write_figures(directory: Path, figures: Sequence[Figure]) -> Path:
    """Write a JSON line for each; the path of the file."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / RESULTS
    path.write_text(
        "".join(
            json.dumps(
                {
                    "policy": figure.policy,
                    "size": figure.size,
                    **asdict(figure.tally),
                    "hit_ratio": figure.tally.hit_ratio,
                    "byte_hit_ratio": figure.tally.byte_hit_ratio,
                }
            )
            + "\n"
            for figure in figures
        )
    )
    return path


def draw(directory: Path, figures: Sequence[Figure], title: str) -> list[Path]:
    """Plot both ratios over the size, as SVG and as PNG.

    Raises:
        BenchError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as Sheet  # noqa: PLC0415 (which nothing but plots needs)
    except ImportError:
        raise BenchError("matplotlib is not installed: pip install s3proxy[bench]") from None
    directory.mkdir(parents=True, exist_ok=True)
    sheet = Sheet(figsize=(10, 4.2), layout="constrained")
    for place, name in ((1, "hit_ratio"), (2, "byte_hit_ratio")):
        axes = sheet.add_subplot(1, 2, place)
        for policy in dict.fromkeys(figure.policy for figure in figures):
            mine = [figure for figure in figures if figure.policy == policy]
            sizes = [figure.size / MIB for figure in mine]
            ratios = [100 * getattr(figure.tally, name) for figure in mine]
            axes.plot(sizes, ratios, label=policy, marker=_MARKERS[policy], linestyle="--" if policy == "min" else "-")
        axes.set(xlabel="size of the tier, MiB", ylabel=f"{name.replace('_', ' ')}, %", xscale="log", ylim=(0, 100))
        axes.grid(alpha=0.3)
        axes.legend()
    sheet.suptitle(title)
    paths = [directory / f"replay.{form}" for form in _PLOT_FORMATS]
    for path in paths:
        sheet.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths
