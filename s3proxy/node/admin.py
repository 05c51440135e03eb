"""The admin socket of a node, through which ``s3proxy cache`` reaches it; the first worker has it."""

import os
from functools import partial
from pathlib import Path
from typing import Never

import trio

from s3proxy.admin.app import AdminApp
from s3proxy.admin.cache_commands import cache_commands
from s3proxy.admin.routes import command_routes
from s3proxy.admin.server import serve_admin
from s3proxy.admin.socket_paths import SocketPathError, place
from s3proxy.admin.unix_socket import ListenError, listening
from s3proxy.config import AdminConfig
from s3proxy.node.cache_view import CacheView
from s3proxy.node.caching import NodeCache
from s3proxy.node.names import Names
from s3proxy.node.stores import Stores
from s3proxy.telemetry import log_error

_RETRY_SECONDS = 1.0


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
