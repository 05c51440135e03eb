"""One serving process: opens what the configuration names, serves until told to stop, closes everything."""

import errno
import gc
import os
import pwd
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import TextIO

import trio

from s3proxy.config import Config, StoreConfig, split_address
from s3proxy.gateway.authenticate import Authenticator, OpenAuthenticator, SignatureAuthenticator, User
from s3proxy.gateway.exchange import Gateway, Settings
from s3proxy.http1.connection import Incident
from s3proxy.http1.limits import Limits
from s3proxy.http1.server import HttpServer
from s3proxy.s3.model import Owner
from s3proxy.stores.local.layout import RootError
from s3proxy.stores.local.store import LocalStore
from s3proxy.telemetry import AccessLog, log_error


class StartError(Exception):
    """The node cannot start; the message is a sentence for the operator."""


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Raises:
        StartError: the port is taken, the root is missing or not writable, a log cannot be opened.
    """
    if sys.getfilesystemencoding() != "utf-8":
        raise StartError("file names are not in UTF-8 here, but keys are; set LANG=C.UTF-8 or PYTHONUTF8=1")
    trio.run(_serve, config)


async def _serve(config: Config) -> None:
    with _access_stream(config.log.access) as stream:
        store = _open_store(config)
        try:
            listeners = await _listen(config.server.listen)
            async with trio.open_nursery() as background:
                access_log = AccessLog(stream)
                background.start_soon(access_log.run)
                background.start_soon(store.maintain)
                gateway = Gateway(store, _authenticator(config), _settings(config), access_log, jobs=background)
                server = HttpServer(gateway.answer, gateway.error_response, observe=_observe, limits=_limits(config))
                background.start_soon(_drain_on_signal, server)
                _announce(listeners)
                gc.freeze()  # what exists by now stays; no collection needs to look at it again
                await server.serve(listeners)
                background.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await store.aclose()


def _settings(config: Config) -> Settings:
    return Settings(
        region=config.server.region, domains=tuple(domain.encode("ascii") for domain in config.server.domains)
    )


def _authenticator(config: Config) -> Authenticator:
    if config.auth.mode == "open":
        return OpenAuthenticator(_launching_user())
    return SignatureAuthenticator(
        [User(Owner(user.id or user.name, user.name), user.access_key, user.secret_key) for user in config.users],
        clock=lambda: time_ns() / 1e9,
    )


def _launching_user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _limits(config: Config) -> Limits:
    server = config.server
    return Limits(
        max_connections=server.max_connections,
        head_timeout_seconds=server.head_timeout_seconds,
        idle_timeout_seconds=server.idle_timeout_seconds,
        stall_timeout_seconds=server.stall_timeout_seconds,
        drain_seconds=server.drain_seconds,
    )


def _open_store(config: Config) -> LocalStore:
    root = Path(config.store.root)
    try:
        if config.store.root == StoreConfig().root:
            root.mkdir(exist_ok=True)  # the default may be made; a directory that was named must be there
        return LocalStore.open(
            root,
            fsync=config.store.fsync,
            read_only=config.store.read_only,
            min_part_size=config.store.min_part_size,
            upload_idle_seconds=config.store.upload_idle_days * 86400,
        )
    except OSError as error:
        raise StartError(f'store.root = "{root}": cannot be made: {error.strerror}') from error
    except RootError as error:
        raise StartError(f"store.root: {error}") from error


async def _listen(address: str) -> list[trio.SocketListener]:
    host, port = split_address(address)
    try:
        return list(await trio.open_tcp_listeners(port, host=host, backlog=1024))
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {_listen_reason(error)}") from error


def _listen_reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; is another s3proxy running? Choose another with --listen"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    return error.strerror or str(error)


@contextmanager
def _access_stream(access: str) -> Iterator[TextIO | None]:
    if access == "off":
        yield None
    elif access == "stderr":
        yield sys.stderr
    else:
        try:
            stream = Path(access).open("a", encoding="ascii")  # noqa: SIM115 (closed below; only opening may fail so)
        except OSError as error:
            raise StartError(f'log.access = "{access}": {error.strerror}') from error
        with stream:
            yield stream


def _announce(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        host, port = listener.socket.getsockname()[:2]
        sys.stderr.write(f"s3proxy ready on http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stderr.flush()


async def _drain_on_signal(server: HttpServer) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.drain()


def _observe(incident: Incident, error: Exception) -> None:
    if incident in (Incident.HANDLER_FAILED, Incident.RESPONSE_FAILED, Incident.ACCEPT_FAILED):
        log_error(f"{incident.value}: {error!r}", error)
