"""One process that a supervisor started, from its first moment to its last."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Final

import trio

import s3proxy
from s3proxy.node.pulse import Loss
from s3proxy.node.seating import FAILED, OUTGROWN, READY
from s3proxy.node.systemd import OWN_VARIABLES

_LINE_BYTES: Final = 65_536

TELL_WHERE: Final = signal.SIGUSR1
"""On which a process writes where each of its threads is, and goes on."""


class Process:
    """A worker or the admin process.

    Args:
        number: of the worker.
        row: of the shared tables.
    """

    def __init__(self, number: int, row: int) -> None:
        self.number: Final = number
        self.row: Final = row
        self.pid: int | None = None
        self.begun: Final = trio.current_time()
        self.is_ready = False
        self.settled: Final = trio.Event()
        """It is ready, or has ended."""
        self.outgrown = trio.Event()
        """Another one would be better off, as it has said, or it has ended."""
        self.lost: Final = trio.Event()
        """It has ended, or was killed, which the kernel may take a while for."""
        self.ended: Final = trio.Event()
        self.failure = ""
        """Why it cannot start, as it says itself."""
        self.words = ""
        """How it ended."""
        self.loss = Loss.DIED
        """As what that counts, if nobody has told it to."""
        self._process: trio.Process | None = None
        self._is_told_to_end = False

    async def run(self, module: str, seat: bytes, descriptors: Sequence[int]) -> None:
        """Start it, seat it, and listen to it to its end; it ends at once when this is cancelled.

        Args:
            module: whose main program it is.
            seat: what it reads first.
            descriptors: which it inherits.
        """
        try:
            self._process = process = await trio.lowlevel.open_process(
                [sys.executable, "-P", "-m", module],
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=tuple(descriptors),
                env=_environment(),
            )
            self.pid = process.pid
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                async with process.stdin, process.stdout:
                    if self._is_told_to_end:
                        self.tell_to_end()
                    await self._attend(process.stdin, process.stdout, seat)
                    await process.wait()
            finally:
                await _reap(process)
                self.words = self.words or _words_of(process.returncode or 0)
        finally:
            self.settled.set()
            self.outgrown.set()
            self.lost.set()
            self.ended.set()

    def tell_to_end(self) -> None:
        """Have it finish what it does and go."""
        self._is_told_to_end = True
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    def tell_where_it_is(self) -> None:
        """Have it write to standard error what each of its threads does, which it can even when it hangs."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(TELL_WHERE)

    def kill(self, words: str, loss: Loss = Loss.DIED) -> None:
        """End it at once; ``words`` say why."""
        self.words = words
        self.loss = loss
        self.lost.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    @property
    def reason(self) -> str:
        """How it ended, in words that follow its name."""
        return f"failed: {self.failure}" if self.failure else self.words

    @property
    def has_done_as_told(self) -> bool:
        """Whether it ended without a failure."""
        return self._process is not None and self._process.returncode == 0

    async def _attend(self, stdin: trio.abc.SendStream, stdout: trio.abc.ReceiveStream, seat: bytes) -> None:
        try:
            await stdin.send_all(seat)
        except trio.BrokenResourceError:
            return  # dead already
        said = b""
        while len(said) < _LINE_BYTES and (more := await stdout.receive_some()):
            if self.is_ready:
                if more.endswith(OUTGROWN):
                    self.outgrown.set()
                continue  # no matter how often
            said += more
            if said == READY:
                self.is_ready = True
                self.settled.set()
        if said.startswith(FAILED):
            self.failure = said.removeprefix(FAILED).decode(errors="replace").strip()


async def _reap(process: trio.Process) -> None:
    with trio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        await process.wait()


def _environment() -> dict[str, str]:
    """The supervisor's own, but for what its service manager tells it; and where this very code is.

    The code is named by its path, not by what is there now, so that a new release in its place is what starts.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    own = str(Path(s3proxy.__file__).parent.parent)
    path = [own, *filter(None, [inherited.get("PYTHONPATH")])]
    return inherited | {"PYTHONPATH": os.pathsep.join(path)}


def _words_of(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
