"""The admin plane of a node that serves nobody, over its real stores and tiers, on a loopback socket."""

import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import trio

from s3proxy.config import Config
from s3proxy.node.admin import serve_admin_plane
from s3proxy.node.commons import Seat, made
from tests.node.configuring import MIB, all_tiers, configured, opened
from tests.stores.vocabulary import get, make_bucket, put


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
