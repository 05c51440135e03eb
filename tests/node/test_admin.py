import json
import socket
from contextlib import closing
from pathlib import Path

import pytest
import trio

from s3proxy.node.admin import serve_admin_plane
from s3proxy.node.commons import Seat, made
from s3proxy.node.failures import StartError
from tests.node.configuring import MIB, configured
from tests.node.planes import ask, ask_now, cached, content, plane, stored

TOKEN = "the-token-of-these-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


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


async def test_socket_that_a_service_manager_opened_to_a_network_needs_a_token(tmp_path: Path) -> None:
    config = configured(tmp_path / "root", admin={"listen": ""})
    with made(config, 1) as commons, closing(socket.create_server(("0.0.0.0", 0))) as listener:  # noqa: S104 (what must not be)
        seat = Seat(
            worker=1, workers=1, sockets=(), shared=commons.shared, tiers=commons.tiers, table=commons.table,
            admin_sockets=[listener],
        )  # fmt: skip
        with pytest.raises(StartError, match=r"admin\.token"):
            await serve_admin_plane(config, seat, lambda: None)
