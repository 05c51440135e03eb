"""The peers: what is absent, who keeps objects itself, and TLS."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import BenchError
from bench.cases import Case, Outcome, Session, Settings
from bench.catalogue import CACHE_PEERS, S3_PEERS, TARGETS
from bench.client import check_objects, connected, expect
from bench.content import KIB, things
from bench.dataset import Dataset, objects_of
from bench.load import Load
from bench.peers.programs import absence_of, absence_of_named, program
from bench.requests import Endpoint, render_get, render_put
from bench.runner import run_cases
from bench.samples import Failure, Sample
from bench.targets import CREDENTIALS, Data, Server, Target, started
from bench.understore import UnderStore
from bench.workloads import all_cases

_SIZE = 64 * KIB


def _named(name: str) -> Target:
    return next(target for target in TARGETS if target.name == name)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    for part in ("root", "sources", "scratch"):
        (tmp_path / part).mkdir()
    cores = frozenset(os.sched_getaffinity(0))
    dataset = Dataset(tmp_path / "root", tmp_path / "sources")
    settings = Settings(server_cores=cores, load_cores=cores, rounds=2)
    with UnderStore("s3proxy", dataset, tmp_path / "scratch", cores) as under_store:
        yield Session(settings=settings, dataset=dataset, scratch=tmp_path / "scratch", under_store=under_store)


def test_program_is_found_by_its_variable_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tmp_path / "other-name"
    ours.write_text("")
    ours.chmod(0o755)
    assert program("sh", "S3PROXY_BENCH_TEST") != str(ours)
    monkeypatch.setenv("S3PROXY_BENCH_TEST", str(ours))
    assert program("sh", "S3PROXY_BENCH_TEST") == str(ours)


def test_program_that_is_nowhere_is_absent_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3PROXY_BENCH_TEST", "/nowhere/minio")
    assert absence_of("sh") is None
    assert absence_of("minio", "S3PROXY_BENCH_TEST") == (
        "minio is not installed (put it on the PATH or name it in S3PROXY_BENCH_TEST)"
    )
    assert absence_of("varnishd-7", package="varnish") == (
        "varnishd-7 is not installed (on Debian: apt install varnish)"
    )
    assert absence_of_named("jar", "S3PROXY_BENCH_TEST") == "S3PROXY_BENCH_TEST names no jar"


def test_every_target_of_a_case_is_in_the_catalogue_and_every_target_in_a_case() -> None:
    names = [target.name for target in TARGETS]
    used = set(itertools.chain.from_iterable(case.targets for case in all_cases()))
    assert sorted(used) == sorted(names)
    assert set(S3_PEERS) | set(CACHE_PEERS) < set(names)


def test_target_that_keeps_its_objects_is_sent_them_once(session: Session) -> None:
    ours = replace(_named("s3proxy-signed"), name="apart", data=Data.OWN)
    assert _objects_seen(session, ours) == ["none", "all", "all", "all"]
    assert not any(session.dataset.root.iterdir())


def test_target_that_forgets_its_objects_is_sent_them_in_each_turn(session: Session) -> None:
    ours = replace(_named("s3proxy"), name="passing", data=Data.PASSING)
    made: list[Dataset] = []
    _objects_seen(session, ours, made)
    assert len({id(each) for each in made}) == 2


def _objects_seen(session: Session, target: Target, made: list[Dataset] | None = None) -> list[str]:
    """What the bucket holds before and after the preparation, of each of two turns."""
    seen: list[str] = []

    def prepare(within: Session, endpoint: Endpoint | None) -> None:
        root = within.dataset.root
        seen.append("all" if any(root.rglob("*64KiB*")) else "none")
        within.dataset.make_objects(_SIZE, endpoint)
        seen.append("all" if any(root.rglob("*64KiB*")) else "none")
        if made is not None:
            made.append(within.dataset)

    def measure(_within: Session, server: Server) -> Outcome:
        check_objects(server.endpoint, objects_of(_SIZE)[:2])
        return Outcome(metrics={})

    case = Case(workload="w", name="c", targets=(target.name,), prepare=prepare, measure=measure)
    entries: list[Sample | Failure] = []
    run_cases(session, [case], [target], entries.append)
    assert [type(each) for each in entries] == [Sample, Sample], entries
    return seen


def test_empty_objects_are_uploaded_where_files_are_not_shared(session: Session) -> None:
    apart = session.dataset.apart("apart", lasts=True)
    with started(_named("s3proxy-signed"), apart.root, session.scratch, session.settings.all_cores) as server:
        apart.make_empty("flat", ["a", "b", "c"], server.endpoint)
        apart.make_empty("flat", ["a", "b", "c"], server.endpoint)
        with connected(server.endpoint) as client:
            assert expect(client.get("/flat", {"list-type": "2"}), 200).body.count(b"<Key>") == 3
    assert session.dataset.apart("apart", lasts=True) is apart
    assert session.dataset.apart("apart", lasts=False) is not apart


def test_load_over_tls_reads_whole_bodies_and_finds_wrong_ones(session: Session) -> None:
    objects = things("tls", 200 * KIB, 2)
    with started(_named("s3proxy-tls"), session.dataset.root, session.scratch, session.settings.all_cores) as server:
        session.dataset.make_bucket("bench", server.endpoint)
        with connected(server.endpoint) as client:
            for each in objects:
                expect(client.put(f"/bench/{each.key}", session.dataset.source(each).read_bytes(), each.size), 200)
        check_objects(server.endpoint, objects)
        requests = [render_get(server.endpoint, each) for each in objects]
        with Load(server.endpoint, [iter(requests * 5)] * 3, check_every=1) as load:
            tally = load.run(30)
        assert (len(tally.latencies), tally.body_bytes) == (10, 10 * 200 * KIB)
        wrong = [replace(each, size=each.size - 1) for each in requests]
        with pytest.raises(BenchError, match="was answered"), Load(server.endpoint, [iter(wrong)]) as load:
            load.run(30)


def test_endpoint_below_a_path_is_asked_there_and_signed_for_it() -> None:
    target = _named("alluxio")
    endpoint = replace(Endpoint(host="127.0.0.1", port=1), base=target.base, credentials=CREDENTIALS)
    with_base, without = (render_put(each, "a", b"") for each in (endpoint, replace(endpoint, base="")))
    assert with_base.data.startswith(b"PUT /api/v1/s3/bench/a HTTP/1.1\r\n")
    assert with_base.data.partition(b"Signature=")[2] != without.data.partition(b"Signature=")[2]
