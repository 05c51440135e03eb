"""What the processes of a node have in common: sockets, shared words, the directories of the tiers.

Made once, by the supervisor; workers and the admin process get a ``Seat`` each. Rows of shared tables: ``rows_of``.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from s3proxy.cache.blocks import Geometry
from s3proxy.cache.failures import CacheIOError, TierInUseError
from s3proxy.cache.shared import SharedWords
from s3proxy.cache.tier_directory import prepare_directory
from s3proxy.config import Config
from s3proxy.metrics.meters import Meters
from s3proxy.metrics.reports import ReportBoard
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
    meters: Meters = field(default_factory=Meters.private)
    """Where it counts."""
    reports: ReportBoard = field(default_factory=ReportBoard.private)
    """Where it reports."""
    pulse: Pulse = field(default_factory=Pulse.private)
    """Where it shows that it lives, and sees whether the node is about to end."""
    admin_sockets: Sequence[socket.socket] = ()
    """Where the admin process listens, of TCP and Unix; its own, and nobody else's."""

    @property
    def is_draining(self) -> bool:
        """Whether the node has been told to end."""
        return self.pulse.is_draining


@dataclass(frozen=True, slots=True, kw_only=True)
class Commons:
    """What is made once on a node."""

    shared: SharedWords
    meters: Meters
    reports: ReportBoard
    pulse: Pulse
    tiers: tuple[str, ...]
    table: Path
    locks: tuple[int, ...]
    """Descriptors that keep the tiers' directories this node's; workers inherit them."""
    table_fd: int | None
    """Of a table that has no name; workers inherit it under the same number."""


@contextmanager
def made(config: Config, workers: int) -> Iterator[Commons]:
    """Make what the processes of a node have in common.

    A tier whose directory cannot be used is left out and mentioned: a cache may lose speed, nothing else.

    Raises:
        StartError: another node uses the directory of a tier.
    """
    with ExitStack() as stack:
        locks = {name: fd for name, fd in _locked(config).items() if fd is not None}
        for fd in locks.values():
            stack.callback(os.close, fd)
        table_fd = None
        if "memory" in locks:
            table = Path(config.memory_tier.directory) / TABLE
        else:
            table_fd = os.memfd_create("s3proxy-metadata")
            stack.callback(os.close, table_fd)
            table = Path(f"/proc/self/fd/{table_fd}")
        rows = rows_of(workers)
        yield Commons(
            shared=stack.enter_context(closing(SharedWords.create(rows))),
            meters=stack.enter_context(closing(Meters.create(rows))),
            reports=stack.enter_context(closing(ReportBoard.create(rows))),
            pulse=stack.enter_context(closing(Pulse.create(workers))),
            tiers=tuple(locks),
            table=table,
            locks=tuple(locks.values()),
            table_fd=table_fd,
        )


def geometry_of(config: Config) -> Geometry:
    """Into what sizes objects are cut."""
    return Geometry(block_size=config.cache.block_size, unit_size=config.cache.fragment_size)


def directory_of(config: Config, tier: str) -> Path:
    """Where a tier is."""
    return Path(config.memory_tier.directory if tier == "memory" else config.disk_tier.directory)


def _locked(config: Config) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    try:
        for tier, directory in (("memory", config.memory_tier.directory), ("disk", config.disk_tier.directory)):
            found[tier] = _prepare(tier, Path(directory), config) if directory else None
    except BaseException:
        for fd in found.values():
            if fd is not None:
                os.close(fd)
        raise
    return found


def _prepare(tier: str, directory: Path, config: Config) -> int | None:
    try:
        return prepare_directory(directory, geometry_of(config))
    except TierInUseError as error:
        raise StartError(f"{tier}_tier.directory: {error}; each node needs its own") from error
    except CacheIOError as error:
        log_error(f"the {tier} tier is off: {error}")
        return None
