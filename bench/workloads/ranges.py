"""GET of ranges at random offsets of objects of 256 MiB that are in the page cache, each as likely as any other."""

import random
from functools import partial

from bench.cases import Case, Outcome, Session
from bench.catalogue import NGINXES, S3_PEERS
from bench.content import KIB, MIB, size_name
from bench.dataset import objects_of
from bench.requests import Endpoint, Request, render_range
from bench.targets import Server
from bench.throughput import measure_throughput

_OBJECT = 256 * MIB
_CONNECTIONS = {8 * KIB: 32, 64 * KIB: 32, MIB: 16, 8 * MIB: 8}
_RANGES = 1024


def cases() -> list[Case]:
    """One case a length."""
    return [
        Case(
            workload="range",
            name=f"range-{size_name(length)}",
            targets=("s3proxy", "s3proxy-signed", *S3_PEERS, *NGINXES),
            prepare=_prepare,
            measure=partial(_measure, length),
        )
        for length in _CONNECTIONS
    ]


def _prepare(session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_objects(_OBJECT, endpoint)


def _measure(length: int, session: Session, server: Server) -> Outcome:
    requests = _requests(server.endpoint, length)
    return measure_throughput(server, requests, _CONNECTIONS[length], session.settings)


def _requests(endpoint: Endpoint, length: int) -> list[Request]:
    """The same ranges for every target: uniform, at any byte."""
    choose = random.Random(length)
    objects = objects_of(_OBJECT)
    starts = [choose.randrange(_OBJECT - length + 1) for _ in range(_RANGES)]
    return [render_range(endpoint, choose.choice(objects), start, start + length) for start in starts]
