"""What a second worker adds, and what it costs to look at a node that is fully loaded.

On two cores the load generator has to share them with the workers, so the rate says little. Two other figures do: what
a request costs in CPU, which contention between workers would raise, and which share of the work the busier worker
has, which unfair accepting would raise. The rate on cores enough is ``projected``, in terms of one worker's.
"""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.client import check_objects
from bench.content import KIB, size_name, things
from bench.dataset import objects_of
from bench.measure import cpu_seconds, family
from bench.peers.ours import ADMIN_SOCKET
from bench.requests import Endpoint, render_get
from bench.samples import percentile
from bench.targets import Server
from bench.throughput import measure_throughput
from bench.understore import Link

_CONNECTIONS = 64
_SCRAPES_PER_SECOND = 4
_WARM = things("scrape", 64 * KIB, 64)


def cases() -> list[Case]:
    """Two sizes, and the scrape."""
    return [
        *(
            Case(
                workload="scaling",
                name=f"scaling-{size_name(size)}",
                targets=("s3proxy-2w", "s3proxy"),
                prepare=partial(_prepare, size),
                measure=partial(_measure, size),
                is_pinned=False,
            )
            for size in (4 * KIB, 64 * KIB)
        ),
        Case(
            workload="scaling",
            name="scrape",
            targets=("s3proxy-cache-2w",),
            prepare=_prepare_scrape,
            measure=_measure_scrape,
            link=Link(is_relayed=False),
            is_pinned=False,
        ),
    ]


def _prepare(size: int, session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_objects(size, endpoint)


def _measure(size: int, session: Session, server: Server) -> Outcome:
    objects = objects_of(size)
    check_objects(server.endpoint, objects[:4])
    workers = processes(server.pid, "s3proxy.node.worker")
    before = [cpu_seconds(pid) for pid in workers]
    requests = [render_get(server.endpoint, each) for each in objects]
    outcome = measure_throughput(server, requests, _CONNECTIONS, session.settings)
    spent = [cpu_seconds(pid) - begun for pid, begun in zip(workers, before, strict=True)]
    share = max(spent) / sum(spent)
    per_cpu_second = 1e6 / outcome.metrics["cpu_us_per_request"]
    more = {
        "requests_per_cpu_second": per_cpu_second,
        "largest_share": share,
        # What the busier worker lets through when it has a core for itself.
        "projected_requests_per_second": per_cpu_second / share,
    }
    return replace(outcome, metrics={**outcome.metrics, **more})


def processes(pid: int, module: str) -> list[int]:
    """The processes of a server that run a module."""
    found = [each for each in family(pid) if module.encode() in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0")]
    if not found:
        raise BenchError(f"no process of the server runs {module}")
    return found


# Scraping


def _prepare_scrape(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_WARM)


def _measure_scrape(session: Session, server: Server) -> Outcome:
    check_objects(server.endpoint, _WARM)
    requests = [render_get(server.endpoint, each) for each in _WARM]
    (admin,) = processes(server.pid, "s3proxy.node.admin_worker")
    path = session.scratch / ADMIN_SOCKET
    _scrape(path)  # which loads what is loaded late
    alone = measure_throughput(server, requests, _CONNECTIONS, session.settings)
    before, begin = cpu_seconds(admin), time.monotonic()
    with _scraping(path) as seconds:
        scraped = measure_throughput(server, requests, _CONNECTIONS, session.settings)
    # The process has something to do each second without a scrape, too: that is counted with it, and errs high.
    cpu, elapsed = cpu_seconds(admin) - before, time.monotonic() - begin
    more = {
        "scrapes": float(len(seconds)),
        "scrape_cpu_ms": cpu / len(seconds) * 1e3,
        "scrape_p50_ms": percentile(sorted(seconds), 0.5) * 1e3,
        "scrapes_per_second": len(seconds) / elapsed,
        "p50_ms_unscraped": alone.metrics["p50_ms"],
        "p99_ms_unscraped": alone.metrics["p99_ms"],
    }
    return replace(scraped, metrics={**scraped.metrics, **more})


@contextmanager
def _scraping(path: Path) -> Iterator[list[float]]:
    """Scrape several times a second meanwhile; the seconds that each scrape took."""
    seconds: list[float] = []
    done = threading.Event()

    def scrape_often() -> None:
        while not done.wait(1 / _SCRAPES_PER_SECOND):
            seconds.append(_scrape(path))

    scraper = threading.Thread(target=scrape_often)
    scraper.start()
    try:
        yield seconds
    finally:
        done.set()
        scraper.join()
    if not seconds:
        raise BenchError("not one scrape was answered")


def _scrape(path: Path) -> float:
    begin = time.monotonic()
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status != 200 or b"s3proxy_" not in text:
        raise BenchError(f"/metrics was answered {response.status} {text[:200]!r}")
    return time.monotonic() - begin


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
