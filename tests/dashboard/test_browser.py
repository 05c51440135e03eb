"""The browser of buckets and the map of blocks, in a real browser."""

import pytest

from tests.dashboard.chromium import Page
from tests.dashboard.fake_node import BLOCK_SIZE, HOSTILE_KEY, MIB, OVERRIDING_KEY, FakeNode, blocks_of
from tests.dashboard.test_page import opened, texts

B = BLOCK_SIZE
PLACE = "#bucket=warehouse&prefix=sales/&key=sales/part-00001.snappy.parquet"
MAP = "document.querySelector('.map')"
COUNTS = "#blocks .legend b"


def counts(page: Page) -> dict[str, int]:
    labels, figures = texts(page, "#blocks .legend span"), texts(page, COUNTS)
    return {label: int(figure.replace(",", "")) for label, figure in zip(labels, figures, strict=True)}


def colour_at(page: Page, x: float, y: float) -> str:
    pixel = f"{MAP}.getContext('2d').getImageData({x}, {y}, 1, 1).data"
    return str(page.evaluate(f"`rgb(${{{pixel}[0]}}, ${{{pixel}[1]}}, ${{{pixel}[2]}})`"))


def colour_of(page: Page, state: str) -> str:
    swatch = f"document.querySelector('#blocks [data-state={state}]')"
    return str(page.evaluate(f"getComputedStyle({swatch}).backgroundColor"))


def test_buckets_lead_to_prefixes_and_objects(page: Page, node: FakeNode) -> None:
    opened(page, node)
    page.wait_for("document.querySelector('#listing tbody') !== null")
    assert texts(page, "#listing td:first-child") == ["warehouse", "models", "logs", "scratch"]
    page.evaluate("document.querySelector('#listing a').click()")
    page.wait_for("document.querySelector('#listing .directory') !== null")
    assert texts(page, "#listing .directory") == ["customers/", "img/", "sales/"]
    page.evaluate("[...document.querySelectorAll('#listing a')].find((each) => each.innerText === 'sales/').click()")
    page.wait_for("document.querySelector('#path').innerText.includes('sales')")
    page.wait_for("document.querySelector('#listing .directory') === null")
    assert texts(page, "#listing td:first-child")[0] == "part-00000.snappy.parquet"
    page.evaluate("document.querySelector('#listing a').click()")
    page.wait_for(f"{MAP} !== null")
    page.evaluate("history.back(); history.back()")
    page.wait_for("document.querySelector('#listing .directory') !== null")
    assert page.complaints() == []


def test_next_page_of_a_listing_is_added_to_it(page: Page, node: FakeNode) -> None:
    opened(page, node, "#bucket=warehouse&prefix=sales/")
    page.wait_for("document.querySelector('.more') !== null")
    page.evaluate("document.querySelector('.more').click()")
    page.wait_for("document.querySelector('.more') === null")
    shares = texts(page, "#listing td:nth-child(2)")
    assert len(shares) == 24
    assert [share.strip() for share in shares[:3]] == ["62.5\u202f%", "66.7\u202f%", "79.2\u202f%"]
    assert shares[23] == "not counted"


def test_listing_is_asked_for_again_when_one_says_so(page: Page, node: FakeNode) -> None:
    opened(page, node, "#bucket=warehouse&prefix=sales/")
    page.wait_for("document.querySelector('#listing tbody') !== null")
    before = [path for path in node.asked if path.startswith("/objects")]
    page.evaluate("document.querySelector('#refresh').click()")
    page.wait_for("!document.querySelector('#listing').classList.contains('is-waiting')")
    assert [path for path in node.asked if path.startswith("/objects")] == before * 2


def test_map_shows_where_each_block_lies(page: Page, node: FakeNode) -> None:
    node.blocks = [[B, 0], [0, B], [0, 0], [B // 2, 0], [0, B // 2], [B, B]]
    page.prefer("light")
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    assert counts(page) == {"In memory": 2, "On disk": 1, "Partly": 2, "Nowhere": 1}
    memory, disk, nowhere = (colour_of(page, state) for state in ("memory", "disk", "nowhere"))
    assert len({memory, disk, nowhere}) == 3
    pitch = 26
    below = [colour_at(page, pitch * index + 12, 22) for index in range(6)]
    above = [colour_at(page, pitch * index + 12, 2) for index in range(6)]
    assert below == [memory, disk, nowhere, memory, disk, memory]
    assert above == [memory, disk, nowhere, nowhere, nowhere, memory]


def test_map_follows_the_blocks_as_they_are_filled(page: Page, node: FakeNode) -> None:
    node.blocks = [[0, 0]] * 8
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    assert counts(page)["Nowhere"] == 8
    node.blocks = [[B, 0]] * 8
    page.wait_for(f"document.querySelector('{COUNTS}').textContent === '8'")


def test_map_stays_while_the_node_is_gone(page: Page, node: FakeNode) -> None:
    node.blocks = [[B, 0]] * 8
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    node.is_gone = True
    page.evaluate("location.hash += '&again'; null")
    page.wait_for("document.body.classList.contains('is-stale')")
    assert counts(page)["In memory"] == 8


@pytest.mark.parametrize("count", [1, 10_000, 250_000])
def test_map_has_room_for_any_number_of_blocks(page: Page, node: FakeNode, count: int) -> None:
    node.blocks = [[B, 0]] * count
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    assert counts(page)["In memory"] == count
    assert 20 <= page.number(f"{MAP}.clientHeight") <= 400
    assert page.number(f"{MAP}.clientWidth") <= page.number("document.querySelector('#blocks').clientWidth")


def test_object_of_which_not_all_blocks_are_known_says_so(page: Page, node: FakeNode) -> None:
    node.blocks, node.size = [[B, 0]] * 16, 40 * B
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    assert "40 blocks of 4\u202fMiB of which the first 16 are shown" in page.text("#blocks .note")


def test_square_that_is_pointed_at_is_explained(page: Page, node: FakeNode) -> None:
    node.blocks, node.size = [[B, 0], [0, MIB], [0, 0]], 2 * B + 100
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    page.evaluate(f"{MAP}.scrollIntoView({{ block: 'center' }})")
    box = f"{MAP}.getBoundingClientRect()"
    page.point(page.number(f"{box}.left + 26 + 12"), page.number(f"{box}.top + 12"))
    page.wait_for("document.querySelector('.detail').textContent.startsWith('Block 1')")
    assert page.text(".detail") == "Block 1, 4\u202fMiB from 4\u202fMiB on: 1\u202fMiB on disk."


def test_keys_walk_through_the_map(page: Page, node: FakeNode) -> None:
    node.blocks, node.size = [[B, 0], [0, MIB], [0, 0]], 2 * B + 100
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    page.call("Page.bringToFront")
    page.evaluate(f"{MAP}.focus()")
    for key, block in [("ArrowRight", 0), ("ArrowRight", 1), ("End", 2), ("Home", 0)]:
        page.press(key)
        assert page.text(".detail").startswith(f"Block {block},")
    page.press("End")
    assert page.text(".detail") == "Block 2, 100\u202fB from 8\u202fMiB on: nowhere in the cache."


def test_empty_object_has_no_blocks(page: Page, node: FakeNode) -> None:
    node.blocks = []
    opened(page, node, PLACE)
    page.wait_for("document.querySelector('.detail') !== null")
    assert page.text(".detail") == "An empty object has no blocks."


def test_map_of_the_real_pattern_counts_every_block_once(page: Page, node: FakeNode) -> None:
    node.blocks = blocks_of(777)
    opened(page, node, PLACE)
    page.wait_for(f"{MAP} !== null")
    assert sum(counts(page).values()) == 777


def test_key_that_looks_like_markup_stays_text(page: Page, node: FakeNode) -> None:
    opened(page, node, "#bucket=images&prefix=img/")
    page.wait_for("document.querySelector('#listing tbody') !== null")
    assert texts(page, "#listing td:first-child")[0] == HOSTILE_KEY.removeprefix("img/")
    page.evaluate("document.querySelector('#listing a').click()")
    page.wait_for(f"{MAP} !== null")
    assert page.text(".object-name") == HOSTILE_KEY
    assert HOSTILE_KEY in page.text("#busiest")
    assert HOSTILE_KEY in page.text("#errors")
    assert page.evaluate("document.querySelectorAll('main img').length") == 0
    assert "taken" not in str(page.evaluate("document.title"))
    assert page.complaints() == []


def test_key_cannot_turn_the_direction_of_its_name(page: Page, node: FakeNode) -> None:
    opened(page, node, "#bucket=images&prefix=img/")
    page.wait_for("document.querySelector('#listing tbody') !== null")
    assert OVERRIDING_KEY.startswith("img/\u202e")
    assert texts(page, "#listing td:first-child")[1] == "\\u202egnp.exe\u240a"
