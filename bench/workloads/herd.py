"""A hundred clients that read the same hundred cold objects at once: the store should see each byte once.

A client that is refused, cut off or given other bytes fails the turn. In the end every byte that the cache holds is
compared.
"""

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import HTTP_CACHE_NAMES
from bench.client import check_objects
from bench.content import MIB, things
from bench.load import Load
from bench.measure import Stopwatch, peak_rss_bytes
from bench.requests import Endpoint, render_get
from bench.samples import percentile
from bench.targets import Server
from bench.understore import THINGS, Link, seen

_OBJECTS = things("herd", MIB, 100)
_CLIENTS = 100
_LIMIT_SECONDS = 120


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="herd",
            name="herd",
            targets=("s3proxy-cache", "s3proxy-cache-2w", *HTTP_CACHE_NAMES, "nginx-slice-1m"),
            prepare=_prepare,
            measure=_measure,
            link=Link(delay_ms=1),
            is_pinned=False,
        )
    ]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_OBJECTS)


def _measure(_session: Session, server: Server) -> Outcome:
    requests = [render_get(server.endpoint, each) for each in _OBJECTS]
    stopwatch = Stopwatch(server.pid, server.store_pids)
    with Load(server.endpoint, [iter(requests) for _ in range(_CLIENTS)], check_every=1) as load:
        tally = load.run(_LIMIT_SECONDS)
    usage = stopwatch.stop()
    if len(tally.latencies) < _CLIENTS * len(_OBJECTS):
        raise BenchError(f"{_CLIENTS * len(_OBJECTS) - len(tally.latencies)} responses did not end")
    fetched = seen(server.upstream).body_bytes(path=THINGS)
    check_objects(server.endpoint, _OBJECTS)
    metrics = {
        "clients": float(_CLIENTS),
        "seconds": tally.seconds,
        "mb_per_second": tally.body_bytes / tally.seconds / 1e6,
        "p99_ms": percentile(tally.latencies, 0.99) / 1e6,
        "store_mb": fetched / 1e6,
        "store_ratio": fetched / sum(each.size for each in _OBJECTS),
        "peak_rss_mib": peak_rss_bytes(server.pid) / MIB,
        "server_cores": usage.server / usage.seconds,
        "store_cores": usage.store / usage.seconds,
        "other_cores": usage.others / usage.seconds,
    }
    return Outcome(metrics=metrics)
