"""The admin plane of a node: what operators, monitoring and ``s3proxy cache`` reach, in a process of its own.

It has stores and tiers as a worker has, so that it sees what clients see, but serves none of them. Whatever it is asked
to do, workers go on as before.
"""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Never

import trio

from s3proxy.admin.app import AdminApp
from s3proxy.admin.browsing import Browser
from s3proxy.admin.cache_commands import cache_commands, refused_commands
from s3proxy.admin.command import Command
from s3proxy.admin.guard import Guard
from s3proxy.admin.routes import command_routes, routes_of
from s3proxy.admin.server import serve_admin
from s3proxy.admin.socket_paths import SocketPathError, place
from s3proxy.admin.unix_socket import ListenError, listening
from s3proxy.config import AdminConfig, Config, split_address
from s3proxy.node.cache_view import CacheView
from s3proxy.node.caching import NodeCache
from s3proxy.node.commons import Seat, geometry_of
from s3proxy.node.names import Names
from s3proxy.node.node_view import NodeView
from s3proxy.node.reporting import report_failures
from s3proxy.node.storage_view import StorageView
from s3proxy.node.stores import Stores
from s3proxy.telemetry import log_error

_RETRY_SECONDS = 1.0


async def serve_admin_plane(config: Config, seat: Seat, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: of the node.
        seat: of this process; its sockets are closed.
        on_ready: called when connections are accepted.

    Raises:
        StartError: a store is missing.
    """
    stores = None
    try:
        async with trio.open_nursery() as background:
            stores = await Stores.open(_without_prefetch(config), seat, background)
            for job in stores.jobs:
                background.start_soon(job)
            _start(background, config, seat, stores)
            on_ready()
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                await anext(signals)
            background.cancel_scope.cancel()
    finally:
        if stores is not None:
            with trio.CancelScope(shield=True):
                await stores.aclose()


def _start(nursery: trio.Nursery, config: Config, seat: Seat, stores: Stores) -> None:
    names = Names(stores.routes, stores.identity_of)
    storage = StorageView(stores, names, geometry_of(config))
    node = NodeView(config, seat, stores, names, is_draining=lambda: False)
    routes = routes_of(node, Browser(storage), _commands(stores, names, storage))
    nursery.start_soon(node.run)
    nursery.start_soon(report_failures, seat.reports)
    for each in seat.admin_sockets:
        # Those who may open the Unix socket need no token, and connections on one cannot use up those of the other.
        guard = None if each.family == socket.AF_UNIX else _guard(config.admin)
        nursery.start_soon(serve_admin, AdminApp(routes, guard), [each])


def _commands(stores: Stores, names: Names, storage: StorageView) -> dict[str, Command]:
    if stores.cache is None or not stores.cache.tiers:
        return refused_commands("this node has no cache: neither memory_tier nor disk_tier can be used")
    return cache_commands(CacheView(stores.cache, stores.store, names, storage.is_cached))


def _guard(config: AdminConfig) -> Guard:
    host, _ = split_address(config.listen, "admin.listen")
    return Guard(token=config.token, hosts=[host, *config.hosts])


def _without_prefetch(config: Config) -> Config:
    """Nobody reads here but ``load``, which is to fetch what it is told to and at the rate that it is told to."""
    return replace(config, cache=replace(config.cache, prefetch_bytes=0))


async def serve_cache_commands(config: AdminConfig, port: int, stores: Stores, cache: NodeCache) -> Never:
    """Answer cache commands until cancelled.

    A socket that cannot be had, as while the worker before this one finishes its requests, is mentioned once and
    tried again: no client of the data port shall suffer from it.

    Args:
        config: where the socket is to be.
        port: of the data, after which the socket is named otherwise.
        stores: of this worker.
        cache: which it has.
    """
    names = Names(stores.routes, stores.identity_of)
    view = CacheView(cache, stores.store, names, partial(_is_cached, stores))
    app = AdminApp(command_routes(cache_commands(view)))
    is_mentioned = False
    while True:
        try:
            path = Path(config.socket) if config.socket else place(port, os.environ)
            with listening(path) as sock:
                await serve_admin(app, [sock])
        except (ListenError, SocketPathError) as error:
            if not is_mentioned:
                log_error(f"no cache commands: {error}")
            is_mentioned = True
        await trio.sleep(_RETRY_SECONDS)


def _is_cached(stores: Stores, bucket: str) -> bool:
    return stores.is_cached(stores.routes.mount_of(bucket))
