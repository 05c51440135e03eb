"""Keeps the processes of a node: starts them, replaces those that die, replaces them all on demand, ends them together.

The supervisor serves nobody. It holds the listening sockets, so that connections wait in the kernel while processes
come and go, and the locks of the tiers.
"""

import signal
from collections.abc import AsyncIterator, Callable
from typing import Final

import trio

from s3proxy.admin.reload_progress import ProgressTeller
from s3proxy.config import Config, ConfigError
from s3proxy.node import systemd
from s3proxy.node.absences import look_for
from s3proxy.node.commons import Commons
from s3proxy.node.failures import StartError
from s3proxy.node.listening import Listening, addresses_of, announce
from s3proxy.node.logs import speak
from s3proxy.node.posts import Post, posts_of
from s3proxy.node.process import Process
from s3proxy.node.reloading import check_reload
from s3proxy.node.reporting import report_failures
from s3proxy.node.seating import Place, encode_seat, inherited
from s3proxy.node.vigil import end_hung, feed_watchdog
from s3proxy.telemetry import log_error, log_info

_FIRST_PAUSE_SECONDS = 0.1
_MOST_PAUSE_SECONDS: Final = 30.0
_LEAST_SECONDS: Final = 0.9
"""From one start of a worker to the next, lest one that dies as soon as it serves takes a whole core."""

_START_SECONDS: Final = 60.0
"""For a process to get ready."""

_GRACE_SECONDS: Final = 5.0
"""For processes to end, beyond the time that their requests have."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)


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
        self._addresses = addresses_of(listening.data)
        self._workers = workers
        self._reread = reread or (lambda: config)
        self._posts = posts_of(workers, has_admin=bool(listening.admin))
        self._progress = ProgressTeller(board=commons.progress)
        self._processes: set[Process] = set()
        self._asked: set[signal.Signals] = set()
        self._is_asked = trio.Event()
        self._is_announced = False
        self._is_over = trio.Event()
        self._failure = ""
        """Why the node cannot go on; empty when it can."""
        self._is_stopping = False
        self._has_found = False
        self._nursery: trio.Nursery

    async def run(self) -> None:
        """Run the processes until SIGTERM or SIGINT, and then until they have drained.

        SIGHUP replaces them with ones that have the configuration as it is then, SIGUSR2 with ones of the program as it
        is then.

        Raises:
            StartError: a worker cannot be started, or dies soon after its start again and again. The other ones have
                drained then.
        """
        with trio.open_signal_receiver(*_SIGNALS) as signals:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._obey, signals)
                self._nursery.start_soon(self._reload_when_asked)
                self._nursery.start_soon(self._watch)
                self._nursery.start_soon(report_failures, self._commons.reports)
                if self._commons.directories.absent:
                    self._nursery.start_soon(look_for, self._find_tiers, self._replace_all)
                for post in self._posts:
                    self._nursery.start_soon(self._fill_if_empty, post)
                await self._is_over.wait()
                await self._stop()
                self._nursery.cancel_scope.cancel()
        if self._failure:
            raise StartError(self._failure)

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        async for number in signals:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._is_over.set()
            else:
                self._asked.add(signal.Signals(number))
                self._is_asked.set()

    async def _watch(self) -> None:
        """See to it that no process hangs for long."""
        pulse = self._commons.pulse
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_hung, self._posts, pulse, lambda: self._config.server.worker_timeout_seconds)
            nursery.start_soon(feed_watchdog, self._posts, pulse, lambda: self._is_stopping)

    # The end

    def _fail(self, failure: str) -> None:
        """End the node, for it cannot go on; the requests that other workers answer are finished."""
        self._failure = self._failure or failure
        self._is_over.set()

    async def _stop(self) -> None:
        self._commons.pulse.begin_draining()
        systemd.notify(systemd.STOPPING, systemd.status(self._failure or "draining"))
        if self._is_announced:
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

    async def _fill_if_empty(self, post: Post) -> None:
        """Have a process at a post; others call this when it is lost."""
        async with post.changing:
            if post.serving is None or post.serving.lost.is_set():
                await self._fill(post)

    async def _fill(self, post: Post) -> None:
        """Start processes until one is ready."""
        while not (self._is_stopping or self._failure):
            process = await self._start(post, self._config)
            if process.is_ready:
                self._appoint(post, process)
                return
            if self._is_stopping:
                return
            if not self._is_announced and process.failure:
                self._fail(process.failure)
                return
            self._commons.pulse.count_loss(process.loss)
            log_error(f"{post.name} {process.reason} before it was ready; trying again")
            if failure := post.count_failure(process):
                self._fail(failure)
                return
            self._announce_when_ready()
            await trio.sleep(min(_FIRST_PAUSE_SECONDS * 2**post.failures, _MOST_PAUSE_SECONDS))

    async def _start(self, post: Post, config: Config) -> Process:
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

    async def _run(self, post: Post, process: Process, config: Config) -> None:
        listening = self._listening
        place = Place(
            worker=post.number,
            workers=self._workers,
            row=process.row,
            sockets=listening.data if post.is_vital else (),
            admin_sockets=() if post.is_vital else listening.admin,
            addresses=self._addresses,
        )
        if self._is_stopping:
            process.tell_to_end()
        try:
            descriptors = inherited(self._commons, [*place.sockets, *place.admin_sockets])
            await process.run(post.module, encode_seat(config, self._commons, place), descriptors)
        finally:
            self._processes.discard(process)
            post.rows[0].send_nowait(process.row)

    def _appoint(self, post: Post, process: Process) -> None:
        post.serving = process
        self._nursery.start_soon(self._renew, post, process)
        self._nursery.start_soon(self._succeed, post, process)
        self._commons.pulse.set_serving(post.number, process.pid)
        self._announce_when_ready()

    async def _succeed(self, post: Post, process: Process) -> None:
        """Have another process at a post when the one that serves there is lost."""
        await process.lost.wait()
        if post.serving is not process or self._is_stopping:
            return
        self._commons.pulse.set_serving(post.number, None)
        log_error(f"{post.name} {process.reason}; starting another")
        if not process.has_done_as_told:
            self._commons.pulse.count_loss(process.loss)
        if failure := post.count_loss(process):
            self._fail(failure)
        await trio.sleep_until(process.begun + _LEAST_SECONDS)
        await self._fill_if_empty(post)

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
            self._progress.begin(len(self._posts))
            refusal = await self._reload(is_config_asked=signal.SIGHUP in asked)
            if refusal:
                log_error(f"reload refused: {refusal}; going on as before")
            else:
                speak(self._config)
                log_info("reloaded")
            words = f"{self._serving_words()}; {f'the last reload was refused: {refusal}' if refusal else 'reloaded'}"
            systemd.notify(systemd.READY, systemd.status(words))
            self._progress.end(refusal)

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
        replaced: list[Post] = []
        for post in self._posts:
            if reason := await self._replace(post):
                self._config = before
                for each in replaced if is_config_asked else ():
                    await self._replace(each)
                return f"{post.name} {reason}"
            replaced.append(post)
            self._progress.count_replaced()
        return ""

    async def _replace(self, post: Post) -> str:
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

    async def _renew(self, post: Post, process: Process) -> None:
        """Replace a process that has found what was absent at its start, each time that it says so."""
        while not process.ended.is_set():
            await process.outgrown.wait()
            process.outgrown = trio.Event()
            if post.serving is process and not process.ended.is_set() and (reason := await self._replace(post)):
                log_error(f"{post.name} {reason}; the one before it goes on")
