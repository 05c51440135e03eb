"""Recording what pyarrow reads of Parquet files through a node: a trace that nobody made up.

The queries are those of the made-up trace (``bench.replay.making.queries``), so that the two can be compared. They run
one right after the other; the time between two that users would leave is added to the trace afterwards.
"""

import os
import random
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

try:
    import pyarrow
    from pyarrow import dataset, fs, parquet
except ImportError:  # recording says so
    pyarrow = None

from bench import BenchError
from bench.content import KIB
from bench.replay.making import BEGIN, PAUSE_SECONDS, Query, queries
from bench.replay.trace import Read, read_trace
from bench.requests import BUCKET, Endpoint
from bench.targets import CREDENTIALS, HOST, Place, Target, started

_QUERIES: Final = 150
_ARCHIVE_FILES: Final = 12
_GROUPS: Final = 4
_GROUP_ROWS: Final = 64 * KIB
_WIDTHS: Final = (8, 4, 8, 1, 8, 16, 4, 8, 1, 4, 8, 32, 2, 8, 4, 8, 1, 4, 64, 8)
"""Bytes of a value of each column: numbers, flags and texts."""

_SEED: Final = 1
_READY: Final = b"s3proxy ready on "
_MARGIN_SECONDS: Final = 0.02  # the log tells time in milliseconds

_CONFIG: Final = """\
[server]
workers = 1
[admin]
listen = ""
[log]
format = "json"
access = "{log}"
"""


def record() -> Iterator[Read]:
    """Run the queries through a node that is started for it, and give the reads that its access log tells of.

    Raises:
        BenchError: pyarrow or the server is not there, or does not do it.
    """
    if pyarrow is None:
        raise BenchError("pyarrow is not installed")
    planned = list(queries(_QUERIES, len(_WIDTHS), archive_files=_ARCHIVE_FILES))
    with tempfile.TemporaryDirectory(prefix="s3proxy-bench-") as name:
        scratch = Path(name)
        _make_files(scratch, planned)
        log = scratch / "access.log"
        target = Target(
            name="s3proxy-logging",
            summary="with an access log",
            absence=lambda: None,
            command=lambda place: _command(place, log),
            ready=_READY,
        )
        with started(target, scratch / "root", scratch, os.sched_getaffinity(0)) as server:
            begun = [_run(server.endpoint, query) for query in planned]
        yield from spread(read_trace([log]), begun)


def spread(reads: Sequence[Read], begun: Sequence[float]) -> Iterator[Read]:
    """Put a pause before each query, given when these began."""
    for read in reads:
        query = bisect(begun, read.at) - 1
        yield replace(read, at=BEGIN + query * PAUSE_SECONDS + read.at - begun[query])


def _command(place: Place, log: Path) -> list[str]:
    config = place.scratch / "s3proxy.toml"
    config.write_text(_CONFIG.format(log=log))
    serve = ["serve", "--root", str(place.root), "--listen", f"{HOST}:{place.port}", "--config", str(config)]
    return [sys.executable, "-m", "s3proxy", *serve]


def _make_files(scratch: Path, planned: Sequence[Query]) -> None:
    """All files are one: what is in them does not change what is read of them."""
    source = scratch / "file.parquet"
    rows = _GROUPS * _GROUP_ROWS
    chance = random.Random(_SEED)
    buffers = {width: pyarrow.py_buffer(chance.randbytes(rows * width)) for width in set(_WIDTHS)}
    columns = {
        _column(number): pyarrow.Array.from_buffers(pyarrow.binary(width), rows, [None, buffers[width]])
        for number, width in enumerate(_WIDTHS)
    }
    parquet.write_table(
        pyarrow.table(columns), source, row_group_size=_GROUP_ROWS, compression="none", use_dictionary=False
    )
    for key in {file for query in planned for file in query.files}:
        path = scratch / "root" / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(source)


def _column(number: int) -> str:
    return f"column_{number}"


def _run(endpoint: Endpoint, query: Query) -> float:
    """Run a query; when it began."""
    time.sleep(_MARGIN_SECONDS)
    begun = time.time_ns() / 1e9
    time.sleep(_MARGIN_SECONDS)
    store = fs.S3FileSystem(
        endpoint_override=endpoint.authority,
        scheme="http",
        region="us-east-1",
        access_key=CREDENTIALS.access_key,  # which nobody checks
        secret_key=CREDENTIALS.secret_key,
    )
    files = dataset.dataset([f"{BUCKET}/{key}" for key in query.files], filesystem=store, format="parquet")
    rows = 0
    for batch in files.to_batches(columns=[_column(number) for number in query.columns]):
        rows += batch.num_rows
    if rows != len(query.files) * _GROUPS * _GROUP_ROWS:
        raise BenchError(f"a query gave {rows} rows")
    return begun
