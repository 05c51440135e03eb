"""Reading through an empty cache: 1 GiB from one connection, and before it the first byte of small objects; or many.

``cold-1GiB-shaped`` has 2 ms each way and 250 MB/s between cache and store; in ``cold-1GiB`` the cores are the limit,
which client, cache and store share as they like. ``cold-4KiB-many`` and ``cold-1MiB-many`` read each of many objects
once, over a few connections and a link with that delay.
"""

from functools import partial
from statistics import median

from bench.cases import Case, Outcome, Session
from bench.catalogue import CACHE_PEERS, OUR_CACHE_NAMES
from bench.content import GIB, KIB, MIB, Thing, size_name, things
from bench.measure import Stopwatch, peak_rss_bytes
from bench.reading import reading_from
from bench.requests import Endpoint, render_get
from bench.targets import Server
from bench.throughput import measure_work
from bench.understore import Link

_LARGE = things("cold", GIB, 1)[0]
_SMALL = things("cold-small", MIB, 32)
_LINKS = {
    "cold-1GiB": Link(is_relayed=False),
    "cold-1GiB-shaped": Link(delay_ms=2, bytes_per_second=250e6),
}
_MANY = {4 * KIB: 4096, MIB: 512}
_CONNECTIONS = 16


def cases() -> list[Case]:
    """One case a link for the large object, one case a size for many."""
    large = [
        Case(
            workload="cold",
            name=name,
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=_prepare,
            measure=partial(_measure, _LARGE),
            link=link,
            is_pinned=False,
        )
        for name, link in _LINKS.items()
    ]
    many = [
        Case(
            workload="cold",
            name=f"cold-{size_name(size)}-many",
            targets=(*OUR_CACHE_NAMES, "direct", *CACHE_PEERS),
            prepare=partial(_prepare_many, size),
            measure=partial(_measure_many, size),
            link=Link(delay_ms=2),
            is_pinned=False,
        )
        for size in _MANY
    ]
    return large + many


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store([_LARGE, *_SMALL])


def _measure(large: Thing, session: Session, server: Server) -> Outcome:
    with reading_from(server.endpoint) as reader:
        small = [reader.read(render_get(server.endpoint, each), session.dataset.source(each)) for each in _SMALL]
        stopwatch = Stopwatch(server.pid, server.store_pids)
        reading = reader.read(render_get(server.endpoint, large), session.dataset.source(large))
        usage = stopwatch.stop()
    metrics = {
        "mb_per_second": large.size / reading.seconds / 1e6,
        "first_byte_ms": median(each.first_byte_seconds for each in small) * 1e3,
        "cpu_seconds_per_gib": usage.server / (large.size / GIB),
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
    requests = [render_get(server.endpoint, each) for each in _many(size)]
    return measure_work(server, requests, _CONNECTIONS)


def _many(size: int) -> list[Thing]:
    return things(f"cold-many/{size_name(size)}", size, _MANY[size])
