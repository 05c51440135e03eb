"""The admin app on a real Unix socket, for clients in threads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from s3proxy.admin.app import AdminApp
from s3proxy.admin.cache_commands import cache_commands
from s3proxy.admin.caches import Caches
from s3proxy.admin.routes import command_routes
from s3proxy.admin.server import serve_admin
from s3proxy.admin.unix_socket import listening


@asynccontextmanager
async def serving(caches: Caches, path: Path, draining: trio.Event | None = None) -> AsyncIterator[trio.CancelScope]:
    """Serve ``caches`` at ``path``; gives what ends the serving at once. ``draining`` ends it in time."""
    app = AdminApp(command_routes(cache_commands(caches)))
    until = trio.Event() if draining is None else draining
    with listening(path) as listener:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_admin, app, [listener], until)
            yield nursery.cancel_scope
            nursery.cancel_scope.cancel()
