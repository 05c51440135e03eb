"""The admin plane of a node that serves nobody, over its real stores and tiers, on loopback sockets."""

import http.client
import json
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trio

from s3proxy.admin.survey import Contents
from s3proxy.cache.tier import Tier
from s3proxy.config import Config
from s3proxy.node import node_view
from s3proxy.node.admin import serve_admin_plane
from s3proxy.node.commons import Seat, made
from tests.node.configuring import MIB, all_tiers, configured, opened
from tests.stores.vocabulary import get, make_bucket, put

TOKEN = "the-token-of-these-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@asynccontextmanager
async def plane(config: Config) -> AsyncIterator[int]:
    """Serve it; gives its port."""
    with made(config, 1) as commons:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        seat = Seat(
            worker=1, workers=1, sockets=(), shared=commons.shared, tiers=commons.tiers, table=commons.table,
            meters=commons.meters, pulse=commons.pulse, admin_sockets=[listener],
        )  # fmt: skip
        ready = trio.Event()
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_admin_plane, config, seat, ready.set)
                await ready.wait()
                yield listener.getsockname()[1]
                nursery.cancel_scope.cancel()


def ask_now(
    port: int, target: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET" if body is None else "POST", target, body, headers or {})
        with connection.getresponse() as response:
            return response.status, response.read()


async def ask(port: int, target: str, **headers: str) -> tuple[int, bytes]:
    return await trio.to_thread.run_sync(
        ask_now, port, target, {name.title(): value for name, value in headers.items()}
    )


async def content(port: int, target: str) -> dict[str, Any]:
    status, body = await ask(port, target)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def cached(tmp_path: Path, **tables: object) -> Config:
    return configured(tmp_path / "root", cache={"read": "cache"}, **all_tiers(tmp_path), **tables)


async def stored(config: Config) -> None:
    """Buckets ``lake`` and ``pond``; of lake's ``raw/big`` 6 MiB are cached, of ``raw/small`` nothing."""
    async with opened(config) as stores:
        await make_bucket(stores.store, "lake")
        await make_bucket(stores.store, "pond")
        await put(stores.store, b"x" * 6 * MIB, "raw/big", bucket="lake")
        await put(stores.store, b"x", "raw/small", bucket="lake")
        await put(stores.store, b"x", "top", bucket="lake")
        await get(stores.store, "raw/big", "lake")


async def test_node_lives_and_is_ready_once_its_store_has_answered(tmp_path: Path) -> None:
    async with plane(configured(tmp_path / "root")) as port:
        assert (await ask(port, "/livez")) == (200, b"ok\n")
        status, reason = await ask(port, "/readyz")
        assert (status, reason) == (503, b"worker 0 missing\n")  # for here is none


async def test_browser_finds_what_is_stored_and_what_is_cached_of_it(tmp_path: Path) -> None:
    config = cached(tmp_path)
    await stored(config)
    async with plane(config) as port:
        assert (await content(port, "/buckets"))["buckets"] == [
            {"name": "lake", "is_cached": True}, {"name": "pond", "is_cached": True}
        ]  # fmt: skip
        top = await content(port, "/objects?bucket=lake")
        assert (top["directories"], [each["key"] for each in top["objects"]]) == (["raw/"], ["top"])
        below = await content(port, "/objects?bucket=lake&prefix=raw%2F")
        assert [(each["key"], each["memory_bytes"]) for each in below["objects"]] == [
            ("raw/big", 6 * MIB), ("raw/small", 0),
        ]  # fmt: skip
        blocks = await content(port, "/blocks?bucket=lake&key=raw%2Fbig")
        assert (blocks["block_size"], blocks["blocks"]) == (4 * MIB, [[4 * MIB, 0], [2 * MIB, 0]])


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/objects?bucket=absent", "s3://absent: NoSuchBucket"),
        ("/blocks?bucket=lake&key=absent", "s3://lake/absent: NoSuchKey"),
    ],
)
async def test_browser_says_what_it_does_not_find(tmp_path: Path, target: str, reason: str) -> None:
    config = cached(tmp_path)
    await stored(config)
    async with plane(config) as port:
        status, body = await ask(port, target)
        assert status == 502
        assert reason in json.loads(body)["reason"]


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


async def test_plane_with_a_token_gives_nothing_but_the_page_without_it(tmp_path: Path) -> None:
    async with plane(configured(tmp_path / "root", admin={"token": TOKEN})) as port:
        for target in ("/metrics", "/status", "/history", "/buckets", "/objects?bucket=b", "/blocks?bucket=b&key=k"):
            assert (await ask(port, target))[0] == 401, target
        assert (await ask(port, "/"))[0] == 200
        assert (await ask(port, "/status", authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_plane_refuses_names_that_are_not_its_own(tmp_path: Path) -> None:
    async with plane(configured(tmp_path / "root", admin={"hosts": ["node-1"]})) as port:
        assert (await ask(port, "/status", host="evil.example"))[0] == 403
        assert (await ask(port, "/status", host="node-1:39990"))[0] == 200
        assert (await ask(port, "/status", origin="http://evil.example"))[0] == 403


async def test_commands_to_a_node_without_a_cache_say_so(tmp_path: Path) -> None:
    async with plane(configured(tmp_path / "root", admin={"token": TOKEN})) as port:
        status, body = await trio.to_thread.run_sync(ask_now, port, "/cache/status", BEARER, b"{}")
        assert status == 200
        assert "no cache" in json.loads(body)["reason"]


async def test_load_fetches_what_it_is_told_to_and_nothing_ahead(tmp_path: Path) -> None:
    config = cached(tmp_path, admin={"token": TOKEN})
    await stored(config)
    async with plane(config) as port:
        status, body = await trio.to_thread.run_sync(ask_now, port, "/cache/load", BEARER, b'{"bucket": "lake"}')
        assert status == 200
        assert json.loads(body.splitlines()[-1]) == {
            "type": "loaded", "objects": 3, "bytes": 6 * MIB + 2, "fetched_bytes": 2, "failed": 0,
        }  # fmt: skip
        _, body = await ask(port, "/status", authorization=f"Bearer {TOKEN}")
        assert json.loads(body)["cache"]["prefetched_bytes"] == 0
