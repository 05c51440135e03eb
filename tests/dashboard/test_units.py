"""Numbers in words, by the page's own module in a real browser."""

import json

import pytest

from tests.dashboard.chromium import Page
from tests.dashboard.fake_node import FakeNode

UNKNOWN = "\u2013"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def shown(page: Page, node: FakeNode, function: str, values: list[float | None]) -> list[str]:
    page.open(node.url)
    module = "import('/assets/units.js')"
    found = page.evaluate(f"{module}.then((units) => {json.dumps(values)}.map((value) => units.{function}(value)))")
    assert isinstance(found, list)
    return [str(each).replace("\u202f", " ") for each in found]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            "bytes",
            {0: "0 B", 1023: "1023 B", KIB: "1 KiB", 1536: "1.50 KiB", 5 * GIB: "5 GiB", 1023.9 * KIB: "1.00 MiB"},
        ),
        ("rate", {0: "0 B/s", 10.25 * MIB: "10.3 MiB/s", 512.4 * MIB: "512 MiB/s"}),
        ("seconds", {0: "0 ms", 0.0001: "100 µs", 0.0123: "12.3 ms", 0.9999: "1.00 s", 61: "61 s"}),
        ("ratio", {0: "0 %", 0.5: "50.0 %", 0.9999: "> 99.9 %", 1: "100 %"}),
        ("count", {0: "0", 0.25: "0.25", 9_999: "9,999", 12_345: "12.3 k", 1_204_440: "1.20 M"}),
        ("duration", {0: "0 s", 59: "59 s", 3_660: "1 h 1 min", 90_000: "1 d 1 h", 86_400: "1 d"}),
    ],
)
def test_number_reads_as_operators_say_it(
    page: Page, node: FakeNode, function: str, expected: dict[float, str]
) -> None:
    assert shown(page, node, function, [*expected, None]) == [*expected.values(), UNKNOWN]
