"""Workers that die or stop at a chosen step of what they do to the tiers; all else is as in a node.

A *step* is the instant before a call that others can notice: of the file system, as the modules of the cache make them,
or of the shared words. Writes have another one in their middle. Nothing that others can notice happens between two
steps, so that dying at each of them is dying at every instant.

One process, that has imported everything and has one thread, forks the workers: ``python -m tests.cache.killing``.
"""

import ast
import fcntl
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, partial, wraps
from inspect import isroutine
from pathlib import Path
from typing import Any, Final, Literal, ParamSpec, TypeVar

import trio

import s3proxy.cache
from s3proxy.cache import atimes
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier import Tier
from s3proxy.cache.usage import TierUsage
from tests.cache.dying import SCENARIOS, SIZE_BYTES, TIER_NAMES
from tests.cache.making import GEOMETRY
from tests.cache.rig import Rig

NOTICED_BY_NOBODY: Final = frozenset({
    "fstat", "fstatvfs", "fsync", "fwalk", "lseek", "memfd_create", "pread", "preadv", "scandir", "stat", "strerror",
    "urandom",
})  # fmt: skip
OF_PATHLIB: Final = frozenset({"mkdir", "rename", "rmdir", "unlink"})
"""What methods of ``Path`` call."""

WORKER: Final = 0
"""Its place among the shared words."""

Action = Literal["kill", "stop"]
P = ParamSpec("P")
R = TypeVar("R")


@cache
def calls_of_the_cache() -> frozenset[str]:
    """What the modules of the cache call of ``os`` and ``fcntl``."""
    (directory,) = s3proxy.cache.__path__
    trees = (ast.parse(path.read_bytes()) for path in Path(directory).glob("*.py"))
    return frozenset(
        node.attr
        for node in itertools.chain.from_iterable(map(ast.walk, trees))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"os", "fcntl"}
        and isroutine(getattr(os, node.attr, None) or getattr(fcntl, node.attr, None))
    )


class _Steps:
    """Counts steps, and ends or stops this process at one of them; at 0, that is never."""

    def __init__(self, at: int, action: Action) -> None:
        self.names: Final[list[str]] = []
        self._at = at
        self._signal = signal.SIGKILL if action == "kill" else signal.SIGSTOP

    def take(self, name: str) -> None:
        self.names.append(name)  # in any thread
        if len(self.names) == self._at:
            os.kill(os.getpid(), self._signal)

    def before(self, name: str, call: Callable[P, R]) -> Callable[P, R]:
        @wraps(call)
        def stepping(*arguments: P.args, **named: P.kwargs) -> R:
            self.take(name)
            return call(*arguments, **named)

        return stepping

    def after(self, name: str, call: Callable[P, R]) -> Callable[P, R]:
        @wraps(call)
        def stepping(*arguments: P.args, **named: P.kwargs) -> R:
            result = call(*arguments, **named)
            self.take(name)
            return result

        return stepping


def _wrap_everything(steps: _Steps) -> None:
    """Make every call that others can notice a step, in this process, until it ends."""
    for name in (calls_of_the_cache() | OF_PATHLIB) - NOTICED_BY_NOBODY:
        _replace(os if hasattr(os, name) else fcntl, name, partial(steps.before, name))
    _replace(os, "pwrite", lambda write: partial(_write_in_halves, steps, write))
    _replace(os, "sendfile", lambda send: partial(_send_in_halves, steps, send))
    _replace(io, "open", partial(steps.before, "open a stream"))
    _replace(io, "open", partial(steps.after, "write a stream"))  # which is done when it is closed
    _replace(atimes, "_futimens", partial(steps.before, "futimens"))
    _replace(SharedWords, "add_own", partial(steps.before, "add_own"))
    _replace(SharedWords, "clear_own", partial(steps.before, "clear_own"))


def _replace(owner: object, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(owner, name, wrap(getattr(owner, name)))


def _write_in_halves(steps: _Steps, write: Callable[..., int], fd: int, data: bytes | memoryview, offset: int) -> int:
    half = len(data) // 2
    count = write(fd, data[:half], offset)
    steps.take("half of a pwrite")
    return count + os.pwritev(fd, [data[half:]], offset + half)


def _send_in_halves(steps: _Steps, send: Callable[..., int], target: int, source: int, start: int, count: int) -> int:
    half = send(target, source, start, count // 2)
    steps.take("half of a sendfile")
    return half + send(target, source, start + half, count - half)


# The worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker is to do, and where it ends: at step ``at``, from 1; 0 to go through."""

    scenario: str
    directories: list[str]
    words: str
    at: int
    action: Action = "kill"


def _work(task: Task) -> None:
    shared = SharedWords.attach(os.open(task.words, os.O_RDWR | os.O_CLOEXEC), WORKER)
    tiers = [
        Tier(TIER_NAMES[number], Path(directory), usage=TierUsage(shared, number, SIZE_BYTES), shared=shared)
        for number, directory in enumerate(task.directories)
    ]
    rig = Rig(shared=shared, tiers=tiers, geometry=GEOMETRY)
    steps = _Steps(task.at, task.action)
    _wrap_everything(steps)
    trio.run(SCENARIOS[task.scenario].act, rig)
    _tell(json.dumps(steps.names))


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _serve() -> None:
    """Fork a worker for each line, and tell what becomes of it."""
    calls_of_the_cache()  # once for all of them
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                _work(Task(**json.loads(line)))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _tell(json.dumps(pid))
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            _tell(json.dumps("stopped"))
        _tell(json.dumps(os.waitstatus_to_exitcode(status)))


# The other side


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker that was started.

    Attributes:
        pid: of it.
        steps: that it took, if it went through.
        code: that it ended with, negative for a signal; None while it is stopped.
    """

    pid: int
    steps: list[str]
    code: int | None


class Workers:
    """Starts workers one after the other. Made by ``worker_process``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def start(self, task: Task) -> Worker:
        """Start one, and wait until it has ended or stopped."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(task)) + "\n")
        self._process.stdin.flush()
        pid = self._answer()
        assert isinstance(pid, int)
        return self.ended(pid)

    def ended(self, pid: int) -> Worker:
        """Wait until a worker has ended or stopped."""
        answer = self._answer()
        steps: list[str] = []
        if isinstance(answer, list):
            steps, answer = answer, self._answer()
        return Worker(pid=pid, steps=steps, code=answer if isinstance(answer, int) else None)

    def _answer(self) -> int | str | list[str]:
        assert self._process.stdout is not None
        answer: int | str | list[str] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def worker_process() -> Iterator[Workers]:
    """The process that forks workers."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cache.killing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    ) as process:
        yield Workers(process)


if __name__ == "__main__":
    _serve()
