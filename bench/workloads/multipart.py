"""Multipart uploads of 64 MiB in parts of 8 MiB: each connection makes uploads of its own, one part after the other.

What the server answers matters to the next request, so that each connection has a thread here and not a place in the
load generator. The requests that are counted and timed are the parts; creating and completing the uploads takes of the
same time, and what completing takes is shown beside. The signed targets are sent each part's SHA-256, as SDKs do
without TLS.
"""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.catalogue import S3_PEERS
from bench.client import Client, check_objects, connected, expect
from bench.content import MIB, Thing, content, things
from bench.load import Tally
from bench.measure import Stopwatch, peak_rss_bytes
from bench.requests import BUCKET, Endpoint, sha256_of
from bench.samples import Metrics, percentile
from bench.signing import EMPTY_PAYLOAD, Call
from bench.targets import Server
from bench.throughput import throughput_metrics

_PART = 8 * MIB
_OBJECTS = things("multipart", 64 * MIB, 4)
_CONNECTIONS = 4
_CHECKED = 2
_UPLOAD_ID = re.compile(rb"<UploadId>([^<]+)</UploadId>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one UploadPart sends."""

    body: memoryview
    payload: str
    """What is signed for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What the server has done: when it said so, and how long that took, in nanoseconds."""

    at: int
    took: int


@dataclass(frozen=True, slots=True)
class Progress:
    """All that the server has done for all uploads."""

    parts: list[Acknowledged] = field(default_factory=list)
    completions: list[Acknowledged] = field(default_factory=list)


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="multipart",
            name="multipart-64MiB",
            targets=("s3proxy", "s3proxy-signed", "s3proxy-nofsync", "s3proxy-signed-nofsync", *S3_PEERS),
            prepare=_prepare,
            measure=_measure,
        )
    ]


def _prepare(session: Session, endpoint: Endpoint | None) -> None:
    session.dataset.make_bucket(BUCKET, endpoint)


def _measure(session: Session, server: Server) -> Outcome:
    settings = session.settings
    count = settings.connections or _CONNECTIONS
    progress = Progress()
    with _uploading(server.endpoint, count, progress):
        time.sleep(settings.warm_seconds)
        begin = time.perf_counter_ns()
        stopwatch = Stopwatch(server.pid)
        time.sleep(settings.seconds)
        usage = stopwatch.stop()
        end = time.perf_counter_ns()
    tally = tally_of(progress.parts, begin, end)
    if not tally.latencies:
        raise BenchError(f"no part was acknowledged within {settings.seconds} s: take longer (--seconds)")
    check_objects(server.endpoint, _OBJECTS[: min(count, _CHECKED)])
    metrics = throughput_metrics(tally, usage, peak_rss_bytes(server.pid))
    more = {"connections": float(count), **completion_metrics(progress.completions, begin, end)}
    return Outcome(metrics={**metrics, **more}, usage=usage)


def tally_of(acknowledged: Sequence[Acknowledged], begin: int, end: int) -> Tally:
    """What was acknowledged in the time ``[begin, end)``."""
    latencies = _latencies(acknowledged, begin, end)
    return Tally(seconds=(end - begin) / 1e9, body_bytes=len(latencies) * _PART, latencies=latencies)


def completion_metrics(completions: Sequence[Acknowledged], begin: int, end: int) -> Metrics:
    """How many uploads were completed in the time ``[begin, end)``, and how long that took in the middle."""
    latencies = _latencies(completions, begin, end)
    rate = {"uploads_per_second": len(latencies) / ((end - begin) / 1e9)}
    return {**rate, "complete_p50_ms": percentile(latencies, 0.5) / 1e6} if latencies else rate


def _latencies(acknowledged: Sequence[Acknowledged], begin: int, end: int) -> list[int]:
    return sorted(each.took for each in acknowledged if begin <= each.at < end)


@contextmanager
def _uploading(endpoint: Endpoint, count: int, progress: Progress) -> Iterator[None]:
    """Upload meanwhile over ``count`` connections; at the end each completes what it is at.

    Raises:
        BenchError: an upload failed.
    """
    is_signed = endpoint.credentials is not None
    objects = [_OBJECTS[index % len(_OBJECTS)] for index in range(count)]
    parts = {each.key: parts_of(each, is_hashed=is_signed) for each in objects}
    done = threading.Event()

    def upload_often(thing: Thing) -> None:
        with connected(endpoint) as client:
            while True:
                upload(client, thing.key, parts[thing.key], progress)
                if done.is_set():
                    return

    with ThreadPoolExecutor(count) as threads:
        uploads = [threads.submit(upload_often, each) for each in objects]
        try:
            yield
        finally:
            done.set()
        for each in uploads:
            each.result()


def parts_of(thing: Thing, *, is_hashed: bool) -> list[Part]:
    """The parts of an object, with their digests if the server wants to see some."""
    whole = memoryview(b"".join(content(thing.number, start, start + _PART) for start in range(0, thing.size, _PART)))
    bodies = [whole[start : start + _PART] for start in range(0, thing.size, _PART)]
    return [Part(body=body, payload=sha256_of(body) if is_hashed else EMPTY_PAYLOAD) for body in bodies]


def upload(client: Client, key: str, parts: Sequence[Part], progress: Progress) -> None:
    """One whole upload, whose parts and completion are noted one by one.

    Raises:
        BenchError: the server refused something.
    """
    created = expect(client.send(_call("POST", key, {"uploads": ""}), None, 0), 200)
    found = _UPLOAD_ID.search(created.body)
    if found is None:
        raise BenchError(f"no UploadId in {created.body[:400]!r}")
    query = {"uploadId": found[1].decode()}
    etags = []
    for number, part in enumerate(parts, 1):
        with _noted(progress.parts):
            call = _call("PUT", key, {**query, "partNumber": str(number)}, part.payload)
            etags.append(expect(client.send(call, part.body, len(part.body)), 200).etag)
    with _noted(progress.completions):
        _complete(client, key, query, etags)


@contextmanager
def _noted(done: list[Acknowledged]) -> Iterator[None]:
    begin = time.perf_counter_ns()
    yield
    end = time.perf_counter_ns()
    done.append(Acknowledged(at=end, took=end - begin))


def _complete(client: Client, key: str, query: dict[str, str], etags: Sequence[str]) -> None:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>" for number, etag in enumerate(etags, 1)
    )
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    completed = expect(client.send(_call("POST", key, query, sha256_of(body)), body, len(body)), 200)
    if b"<CompleteMultipartUploadResult" not in completed.body:  # an error may come after the 200
        raise BenchError(f"the upload was not completed: {completed.body[:400]!r}")


def _call(method: str, key: str, query: dict[str, str], payload: str = EMPTY_PAYLOAD) -> Call:
    return Call(method=method, path=f"/{BUCKET}/{key}", query=query, headers={}, payload=payload)
