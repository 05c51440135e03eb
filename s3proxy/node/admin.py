"""The admin plane of a node: what operators, monitoring and ``s3proxy cache`` reach, in a process of its own.

It has stores and tiers as a worker has, so that it sees what clients see, but serves none of them. Whatever it is asked
to do, workers go on as before.
"""

import ipaddress
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Final

import trio

from s3proxy.admin.app import AdminApp, Route
from s3proxy.admin.browsing import Browser
from s3proxy.admin.cache_commands import cache_commands, refused_commands
from s3proxy.admin.command import Command
from s3proxy.admin.guard import Guard
from s3proxy.admin.history import kept_points
from s3proxy.admin.routes import routes_of
from s3proxy.admin.server import serve_admin
from s3proxy.config import AdminConfig, Config, split_address
from s3proxy.node.cache_view import CacheView
from s3proxy.node.commons import Seat, geometry_of
from s3proxy.node.failures import StartError
from s3proxy.node.logs import opened
from s3proxy.node.names import Names
from s3proxy.node.node_view import NodeView
from s3proxy.node.reporting import report_failures
from s3proxy.node.storage_view import StorageView
from s3proxy.node.stores import Stores
from s3proxy.telemetry import AuditLog

_LAST_SECONDS: Final = 1.0
"""For requests to be finished when the node ends. A command would take longer, and can be given again."""


async def serve_admin_plane(config: Config, seat: Seat, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, and then until requests are finished; commands are given some time.

    Args:
        config: of the node.
        seat: of this process; its sockets are closed.
        on_ready: called when connections are accepted.

    Raises:
        StartError: a store is missing, a log cannot be opened, or the service manager has opened to a network what has
            no token.
    """
    _check_sockets(seat, config.admin)
    with opened("log.audit", config.log.audit) as audit_file:
        stores = None
        try:
            async with trio.open_nursery() as background:
                stores = await Stores.open(_without_prefetch(config), seat, background)
                for job in stores.jobs:
                    background.start_soon(job)
                audit_log = AuditLog(audit_file, worker=seat.worker)
                await background.start(audit_log.run)
                await _serve(config, seat, stores, audit_log, on_ready)
                background.cancel_scope.cancel()
        finally:
            if stores is not None:
                with trio.CancelScope(shield=True):
                    await stores.aclose()


async def _serve(config: Config, seat: Seat, stores: Stores, audit_log: AuditLog, on_ready: Callable[[], None]) -> None:
    names = Names(stores.routes, stores.identity_of)
    storage = StorageView(stores, names, geometry_of(config))
    with closing(kept_points(seat.history)) as points:
        node = NodeView(config, seat, stores, names, points)
        routes = routes_of(node, Browser(storage), _commands(stores, names, storage))
        async with trio.open_nursery() as watching:
            watching.start_soon(node.run)
            watching.start_soon(report_failures, seat.reports)
            await node.wait_known()  # lest a node that is ready seems not to be when this process is replaced
            await _listen(config, seat, routes, audit_log, on_ready)
            watching.cancel_scope.cancel()


async def _listen(
    config: Config, seat: Seat, routes: dict[str, Route], audit_log: AuditLog, on_ready: Callable[[], None]
) -> None:
    draining = trio.Event()
    with trio.CancelScope() as serving:
        async with trio.open_nursery() as listeners:
            for each in seat.admin_sockets:
                # Who may open the Unix socket needs no token, and no connection to one uses up those of another.
                guard = None if each.family == socket.AF_UNIX else _guard(config.admin)
                listeners.start_soon(serve_admin, AdminApp(routes, guard, audit_log), [each], draining)
            on_ready()
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                await anext(signals)
            draining.set()
            seconds = _LAST_SECONDS if seat.is_draining else config.server.drain_seconds
            serving.deadline = trio.current_time() + seconds


def _commands(stores: Stores, names: Names, storage: StorageView) -> dict[str, Command]:
    if stores.cache is None or not stores.cache.tiers:
        return refused_commands("this node has no cache: neither memory_tier nor disk_tier can be used")
    return cache_commands(CacheView(stores.cache, stores.store, names, storage.is_cached))


def _guard(config: AdminConfig) -> Guard:
    return Guard(token=config.token, hosts=[*_names(config.listen), *config.hosts])


def _names(listen: str) -> list[str]:
    return [split_address(listen, "admin.listen")[0]] if listen else []


def _check_sockets(seat: Seat, config: AdminConfig) -> None:
    """The configuration was checked, but the sockets may be the service manager's."""
    for each in seat.admin_sockets:
        if each.family == socket.AF_UNIX or config.token:
            continue
        host = each.getsockname()[0]
        if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
            raise StartError(f"the admin socket on {host} can be reached from elsewhere: set admin.token")


def _without_prefetch(config: Config) -> Config:
    """Nobody reads here but ``load``, which is to fetch what it is told to and at the rate that it is told to."""
    return replace(config, cache=replace(config.cache, prefetch_bytes=0))
