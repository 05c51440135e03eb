"""The page as a whole, in a real browser."""

import json

import pytest

from tests.dashboard.chromium import DevToolsError, Page
from tests.dashboard.fake_node import FakeNode

HAS_STATUS = "document.querySelector('#host').textContent !== 's3proxy'"
HAS_HISTORY = "document.querySelector('#stat-throughput').textContent !== '\\u2013'"


def opened(page: Page, node: FakeNode, place: str = "") -> None:
    page.open(node.url + place)
    page.wait_for(HAS_STATUS)
    page.wait_for(HAS_HISTORY)


def texts(page: Page, selector: str) -> list[str]:
    found = page.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)")
    assert isinstance(found, list)
    return [str(each) for each in found]


def test_page_says_what_the_node_is_and_how_it_fares(page: Page, node: FakeNode) -> None:
    opened(page, node)
    assert page.text("#host") == "cache-07.example.com"
    assert page.text("#readiness") == "Ready"
    assert page.text("#version") == "0.4.0"
    assert page.text("#uptime") == "9\u202fd 4\u202fh"
    assert page.text("#workers-ready") == "4 of 4 ready"
    assert "GiB/s" in page.text("#stat-throughput")
    assert texts(page, "#tiers h4") == ["Memory", "Disk"]
    assert texts(page, "#stores .state") == ["Reachable", "Reachable"]
    assert "The store did not answer within 30 s; try again." in page.text("#errors")
    assert "The node the disk tier: block 7f31 did not match" in page.text("#errors")
    assert "6.41" in page.text("#slowest")
    assert "GetObject" in page.text("#operations")
    assert page.complaints() == []


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ({"died": 0, "hung": 0}, []),
        ({"died": 2, "hung": 0}, ["Since the start 2 died; the log says where."]),
        ({"died": 2, "hung": 1}, ["Since the start 2 died, 1 hung; the log says where."]),
    ],
)
def test_page_says_that_processes_were_lost(page: Page, node: FakeNode, lost: dict[str, int], words: list[str]) -> None:
    node.lost_processes = lost
    opened(page, node)
    assert texts(page, "#workers p") == words


def test_page_asks_only_the_node(page: Page, node: FakeNode) -> None:
    page.call("Network.enable")
    opened(page, node)
    urls = [
        event["params"]["request"]["url"] for event in page.events if event["method"] == "Network.requestWillBeSent"
    ]
    assert len(urls) > 10
    assert [url for url in urls if not url.startswith(node.url)] == []


def test_policy_stops_markup_and_foreign_scripts(page: Page, node: FakeNode) -> None:
    opened(page, node)
    with pytest.raises(DevToolsError, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>markup</b>'")
    page.evaluate("document.head.append(Object.assign(document.createElement('style'), { textContent: 'a {}' }))")
    page.wait_for("true")
    assert any("Content Security Policy" in words for words in page.complaints())


def test_node_that_is_not_ready_says_why(page: Page, node: FakeNode) -> None:
    node.is_ready, node.reason = False, "the store default is unreachable: connection refused"
    opened(page, node)
    assert page.text("#readiness") == "Not ready"
    assert "the store default is unreachable: connection refused" in page.text("#trouble")


def test_node_that_has_gone_is_greyed_and_its_last_values_stay(page: Page, node: FakeNode) -> None:
    opened(page, node)
    node.is_gone = True
    page.wait_for("document.body.classList.contains('is-stale')")
    assert page.text("#readiness") == "No answer"
    assert page.text("#trouble").startswith("The node does not answer. What you see is from ")
    assert "GiB/s" in page.text("#stat-throughput")
    node.is_gone = False
    page.wait_for("!document.body.classList.contains('is-stale')")
    assert page.text("#readiness") == "Ready"
    assert page.evaluate("document.querySelector('#trouble').hidden") is True


def test_node_to_which_nothing_has_happened_says_so_in_words(page: Page, node: FakeNode) -> None:
    node.is_new = True
    page.open(node.url)
    page.wait_for(HAS_STATUS)
    page.wait_for("document.querySelector('.plot-words').textContent !== ''")
    assert set(texts(page, ".plot-words")) == {"Nothing to show yet"}
    assert page.text("#busiest") == "No object has been asked for yet."
    assert page.text("#errors") == "Nothing has gone wrong. Keys that do not exist are not listed here."
    assert page.text("#stat-throughput") == "\u2013"
    assert page.complaints() == []


def test_token_is_asked_for_and_kept_by_the_tab(page: Page, node: FakeNode) -> None:
    node.token = "open sesame"
    page.open(node.url)
    page.wait_for("document.querySelector('#token-dialog').open")
    submit = "document.querySelector('#token').value = {}; document.querySelector('#token-form').requestSubmit()"
    page.evaluate(submit.format("'wrong'"))
    page.wait_for("document.querySelector('#token-dialog').open && !document.querySelector('#token-refused').hidden")
    page.evaluate(submit.format("'open sesame'"))
    page.wait_for(HAS_STATUS)
    page.wait_for("document.querySelector('#listing tbody') !== null")
    page.wait_for("!document.querySelector('#token-dialog').open")
    page.open(node.url)
    page.wait_for(HAS_STATUS)
    assert page.evaluate("sessionStorage.length") == 1
    assert page.evaluate("localStorage.length") == 0


def test_token_of_the_address_is_taken_out_of_it(page: Page, node: FakeNode) -> None:
    node.token = "open sesame"
    opened(page, node, "?token=open%20sesame")
    assert page.evaluate("location.href") == node.url
    assert [path for path in node.asked if "sesame" in path] == []
    assert page.complaints() == []


def test_narrow_phone_scrolls_in_one_direction_only(page: Page, node: FakeNode) -> None:
    page.resize(360, 780, 2, is_phone=True)
    opened(page, node, "#bucket=warehouse&key=part-00001.snappy.parquet")
    page.wait_for("document.querySelector('.map') !== null")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    wide = "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > 361"
    inside = "!each.closest('.scroll') && !each.closest('.plot'))"
    assert page.evaluate(f"{wide} && {inside}.length") == 0


def test_dark_page_is_dark_and_follows_the_system(page: Page, node: FakeNode) -> None:
    opened(page, node)
    paper = "Math.min(...getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number))"
    canvas = "document.querySelector('.plot canvas').toDataURL()"
    page.prefer("light")
    assert page.number(paper) > 200
    light = page.evaluate(canvas)
    page.prefer("dark")
    page.wait_for(f"{paper} < 40")
    page.wait_for(f"{canvas} !== {json.dumps(light)}")


def test_chosen_theme_wins_over_the_system_and_is_kept(page: Page, node: FakeNode) -> None:
    page.prefer("light")
    opened(page, node)
    for shown in ("Light", "Dark"):
        page.evaluate("document.querySelector('#theme').click()")
        assert page.text("#theme") == shown
    page.open(node.url)
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_page_does_not_shift_while_it_fills(page: Page, node: FakeNode) -> None:
    observe = "new PerformanceObserver((list) => shifts.push(...list.getEntries().map((each) => each.value)))"
    script = f"window.shifts = []; {observe}.observe({{ type: 'layout-shift', buffered: true }})"
    page.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    opened(page, node)
    assert page.number("shifts.reduce((sum, each) => sum + each, 0)") < 0.02


def test_everything_that_does_something_is_reached_by_the_keyboard(page: Page, node: FakeNode) -> None:
    opened(page, node)
    page.wait_for("document.querySelector('#listing a') !== null")
    page.call("Page.bringToFront")
    reached = set()
    for _ in range(80):
        page.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.focus || ''"))
    assert {"theme", "busiest", "errors", "listing", "#bucket=warehouse"} <= reached


def test_endpoint_that_fails_is_told_in_its_own_words(page: Page, node: FakeNode) -> None:
    opened(page, node)
    node.refusals["/history"] = "this took more than 8 seconds"
    page.wait_for("document.body.classList.contains('is-stale')")
    assert page.text("#trouble").startswith("The node refuses: this took more than 8 seconds. What you see is from ")
    node.refusals.clear()
    page.wait_for("!document.body.classList.contains('is-stale')")
