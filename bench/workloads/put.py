"""PUT of whole objects over keep-alive connections, new keys at first and then the same ones again.

A few PUT of 1 GiB take a turn's time, so they are counted out: each key once.
The signed target is sent the body's SHA-256, as SDKs do without TLS. ``md5_ratio`` compares the throughput with what
one thread on the server's core hashes just before, since the ETag of a single PUT is its MD5. ``device_ratio`` compares
the rate of the smallest with how many such files the device makes durable for as many writers, also just before.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial

from bench.cases import Case, Outcome, Session
from bench.catalogue import S3_PEERS
from bench.client import check_objects
from bench.content import GIB, KIB, MIB, Thing, content, pieces, size_name, things
from bench.dataset import Dataset
from bench.device import durable_files_per_second
from bench.machine import md5_mb_per_second
from bench.measure import running_on
from bench.requests import BUCKET, Endpoint, FileBody, Request, render_put
from bench.signing import EMPTY_PAYLOAD
from bench.targets import Server
from bench.throughput import measure_throughput, measure_work

_CONNECTIONS = {4 * KIB: 16, 64 * KIB: 16, MIB: 8, 16 * MIB: 4, 64 * MIB: 4, GIB: 2}
_KEYS = {4 * KIB: 256, 64 * KIB: 256, MIB: 64, 16 * MIB: 16, 64 * MIB: 8, GIB: 2}
_INLINE_UP_TO = 64 * KIB  # larger bodies are sent from a file by the kernel
_CHECKED = 2


def cases() -> list[Case]:
    """One case a size; nginx, which never syncs, is to be compared with the target that does not either."""
    return [
        Case(
            workload="put",
            name=f"put-{size_name(size)}",
            targets=("s3proxy", "s3proxy-signed", "s3proxy-nofsync", "s3proxy-signed-nofsync", *S3_PEERS, "nginx"),
            prepare=partial(_prepare, size),
            measure=partial(_measure, size),
            once=size >= GIB,
        )
        for size in _CONNECTIONS
    ]


def _prepare(size: int, session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_bucket(BUCKET, endpoint)
    if size > _INLINE_UP_TO:
        for each in _objects(size):
            session.dataset.source(each)


def _measure(size: int, session: Session, server: Server) -> Outcome:
    with running_on(session.settings.server_cores):
        md5 = md5_mb_per_second()
        durable = durable_files_per_second(session.scratch, _CONNECTIONS[size]) if size <= 4 * KIB else None
    with _requests(size, session.dataset, server.endpoint) as requests:
        if size >= GIB:
            outcome = measure_work(server, requests, _CONNECTIONS[size])
        else:
            outcome = measure_throughput(server, requests, _CONNECTIONS[size], session.settings)
    check_objects(server.endpoint, _objects(size)[:_CHECKED])
    more = {"md5_ratio": outcome.metrics["mb_per_second"] / md5}
    if durable:
        more["device_ratio"] = outcome.metrics["requests_per_second"] / durable
    return Outcome(metrics={**outcome.metrics, **more}, usage=outcome.usage)


def _objects(size: int) -> list[Thing]:
    return things(f"put/{size_name(size)}", size, _KEYS[size])


@contextmanager
def _requests(size: int, dataset: Dataset, endpoint: Endpoint) -> Iterator[list[Request]]:
    with ExitStack() as files:
        requests = []
        for each in _objects(size):
            body: bytes | FileBody
            if size > _INLINE_UP_TO:
                file = files.enter_context(dataset.source(each).open("rb"))
                body = FileBody(fd=file.fileno(), length=size)
            else:
                body = content(each.number, 0, size)
            payload = _sha256(each) if endpoint.credentials else EMPTY_PAYLOAD
            requests.append(render_put(endpoint, each.key, body, payload))
        yield requests


@cache
def _sha256(thing: Thing) -> str:
    digest = hashlib.sha256()
    for piece in pieces(thing):
        digest.update(piece)
    return digest.hexdigest()
