"""Ranges that the cache holds already, aligned as nginx slices them, so that neither touches two where one would do."""

import random
from dataclasses import replace
from functools import partial

from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS, OUR_CACHE_NAMES
from bench.client import check_objects
from bench.content import KIB, MIB, size_name, things
from bench.requests import Endpoint, Request, render_range
from bench.targets import Server
from bench.throughput import measure_throughput
from bench.understore import Link, forget, seen

_OBJECTS = things("warm", 64 * MIB, 4)
_CONNECTIONS = {MIB: 16, 64 * KIB: 64, 4 * KIB: 64}
_RANGES = 1024


def cases() -> list[Case]:
    """One case a length."""
    return [
        Case(
            workload="warm",
            name=f"warm-{size_name(length)}",
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=_prepare,
            measure=partial(_measure, length),
            link=Link(),
        )
        for length in _CONNECTIONS
    ]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_OBJECTS)


def _measure(length: int, session: Session, server: Server) -> Outcome:
    check_objects(server.endpoint, _OBJECTS)  # which fills the cache
    forget(server.upstream)
    outcome = measure_throughput(server, _requests(server.endpoint, length), _CONNECTIONS[length], session.settings)
    asked = seen(server.upstream).requests()
    return replace(outcome, metrics={**outcome.metrics, "store_requests": float(asked)})


def _requests(endpoint: Endpoint, length: int) -> list[Request]:
    """The same ranges for every target."""
    choose = random.Random(length)
    places = [(choose.choice(_OBJECTS), choose.randrange(64 * MIB // length) * length) for _ in range(_RANGES)]
    return [render_range(endpoint, thing, start, start + length) for thing, start in places]
