"""Reading through an empty cache: 1 GiB from one connection, and each of many smaller objects once.

``-shaped`` has 2 ms each way and 250 MB/s between cache and store; in the others the cores are the limit, which client,
cache and store share as they like. Before the GiB the first bytes of small objects are waited for.
"""

from functools import partial
from statistics import median
from typing import Final

from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS, OUR_CACHE_NAMES
from bench.client import check_objects
from bench.content import GIB, KIB, MIB, Thing, size_name, things
from bench.measure import Stopwatch, peak_rss_bytes
from bench.reading import reading_from
from bench.requests import Endpoint, render_get
from bench.targets import Server
from bench.throughput import measure_work
from bench.tiers import touch_memory
from bench.understore import Link

_LARGE: Final = things("cold", GIB, 1)[0]
_SMALL: Final = things("cold-small", MIB, 32)
_COUNTS: Final = {4 * KIB: 4096, MIB: 512, 64 * MIB: 8}
_CONNECTIONS: Final = {4 * KIB: 16, MIB: 16, 64 * MIB: 4}
_CHECKED: Final = 4
_LINKS: Final = {"": Link(is_relayed=False), "-shaped": Link(delay_ms=2, bytes_per_second=250e6)}


def cases() -> list[Case]:
    """One case a size and link."""
    return [
        Case(
            workload="cold",
            name=f"cold-{size_name(size)}{ending}",
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=_prepare if size == GIB else partial(_prepare_many, size),
            measure=_measure if size == GIB else partial(_measure_many, size),
            link=link,
            is_pinned=False,
        )
        for size in (*_COUNTS, GIB)
        for ending, link in _LINKS.items()
    ]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store([_LARGE, *_SMALL])


def _measure(session: Session, server: Server) -> Outcome:
    with reading_from(server.endpoint) as reader:
        small = [reader.read(render_get(server.endpoint, each), session.dataset.source(each)) for each in _SMALL]
        _touch(server, _LARGE.size)
        stopwatch = Stopwatch(server.pid, server.store_pids)
        reading = reader.read(render_get(server.endpoint, _LARGE), session.dataset.source(_LARGE))
        usage = stopwatch.stop()
    metrics = {
        "mb_per_second": _LARGE.size / reading.seconds / 1e6,
        "first_byte_ms": median(each.first_byte_seconds for each in small) * 1e3,
        "cpu_seconds_per_gib": usage.server / (_LARGE.size / GIB),
        "peak_rss_mib": peak_rss_bytes(server.pid) / MIB,
        "server_cores": usage.server / usage.seconds,
        "load_cores": usage.load / usage.seconds,
        "store_cores": usage.store / usage.seconds,
        "other_cores": usage.others / usage.seconds,
    }
    return Outcome(metrics=metrics)


def _prepare_many(size: int, session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_many(size))


def _measure_many(size: int, _session: Session, server: Server) -> Outcome:
    objects = _many(size)
    _touch(server, size * _COUNTS[size])
    outcome = measure_work(server, [render_get(server.endpoint, each) for each in objects], _CONNECTIONS[size])
    check_objects(server.endpoint, objects[:_CHECKED])
    return Outcome(metrics=outcome.metrics)  # the load has the cores that server and store leave it


def _touch(server: Server, size: int) -> None:
    """Let filling the cache be what is measured, not the host that provides its memory."""
    if server.memory_tier is not None:
        touch_memory(server.memory_tier, size)


def _many(size: int) -> list[Thing]:
    return things(f"cold-many/{size_name(size)}", size, _COUNTS[size])
