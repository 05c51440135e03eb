"""Keeps the workers of a node alive: starts them, replaces those that die, ends them together.

The supervisor serves nobody. It holds the listening sockets, so that connections wait in the kernel while a worker is
replaced, and the locks of the tiers.
"""

import os
import signal
import socket
import sys
from pathlib import Path
from subprocess import PIPE
from typing import Final

import trio

import s3proxy
from s3proxy.config import Config
from s3proxy.node.commons import Commons
from s3proxy.node.failures import StartError
from s3proxy.node.listening import announce
from s3proxy.node.seating import FAILED, READY, encode_seat, inherited
from s3proxy.telemetry import log_error

_MODULE = "s3proxy.node.worker"
_MOST_FAILED_STARTS: Final = 5
_FIRST_PAUSE_SECONDS = 0.1
_LEAST_SECONDS: Final = 1.0
"""From one start of a worker to the next, lest one that dies as soon as it serves takes a whole core."""

_GRACE_SECONDS: Final = 5.0
"""For workers to end, beyond the time that their requests have."""

_LINE_BYTES: Final = 65_536
_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Supervisor:
    """The workers of one node.

    Args:
        config: of the node.
        commons: what the workers have in common.
        sockets: listening; taken over.
        workers: how many.
    """

    def __init__(self, config: Config, commons: Commons, sockets: list[socket.socket], *, workers: int) -> None:
        self._config = config
        self._commons = commons
        self._sockets = sockets
        self._workers = workers
        self._processes: dict[int, trio.Process] = {}
        self._ready: set[int] = set()
        self._is_announced = False
        self._is_stopping = False

    async def run(self) -> None:
        """Run the workers until SIGTERM or SIGINT, and then until they have drained.

        Raises:
            StartError: a worker cannot be started, or dies at its start again and again.
        """
        try:
            async with trio.open_nursery() as nursery:
                workers = trio.CancelScope()
                nursery.start_soon(self._stop_on_signal, workers)
                with workers:
                    async with trio.open_nursery() as keepers:
                        for number in range(self._workers):
                            keepers.start_soon(self._keep, number)
                nursery.cancel_scope.cancel()
        finally:
            self._close_sockets()

    async def _stop_on_signal(self, workers: trio.CancelScope) -> None:
        with trio.open_signal_receiver(*_STOP_SIGNALS) as signals:
            async for _ in signals:
                self._is_stopping = True
                self._close_sockets()  # whoever comes now is refused, and does not wait for nobody
                for process in self._processes.values():
                    process.send_signal(signal.SIGTERM)
                workers.deadline = trio.current_time() + self._config.server.drain_seconds + _GRACE_SECONDS

    def _close_sockets(self) -> None:
        for each in self._sockets:
            each.close()

    async def _keep(self, number: int) -> None:
        """Run one worker after the other."""
        failed_starts = 0
        while not self._is_stopping:
            begun = trio.current_time()
            reason = await self._run_one(number)
            if self._is_stopping:
                return
            if number in self._ready:
                self._ready.discard(number)
                failed_starts = 0
                log_error(f"worker {number} {reason}; starting another")
                await trio.sleep_until(begun + _LEAST_SECONDS)
                continue
            failed_starts += 1
            if not self._is_announced and reason.startswith("failed"):
                raise StartError(reason.removeprefix("failed: "))
            if failed_starts == _MOST_FAILED_STARTS:
                raise StartError(f"worker {number} did not start {failed_starts} times in a row; the last one {reason}")
            log_error(f"worker {number} {reason} before it was ready; trying again")
            await trio.sleep(_FIRST_PAUSE_SECONDS * 2**failed_starts)

    async def _run_one(self, number: int) -> str:
        """Run a worker to its end; how that was, in words."""
        process = await trio.lowlevel.open_process(
            [sys.executable, "-P", "-m", _MODULE],
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=inherited(self._commons, self._sockets),
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._processes[number] = process
        try:
            async with process.stdin, process.stdout:
                if self._is_stopping:
                    process.send_signal(signal.SIGTERM)
                failure = await self._attend(number, process.stdin, process.stdout)
                code = await process.wait()
        finally:
            del self._processes[number]
            with trio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()
        return f"failed: {failure}" if failure else _words_of(code)

    async def _attend(self, number: int, seat: trio.abc.SendStream, reports: trio.abc.ReceiveStream) -> str:
        """Seat a worker, and listen to it to its end.

        Returns:
            Why it cannot start, or nothing.
        """
        try:
            await seat.send_all(
                encode_seat(self._config, self._commons, self._sockets, worker=number, workers=self._workers)
            )
        except trio.BrokenResourceError:
            return ""  # dead already
        said = b""
        while len(said) < _LINE_BYTES and (more := await reports.receive_some()):
            said += more
            if said == READY:
                self._note_ready(number)
        return said.removeprefix(FAILED).decode(errors="replace").strip() if said.startswith(FAILED) else ""

    def _note_ready(self, number: int) -> None:
        self._ready.add(number)
        if len(self._ready) == self._workers and not self._is_announced:
            self._is_announced = True
            announce(self._sockets, is_tls=bool(self._config.tls.certificate_file))


def _python_path() -> str:
    """Where this very code is, whatever directory the node was started in."""
    own = str(Path(s3proxy.__file__).parent.parent)
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])


def _words_of(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
