"""Keeps the processes of a node: starts them, replaces those that die, replaces them all on demand, ends them together.

The supervisor serves nobody. It holds the listening sockets, so that connections wait in the kernel while processes
come and go, and the locks of the tiers.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from s3proxy.config import Config, ConfigError
from s3proxy.node import systemd
from s3proxy.node.absences import look_for
from s3proxy.node.commons import Commons
from s3proxy.node.failures import StartError
from s3proxy.node.listening import Listening, announce
from s3proxy.node.logs import speak
from s3proxy.node.process import Process
from s3proxy.node.reloading import check_reload
from s3proxy.node.reporting import report_failures
from s3proxy.node.seating import Place, encode_seat, inherited
from s3proxy.telemetry import log_error, log_info

_WORKER: Final = "s3proxy.node.worker"
_ADMIN: Final = "s3proxy.node.admin_worker"

_MOST_FAILURES: Final = 5
_SOON_SECONDS: Final = 30.0
"""A worker that dies sooner than this after its start, so many times in a row, is not started again."""

_FIRST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS: Final = 30.0
_LEAST_SECONDS: Final = 0.9
"""From one start of a worker to the next, lest one that dies as soon as it serves takes a whole core."""

_START_SECONDS: Final = 60.0
"""For a process to get ready."""

_GRACE_SECONDS: Final = 5.0
"""For processes to end, beyond the time that their requests have."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


def _free_rows() -> tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]]:
    return trio.open_memory_channel[int](2)


@dataclass(slots=True, kw_only=True, eq=False)
class _Post:
    """What one process after the other fills."""

    number: int
    name: str
    module: str
    is_vital: bool
    """Whether the node serves nobody without it."""
    serving: Process | None = None
    failures: int = 0
    """Processes that have died soon after their start, in a row."""
    changing: trio.Lock = field(default_factory=trio.Lock)
    rows: tuple[trio.MemorySendChannel[int], trio.MemoryReceiveChannel[int]] = field(default_factory=_free_rows)
    """Those of the shared tables that no process has."""


class Supervisor:
    """The processes of one node.

    Args:
        config: of the node.
        commons: what the processes have in common.
        listening: the sockets.
        workers: how many serve.
        reread: gives the configuration as it is now, checked; raises ConfigError or StartError.
    """

    def __init__(
        self,
        config: Config,
        commons: Commons,
        listening: Listening,
        *,
        workers: int,
        reread: Callable[[], Config] | None = None,
    ) -> None:
        self._config = config
        self._commons = commons
        self._listening = listening
        self._workers = workers
        self._reread = reread or (lambda: config)
        self._posts = _posts(workers, has_admin=bool(listening.admin))
        self._processes: set[Process] = set()
        self._asked: set[signal.Signals] = set()
        self._is_asked = trio.Event()
        self._is_announced = False
        self._is_stopping = False
        self._has_found = False
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Run the processes until SIGTERM or SIGINT, and then until they have drained.

        SIGHUP replaces them with ones that have the configuration as it is then, SIGUSR2 with ones of the program as it
        is then.

        Raises:
            StartError: a worker cannot be started, or dies soon after its start again and again.
        """
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._reload_when_asked)
                self._nursery.start_soon(self._feed_watchdog)
                self._nursery.start_soon(report_failures, self._commons.reports)
                if self._commons.directories.absent:
                    self._nursery.start_soon(look_for, self._find_tiers, self._replace_all)
                for post in self._posts:
                    self._nursery.start_soon(self._keep, post)
                async for number in signals:
                    if number in (signal.SIGTERM, signal.SIGINT):
                        break
                    self._asked.add(signal.Signals(number))
                    self._is_asked.set()
                await self._stop()
                self._nursery.cancel_scope.cancel()

    # The end

    async def _stop(self) -> None:
        self._commons.pulse.begin_draining()
        systemd.notify(systemd.STOPPING, systemd.status("draining"))
        await trio.sleep(self._config.server.readiness_seconds)
        self._is_stopping = True
        self._listening.close_data()  # whoever comes now is refused, and does not wait for nobody
        vital = {post.number for post in self._posts if post.is_vital}
        # The admin process is the last to go: until then it says that the node is draining.
        await self._end({each for each in self._processes if each.number in vital}, self._config.server.drain_seconds)
        await self._end(set(self._processes), 0)

    async def _end(self, processes: set[Process], seconds: float) -> None:
        for each in processes:
            each.tell_to_end()
        with trio.move_on_after(seconds + _GRACE_SECONDS):
            for each in processes:
                await each.ended.wait()

    # One process after the other

    async def _keep(self, post: _Post) -> None:
        """Have one process at a post, always."""
        while not self._is_stopping:
            async with post.changing:
                if post.serving is None or post.serving.ended.is_set():
                    await self._fill(post)
            process = post.serving
            if process is not None:
                await process.ended.wait()
                self._note_end(post, process)  # which another one may have replaced meanwhile
                await trio.sleep_until(process.begun + _LEAST_SECONDS)

    async def _fill(self, post: _Post) -> None:
        """Start processes until one is ready."""
        while not self._is_stopping:
            process = await self._start(post, self._config)
            if process.is_ready:
                self._appoint(post, process)
                return
            if self._is_stopping:
                return
            if not self._is_announced and process.failure:
                raise StartError(process.failure)
            self._count_failure(post, process)
            log_error(f"{post.name} {process.reason} before it was ready; trying again")
            self._announce_when_ready()
            await trio.sleep(min(_FIRST_PAUSE_SECONDS * 2**post.failures, _MOST_PAUSE_SECONDS))

    async def _start(self, post: _Post, config: Config) -> Process:
        """Start a process; gives it when it is ready, or has ended."""
        process = Process(post.number, await post.rows[1].receive())
        self._commons.pulse.forget(process.row)
        self._processes.add(process)
        self._nursery.start_soon(self._run, post, process, config)
        with trio.move_on_after(_START_SECONDS):
            await process.settled.wait()
        if not process.settled.is_set():
            process.kill(f"was not ready in {_START_SECONDS:.0f} seconds")
        if not process.is_ready:
            await process.ended.wait()
        return process

    async def _run(self, post: _Post, process: Process, config: Config) -> None:
        listening = self._listening
        place = Place(
            worker=post.number,
            workers=self._workers,
            row=process.row,
            sockets=listening.data if post.is_vital else (),
            admin_sockets=() if post.is_vital else listening.admin,
        )
        if self._is_stopping:
            process.tell_to_end()
        try:
            descriptors = inherited(self._commons, [*place.sockets, *place.admin_sockets])
            await process.run(post.module, encode_seat(config, self._commons, place), descriptors)
        finally:
            self._processes.discard(process)
            post.rows[0].send_nowait(process.row)

    def _appoint(self, post: _Post, process: Process) -> None:
        post.serving = process
        self._nursery.start_soon(self._renew, post, process)
        self._commons.pulse.set_serving(post.number, process.pid)
        self._announce_when_ready()

    def _note_end(self, post: _Post, process: Process) -> None:
        if post.serving is not process or self._is_stopping:
            return
        self._commons.pulse.set_serving(post.number, None)
        log_error(f"{post.name} {process.reason}; starting another")
        if process.has_done_as_told or trio.current_time() - process.begun > _SOON_SECONDS:
            post.failures = 0
        else:
            self._count_failure(post, process)

    def _count_failure(self, post: _Post, process: Process) -> None:
        post.failures += 1
        if post.is_vital and post.failures == _MOST_FAILURES:
            raise StartError(
                f"{post.name} died {post.failures} times in a row, each time within {_SOON_SECONDS:.0f} seconds of its "
                f"start; the last one {process.reason}"
            )

    def _announce_when_ready(self) -> None:
        if self._is_announced or any(
            post.serving is None and (post.is_vital or not post.failures) for post in self._posts
        ):
            return
        self._is_announced = True
        announce(self._listening.data, is_tls=bool(self._config.tls.certificate_file))
        systemd.notify(systemd.READY, systemd.status(self._serving_words()))

    def _serving_words(self) -> str:
        return f"serving with {self._workers} worker{'s' if self._workers > 1 else ''}"

    # Replacing them all

    async def _reload_when_asked(self) -> None:
        while True:
            await self._is_asked.wait()
            self._is_asked = trio.Event()
            asked, self._asked = self._asked, set()
            systemd.notify(*systemd.reloading(), systemd.status("replacing workers"))
            refusal = await self._reload(is_config_asked=signal.SIGHUP in asked)
            if refusal:
                log_error(f"reload refused: {refusal}; going on as before")
            else:
                speak(self._config)
                log_info("reloaded")
            words = f"{self._serving_words()}; {f'the last reload was refused: {refusal}' if refusal else 'reloaded'}"
            systemd.notify(systemd.READY, systemd.status(words))

    async def _reload(self, *, is_config_asked: bool) -> str:
        """Replace every process; why that was refused, or nothing."""
        before = self._config
        try:
            if is_config_asked:
                config = self._reread()
                check_reload(before, config)
                self._config = config
        except (ConfigError, StartError) as error:
            return str(error)
        replaced: list[_Post] = []
        for post in self._posts:
            if reason := await self._replace(post):
                self._config = before
                for each in replaced if is_config_asked else ():
                    await self._replace(each)
                return f"{post.name} {reason}"
            replaced.append(post)
        return ""

    async def _replace(self, post: _Post) -> str:
        """Start a process, and when it is ready end the one before it; why that was not possible, or nothing."""
        async with post.changing:
            process = await self._start(post, self._config)
            if not process.is_ready:
                return process.reason
            old = post.serving
            self._appoint(post, process)
        if old is not None:
            self._nursery.start_soon(self._end_old, old, self._config.server.drain_seconds)
        return ""

    async def _end_old(self, process: Process, drain_seconds: float) -> None:
        await self._end({process}, drain_seconds)
        if not process.ended.is_set():
            process.kill("did not end in time")

    # What was absent

    def _find_tiers(self) -> bool:
        """Whether a tier can be used that could not be before, or not all processes have been told of it yet."""
        found = self._commons.directories.try_again()
        for name in found:
            log_info(f"the {name} tier can be used now")
        self._has_found |= bool(found)
        return self._has_found

    async def _replace_all(self) -> None:
        """Replace every process with one that knows of the tiers."""
        for post in self._posts:
            if reason := await self._replace(post):
                log_error(f"{post.name} {reason}; the one before it goes on without a tier")
                return
        self._has_found = False

    async def _renew(self, post: _Post, process: Process) -> None:
        """Replace a process that has found what was absent at its start, each time that it says so."""
        while not process.ended.is_set():
            await process.outgrown.wait()
            process.outgrown = trio.Event()
            if post.serving is process and not process.ended.is_set() and (reason := await self._replace(post)):
                log_error(f"{post.name} {reason}; the one before it goes on")

    # The watchdog

    async def _feed_watchdog(self) -> None:
        """Tell the service manager that all is well for as long as every event loop goes round."""
        period = systemd.watchdog_seconds(os.environ)
        while period is not None:
            if self._is_stopping or all(self._is_alive(post.serving, period / 2) for post in self._posts):
                systemd.notify(systemd.WATCHDOG)
            await trio.sleep(period / 4)

    def _is_alive(self, process: Process | None, seconds: float) -> bool:
        """Whether a process gives beats; one that has ended is being replaced, which has bounds of its own."""
        if process is None or process.ended.is_set():
            return True
        return self._commons.pulse.silent_seconds(process.row) < seconds


def _posts(workers: int, *, has_admin: bool) -> list[_Post]:
    posts = [_Post(number=each, name=f"worker {each}", module=_WORKER, is_vital=True) for each in range(workers)]
    if has_admin:
        posts.append(_Post(number=workers, name="the admin process", module=_ADMIN, is_vital=False))
    for post in posts:
        for row in (post.number, post.number + workers + 1):
            post.rows[0].send_nowait(row)
    return posts
