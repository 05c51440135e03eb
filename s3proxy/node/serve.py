"""One serving process: answers requests until told to stop, then drains."""

import gc
import os
import pwd
import signal
import socket
from collections.abc import Callable
from hashlib import sha256
from time import time_ns

import trio

from s3proxy.body import BrokenBodyError
from s3proxy.config import Config
from s3proxy.gateway.authenticate import Authenticator, OpenAuthenticator, SignatureAuthenticator, User
from s3proxy.gateway.exchange import Gateway, Settings
from s3proxy.gateway.pacing import Pacing
from s3proxy.http1.connection import Incident
from s3proxy.http1.entrance import Entrance
from s3proxy.http1.limits import Limits
from s3proxy.http1.proxies import Proxies
from s3proxy.http1.server import HttpServer
from s3proxy.metrics.work import Work
from s3proxy.node.commons import Seat
from s3proxy.node.logs import opened
from s3proxy.node.reporting import report_work
from s3proxy.node.stores import Stores
from s3proxy.node.tls import make_context
from s3proxy.s3.model import Owner
from s3proxy.telemetry import AccessLog, AuditLog, log_error


async def serve(config: Config, seat: Seat, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Args:
        config: of the node.
        seat: of this worker; its sockets are closed.
        on_ready: called when connections are accepted.

    Raises:
        StartError: a store is missing or not writable, a log cannot be opened.
    """
    log = config.log
    with opened("log.access", log.access) as access_file, opened("log.audit", log.audit) as audit_file:
        stores = None
        try:
            async with trio.open_nursery() as background:
                stores = await Stores.open(config, seat, background)
                for job in stores.jobs:
                    background.start_soon(job)
                is_json = access_file is not None and access_file.is_json(log.format)
                access_log = AccessLog(access_file, is_json=is_json, worker=seat.worker)
                audit_log = AuditLog(audit_file, worker=seat.worker)
                await background.start(audit_log.run)
                background.start_soon(access_log.run)
                work = Work(seat.meters)
                gateway = Gateway(
                    stores.store,
                    _authenticator(config),
                    _settings(config, seat, audit_log),
                    access_log,
                    jobs=background,
                    work=work,
                )
                server = HttpServer(
                    gateway.answer,
                    gateway.error_response,
                    observe=_observe,
                    limits=_limits(config),
                    entrance=_entrance(config),
                    neighbours=seat.pulse,
                )
                background.start_soon(report_work, work, server, seat.reports)
                background.start_soon(_drain_on_signal, server)
                on_ready()
                gc.freeze()  # what exists by now stays; no collection needs to look at it again
                gc.set_threshold(50_000)  # requests leave next to no rings behind: 1 % of the CPU of a small one
                await server.serve(seat.sockets)
                background.cancel_scope.cancel()
        finally:
            if stores is not None:
                with trio.CancelScope(shield=True):
                    await stores.aclose()


def _settings(config: Config, seat: Seat, audit_log: AuditLog) -> Settings:
    domains = tuple(domain.encode("ascii") for domain in config.server.domains)
    return Settings(
        region=config.server.region,
        domains=domains,
        host_id=_host_id(seat),
        pacing=_pacing(config, seat),
        proxies=Proxies(config.server.trusted_proxies) if config.server.trusted_proxies else None,
        audit_log=audit_log,
    )


def _host_id(seat: Seat) -> str:
    """Tells nodes apart and workers not, and says nothing about where the node is."""
    port = seat.sockets[0].getsockname()[1]
    return sha256(f"{socket.gethostname()}:{port}".encode()).hexdigest()[:32]


def _pacing(config: Config, seat: Seat) -> Pacing | None:
    limits = config.limits
    if not limits.read_bytes_per_second and not limits.connection_read_bytes_per_second:
        return None
    return Pacing(
        bytes_per_second=limits.read_bytes_per_second / seat.workers or None,
        connection_bytes_per_second=limits.connection_read_bytes_per_second or None,
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


def _entrance(config: Config) -> Entrance | None:
    tls = make_context(config.tls) if config.tls.certificate_file else None
    proxies = Proxies(config.server.trusted_proxies) if config.server.proxy_protocol else None
    return None if tls is None and proxies is None else Entrance(tls=tls, proxies=proxies)


async def _drain_on_signal(server: HttpServer) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.drain()


def _observe(incident: Incident, error: Exception) -> None:
    if isinstance(error, BrokenBodyError):  # of a store that failed: nothing in this process needs a traceback
        log_error(f"{incident.value}: {error!r}")
    elif incident in (Incident.HANDLER_FAILED, Incident.RESPONSE_FAILED, Incident.ACCEPT_FAILED):
        log_error(f"{incident.value}: {error!r}", error)
