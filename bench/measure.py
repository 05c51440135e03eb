"""What the kernel knows of a server and of the machine: CPU time, resident memory, and who runs on which core.

A server is a process and all its descendants: nginx answers from a child.
"""

import os
import time
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Who computed for how long in a stretch of ``seconds``; all are CPU seconds, over all cores."""

    seconds: float
    server: float
    load: float
    load_delay: float = 0.0
    """How long the load generator had work and waited for its core, which somebody else had meanwhile."""
    store: float = 0.0
    """What stands behind the server, and the relay between them."""
    others: float
    """Everybody else, and what the hypervisor took: a figure measured beside much of it is worth little."""

    @property
    def load_limited(self) -> bool:
        """Whether the load generator hardly ever slept, and the server did: then the rates are a lower bound."""
        wanted = self.load + self.load_delay
        return wanted > 0.9 * self.seconds and wanted > self.server


class Stopwatch:
    """Measures ``Usage`` from its making on. The load is this process, ``store`` the processes behind the server.

    The thread that makes it and stops it is the one that loads.
    """

    def __init__(self, server: int, store: Iterable[int] = ()) -> None:
        self._server = server
        self._store = tuple(pid for pid in store if pid != server)
        self._before = self._read()

    def _read(self) -> tuple[float, ...]:
        server, store = cpu_seconds(self._server), sum(map(cpu_seconds, self._store))
        load = time.process_time(), delay_seconds(_text(_PROC / "thread-self" / "schedstat"))
        return time.perf_counter(), server, *load, store, machine_busy_seconds()

    def stop(self) -> Usage:
        """What was used until now."""
        seconds, server, load, delay, store, machine = (
            after - before for after, before in zip(self._read(), self._before, strict=True)
        )
        others = max(0.0, machine - server - load - store)
        return Usage(seconds=seconds, server=server, load=load, load_delay=delay, store=store, others=others)


def family(pid: int) -> list[int]:
    """The process and its descendants that live, ancestors first."""
    found = [pid]
    for each in found:
        for task in _listing(_PROC / str(each) / "task"):
            found.extend(map(int, _text(task / "children").split()))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of the process, its descendants, and its children that have ended."""
    return sum(parse_stat(_text(_PROC / str(each) / "stat")) for each in family(pid)) / _TICKS_PER_SECOND


def parse_stat(text: str) -> int:
    """Clock ticks out of ``/proc/PID/stat``: utime, stime, cutime and cstime; 0 for a process that is gone.

    The name of the program stands in parentheses and may hold spaces and parentheses itself.
    Source: proc_pid_stat(5).
    """
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def delay_seconds(text: str) -> float:
    """Seconds on the run queue out of ``/proc/PID/schedstat``; 0 where the kernel does not say.

    Source: Documentation/scheduler/sched-stats.rst of Linux.
    """
    fields = text.split()
    return int(fields[1]) / 1e9 if len(fields) > 1 else 0.0


def rss_bytes(pid: int) -> int:
    """What is resident now, of the process and its descendants."""
    return _status_sum(pid, "VmRSS")


def peak_rss_bytes(pid: int) -> int:
    """The most that was resident, each process at its own time, since the start or ``reset_peak_rss``."""
    return _status_sum(pid, "VmHWM")


def reset_peak_rss(pid: int) -> None:
    """Let the peaks start anew from what is resident now. Source: proc_pid_clear_refs(5)."""
    for each in family(pid):
        (_PROC / str(each) / "clear_refs").write_text("5")


def parse_status(text: str, name: str) -> int:
    """Bytes out of one line of ``/proc/PID/status``, for example of ``VmHWM:  12 kB``; 0 where it is missing."""
    for line in text.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def machine_busy_seconds() -> float:
    """CPU time that all cores together spent on anything, since the machine started."""
    fields = _text(_PROC / "stat").split("\n", 1)[0].split()[1:]
    return sum(int(fields[index]) for index in _BUSY) / _TICKS_PER_SECOND


@contextmanager
def running_on(cores: Set[int]) -> Iterator[None]:
    """Keep this process, and those that it starts meanwhile, on ``cores``."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _status_sum(pid: int, name: str) -> int:
    return sum(parse_status(_text(_PROC / str(each) / "status"), name) for each in family(pid))


def _listing(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:  # ended meanwhile
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # ended meanwhile
        return ""
