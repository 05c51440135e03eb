import json
from typing import cast

import pytest

from s3proxy.admin.answers import Answer, Json, Request
from s3proxy.admin.browsing import Browser
from s3proxy.admin.history import History, Sample, kept_points
from s3proxy.admin.node_status import NodeState
from s3proxy.admin.routes import routes_of
from tests.admin.test_browsing import FakeStorage
from tests.admin.test_node_status import state


class FakeNode:
    reason = ""
    history = History(Sample, kept_points())

    def reason_against(self) -> str:
        return self.reason

    def reload_progress(self) -> Json:
        return {"begun": 1}

    async def state(self) -> NodeState:
        return state()

    async def metrics(self) -> tuple[bytes, bytes]:
        return b"up 1\n", b"text/plain; version=0.0.4"


NODE = FakeNode()
ROUTES = routes_of(NODE, Browser(FakeStorage()), {})


async def ask(path: str, **query: str) -> Answer:
    does = ROUTES[path].does
    assert does is not None
    return await does(Request(method="GET", path=path, query=query))


def test_only_probes_are_open() -> None:
    assert {path for path, route in ROUTES.items() if route.is_open} == {"/livez", "/readyz"}


async def test_readyz_says_why_a_node_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await ask("/readyz")).status == 200
    monkeypatch.setattr(NODE, "reason", "draining")
    answer = await ask("/readyz")
    assert (answer.status, answer.body) == (503, b"draining\n")


async def test_livez_does_not_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NODE, "reason", "draining")
    assert (await ask("/livez")).status == 200


async def test_metrics_have_the_type_that_prometheus_asks_for() -> None:
    answer = await ask("/metrics")
    assert (answer.body, dict(answer.headers)[b"content-type"]) == (b"up 1\n", b"text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("path", "query", "name"),
    [
        ("/status", {}, "requests"),
        ("/history", {}, "series"),
        ("/buckets", {}, "buckets"),
        ("/objects", {"bucket": "cached"}, "objects"),
        ("/blocks", {"bucket": "cached", "key": "a"}, "blocks"),
    ],
)
async def test_what_the_page_asks_for_is_json(path: str, query: dict[str, str], name: str) -> None:
    content = cast("dict[str, object]", json.loads((await ask(path, **query)).body))
    assert name in content
