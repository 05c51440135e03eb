"""Ranges through a cache, of a set of objects that fits into its memory, and of one that is twice as large.

``uniform`` asks for every range as often as for any other, ``zipf`` as Zipf's law has it. They are aligned, as nginx
slices them. Every cache has been given all of the set before: what it could not keep it asks for again, which
``store_ratio`` shows. nginx takes up to 10 s to drop what is more than it may keep, so that in a short turn it has all.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS
from bench.client import check_objects
from bench.content import KIB, MIB, Thing, size_name, things
from bench.requests import Endpoint, render_get, render_range
from bench.targets import MEMORY_SIZE, Server
from bench.throughput import measure_throughput, measure_work
from bench.understore import Link
from bench.zipf import uniform_places, zipf_places

_OBJECT: Final = 8 * MIB  # little enough that who drops whole objects drops little
_CONNECTIONS: Final = {8 * KIB: 32, 64 * KIB: 32, MIB: 16, 8 * MIB: 8}
_PLACES: Final = {"uniform": uniform_places, "zipf": zipf_places}
_DRAWS: Final = range(1024, 32_768 + 1)
_FILLERS: Final = 4
_CHECKED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Objects, and the memory that a cache has for them."""

    name: str
    objects: Sequence[Thing]
    memory_size: int


_STOCKS: Final = (
    Stock(name="fits", objects=things("ranges", _OBJECT, 32), memory_size=MEMORY_SIZE),
    Stock(name="spills", objects=things("ranges", _OBJECT, 128), memory_size=64 * _OBJECT),
)


def cases() -> list[Case]:
    """Each length, chosen in each way from each stock."""
    return [
        Case(
            workload="range-cached",
            name=f"range-{size_name(length)}-{law}-{stock.name}",
            targets=("s3proxy-cache", "s3proxy-memory", "direct", *CACHE_PEERS),
            prepare=partial(_prepare, stock),
            measure=partial(_measure, stock, length, law),
            link=Link(),
            memory_size=stock.memory_size,
        )
        for stock in _STOCKS
        for law in _PLACES
        for length in _CONNECTIONS
    ]


def _prepare(stock: Stock, session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(stock.objects)


def _measure(stock: Stock, length: int, law: str, session: Session, server: Server) -> Outcome:
    measure_work(server, [render_get(server.endpoint, each) for each in stock.objects], _FILLERS)
    check_objects(server.endpoint, stock.objects[:_CHECKED])
    requests = [
        render_range(server.endpoint, thing, start, start + length)
        for thing, start in ranges_of(stock.objects, length, law)
    ]
    return measure_throughput(server, requests, _CONNECTIONS[length], session.settings)


def ranges_of(objects: Sequence[Thing], length: int, law: str) -> list[tuple[Thing, int]]:
    """Objects and where to begin in them, the same for every target: twice as many as there are, within limits."""
    in_each = _OBJECT // length
    count = len(objects) * in_each
    draws = min(max(2 * count, _DRAWS[0]), _DRAWS[-1])
    places = _PLACES[law](random.Random(length), count, draws)
    return [(objects[place // in_each], place % in_each * length) for place in places]
