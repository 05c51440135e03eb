"""How much more is fetched than asked: 10,000 random reads of 8 KiB over 100 cold objects of 64 MiB.

The objects are holes but for what is read, since 6.25 GiB of content would prove no more.
"""

import random
from collections.abc import Sequence

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.content import KIB, MIB, Thing, content, things
from bench.load import Load
from bench.requests import Endpoint, render_range
from bench.samples import percentile
from bench.targets import Server
from bench.understore import THINGS, Link, forget, seen

_OBJECTS = things("amplification", 64 * MIB, 100)
_READ = 8 * KIB
_READS = 10_000
_CONNECTIONS = 16
_LIMIT_SECONDS = 300


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="amplification",
            name="random-8KiB",
            targets=("s3proxy-cache", "s3proxy-cache-2w", "direct", "nginx-slice-1m"),
            prepare=_prepare,
            measure=_measure,
            link=Link(),
        ),
    ]


def _reads() -> Sequence[tuple[Thing, int]]:
    """The same for every target: uniform, at any byte."""
    choose = random.Random(_READS)
    return [(choose.choice(_OBJECTS), choose.randrange(64 * MIB - _READ)) for _ in range(_READS)]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    for thing in _OBJECTS:
        with session.dataset.source_path(thing.key).open("wb") as file:
            file.truncate(thing.size)
    for thing, start in _reads():
        with session.dataset.source(thing).open("r+b") as file:
            file.seek(start)
            file.write(content(thing.number, start, start + _READ))
    session.under_store.store(_OBJECTS)


def _measure(_session: Session, server: Server) -> Outcome:
    forget(server.upstream)
    requests = iter([render_range(server.endpoint, thing, start, start + _READ) for thing, start in _reads()])
    with Load(server.endpoint, [requests] * _CONNECTIONS, check_every=1) as load:
        tally = load.run(_LIMIT_SECONDS)
    if len(tally.latencies) < _READS:
        raise BenchError(f"{_READS - len(tally.latencies)} responses did not end")
    store = seen(server.upstream)
    return Outcome(
        metrics={
            "seconds": tally.seconds,
            "p50_ms": percentile(tally.latencies, 0.5) / 1e6,
            "store_requests": float(store.requests(path=THINGS)),
            "store_mb": store.body_bytes(path=THINGS) / 1e6,
            "store_ratio": store.body_bytes(path=THINGS) / (_READS * _READ),
        }
    )
