"""Which records workers read, and what they make of them."""

from pathlib import Path

import pytest

from bench.readers.job import Job
from bench.readers.samples import RECORD_SIZE, WORKERS, places_of, sampling
from tests.bench.readers.jobs import job_of


@pytest.fixture(name="shards")
def _shards(tmp_path: Path) -> Path:
    """Three shards of 5 records, the last of them with half a record more."""
    for number in range(3):
        record = bytes([number]) * RECORD_SIZE
        (tmp_path / f"{number}").write_bytes(record * 5 + record[: RECORD_SIZE // 2] * (number == 2))
    return tmp_path


def _job(directory: Path, part: int = 0) -> Job:
    return job_of("samples", part=part, directory=directory)


def test_places_of_all_workers_are_every_whole_record_once(shards: Path) -> None:
    places = [place for worker in range(WORKERS) for place in places_of(shards, worker)]
    assert len(places) == 15
    assert set(places) == {(str(number), at * RECORD_SIZE) for number in range(3) for at in range(5)}


def test_places_of_a_worker_are_shuffled_and_the_same_in_every_epoch(shards: Path) -> None:
    assert places_of(shards, 1) == places_of(shards, 1)
    assert places_of(shards, 1) != sorted(places_of(shards, 1))


def test_places_of_a_shard_shorter_than_a_record_are_none(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"x" * (RECORD_SIZE - 1))
    assert places_of(tmp_path, 0) == []


def test_sampling_asks_for_its_places_in_order_and_finds_what_files_hold(shards: Path) -> None:
    asked: list[tuple[str, int]] = []

    def fetch(name: str, start: int, stop: int) -> bytes:
        asked.append((name, start))
        assert stop - start == RECORD_SIZE
        return (shards / name).read_bytes()[start:stop]

    task = sampling(_job(shards, part=2), fetch)
    assert task.read() == task.expected()
    assert asked == places_of(shards, 2)


def test_sampling_sees_a_record_that_is_another(shards: Path) -> None:
    task = sampling(_job(shards), lambda _name, start, stop: b"\xff" * (stop - start))
    assert task.read() != task.expected()
