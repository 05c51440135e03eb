import threading
from pathlib import Path

import pytest

from s3proxy.admin.survey import Contents
from s3proxy.cache.tier import Tier
from s3proxy.node import node_view
from tests.node.configuring import MIB, configured
from tests.node.planes import ask, cached, content, plane, stored


async def test_node_lives_and_is_ready_once_its_store_has_answered(tmp_path: Path) -> None:
    async with plane(configured(tmp_path / "root")) as port:
        assert (await ask(port, "/livez")) == (200, b"ok\n")
        status, reason = await ask(port, "/readyz")
        assert (status, reason) == (503, b"worker 0 missing\n")  # for here is none


async def test_status_tells_what_fills_the_tiers(tmp_path: Path) -> None:
    config = cached(tmp_path)
    await stored(config)
    async with plane(config) as port:
        status = await content(port, "/status")
        memory, disk = status["cache"]["tiers"]
        assert (memory["name"], memory["blocks"], memory["is_working"]) == ("memory", 2, True)
        assert memory["buckets"] == [{"bucket": "lake", "bytes": memory["used_bytes"]}]
        assert (disk["name"], disk["blocks"], disk["buckets"]) == ("disk", 0, [])
        assert status["stores"][0]["name"] == "default"
        assert status["node"]["workers"] == [
            {"number": 0, "pid": None, "is_ready": False, "rss_bytes": None, "cpu_seconds": None, "descriptors": None}
        ]


async def test_parts_of_buckets_are_no_more_than_what_is_used_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = cached(tmp_path)
    await stored(config)
    monkeypatch.setattr(
        node_view, "survey", lambda *_: Contents(blocks=3, buckets=[("lake", 300 * MIB), ("pond", 100 * MIB)])
    )
    async with plane(config) as port:
        memory, _ = (await content(port, "/status"))["cache"]["tiers"]
        lake, pond = (bucket["bytes"] for bucket in memory["buckets"])
        assert memory["used_bytes"] - 1 <= lake + pond <= memory["used_bytes"]
        assert lake == pytest.approx(3 * pond, rel=0.01)


async def test_status_is_told_although_a_tier_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = cached(tmp_path)
    await stored(config)
    goes_on = threading.Event()

    def hang(tier: Tier, used_bytes: int, bucket_of: object) -> Contents:
        assert tier.name == "memory" or goes_on.wait(10)
        return Contents(blocks=7)

    monkeypatch.setattr(node_view, "survey", hang)
    monkeypatch.setattr(node_view, "_SURVEY_DEADLINE_SECONDS", 0.2)
    async with plane(config) as port:
        memory, disk = (await content(port, "/status"))["cache"]["tiers"]
        goes_on.set()
    assert (memory["blocks"], memory["is_working"]) == (7, True)
    assert not disk["is_working"]


async def test_metrics_and_history_are_given(tmp_path: Path) -> None:
    async with plane(cached(tmp_path)) as port:
        status, text = await ask(port, "/metrics")
        assert status == 200
        assert b"s3proxy_tier_size_bytes" in text
        assert (await content(port, "/history"))["interval_seconds"] == 5
