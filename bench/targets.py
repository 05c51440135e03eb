"""What a target is, and how each is started, waited for and stopped. Which there are: ``bench.catalogue``.

A target that is not installed is named as absent; none is faked.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path

from bench import BenchError
from bench.certificates import make_certificate
from bench.client import connected
from bench.content import GIB
from bench.measure import running_on
from bench.requests import Endpoint
from bench.signing import Credentials
from bench.tiers import disk_directory, memory_directory

HOST = "127.0.0.1"
MEMORY_SIZE = 4 * GIB
"""What a cache may keep in memory, unless a case is about having less."""

_START_SECONDS = 90
_STOP_SECONDS = 15
CREDENTIALS = Credentials(access_key="AKBENCHBENCHBENCH234", secret_key="only-for-the-bench-on-loopback")  # noqa: S106
"""Of every target that wants to see some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The under-store as a cache, or the client in place of one, reaches it. ``pid`` is the store's process."""

    endpoint: Endpoint
    pid: int
    relay_pid: int | None = None
    """Of the relay before it that counts; see ``bench.understore``."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Of all that stands behind a cache."""
        return (self.pid,) if self.relay_pid is None else (self.pid, self.relay_pid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server finds and leaves things: the root of the buckets, a directory of its own, its port."""

    root: Path
    scratch: Path
    port: int
    upstream: Endpoint | None = None
    """Of a cache: the store that it asks."""
    tiers: tuple[Path, Path] | None = None
    """Of a cache: an empty directory in memory and one on a disk."""
    memory_size: int = MEMORY_SIZE
    """How many bytes it may keep in memory."""

    @property
    def needs(self) -> tuple[Endpoint, tuple[Path, Path]]:
        """What every cache is given: ``upstream`` and ``tiers``."""
        assert self.upstream is not None
        assert self.tiers is not None
        return self.upstream, self.tiers


class Data(Enum):
    """Where a target has its objects."""

    SHARED = auto()
    """The files below the root, which others serve too."""
    OWN = auto()
    """A directory of its own, in a form of its own; what is there is there in the next turn."""
    PASSING = auto()
    """It keeps them only as long as it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One way to serve the objects."""

    name: str
    summary: str
    absence: Callable[[], str | None]
    """Why it cannot run here, or None when it can."""
    command: Callable[[Place], list[str]] | None
    """Writes the configuration and gives the command; the server stays in the foreground. None: it is the under-store
    itself, or ``start`` starts it."""
    start: Callable[[Path], "AbstractContextManager[Server]"] | None = None
    """Starts one that is no program in the foreground, below a directory of its own, and stops it at the end."""
    credentials: Credentials | None = None
    base: str = ""
    """What every path begins with, where S3 is not all that it speaks."""
    speaks_tls: bool = False
    """It shows the certificate that ``bench.certificates`` leaves in its scratch directory."""
    data: Data = Data.SHARED
    speaks_s3: bool = True
    caches: bool = False
    """Whether it stands before an under-store; only cases with a ``Link`` have one."""
    memory_size: int = MEMORY_SIZE
    """Of a cache: how many bytes it may keep in memory."""
    ready: bytes = b""
    """What it writes when all of it serves; nothing where a connection that is accepted means that."""
    version: Callable[[], str] | None = None
    """What its program says of its version; only asked where it is present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A target that accepts connections. ``pid`` is that of the process at the head of it."""

    target: Target
    endpoint: Endpoint
    pid: int
    upstream: Upstream | None = None
    memory_tier: Path | None = None
    """Of a cache: its directory in memory."""

    @property
    def store_pids(self) -> tuple[int, ...]:
        """The processes behind it."""
        return self.upstream.pids if self.upstream else ()


@contextmanager
def started(
    target: Target, root: Path, scratch: Path, cores: Set[int], upstream: Upstream | None = None
) -> Iterator[Server]:
    """Start a target over ``root`` or ``upstream`` on ``cores``, wait until it accepts, and stop it at the end.

    A cache begins empty. For the target that is the under-store itself nothing is started.

    Raises:
        BenchError: it ended, or did not accept in time; with the last lines that it wrote.
    """
    with ExitStack() as stack:
        if target.command is not None:
            yield stack.enter_context(_started_by_command(target, target.command, root, scratch, cores, upstream))
        elif target.start is not None:
            with running_on(cores):
                server = stack.enter_context(target.start(scratch))
            yield replace(server, target=target)
        else:
            assert upstream is not None, target.name
            yield Server(target=target, endpoint=upstream.endpoint, pid=upstream.pid, upstream=upstream)


@contextmanager
def _started_by_command(
    target: Target,
    command: Callable[[Place], list[str]],
    root: Path,
    scratch: Path,
    cores: Set[int],
    upstream: Upstream | None,
) -> Iterator[Server]:
    with ExitStack() as stack:
        place = Place(root=root, scratch=scratch, port=free_port(), memory_size=target.memory_size)
        if upstream is not None:
            tiers = stack.enter_context(memory_directory(scratch)), stack.enter_context(disk_directory(scratch))
            place = replace(place, upstream=upstream.endpoint, tiers=tiers)
        trusted = make_certificate(scratch) if target.speaks_tls else None
        with _running(target, command(place), place, cores) as pid:
            endpoint = Endpoint(
                host=HOST, port=place.port, credentials=target.credentials, trusted=trusted, base=target.base
            )
            if target.data is not Data.SHARED:
                _wait_until_it_lists(endpoint)
            memory_tier = place.tiers[0] if place.tiers else None
            yield Server(target=target, endpoint=endpoint, pid=pid, upstream=upstream, memory_tier=memory_tier)


@contextmanager
def _running(target: Target, command: list[str], place: Place, cores: Set[int]) -> Iterator[int]:
    log = place.scratch / f"{target.name}.log"
    with log.open("wb") as output, running_on(cores):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_ready(process, place.port, log, target.ready)
        yield process.pid
        if process.poll() is not None:
            raise BenchError(f"ended with code {process.returncode}: {_last_lines(log)}")
    finally:
        _stop(process)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path, ready: bytes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            if ready in log.read_bytes():
                return
        time.sleep(0.02)
    raise BenchError(f"did not start: {_last_lines(log)}")


def _wait_until_it_lists(endpoint: Endpoint) -> None:
    """Some accept connections before what stands behind them, in processes and threads of their own, serves."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with suppress(BenchError), connected(endpoint) as client:
            if client.get("/").status == HTTPStatus.OK:
                return
        if time.monotonic() > deadline:
            raise BenchError(f"did not list its buckets within {_START_SECONDS} s")
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):  # whom the head of it left behind
        os.killpg(process.pid, signal.SIGKILL)


def _last_lines(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-5:]) or "it wrote nothing"
