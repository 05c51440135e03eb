"""Random samples as a trainer reads them: records of one size out of shards, each once, shuffled, by many workers."""

import random
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bench.content import KIB
from bench.readers.job import Job, Task

RECORD_SIZE: Final = 128 * KIB
WORKERS: Final = 4
_SEED: Final = 1

Fetch = Callable[[str, int, int], bytes]
"""Gives the bytes ``[start, stop)`` of a shard."""


def sampling(job: Job, fetch: Fetch) -> Task:
    """One worker's share of an epoch, record by record; the answer is a checksum of all that it read."""
    places = places_of(job.source, job.part)
    return Task(
        read=partial(_digest, fetch, places),
        expected=partial(_digest, partial(_from_file, job.source), places),
    )


def places_of(directory: Path, worker: int) -> list[tuple[str, int]]:
    """Shards and offsets of the records that a worker reads, in its order; the same in every epoch."""
    places = [
        (path.name, start)
        for path in sorted(directory.iterdir())
        for start in range(0, path.stat().st_size - RECORD_SIZE + 1, RECORD_SIZE)
    ]
    random.Random(_SEED).shuffle(places)
    return places[worker::WORKERS]


def _digest(fetch: Fetch, places: Sequence[tuple[str, int]]) -> int:
    checksum = 0
    for name, start in places:
        checksum = zlib.crc32(fetch(name, start, start + RECORD_SIZE), checksum)
    return checksum


def _from_file(directory: Path, name: str, start: int, stop: int) -> bytes:
    with (directory / name).open("rb") as file:
        file.seek(start)
        return file.read(stop - start)
