"""What a supervisor tells a worker that it started, in a line of JSON on its standard input, and what that answers."""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Final

from s3proxy.cache import counters, shared
from s3proxy.cache.shared import SharedWords
from s3proxy.config import Config, dump, undump
from s3proxy.metrics import histograms, meters, names, reports
from s3proxy.metrics.meters import Meters
from s3proxy.metrics.reports import ReportBoard
from s3proxy.node import pulse
from s3proxy.node.absences import Absence
from s3proxy.node.commons import Commons, Seat
from s3proxy.node.failures import StartError
from s3proxy.node.pulse import Pulse
from s3proxy.stores.caching import shared_metadata

READY = b"ready\n"
"""What a worker says when it accepts connections."""

OUTGROWN = b"outgrown\n"
"""What it says later when it has found what was absent at its start, and another one would start with it."""

FAILED = b"failed "
"""What it says when it cannot, with the reason behind it and a line feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one process has, and others have not."""

    worker: int
    workers: int
    row: int
    """Of the shared tables; nobody else's while the process lives."""
    sockets: Sequence[socket.socket]
    admin_sockets: Sequence[socket.socket] = ()
    addresses: Sequence[str] = ()


def _layout() -> str:
    """Stands for how this program lays out shared memory: a worker of another release must not write there otherwise.

    Every change of these modules counts as a new layout, which costs at worst a restart instead of a reload.
    """
    found = sha256()
    for module in (shared, counters, meters, histograms, names, reports, pulse, shared_metadata):
        found.update(_source(module))
    return found.hexdigest()


def _source(module: ModuleType) -> bytes:
    assert module.__file__ is not None
    return Path(module.__file__).read_bytes()


LAYOUT: Final = _layout()


def inherited(commons: Commons, sockets: Sequence[socket.socket]) -> tuple[int, ...]:
    """The descriptors that a process has under the same numbers."""
    table = () if commons.table_fd is None else (commons.table_fd,)
    boards = (commons.reports.fd, commons.progress.fd, commons.history)
    shared = (commons.shared.fd, commons.meters.fd, commons.pulse.fd, *boards)
    return (*shared, *commons.locks, *table, *(each.fileno() for each in sockets))


def _say_outgrown() -> None:
    os.write(1, OUTGROWN)


def encode_seat(config: Config, commons: Commons, place: Place) -> bytes:
    """The line that ``take_seat`` reads. It holds the secrets of the configuration."""
    content = {
        "config": dump(config),
        "worker": place.worker,
        "workers": place.workers,
        "row": place.row,
        "sockets": [each.fileno() for each in place.sockets],
        "admin_sockets": [each.fileno() for each in place.admin_sockets],
        "shared": commons.shared.fd,
        "meters": commons.meters.fd,
        "reports": commons.reports.fd,
        "pulse": commons.pulse.fd,
        "progress": commons.progress.fd,
        "history": commons.history,
        "addresses": place.addresses,
        "tiers": commons.tiers,
        "absent": {name: asdict(absence) for name, absence in commons.directories.absent.items()},
        "table": os.fspath(commons.table),
        "layout": LAYOUT,
    }
    return json.dumps(content).encode("ascii") + b"\n"


def take_seat(line: bytes) -> tuple[Config, Seat]:
    """The configuration and what the supervisor has left to this process, whose descriptors are taken over.

    Raises:
        StartError: this program lays out what the processes share in another way than the supervisor's does.
    """
    content = json.loads(line)
    if content.get("layout") != LAYOUT:
        raise StartError("this version shares memory with no worker of the one that runs; restart the service instead")
    row = content["row"]
    seat = Seat(
        worker=content["worker"],
        workers=content["workers"],
        sockets=[socket.socket(fileno=fd) for fd in content["sockets"]],
        shared=SharedWords.attach(content["shared"], row),
        meters=Meters.attach(content["meters"], row),
        reports=ReportBoard.attach(content["reports"], row),
        pulse=Pulse.attach(content["pulse"], row),
        progress=ReportBoard.attach(content["progress"], 0),
        history=content["history"],
        addresses=content["addresses"],
        tiers=tuple(content["tiers"]),
        table=Path(content["table"]),
        absent={name: Absence(**absence) for name, absence in content.get("absent", {}).items()},
        say_outgrown=_say_outgrown,
        admin_sockets=[socket.socket(fileno=fd) for fd in content["admin_sockets"]],
    )
    return undump(content["config"]), seat
