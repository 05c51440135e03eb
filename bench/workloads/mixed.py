"""Nine GET to one PUT, of objects of 64 KiB whose popularity follows Zipf's law: readers meet what is being replaced.

A PUT writes again what the object held, so that whichever version a GET gives can be checked. The latencies of both
kinds are told apart. nginx takes no part: what it writes has none of the metadata that the others would then look for.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import OUR_CACHE_NAMES, S3_PEERS
from bench.client import check_objects
from bench.content import KIB, Thing, content, things
from bench.load import Load
from bench.requests import BUCKET, Endpoint, Request, render_get, render_put, sha256_of
from bench.samples import Metrics, percentile
from bench.signing import EMPTY_PAYLOAD
from bench.targets import Server
from bench.throughput import measure_supplies
from bench.understore import Link
from bench.zipf import zipf_places

_OBJECTS = things("mixed", 64 * KIB, 1024)
_BEHIND = things("mixed-behind", 64 * KIB, 1024)
"""Of the under-store, which has the same root as the servers."""
_DRAWS = 16_384
_PUTS = 0.1
_CONNECTIONS = 32
_UPLOADERS = 16
_LIMIT_SECONDS = 300
_CHECKED = 4


@dataclass(frozen=True, slots=True)
class Latencies:
    """Nanoseconds that each request took, by kind."""

    gets: list[int] = field(default_factory=list)
    puts: list[int] = field(default_factory=list)

    def forget(self) -> None:
        """Begin anew."""
        self.gets.clear()
        self.puts.clear()

    def metrics(self) -> Metrics:
        """The percentiles of both kinds, of which there must be some."""
        kinds = {"get": sorted(self.gets), "put": sorted(self.puts)}
        return {
            f"{kind}_{name}_ms": percentile(taken, fraction) / 1e6
            for kind, taken in kinds.items()
            for name, fraction in (("p50", 0.5), ("p99", 0.99))
        }


def cases() -> list[Case]:
    """Servers, and our cache before one, whom PUT goes through."""
    return [
        Case(
            workload="mixed",
            name="mixed-90-10",
            targets=("s3proxy", "s3proxy-signed", "s3proxy-nofsync", "s3proxy-signed-nofsync", *S3_PEERS),
            prepare=_prepare,
            measure=partial(_measure, _OBJECTS),
        ),
        Case(
            workload="mixed",
            name="mixed-90-10-cached",
            targets=(*OUR_CACHE_NAMES, "direct"),
            prepare=_prepare_behind,
            measure=partial(_measure, _BEHIND),
            link=Link(),
        ),
    ]


def _prepare(session: Session, endpoint: Endpoint | None) -> None:
    if endpoint is None:
        raise BenchError("no target that could upload the objects")
    session.dataset.make_bucket(BUCKET, endpoint)
    puts = iter(_puts(_OBJECTS, endpoint))
    with Load(endpoint, [puts] * _UPLOADERS) as load:
        tally = load.run(_LIMIT_SECONDS)
    if len(tally.latencies) < len(_OBJECTS):
        raise BenchError(f"{len(_OBJECTS) - len(tally.latencies)} uploads did not end")


def _prepare_behind(session: Session, _endpoint: Endpoint | None) -> None:
    session.under_store.store(_BEHIND)


def _measure(objects: Sequence[Thing], session: Session, server: Server) -> Outcome:
    check_objects(server.endpoint, objects)  # which fills a cache
    gets = [render_get(server.endpoint, each) for each in objects]
    shared = cycle(mixed_requests(gets, _puts(objects, server.endpoint), _DRAWS))
    latencies = Latencies()
    supplies = [timed(shared, latencies) for _ in range(session.settings.connections or _CONNECTIONS)]
    outcome = measure_supplies(server, supplies, session.settings, warmed=latencies.forget)
    check_objects(server.endpoint, objects[:_CHECKED])
    if not (latencies.gets and latencies.puts):
        raise BenchError(f"not one of each kind ended within {session.settings.seconds} s: take longer (--seconds)")
    return replace(outcome, metrics={**outcome.metrics, **latencies.metrics()})


def timed(requests: Iterator[Request], latencies: Latencies) -> Iterator[Request]:
    """The supply of one connection, which asks for the next request when the one before has been answered."""
    for request in requests:
        begin = time.perf_counter_ns()
        yield request
        taken = time.perf_counter_ns() - begin
        (latencies.puts if request.inline else latencies.gets).append(taken)


def _puts(objects: Sequence[Thing], endpoint: Endpoint) -> list[Request]:
    requests = []
    for each in objects:
        body = content(each.number, 0, each.size)
        payload = sha256_of(body) if endpoint.credentials else EMPTY_PAYLOAD
        requests.append(render_put(endpoint, each.key, body, payload))
    return requests


def mixed_requests(gets: Sequence[Request], puts: Sequence[Request], draws: int) -> list[Request]:
    """``draws`` requests, the same for every target: one in ten of ``puts``, and popular ones of both more often."""
    choose = random.Random(draws)
    places = zipf_places(choose, len(gets), draws)
    return [(puts if choose.random() < _PUTS else gets)[place] for place in places]
