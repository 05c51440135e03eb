"""Event loops that stand still: who has one is ended; the service manager hears when that does not help."""

import os
from collections.abc import Callable, Sequence
from typing import Final, Never

import trio

from s3proxy.node import systemd
from s3proxy.node.posts import Post
from s3proxy.node.process import Process
from s3proxy.node.pulse import BEAT_SECONDS, Loss, Pulse

_TELLING_SECONDS: Final = 0.2
"""For a process to write where it hangs."""


async def end_hung(posts: Sequence[Post], pulse: Pulse, timeout_seconds: Callable[[], float]) -> Never:
    """End each process that serves and whose event loop gives no beat, until cancelled.

    Args:
        posts: whose processes are watched.
        pulse: on which they beat.
        timeout_seconds: after how long a silence; 0 is never.
    """
    while True:
        before = trio.current_time()
        await trio.sleep(BEAT_SECONDS)
        # When this loop was late as well, the machine stood still, and each process is given a second to beat again.
        if timeout_seconds() and trio.current_time() - before < 2 * BEAT_SECONDS:
            for process in [post.serving for post in posts]:
                if process is not None and not _lives(process, pulse, timeout_seconds()):
                    await _end(process, pulse)


async def feed_watchdog(posts: Sequence[Post], pulse: Pulse, is_stopping: Callable[[], bool]) -> None:
    """Tell the service manager that all is well for as long as every event loop goes round, or the node drains."""
    period = systemd.watchdog_seconds(os.environ)
    while period is not None:
        if is_stopping() or all(_lives(post.serving, pulse, period / 2) for post in posts):
            systemd.notify(systemd.WATCHDOG)
        await trio.sleep(period / 4)


def _lives(process: Process | None, pulse: Pulse, seconds: float) -> bool:
    """Whether a process gives beats; one that is lost is being replaced, which has bounds of its own."""
    return process is None or process.lost.is_set() or pulse.silent_seconds(process.row) < seconds


async def _end(process: Process, pulse: Pulse) -> None:
    process.tell_where_it_is()
    await trio.sleep(_TELLING_SECONDS)
    if not process.lost.is_set():
        seconds = pulse.silent_seconds(process.row)
        process.kill(f"was killed, for its event loop stood still for {seconds:.0f} seconds", Loss.HUNG)
