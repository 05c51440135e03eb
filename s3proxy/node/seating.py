"""What a supervisor tells a worker that it started, in a line of JSON on its standard input, and what that answers."""

import json
import os
import socket
from pathlib import Path

from s3proxy.cache.shared import SharedWords
from s3proxy.config import Config, dump, undump
from s3proxy.node.commons import Commons, Seat

READY = b"ready\n"
"""What a worker says when it accepts connections."""

FAILED = b"failed "
"""What it says when it cannot, with the reason behind it and a line feed."""


def inherited(commons: Commons, sockets: list[socket.socket]) -> tuple[int, ...]:
    """The descriptors that a worker has under the same numbers."""
    table = () if commons.table_fd is None else (commons.table_fd,)
    return (commons.shared.fd, *commons.locks, *table, *(each.fileno() for each in sockets))


def encode_seat(config: Config, commons: Commons, sockets: list[socket.socket], *, worker: int, workers: int) -> bytes:
    """The line that ``take_seat`` reads. It holds the secrets of the configuration."""
    content = {
        "config": dump(config),
        "worker": worker,
        "workers": workers,
        "sockets": [each.fileno() for each in sockets],
        "shared": commons.shared.fd,
        "tiers": commons.tiers,
        "table": os.fspath(commons.table),
    }
    return json.dumps(content).encode("ascii") + b"\n"


def take_seat(line: bytes) -> tuple[Config, Seat]:
    """The configuration and what the supervisor has left to this worker, whose descriptors are taken over."""
    content = json.loads(line)
    seat = Seat(
        worker=content["worker"],
        workers=content["workers"],
        sockets=[socket.socket(fileno=fd) for fd in content["sockets"]],
        shared=SharedWords.attach(content["shared"], content["worker"]),
        tiers=tuple(content["tiers"]),
        table=Path(content["table"]),
    )
    return undump(content["config"]), seat
