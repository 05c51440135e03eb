"""ListObjectsV2: pages of 1,000 keys from random places of a flat bucket, and a walk from its first key to its last.

``list`` reads files that a file-system program made (``--keys`` of them, empty); ``list-uploaded`` reads objects that
were PUT, which carry stored metadata that a page must show. Every page is checked key by key.
"""

import random
import re
import time
from functools import partial

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import S3_PEERS
from bench.client import Client, connected, expect
from bench.content import MIB, flat_keys
from bench.measure import Stopwatch, peak_rss_bytes, reset_peak_rss, rss_bytes
from bench.requests import Endpoint
from bench.samples import Metrics, percentile
from bench.targets import Server

_PAGE = 1000
_PAGES = 100
_UPLOADED = 10_000
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")


def cases() -> list[Case]:
    """Files, and uploaded objects."""
    targets = ("s3proxy", "s3proxy-signed", *S3_PEERS)
    return [
        Case(workload="list", name="list", targets=targets, prepare=_prepare_files, measure=_measure_files),
        Case(
            workload="list",
            name="list-uploaded",
            targets=(*targets, "moto"),
            prepare=_prepare_uploaded,
            measure=partial(_measure, "bench-list-uploaded", _UPLOADED),
        ),
    ]


def _files_bucket(session: Session) -> str:
    return f"bench-list-{session.settings.keys}"


def _prepare_files(session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_empty(_files_bucket(session), flat_keys(session.settings.keys), endpoint)


def _prepare_uploaded(session: Session, endpoint: Endpoint | None) -> None:
    if endpoint is None:
        raise BenchError("no target that could upload the objects")
    session.dataset.make_keyed("bench-list-uploaded", flat_keys(_UPLOADED), endpoint)


def _measure_files(session: Session, server: Server) -> Outcome:
    return _measure(_files_bucket(session), session.settings.keys, session, server)


def _measure(bucket: str, count: int, _session: Session, server: Server) -> Outcome:
    keys = flat_keys(count)
    with connected(server.endpoint) as client:
        before = rss_bytes(server.pid)
        reset_peak_rss(server.pid)
        metrics = {**_pages(client, server, bucket, keys), **_walk(client, bucket, keys)}
    growth = (peak_rss_bytes(server.pid) - before) / MIB
    return Outcome(metrics={**metrics, "peak_rss_mib": peak_rss_bytes(server.pid) / MIB, "rss_growth_mib": growth})


def _pages(client: Client, server: Server, bucket: str, keys: list[str]) -> Metrics:
    choose = random.Random(len(keys))
    _page(client, bucket, keys, 0)
    stopwatch = Stopwatch(server.pid)
    times = sorted(_page(client, bucket, keys, choose.randrange(len(keys) - 1)) for _ in range(_PAGES))
    usage = stopwatch.stop()
    return {
        "page_p50_ms": percentile(times, 0.5) * 1e3,
        "page_p99_ms": percentile(times, 0.99) * 1e3,
        "cpu_us_per_request": usage.server / _PAGES * 1e6,
        "other_cores": usage.others / usage.seconds,
    }


def _page(client: Client, bucket: str, keys: list[str], after: int) -> float:
    """Seconds for the page that follows ``keys[after]``."""
    query = {"list-type": "2", "max-keys": str(_PAGE), "start-after": keys[after]}
    begin = time.perf_counter()
    body = expect(client.get(f"/{bucket}", query), 200).body
    elapsed = time.perf_counter() - begin
    _check(_KEY.findall(body), keys[after + 1 : after + 1 + _PAGE])
    return elapsed


def _walk(client: Client, bucket: str, keys: list[str]) -> Metrics:
    found: list[bytes] = []
    query = {"list-type": "2", "max-keys": str(_PAGE)}
    begin = time.perf_counter()
    while True:
        body = expect(client.get(f"/{bucket}", query), 200).body
        found += _KEY.findall(body)
        token = _TOKEN.search(body)
        if token is None:
            break
        query["continuation-token"] = token[1].decode()
    elapsed = time.perf_counter() - begin
    _check(found, keys)
    return {"walk_seconds": elapsed, "walk_keys": float(len(found))}


def _check(found: list[bytes], keys: list[str]) -> None:
    if found != [key.encode() for key in keys]:
        raise BenchError(f"{len(found)} keys from {found[:1]} were listed instead of {len(keys)} from {keys[:1]}")
