"""Work of real readers as cases: of a store with a cache and without, beside it and over a link, and of S3 servers.

=============  ==========================================================================================
``-local``     the under-store on the same machine, without a relay, so nothing is counted
``-5ms``       5 ms each way to the under-store, and no other limit
``-cold``      through an empty cache
``-warm``      when every reader has read all of it once before
no ending      S3 servers that have the objects themselves, warm
=============  ==========================================================================================
"""

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.cases import Case, Outcome, Session
from bench.catalogue import S3_PEERS
from bench.client import connected, expect
from bench.content import MIB, Thing
from bench.measure import Stopwatch, Usage, peak_rss_bytes
from bench.readers import reader_absence, require
from bench.readers.clients import ready_clients
from bench.readers.job import Job, Report, login
from bench.requests import BUCKET, Endpoint
from bench.samples import Metrics
from bench.targets import Server
from bench.tiers import small_page_directory
from bench.understore import THINGS, Link, forget, is_counted, seen

_LINKS: Final = {"local": Link(is_relayed=False), "5ms": Link(delay_ms=5)}
_CACHES: Final = ("s3proxy-cache", "s3proxy-cache-2w", "s3proxy-through", "direct")
_SERVERS: Final = ("s3proxy", "s3proxy-2w", "s3proxy-signed", *S3_PEERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What readers do with the objects below one prefix."""

    workload: str
    name: str
    reader: str
    task: str
    parts: Sequence[int] = (0,)
    """A client for each; those with the same number do the same."""
    prefix: str
    names: Sequence[str]
    """Of the objects, below the prefix."""
    make: Callable[[Session], None]
    """Has their sources in the session's dataset."""


def cases_of(work: Work) -> list[Case]:
    """One case for each way to a store, cold and warm, and one for servers."""
    prepare = partial(_prepare, work)
    before_store = [
        Case(
            workload=work.workload,
            name=f"{work.name}-{place}-{state}",
            targets=_CACHES,
            prepare=prepare,
            measure=partial(_measure, work, state == "warm"),
            link=link,
        )
        for place, link in _LINKS.items()
        for state in ("cold", "warm")
    ]
    served = Case(
        workload=work.workload,
        name=work.name,
        targets=_SERVERS,
        prepare=prepare,
        measure=partial(_measure, work, True),
    )
    return [*before_store, served]


def _prepare(work: Work, session: Session, endpoint: Endpoint | None) -> None:
    require(reader_absence(work.reader))
    work.make(session)
    keys = [f"{work.prefix}/{name}" for name in work.names]
    if endpoint is None:
        session.under_store.store([Thing(key=key, number=0, size=0) for key in keys])
    else:
        session.dataset.make_bucket(BUCKET, endpoint)
        _upload(endpoint, {key: session.dataset.source_path(key) for key in keys})


def _upload(endpoint: Endpoint, sources: dict[str, Path]) -> None:
    """What is there from an earlier turn or case stays: the same key always holds the same."""
    with connected(endpoint) as client:
        for key, source in sources.items():
            path = f"/{BUCKET}/{key}"
            if client.get(path, headers={"range": "bytes=0-0"}).status != 206:
                with source.open("rb") as file:
                    expect(client.put(path, file, source.stat().st_size), 200)


def _measure(work: Work, is_warm: bool, session: Session, server: Server) -> Outcome:
    with small_page_directory(session.scratch) as scratch:
        jobs = [_job(work, part, session, server.endpoint, scratch) for part in work.parts]
        if is_warm:
            with ready_clients(list(dict.fromkeys(jobs)), session.scratch) as go:
                go()
        with ready_clients(jobs, session.scratch) as go:
            forget(server.upstream)
            stopwatch = Stopwatch(server.pid, server.store_pids)
            reports = go()
            usage = stopwatch.stop()
            asked = _asked(server)
    return Outcome(metrics={**_metrics(reports, usage), **asked, "peak_rss_mib": peak_rss_bytes(server.pid) / MIB})


def _job(work: Work, part: int, session: Session, endpoint: Endpoint, scratch: Path) -> Job:
    return Job(
        reader=work.reader,
        task=work.task,
        part=part,
        prefix=work.prefix,
        directory=str(session.dataset.source_path(work.prefix)),
        scratch=str(scratch),
        **login(endpoint, getpass.getuser()),
    )


def _metrics(reports: Sequence[Report], usage: Usage) -> Metrics:
    seconds = max(each.end for each in reports) - min(each.begin for each in reports)
    clients = sum(each.cpu_seconds for each in reports)
    return {
        "clients": float(len(reports)),
        "seconds": seconds,
        "server_cores": usage.server / usage.seconds,
        "load_cores": clients / usage.seconds,
        "store_cores": usage.store / usage.seconds,
        "other_cores": max(0.0, usage.others - clients) / usage.seconds,
    }


def _asked(server: Server) -> Metrics:
    """What the store was asked by this reading, where that is counted."""
    if not is_counted(server.upstream):
        return {}
    store = seen(server.upstream)
    return {
        "store_requests": float(store.requests(path=THINGS)),
        "store_heads": float(store.requests("HEAD", THINGS)),
        "store_mb": store.body_bytes(path=THINGS) / 1e6,
    }
