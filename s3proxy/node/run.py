"""A node, from its configuration to its end: one process that serves alone, or a supervisor and its workers."""

import os
import sys
from functools import partial

import trio

from s3proxy.config import Config
from s3proxy.node.commons import Seat, made
from s3proxy.node.failures import StartError, first_failure
from s3proxy.node.listening import announce, listen
from s3proxy.node.supervisor import Supervisor
from s3proxy.node.tls import check_tls


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Raises:
        StartError: the port is taken, a certificate cannot be used, the root is missing or not writable, a log cannot
            be opened; or a worker cannot be kept alive.
    """
    if sys.getfilesystemencoding() != "utf-8":
        raise StartError("file names are not in UTF-8 here, but keys are; set LANG=C.UTF-8 or PYTHONUTF8=1")
    check_tls(config)
    workers = config.server.workers or len(os.sched_getaffinity(0))
    try:
        trio.run(_serve_alone if workers == 1 else partial(_supervise, workers=workers), config)
    except* StartError as failures:
        raise first_failure(failures) from None


async def _serve_alone(config: Config) -> None:
    from s3proxy.node.serve import serve  # noqa: PLC0415 (a supervisor needs nothing of it)

    with made(config, 1) as commons:
        sockets = await listen(config.server.listen)
        seat = Seat(
            worker=0, workers=1, sockets=sockets, shared=commons.shared, tiers=commons.tiers, table=commons.table
        )
        await serve(config, seat, lambda: announce(sockets, is_tls=bool(config.tls.certificate_file)))


async def _supervise(config: Config, *, workers: int) -> None:
    with made(config, workers) as commons:
        sockets = await listen(config.server.listen)
        await Supervisor(config, commons, sockets, workers=workers).run()
