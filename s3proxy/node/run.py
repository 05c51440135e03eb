"""A node, from its configuration to its end."""

import os
import sys
from collections.abc import Callable

import trio

from s3proxy.config import Config
from s3proxy.node import systemd
from s3proxy.node.commons import made
from s3proxy.node.failures import StartError, first_failure
from s3proxy.node.listening import check_reach, listening
from s3proxy.node.logs import speak
from s3proxy.node.supervisor import Supervisor
from s3proxy.node.tls import check_tls


def run(config: Config, reread: Callable[[], Config]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Args:
        config: of the node.
        reread: gives the configuration as it is when SIGHUP comes; may raise ConfigError.

    Raises:
        StartError: the port is taken, a certificate cannot be used, the root is missing or not writable, a log cannot
            be opened; or a worker cannot be kept alive.
    """
    if sys.getfilesystemencoding() != "utf-8":
        raise StartError("file names are not in UTF-8 here, but keys are; set LANG=C.UTF-8 or PYTHONUTF8=1")
    check_tls(config)
    speak(config)
    try:
        trio.run(_supervise, config, reread)
    except* StartError as failures:
        failure = first_failure(failures)
        systemd.notify(systemd.status(str(failure)))
        raise failure from None


async def _supervise(config: Config, reread: Callable[[], Config]) -> None:
    workers = config.server.workers or len(os.sched_getaffinity(0))
    with made(config, workers) as commons:
        async with listening(config) as sockets:
            check_reach(config, sockets)

            def reread_for_these() -> Config:
                after = reread()
                check_reach(after, sockets)
                return after

            await Supervisor(config, commons, sockets, workers=workers, reread=reread_for_these).run()
