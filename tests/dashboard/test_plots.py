"""The plots, in a real browser."""

from tests.dashboard.chromium import Page
from tests.dashboard.fake_node import FakeNode
from tests.dashboard.test_page import opened, texts

PIXELS = "[...document.querySelectorAll('.plot canvas')].map((each) => each.toDataURL()).join()"


def test_plots_move_under_load(page: Page, node: FakeNode) -> None:
    opened(page, node)
    page.evaluate(f"window.before = {PIXELS}; null")
    figure = "parseFloat(document.querySelector('#stat-throughput').textContent)"
    before = page.number(figure)
    node.load = 6.0
    page.wait_for(f"{figure} > {3 * before}")
    assert page.evaluate(f"{PIXELS} !== window.before") is True
    assert page.complaints() == []


def test_legend_of_a_plot_shows_the_latest_figures(page: Page, node: FakeNode) -> None:
    opened(page, node)
    assert texts(page, ".plot-card h3") == ["Throughput by source", "Hit ratio", "Latency of requests", "Store health"]
    figures = texts(page, ".plot-card .legend b")
    units = ["MiB/s|GiB/s"] * 4 + ["%"] * 2 + ["ms|s"] * 5
    assert len(figures) == 12
    for figure, unit in zip(figures, units, strict=False):
        assert figure.endswith(tuple(unit.split("|"))), figure


def test_cursor_shows_the_same_moment_in_all_plots(page: Page, node: FakeNode) -> None:
    opened(page, node)
    latest = texts(page, ".plot-card .legend b")
    box = "document.querySelector('.u-over').getBoundingClientRect()"
    page.point(page.number(f"{box}.left + {box}.width / 4"), page.number(f"{box}.top + 40"))
    page.wait_for("document.querySelector('#moment').textContent.startsWith('at ')")
    lines = "[...document.querySelectorAll('.u-cursor-x')].map((each) => new DOMMatrix(each.style.transform).m41)"
    assert page.number(f"Math.max(...{lines}) / Math.min(...{lines})") < 1.1  # one has an axis more
    pointed = texts(page, ".plot-card .legend b")
    assert all(one != other for one, other in zip(latest[:3], pointed[:3], strict=True))
    page.point(2, 2)
    page.wait_for("document.querySelector('#moment').textContent === ''")


def test_shorter_time_is_drawn_at_once(page: Page, node: FakeNode) -> None:
    opened(page, node)
    page.evaluate(f"window.before = {PIXELS}; document.querySelector('[data-seconds=\"300\"]').click()")
    page.wait_for(f"{PIXELS} !== window.before", seconds=1.5)
    assert texts(page, "#spans [aria-pressed='true']") == ["5 min"]
