"""A worker: a process that a supervisor starts, and that does not outlive it.

Its standard input brings a line that says what to serve (seating.py), and then nothing for as long as the supervisor
lives. On its standard output it says ``ready`` when it accepts connections, or ``failed`` and why.
"""

import faulthandler
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import trio

from s3proxy.config import Config
from s3proxy.node.commons import Seat
from s3proxy.node.failures import StartError, first_failure
from s3proxy.node.logs import speak
from s3proxy.node.process import TELL_WHERE
from s3proxy.node.pulse import beat_forever
from s3proxy.node.scheduling import run_in_order
from s3proxy.node.seating import FAILED, READY, take_seat
from s3proxy.node.serve import serve

Serving = Callable[[Config, Seat, Callable[[], None]], Awaitable[None]]
"""Serves with a configuration and a seat until told to stop, and says when it is ready."""


def main(serving: Serving = serve) -> int:
    """Serve until told to stop; returns the exit code."""
    for meant_for_supervisor in (signal.SIGHUP, signal.SIGUSR2):  # a terminal sends the former to all
        signal.signal(meant_for_supervisor, signal.SIG_IGN)
    faulthandler.register(TELL_WHERE)
    run_in_order()
    failure = None
    try:
        config, seat = take_seat(sys.stdin.buffer.readline())
        speak(config, worker=seat.worker)
        trio.run(_serve, serving, config, seat)
    except* StartError as failures:
        failure = first_failure(failures)
    if failure is not None:
        os.write(1, FAILED + str(failure).replace("\n", " ").encode("utf-8", "replace") + b"\n")
        return 1
    return 0


async def _serve(serving: Serving, config: Config, seat: Seat) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_with_supervisor, nursery.cancel_scope)
        nursery.start_soon(beat_forever, seat.pulse)
        await serving(config, seat, _say_ready)
        nursery.cancel_scope.cancel()


def _say_ready() -> None:
    os.write(1, READY)


async def _end_with_supervisor(scope: trio.CancelScope) -> None:
    """Cancel everything when the supervisor is gone: another may be starting, with the same port and tiers."""
    async with trio.lowlevel.FdStream(os.dup(0)) as supervisor:
        while await supervisor.receive_some():
            pass
    scope.cancel()


if __name__ == "__main__":
    sys.exit(main())
