"""pyarrow's datasets: files are found by a listing, columns and predicates go down into the Parquet reader."""

import zlib
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial

import pyarrow
from pyarrow import dataset, fs
from pyarrow.compute import field, scalar
from pyarrow.compute import sum as sum_of

from bench.readers.job import Answer, Job, Task
from bench.readers.tpch import SCANS

_Tables = Callable[[str], "dataset.Dataset"]


def task(job: Job) -> Task:
    """One of the queries, or a ``scan`` of some columns of three years."""
    store = fs.S3FileSystem(
        endpoint_override=job.endpoint,
        scheme="http",
        access_key=job.access_key,
        secret_key=job.secret_key,
        region=job.region,
    )
    work = _work(job)
    return Task(
        read=partial(work, partial(_table, store, f"{job.bucket}/{job.prefix}")),
        expected=partial(work, partial(_table, fs.LocalFileSystem(), job.directory)),
    )


def _work(job: Job) -> Callable[[_Tables], Answer]:
    if job.task == "scan":
        return partial(_scan, SCANS[job.part])
    return {"q1": _q1, "q3": _q3, "q6": _q6}[job.task]


def _table(store: "fs.FileSystem", base: str, name: str) -> "dataset.Dataset":
    return dataset.dataset(f"{base}/{name}", filesystem=store, format="parquet")


def _q1(tables: _Tables) -> Answer:
    discounted = field("l_extendedprice") * (scalar(1.0) - field("l_discount"))
    columns = {
        "flag": field("l_returnflag"),
        "status": field("l_linestatus"),
        "quantity": field("l_quantity"),
        "price": field("l_extendedprice"),
        "discounted": discounted,
        "charge": discounted * (scalar(1.0) + field("l_tax")),
    }
    lines = tables("lineitem").to_table(columns=columns, filter=field("l_shipdate") <= date(1998, 9, 2))
    sums = [(name, "sum") for name in ("quantity", "price", "discounted", "charge")]
    grouped = lines.group_by(["flag", "status"]).aggregate([*sums, ("charge", "count")])
    return _rows(grouped.sort_by([("flag", "ascending"), ("status", "ascending")]))


def _q3(tables: _Tables) -> Answer:
    day = date(1995, 3, 15)
    customers = tables("customer").to_table(columns=["c_custkey"], filter=field("c_mktsegment") == "BUILDING")
    orders = tables("orders").to_table(
        columns=["o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"], filter=field("o_orderdate") < day
    )
    revenue = field("l_extendedprice") * (scalar(1.0) - field("l_discount"))
    lines = tables("lineitem").to_table(
        columns={"l_orderkey": field("l_orderkey"), "revenue": revenue}, filter=field("l_shipdate") > day
    )
    wanted = orders.join(customers, "o_custkey", "c_custkey", join_type="left semi")
    joined = lines.join(wanted, "l_orderkey", "o_orderkey", join_type="inner")
    keys = ["l_orderkey", "o_orderdate", "o_shippriority"]
    grouped = joined.group_by(keys).aggregate([("revenue", "sum")])
    return _rows(grouped.sort_by([("revenue_sum", "descending"), ("o_orderdate", "ascending")]).slice(0, 10))


def _q6(tables: _Tables) -> Answer:
    chosen = (
        (field("l_shipdate") >= date(1994, 1, 1))
        & (field("l_shipdate") < date(1995, 1, 1))
        & (field("l_discount") >= 0.045)
        & (field("l_discount") <= 0.075)
        & (field("l_quantity") < 24)
    )
    revenue = field("l_extendedprice") * field("l_discount")
    return sum_of(tables("lineitem").to_table(columns={"revenue": revenue}, filter=chosen)["revenue"]).as_py()


def _scan(columns: Sequence[str], tables: _Tables) -> Answer:
    """How many rows, and a checksum of every column."""
    chosen = (field("l_shipdate") >= date(1993, 7, 1)) & (field("l_shipdate") < date(1996, 7, 1))
    rows, sums = 0, dict.fromkeys(columns, 0)
    for batch in tables("lineitem").to_batches(columns=list(columns), filter=chosen):
        rows += batch.num_rows
        for name in columns:
            sums[name] = zlib.crc32(_words(batch.column(name)), sums[name])
    return [rows, *sums.values()]


def _words(column: "pyarrow.Array") -> memoryview:
    """The values as bytes; as dates they could not be viewed."""
    return memoryview(column.to_numpy(zero_copy_only=False).view("u1"))


def _rows(table: "pyarrow.Table") -> Answer:
    return [list(row.values()) for row in table.to_pylist()]
