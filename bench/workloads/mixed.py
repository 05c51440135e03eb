"""Nine GET to one PUT, of objects of 64 KiB whose popularity follows Zipf's law: readers meet what is being replaced.

A PUT writes again what the object held, so that whichever version a GET gives can be checked.
"""

import random

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import S3_PEERS
from bench.client import check_objects
from bench.content import KIB, content, things
from bench.load import Load
from bench.requests import BUCKET, Endpoint, Request, render_get, render_put, sha256_of
from bench.signing import EMPTY_PAYLOAD
from bench.targets import Server
from bench.throughput import measure_throughput
from bench.zipf import zipf_places

_OBJECTS = things("mixed", 64 * KIB, 1024)
_DRAWS = 16_384
_PUTS = 0.1
_CONNECTIONS = 32
_UPLOADERS = 16
_LIMIT_SECONDS = 300
_CHECKED = 4


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="mixed",
            name="mixed-90-10",
            targets=("s3proxy", "s3proxy-signed", "s3proxy-nofsync", "s3proxy-signed-nofsync", *S3_PEERS),
            prepare=_prepare,
            measure=_measure,
        )
    ]


def _prepare(session: Session, endpoint: Endpoint | None) -> None:
    if endpoint is None:
        raise BenchError("no target that could upload the objects")
    session.dataset.make_bucket(BUCKET, endpoint)
    puts = iter(_puts(endpoint))
    with Load(endpoint, [puts] * _UPLOADERS) as load:
        tally = load.run(_LIMIT_SECONDS)
    if len(tally.latencies) < len(_OBJECTS):
        raise BenchError(f"{len(_OBJECTS) - len(tally.latencies)} uploads did not end")


def _measure(session: Session, server: Server) -> Outcome:
    gets = [render_get(server.endpoint, each) for each in _OBJECTS]
    requests = mixed_requests(gets, _puts(server.endpoint), _DRAWS)
    outcome = measure_throughput(server, requests, _CONNECTIONS, session.settings)
    check_objects(server.endpoint, _OBJECTS[:_CHECKED])
    return outcome


def _puts(endpoint: Endpoint) -> list[Request]:
    requests = []
    for each in _OBJECTS:
        body = content(each.number, 0, each.size)
        payload = sha256_of(body) if endpoint.credentials else EMPTY_PAYLOAD
        requests.append(render_put(endpoint, each.key, body, payload))
    return requests


def mixed_requests(gets: list[Request], puts: list[Request], draws: int) -> list[Request]:
    """``draws`` requests, the same for every target: one in ten of ``puts``, and popular ones of both more often."""
    choose = random.Random(draws)
    places = zipf_places(choose, len(gets), draws)
    return [(puts if choose.random() < _PUTS else gets)[place] for place in places]
