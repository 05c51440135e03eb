"""GET of whole objects that are in the page cache, over keep-alive connections.

A few GET of 1 GiB take a turn's time, so they are counted out; the others go on for the time that the settings say.
"""

from functools import partial

from bench.cases import Case, Outcome, Session
from bench.catalogue import NGINXES, S3_PEERS
from bench.client import check_objects
from bench.content import GIB, KIB, MIB, size_name
from bench.dataset import objects_of
from bench.requests import Endpoint, render_get
from bench.targets import Server
from bench.throughput import measure_throughput, measure_work

# 64 where the 99th percentiles are compared. With 4 KiB and a server that is busy all the time, how long requests take
# would only say again what their rate says.
_CONNECTIONS = {4 * KIB: 32, 64 * KIB: 64, MIB: 16, 16 * MIB: 8, 64 * MIB: 8, GIB: 2}
_CHECKED = 4
_COUNTED_OUT = 4


def cases() -> list[Case]:
    """One case a size."""
    return [
        Case(
            workload="get",
            name=f"get-{size_name(size)}",
            targets=("s3proxy", "s3proxy-2w", "s3proxy-signed", "s3proxy-tls", *S3_PEERS, "nginx-tls", *NGINXES),
            prepare=partial(_prepare, size),
            measure=partial(_measure, size),
            once=size >= GIB,
        )
        for size in _CONNECTIONS
    ]


def _prepare(size: int, session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_objects(size, endpoint)


def _measure(size: int, session: Session, server: Server) -> Outcome:
    objects = objects_of(size)
    check_objects(server.endpoint, objects[:_CHECKED])
    requests = [render_get(server.endpoint, each) for each in objects]
    if size >= GIB:
        return measure_work(server, requests * _COUNTED_OUT, _CONNECTIONS[size])
    return measure_throughput(server, requests, _CONNECTIONS[size], session.settings)
