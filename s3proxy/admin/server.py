"""The admin app on its listeners, by hypercorn. Nothing here can end the node or hold up its end."""

import socket
from collections.abc import Sequence

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework, ConnectionState

from s3proxy.telemetry import log_error


async def serve_admin(app: ASGIFramework, sockets: Sequence[socket.socket]) -> None:
    """Serve ``app`` on listening sockets until cancelled; then every connection is closed at once.

    hypercorn's own ``serve`` is not used: an error in a connection would end the node, and it sends under a shield, so
    a client that stopped reading would keep the node from ending.
    """
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in sockets]
    wrapped, settings, context = ASGIWrapper(app), Config(), WorkerContext(None)
    settings.include_server_header = False
    streams: set[trio.SocketStream] = set()

    async def serve_connection(stream: trio.SocketStream) -> None:
        streams.add(stream)
        try:
            await TCPServer(wrapped, settings, context, ConnectionState({}), stream)  # type: ignore[arg-type]  # says SSLStream, takes both
        except Exception as error:  # whatever it is, it concerns this connection only
            log_error("admin connection failed", error)
        finally:
            streams.discard(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve_connection, listeners)
        try:
            await trio.sleep_forever()
        finally:
            for stream in streams:
                stream.socket.close()  # wakes whoever sends on it, shield or not
