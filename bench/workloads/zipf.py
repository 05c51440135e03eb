"""Ranges whose popularity follows Zipf's law, over a set twice as large as the memory that a cache may use.

Every cache has been given all of the set before: what it could not keep it asks for again, which ``store_requests``
shows. nginx drops what is more than it may keep only now and then: in a short turn it may have all of it.
"""

import random

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS, OUR_CACHE_NAMES
from bench.content import KIB, MIB, things
from bench.load import Load
from bench.requests import Endpoint, Request, render_get, render_range
from bench.targets import Server
from bench.throughput import measure_throughput
from bench.understore import Link
from bench.zipf import zipf_places

_SIZE = 8 * MIB
_OBJECTS = things("zipf", _SIZE, 128)
_READ = 8 * KIB
_READS = 32_768
_CONNECTIONS = 32
_FILLERS = 4
_FILL_LIMIT_SECONDS = 120


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="warm",
            name="zipf-8KiB",
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=_prepare,
            measure=_measure,
            link=Link(),
            memory_size=len(_OBJECTS) * _SIZE // 2,
        )
    ]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_OBJECTS)


def _measure(session: Session, server: Server) -> Outcome:
    _fill(server.endpoint)
    return measure_throughput(server, _requests(server.endpoint), _CONNECTIONS, session.settings)


def _fill(endpoint: Endpoint) -> None:
    requests = iter([render_get(endpoint, each) for each in _OBJECTS])
    with Load(endpoint, [requests] * _FILLERS, check_every=1) as load:
        tally = load.run(_FILL_LIMIT_SECONDS)
    if len(tally.latencies) < len(_OBJECTS):
        raise BenchError(f"the cache was not filled within {_FILL_LIMIT_SECONDS} s")


def _requests(endpoint: Endpoint) -> list[Request]:
    """The same ranges for every target."""
    in_each = _SIZE // _READ
    requests = []
    for place in zipf_places(random.Random(_READS), len(_OBJECTS) * in_each, _READS):
        start = place % in_each * _READ
        requests.append(render_range(endpoint, _OBJECTS[place // in_each], start, start + _READ))
    return requests
