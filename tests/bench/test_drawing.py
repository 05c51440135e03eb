"""Pictures."""

from pathlib import Path

from bench.columns import Better
from bench.drawing import draw, draw_overview
from bench.plots import Bar, Overview, Panel, Plot, Row

_PNG = b"\x89PNG\r\n"


def _plot(bars: list[Bar], *, is_latency: bool = False) -> Plot:
    panels = [Panel(case=f"get-{name}", unit="MB/s", better=Better.HIGHER, bars=bars) for name in "abc"]
    return Plot(name="get", title="get", panels=panels, is_latency=is_latency, notes=["one turn"])


def test_draw_gives_an_svg_and_a_png_with_every_name(tmp_path: Path) -> None:
    bars = [Bar(target="s3proxy", median=2, low=1, high=3), Bar(target="nginx", median=1, low=1, high=1)]
    svg, png = draw(_plot(bars), tmp_path)
    assert png.read_bytes().startswith(_PNG)
    text = svg.read_text()
    assert all(f"<!-- {name} -->" in text for name in ("s3proxy", "nginx", "get-c", "one turn"))


def test_draw_of_the_same_figures_gives_the_same_file(tmp_path: Path) -> None:
    plot = _plot([Bar(target="s3proxy", median=2, low=1, high=3, load_limited=True)])
    first, again = draw(plot, tmp_path)[0].read_bytes(), draw(plot, tmp_path)[0].read_bytes()
    assert first == again


def test_draw_of_a_latency_of_a_hundred_seconds_and_of_nothing_but_zero_works(tmp_path: Path) -> None:
    draw(_plot([Bar(target="moto", median=1, low=1, high=1e5)], is_latency=True), tmp_path)
    draw(_plot([Bar(target="moto", median=0, low=0, high=0)]), tmp_path)


def test_draw_overview_says_what_it_leaves_out(tmp_path: Path) -> None:
    rows = [Row(case="get-4KiB", ratios={"s3proxy": 1.5, "moto": 0.001})]
    svg, png = draw_overview(Overview(title="times as fast", rows=rows), tmp_path)
    assert png.read_bytes().startswith(_PNG)
    assert "<!-- s3proxy 1.50 -->" in svg.read_text()
    assert "is left out" in svg.read_text()
