"""What the processes of a node have in common: sockets, shared words, the directories of the tiers.

Made once, by the supervisor; workers and the admin process get a ``Seat`` each. Rows of shared tables: ``rows_of``.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from s3proxy.cache.blocks import Geometry
from s3proxy.cache.failures import CacheIOError, TierInUseError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier_directory import prepare_directory
from s3proxy.config import Config
from s3proxy.metrics.meters import Meters
from s3proxy.metrics.reports import ReportBoard
from s3proxy.node.absences import Absence
from s3proxy.node.failures import StartError
from s3proxy.node.pulse import Pulse, rows_of
from s3proxy.telemetry import log_error

TABLE = "metadata"
"""The file of the metadata table in the directory of the memory tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What one worker needs beside the configuration."""

    worker: int
    """Its number, from 0; the first one also does what is done once on a node. The admin process is the last one."""
    workers: int
    """How many serve, the admin process not counted."""
    sockets: Sequence[socket.socket]
    """Where it accepts connections; its own."""
    shared: SharedWords
    tiers: tuple[str, ...]
    """The tiers that can be used, the fastest first."""
    table: Path
    """The metadata table."""
    absent: Mapping[str, Absence] = field(default_factory=dict)
    """The tiers that are configured and cannot be used."""
    say_outgrown: Callable[[], None] = lambda: None
    """Tells the supervisor that another worker would find what was absent when this one started."""
    meters: Meters = field(default_factory=Meters.private)
    """Where it counts."""
    reports: ReportBoard = field(default_factory=ReportBoard.private)
    """Where it reports."""
    pulse: Pulse = field(default_factory=Pulse.private)
    """Where it shows that it lives, and sees whether the node is about to end."""
    admin_sockets: Sequence[socket.socket] = ()
    """Where the admin process listens, of TCP and Unix; its own, and nobody else's."""
    addresses: Sequence[str] = ()
    """Where the node accepts connections, ``HOST:PORT``, for the admin process to tell."""
    progress: ReportBoard = field(default_factory=ReportBoard.private)
    """Where the supervisor tells how a reload goes."""
    history: int | None = None
    """Descriptor of what the admin process remembers of the last hour; None to remember it for itself."""

    @property
    def is_draining(self) -> bool:
        """Whether the node has been told to end."""
        return self.pulse.is_draining


class TierLocks:
    """The directories of the tiers, made ready and kept to this node; those that cannot be are tried again.

    *Closes:* ``close``.

    Args:
        config: of the node.

    Raises:
        StartError: another node uses the directory of a tier.
    """

    def __init__(self, config: Config) -> None:
        self._geometry = geometry_of(config)
        self._directories = {name: directory_of(config, name) for name in _configured(config)}
        self._fds: dict[str, int] = {}
        self.absent: dict[str, Absence] = {}
        """What cannot be used, and why not."""
        for name in self._directories:
            try:
                self._try(name)
            except TierInUseError as error:
                self.close()
                raise StartError(f"{name}_tier.directory: {error}; each node needs its own") from error

    @property
    def tiers(self) -> tuple[str, ...]:
        """Those that can be used, the fastest first."""
        return tuple(name for name in self._directories if name in self._fds)

    @property
    def fds(self) -> tuple[int, ...]:
        """Descriptors that keep the directories this node's; workers inherit them."""
        return tuple(self._fds.values())

    def try_again(self) -> list[str]:
        """Make ready what could not be; blocks. Gives what has become so."""
        found = []
        for name in list(self.absent):
            with suppress(TierInUseError):  # by a node that came first: this one can do without
                self._try(name)
            if name in self._fds:
                found.append(name)
        return found

    def close(self) -> None:
        """Let go of the directories; processes that inherited them keep them."""
        while self._fds:
            os.close(self._fds.popitem()[1])

    def _try(self, name: str) -> None:
        try:
            self._fds[name] = prepare_directory(self._directories[name], self._geometry)
        except TierInUseError:
            raise
        except CacheIOError as error:
            if name not in self.absent:
                log_error(f"the {name} tier is off: {error}")
                self.absent[name] = Absence(str(error))
        else:
            self.absent.pop(name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commons:
    """What is made once on a node."""

    shared: SharedWords
    meters: Meters
    reports: ReportBoard
    pulse: Pulse
    progress: ReportBoard
    """How a reload goes; the supervisor's alone to write."""
    history: int
    """Descriptor of what the admin process remembers of the last hour, for the one that replaces it."""
    directories: TierLocks
    table: Path
    table_fd: int | None
    """Of a table that has no name; workers inherit it under the same number."""

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that can be used, the fastest first."""
        return self.directories.tiers

    @property
    def locks(self) -> tuple[int, ...]:
        """Descriptors that keep the tiers' directories this node's; workers inherit them."""
        return self.directories.fds


@contextmanager
def made(config: Config, workers: int) -> Iterator[Commons]:
    """Make what the processes of a node have in common.

    A tier whose directory cannot be used is left out for now and mentioned: a cache may lose speed, nothing else.

    Raises:
        StartError: another node uses the directory of a tier.
    """
    with ExitStack() as stack:
        directories = stack.enter_context(closing(TierLocks(config)))
        table_fd = None
        if "memory" in directories.tiers:
            table = Path(config.memory_tier.directory) / TABLE
        else:
            table_fd = os.memfd_create("s3proxy-metadata")
            stack.callback(os.close, table_fd)
            table = Path(f"/proc/self/fd/{table_fd}")
        history = os.memfd_create("s3proxy-history")
        stack.callback(os.close, history)
        rows = rows_of(workers)
        yield Commons(
            shared=stack.enter_context(closing(SharedWords.create(rows))),
            meters=stack.enter_context(closing(Meters.create(rows))),
            reports=stack.enter_context(closing(ReportBoard.create(rows))),
            pulse=stack.enter_context(closing(Pulse.create(workers))),
            progress=stack.enter_context(closing(ReportBoard.create(0))),
            history=history,
            directories=directories,
            table=table,
            table_fd=table_fd,
        )


def geometry_of(config: Config) -> Geometry:
    """Into what sizes objects are cut."""
    return Geometry(block_size=config.cache.block_size, unit_size=config.cache.fragment_size)


def directory_of(config: Config, tier: str) -> Path:
    """Where a tier is."""
    return Path(config.memory_tier.directory if tier == "memory" else config.disk_tier.directory)


def _configured(config: Config) -> Iterator[str]:
    """The tiers that have a directory, the fastest first."""
    for name, directory in (("memory", config.memory_tier.directory), ("disk", config.disk_tier.directory)):
        if directory:
            yield name
