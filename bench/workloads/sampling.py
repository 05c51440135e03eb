"""An epoch of random samples: 2,048 records of 128 KiB out of shards of 32 MiB, shuffled, by four worker processes."""

from bench.cases import Case, Session
from bench.content import MIB, things
from bench.readers.cases import Work, cases_of
from bench.readers.samples import WORKERS

_PREFIX = "samples"
_SHARDS = things(_PREFIX, 32 * MIB, 8)
_READERS = ("boto3", "s3fs")


def cases() -> list[Case]:
    """One set of cases for each library."""
    return [case for reader in _READERS for case in cases_of(_work(reader))]


def _work(reader: str) -> Work:
    return Work(
        workload="samples",
        name=f"samples-{reader}",
        reader=reader,
        task="samples",
        parts=range(WORKERS),
        prefix=_PREFIX,
        names=[shard.key.removeprefix(f"{_PREFIX}/") for shard in _SHARDS],
        make=_make,
    )


def _make(session: Session) -> None:
    for shard in _SHARDS:
        session.dataset.source(shard)
