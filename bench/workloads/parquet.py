"""A cold scan of 3 columns of 30 with pyarrow: what the store is asked through a cache, and without one.

Every value of every column is a function of its column and row, and every value that the scan gives is compared.
"""

import time
from pathlib import Path

try:
    import pyarrow
    from pyarrow import dataset, fs, parquet
except ImportError:  # the case says so
    pyarrow = None

from bench import BenchError
from bench.cases import Case, Outcome, Session
from bench.content import Thing, content
from bench.requests import BUCKET, Endpoint
from bench.targets import Server
from bench.understore import Link, forget, seen

_FILES = [Thing(key=f"parquet/{index}.parquet", number=index, size=0) for index in range(4)]
"""Their size is what pyarrow makes of it."""

_COLUMNS = 30
_SCANNED = (3, 14, 27)
_ROWS = 512 * 1024
_GROUP_ROWS = 128 * 1024  # 1 MiB of each column
_WORD = 8


def cases() -> list[Case]:
    """One case."""
    return [
        Case(
            workload="parquet",
            name="parquet-3-of-30",
            targets=("s3proxy-cache", "s3proxy-cache-2w", "direct"),
            prepare=_prepare,
            measure=_measure,
            link=Link(delay_ms=2, bytes_per_second=250e6),
            is_pinned=False,
        )
    ]


def _prepare(session: Session, _endpoint: Endpoint | None) -> None:
    if pyarrow is None:
        raise BenchError("pyarrow is not installed")
    for file in _FILES:
        path = session.dataset.source_path(file.key)
        if not path.exists():
            _write(path, file.number)
    session.under_store.store(_FILES)


def _write(path: Path, number: int) -> None:
    columns = {f"column_{column}": _column(number, column) for column in range(_COLUMNS)}
    parquet.write_table(
        pyarrow.table(columns), path, row_group_size=_GROUP_ROWS, compression="none", use_dictionary=False
    )


def _column(number: int, column: int) -> "pyarrow.Array":
    words = content(number * _COLUMNS + column, 0, _ROWS * _WORD)
    return pyarrow.Array.from_buffers(pyarrow.int64(), _ROWS, [None, pyarrow.py_buffer(words)])


def _measure(_session: Session, server: Server) -> Outcome:
    forget(server.upstream)
    begin = time.perf_counter()
    table = _scan(server.endpoint)
    seconds = time.perf_counter() - begin
    store = seen(server.upstream)
    _check(table)
    metrics = {
        "seconds": seconds,
        "store_requests": float(store.requests()),
        "store_mb": store.body_bytes("GET") / 1e6,
        "store_ratio": store.body_bytes("GET") / (len(_FILES) * _ROWS * _WORD * len(_SCANNED)),
    }
    return Outcome(metrics=metrics)


def _scan(endpoint: Endpoint) -> "pyarrow.Table":
    keys = endpoint.credentials
    store = fs.S3FileSystem(
        endpoint_override=endpoint.authority,
        scheme="http",
        region="us-east-1",
        access_key=keys.access_key if keys else "bench",
        secret_key=keys.secret_key if keys else "unchecked",
    )
    files = dataset.dataset([f"{BUCKET}/{file.key}" for file in _FILES], filesystem=store, format="parquet")
    return files.to_table(columns=[f"column_{column}" for column in _SCANNED])


def _check(table: "pyarrow.Table") -> None:
    for column in _SCANNED:
        found = table.column(f"column_{column}")
        for file in _FILES:
            part = found.slice(file.number * _ROWS, _ROWS).combine_chunks()
            if not part.equals(_column(file.number, column)):
                raise BenchError(f"{file.key}: column {column} is not what was written")
