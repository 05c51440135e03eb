"""Plots as pictures, by matplotlib: bars with whiskers, the same for every picture, so that they can be compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.columns import Better
from bench.plots import Bar, Overview, Panel, Plot

_COLUMNS: Final = 2
_WIDTH: Final = 5.6
_BAR_HEIGHT: Final = 0.3
_AROUND_HEIGHT: Final = 0.95
"""Of a panel beside its bars, in inches: title and axis."""

_LEAST_RATIO: Final = 1 / 64

_OURS, _OURS_VARIED, _NGINX, _OTHERS, _INK, _FAINT = "#1f5fbf", "#7fa8e0", "#d9902f", "#a3abb5", "#1b1f24", "#5b6470"


def draw(plot: Plot, directory: Path) -> list[Path]:
    """Draw one plot; the paths of its SVG and its PNG."""
    with _style():
        return _save(_sheet(plot), directory / plot.name)


def draw_overview(overview: Overview, directory: Path) -> list[Path]:
    """Draw the ratios of all cases; the paths of the SVG and the PNG."""
    with _style():
        return _save(_overview_sheet(overview), directory / overview.name)


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rc("font", size=9)
        mpl.rc("axes", titlesize=10, titleweight="bold", titlelocation="left", axisbelow=True)
        mpl.rc("axes.spines", top=False, right=False, left=False)
        mpl.rc("hatch", linewidth=0.6)
        mpl.rc("svg", hashsalt="s3proxy")  # the same figures give the same file
        yield


def _save(sheet: Figure, stem: Path) -> list[Path]:
    paths = [stem.with_name(f"{stem.name}.{form}") for form in ("svg", "png")]
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        sheet.savefig(path, dpi=150, facecolor="white", metadata=metadata)
    return paths


def _overview_sheet(overview: Overview) -> Figure:
    sheet = Figure(
        figsize=(_WIDTH * 1.5, _AROUND_HEIGHT + 0.6 + _BAR_HEIGHT * len(overview.rows)), layout="constrained"
    )
    axes = sheet.subplots()
    axes.axvline(1, color=_NGINX, linewidth=2, zorder=1)
    for place, row in enumerate(overview.rows):
        axes.axhline(place, color=_FAINT, linewidth=0.5, alpha=0.25, zorder=0)
        for target, ratio in sorted(row.ratios.items(), key=lambda item: _is_ours(item[0])):
            axes.plot(ratio, place, "o", color=_colour(target), markersize=8 if _is_ours(target) else 6, zorder=2)
        best, ratio = max(row.ratios.items(), key=lambda item: item[1])
        _write(axes, place, ratio, f"{best} {ratio:.2f}")
    axes.set_yticks(range(len(overview.rows)), [row.case for row in overview.rows])
    axes.set_ylim(len(overview.rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xscale("log", base=2)
    ratios = [ratio for row in overview.rows for ratio in row.ratios.values()]
    axes.set_xlim(max(min(*ratios, 1) / 1.3, _LEAST_RATIO), max(*ratios, 1) * 2.2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:.3g}"))
    axes.set_xlabel(
        "times as good (more is better); blue: s3proxy, light blue: its variants, grey: others", color=_FAINT
    )
    axes.grid(axis="x", alpha=0.25)
    hidden = [f"what is below {_LEAST_RATIO:g} is left out"] if min(ratios) < _LEAST_RATIO else []
    _frame(sheet, overview.title, [*hidden, *overview.notes])
    return sheet


def _frame(sheet: Figure, title: str, notes: Sequence[str]) -> None:
    sheet.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=_INK)
    sheet.supxlabel("; ".join(notes), x=0.01, ha="left", fontsize=7.5, color=_FAINT)


def _sheet(plot: Plot) -> Figure:
    columns = min(_COLUMNS, len(plot.panels))
    rows = [plot.panels[start : start + columns] for start in range(0, len(plot.panels), columns)]
    heights = [_AROUND_HEIGHT + _BAR_HEIGHT * max(len(panel.bars) for panel in row) for row in rows]
    sheet = Figure(figsize=(_WIDTH * max(columns, 1.25), sum(heights) + 0.8), layout="constrained")
    places = sheet.subplots(len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    for row, panels in enumerate(rows):
        most = max(len(panel.bars) for panel in panels)
        for axes, panel in zip(places[row], panels, strict=False):
            _draw_panel(axes, panel, most, is_latency=plot.is_latency)
        for axes in places[row][len(panels) :]:
            axes.set_axis_off()
    _frame(sheet, plot.title, plot.notes)
    return sheet


def _draw_panel(axes: Axes, panel: Panel, rows: int, *, is_latency: bool) -> None:
    axes.set_title(panel.case, color=_INK)
    axes.set_xlabel(f"{panel.unit} ({'more' if panel.better is Better.HIGHER else 'less'} is better)", color=_FAINT)
    axes.set_yticks(range(len(panel.bars)), [bar.target for bar in panel.bars])
    axes.set_ylim(rows - 0.4, -0.6)  # the best on top, and bars as thick as the neighbour's
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=_FAINT)
    axes.grid(axis="x", alpha=0.25)
    for label, bar in zip(axes.get_yticklabels(), panel.bars, strict=True):
        label.set_fontweight("bold" if _is_ours(bar.target) else "normal")
        label.set_color(_INK)
    draw_bar = _draw_latency if is_latency else _draw_bar
    for place, bar in enumerate(panel.bars):
        draw_bar(axes, place, bar)
    _scale(axes, panel, is_latency=is_latency)


def _scale(axes: Axes, panel: Panel, *, is_latency: bool) -> None:
    if is_latency:
        axes.set_xscale("log")
        axes.set_xlim(min(bar.low for bar in panel.bars) / 1.6, max(bar.high for bar in panel.bars) * 6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.12g}"))
    else:
        axes.set_xlim(0, max(bar.high for bar in panel.bars) * 1.22 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.12g}"))


def _draw_bar(axes: Axes, place: int, bar: Bar) -> None:
    hatch = "////" if bar.load_limited else None
    axes.barh(place, bar.median, height=0.7, color=_colour(bar.target), hatch=hatch, edgecolor="white", linewidth=0)
    whisker = [[bar.median - bar.low], [bar.high - bar.median]]
    axes.errorbar(bar.median, place, xerr=whisker, color=_INK, elinewidth=1, capsize=3)
    _write(axes, place, bar.high, _short(bar.median) + ("*" if bar.load_limited else ""))


def _draw_latency(axes: Axes, place: int, bar: Bar) -> None:
    colour = _colour(bar.target)
    axes.plot([bar.low, bar.high], [place, place], color=colour, linewidth=5, alpha=0.45, solid_capstyle="round")
    axes.plot(bar.low, place, "o", color=colour, markersize=6)
    axes.plot(bar.high, place, "D", color=colour, markersize=6)
    _write(axes, place, bar.high, f"{_short(bar.low)} to {_short(bar.high)}")


def _write(axes: Axes, place: int, at: float, text: str) -> None:
    axes.annotate(text, (at, place), xytext=(7, 0), textcoords="offset points", va="center", fontsize=8, color=_INK)


def _short(number: float) -> str:
    """Three digits that say something."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _is_ours(target: str) -> bool:
    return target.startswith("s3proxy")


def _colour(target: str) -> str:
    if _is_ours(target):
        return _OURS if target in {"s3proxy", "s3proxy-cache"} else _OURS_VARIED
    return _NGINX if target.startswith("nginx") else _OTHERS
