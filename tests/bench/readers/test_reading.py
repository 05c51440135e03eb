"""Clients against real servers, as cases have them read: what is counted of caches, and that others count nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cases import Session, Settings
from bench.catalogue import TARGETS
from bench.content import KIB, things
from bench.dataset import Dataset
from bench.readers.cases import Work, cases_of
from bench.runner import run_cases
from bench.samples import Failure, Metrics, Sample
from bench.understore import UnderStore

_SHARDS = things("shards", 512 * KIB, 4)  # of 4 records each


def _make(session: Session) -> None:
    for shard in _SHARDS:
        session.dataset.source(shard)


def _work(reader: str) -> Work:
    return Work(
        workload="w",
        name="small",
        reader=reader,
        task="samples",
        parts=(0, 1, 0),
        prefix="shards",
        names=[shard.key.removeprefix("shards/") for shard in _SHARDS],
        make=_make,
    )


@pytest.fixture(name="session")
def _session(tmp_path: Path) -> Iterator[Session]:
    for part in ("root", "sources", "scratch"):
        (tmp_path / part).mkdir()
    cores = frozenset(os.sched_getaffinity(0))
    dataset, scratch = Dataset(tmp_path / "root", tmp_path / "sources"), tmp_path / "scratch"
    settings = Settings(server_cores=cores, load_cores=cores, rounds=1)
    with UnderStore("s3proxy", dataset, scratch, cores) as under_store:
        yield Session(settings=settings, dataset=dataset, scratch=scratch, under_store=under_store)


def _measured(session: Session, name: str, target: str, reader: str = "boto3") -> Metrics:
    case = next(case for case in cases_of(_work(reader)) if case.name == name)
    entries: list[Sample | Failure] = []
    run_cases(session, [case], [each for each in TARGETS if each.name == target], entries.append)
    (entry,) = entries
    assert isinstance(entry, Sample), entry
    return entry.metrics


def test_samples_through_an_empty_cache_are_asked_of_the_store_and_through_a_full_one_are_not(session: Session) -> None:
    cold = _measured(session, "small-5ms-cold", "s3proxy-cache")
    warm = _measured(session, "small-5ms-warm", "s3proxy-cache")
    assert (cold["clients"], warm["clients"]) == (3, 3)
    assert cold["store_requests"] > 0
    assert cold["store_mb"] > 0
    assert (warm["store_requests"], warm["store_mb"]) == (0, 0)


def test_samples_of_a_server_are_counted_at_no_store_even_where_a_cache_reads_the_same_afterwards(
    session: Session,
) -> None:
    served = _measured(session, "small", "s3proxy-signed", "s3fs")
    assert served["seconds"] > 0
    assert not [name for name in served if name.startswith("store_") and name != "store_cores"]
    assert "store_requests" not in _measured(session, "small-local-cold", "direct")


def test_client_of_a_server_that_has_something_else_is_a_failure(session: Session) -> None:
    case = next(case for case in cases_of(_work("boto3")) if case.name == "small-local-cold")
    case.prepare(session, None)
    source = session.dataset.source_path(_SHARDS[0].key)
    other = bytes(512 * KIB)
    source.unlink()  # the under-store's file is a link to it
    source.write_bytes(other)
    entries: list[Sample | Failure] = []
    run_cases(session, [case], [each for each in TARGETS if each.name == "direct"], entries.append)
    (entry,) = entries
    assert isinstance(entry, Failure)
    assert "boto3 samples: found" in entry.reason
