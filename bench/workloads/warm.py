"""What the cache holds already: whole objects of 4 KiB, 64 MiB and 1 GiB, and ranges of 64 KiB and 1 MiB.

The ranges are aligned as nginx slices them, so that neither touches two slices where one would do.
"""

import random
from functools import partial

from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS, OUR_CACHE_NAMES
from bench.client import check_objects
from bench.content import GIB, KIB, MIB, Thing, size_name, things
from bench.requests import Endpoint, Request, render_get, render_range
from bench.targets import Server
from bench.throughput import measure_throughput, measure_work
from bench.understore import Link

_RANGED = things("warm", 64 * MIB, 4)
_OBJECTS = {
    4 * KIB: things("warm-small", 4 * KIB, 256),
    64 * KIB: _RANGED,
    MIB: _RANGED,
    64 * MIB: _RANGED,
    GIB: things("cold", GIB, 1),
}
_CONNECTIONS = {4 * KIB: 32, 64 * KIB: 64, MIB: 16, 64 * MIB: 8, GIB: 2}
_RANGES = 1024
_COUNTED_OUT = 4


def cases() -> list[Case]:
    """One case a length."""
    return [
        Case(
            workload="warm",
            name=f"warm-{size_name(length)}",
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=partial(_prepare, _OBJECTS[length]),
            measure=partial(_measure, length, _OBJECTS[length]),
            link=Link(),
            once=length >= GIB,
        )
        for length in _CONNECTIONS
    ]


def _prepare(objects: list[Thing], session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(objects)


def _measure(length: int, objects: list[Thing], session: Session, server: Server) -> Outcome:
    connections = _CONNECTIONS[length]
    if length >= GIB:
        requests = [render_get(server.endpoint, each) for each in objects]
        measure_work(server, requests, 1)  # which fills the cache
        check_objects(server.endpoint, objects)
        return measure_work(server, requests * _COUNTED_OUT, connections)
    check_objects(server.endpoint, objects)  # which fills the cache
    return measure_throughput(server, _requests(server.endpoint, length, objects), connections, session.settings)


def _requests(endpoint: Endpoint, length: int, objects: list[Thing]) -> list[Request]:
    """The same ranges for every target, or all of the objects."""
    if length == objects[0].size:
        return [render_get(endpoint, each) for each in objects]
    choose = random.Random(length)
    places = [(choose.choice(objects), choose.randrange(64 * MIB // length) * length) for _ in range(_RANGES)]
    return [render_range(endpoint, thing, start, start + length) for thing, start in places]
