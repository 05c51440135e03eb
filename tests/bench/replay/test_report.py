"""Figures of a replay."""

import json
from pathlib import Path

import pytest

from bench.replay.report import Figure, draw, table, write_figures
from bench.replay.simulation import Tally

TALLY = Tally(accesses=4, hits=3, asked_bytes=10, hit_bytes=5, fetched_bytes=8)
FIGURES = [Figure(policy=policy, size=size << 20, tally=TALLY) for size in (1, 2) for policy in ("lru", "min")]


def test_table_has_a_row_for_each_size_and_both_ratios_for_each_policy() -> None:
    titles, first, second = table(FIGURES, 4 << 20).splitlines()
    assert titles.split() == ["size", "MiB", "of", "all", "lru", "min"]
    assert first.split() == ["1", "25%", "75.0%", "/", "50.0%", "75.0%", "/", "50.0%"]
    assert second.split()[:2] == ["2", "50%"]


def test_figures_are_written_as_lines(tmp_path: Path) -> None:
    lines = write_figures(tmp_path / "out", FIGURES).read_text().splitlines()
    assert [json.loads(line)["size"] for line in lines] == [1 << 20, 1 << 20, 2 << 20, 2 << 20]
    assert json.loads(lines[0])["byte_hit_ratio"] == 0.5


def test_plots_are_drawn_in_both_forms(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    svg, png = draw(tmp_path, FIGURES, "title")
    assert svg.read_text().startswith("<?xml")
    assert png.read_bytes().startswith(b"\x89PNG")
