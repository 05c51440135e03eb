"""The parts of workloads that need no server, and what holds for all of them."""

import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench import BenchError
from bench.catalogue import TARGETS
from bench.client import connected
from bench.content import KIB, MIB, Thing, content, things
from bench.requests import Endpoint, Request, sha256_of
from bench.signing import EMPTY_PAYLOAD
from bench.workloads import all_cases
from bench.workloads.cached_ranges import ranges_of
from bench.workloads.mixed import Latencies, mixed_requests, timed
from bench.workloads.multipart import Acknowledged, Part, Progress, completion_metrics, parts_of, tally_of, upload

_PARTS = [Part(body=memoryview(b"first"), payload=EMPTY_PAYLOAD), Part(body=memoryview(b"last"), payload=EMPTY_PAYLOAD)]


def test_cases_have_names_of_their_own_and_targets_that_there_are() -> None:
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    assert {target for case in all_cases() for target in case.targets} <= {target.name for target in TARGETS}


def test_cases_behind_a_link_are_for_caches_and_others_for_servers() -> None:
    caches = {target.name for target in TARGETS if target.caches}
    assert all((target in caches) == (case.link is not None) for case in all_cases() for target in case.targets)


@pytest.mark.parametrize(("law", "length"), [("uniform", 8 * KIB), ("zipf", MIB), ("zipf", 8 * MIB)])
def test_ranges_of_objects_are_aligned_and_inside(law: str, length: int) -> None:
    objects = things("ranges", 8 * MIB, 16)
    chosen = ranges_of(objects, length, law)
    assert chosen == ranges_of(objects, length, law)
    assert len({thing.key for thing, _ in chosen}) == len(objects)
    assert all(start % length == 0 and start + length <= thing.size for thing, start in chosen)


def test_mixed_requests_are_one_in_ten_a_put_of_the_same_keys() -> None:
    gets = [Request(data=b"g%d" % number, status=b"") for number in range(20)]
    puts = [Request(data=b"p%d" % number, status=b"") for number in range(20)]
    mixed = mixed_requests(gets, puts, 10_000)
    kinds = Counter(request.data[:1] for request in mixed)
    assert len(mixed) == 10_000
    assert 900 < kinds[b"p"] < 1100
    assert mixed == mixed_requests(gets, puts, 10_000)


def test_parts_of_an_object_are_its_content_in_order() -> None:
    thing = Thing(key="a", number=7, size=16 * MIB)
    first, second = parts_of(thing, is_hashed=True)
    assert bytes(second.body) == content(7, 8 * MIB, 16 * MIB)
    assert first.payload == sha256_of(content(7, 0, 8 * MIB))


def test_tally_of_parts_counts_those_that_were_acknowledged_meanwhile() -> None:
    acknowledged = [Acknowledged(at=at, took=took) for at, took in [(99, 1), (100, 5), (150, 3), (200, 9)]]
    tally = tally_of(acknowledged, 100, 200)
    assert list(tally.latencies) == [3, 5]
    assert (tally.body_bytes, tally.seconds) == (16 * MIB, 1e-7)


def test_completion_metrics_are_of_uploads_that_were_completed_meanwhile() -> None:
    completions = [Acknowledged(at=at, took=1_000_000) for at in (0, 500_000_000, 2_000_000_000)]
    assert completion_metrics(completions, 1, 1_000_000_001) == {"uploads_per_second": 1.0, "complete_p50_ms": 1.0}
    assert completion_metrics([], 0, 1) == {"uploads_per_second": 0.0}


def test_upload_completes_with_the_etags_of_its_parts() -> None:
    progress = Progress()
    asked: list[bytes] = []
    with _answering(asked, b"<CompleteMultipartUploadResult/>") as endpoint, connected(endpoint) as client:
        upload(client, "key", _PARTS, progress)
    assert [line.split()[:2] for line in asked] == [
        [b"POST", b"/bench/key?uploads="],
        [b"PUT", b"/bench/key?partNumber=1&uploadId=a%2Fb"],
        [b"PUT", b"/bench/key?partNumber=2&uploadId=a%2Fb"],
        [b"POST", b"/bench/key?uploadId=a%2Fb"],
    ]
    assert b'<PartNumber>2</PartNumber><ETag>"4"</ETag>' in asked[-1]
    assert (len(progress.parts), len(progress.completions)) == (2, 1)


def test_upload_with_an_error_after_the_status_fails() -> None:
    with (
        _answering([], b"<Error><Code>InternalError</Code></Error>") as endpoint,
        connected(endpoint) as client,
        pytest.raises(BenchError, match="InternalError"),
    ):
        upload(client, "key", _PARTS, Progress())


def test_timed_tells_the_latencies_of_both_kinds_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0, 3_000_000, 10_000_000, 14_000_000])
    monkeypatch.setattr("time.perf_counter_ns", lambda: next(moments))
    latencies = Latencies()
    requests = [Request(data=b"g", status=b""), Request(data=b"p", inline=1, status=b"")]
    assert list(timed(iter(requests), latencies)) == requests
    assert latencies.metrics() == {"get_p50_ms": 3.0, "get_p99_ms": 3.0, "put_p50_ms": 4.0, "put_p99_ms": 4.0}


@contextmanager
def _answering(asked: list[bytes], completed: bytes) -> Iterator[Endpoint]:
    """A server of one connection and one upload, whose ETags are the lengths of the parts."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            while head := _head(stream.readline):
                length = int(re.findall(rb"content-length: (\d+)", head)[0])
                asked.append(head + stream.read(length))
                creates = b"?uploads=" in head
                body = b"<UploadId>a/b</UploadId>" if creates else completed * head.startswith(b"POST")
                etag = b'ETag: "%d"\r\n' % length
                connection.sendall(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (etag, len(body), body))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Endpoint(host="127.0.0.1", port=listener.getsockname()[1])
        finally:
            thread.join(10)


def _head(readline: Callable[[], bytes]) -> bytes:
    head = b""
    while (line := readline()) not in {b"\r\n", b""}:
        head += line
    return head
