"""Parquet files with the tables of TPC-H, as a warehouse would keep them, and queries over them as SQL.

The rows are DuckDB's ``dbgen``'s, the same in every run. ``lineitem`` and ``orders`` have a file for each year, ordered
by date, so that a predicate on the date leaves files and row groups aside; prices are floats, as analysts store them.

``python -m bench.readers.tpch DIRECTORY`` makes them.
"""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.readers import absence

SCALE: Final = 1.0
TABLES: Final = ("customer", "lineitem", "orders")
_YEARS: Final = range(1992, 1999)
_EXTENSION: Final = "tpch"

_LINEITEM: Final = """
SELECT * REPLACE (
    l_quantity::DOUBLE AS l_quantity, l_extendedprice::DOUBLE AS l_extendedprice,
    l_discount::DOUBLE AS l_discount, l_tax::DOUBLE AS l_tax
) FROM lineitem WHERE year(l_shipdate) = {year} ORDER BY l_shipdate, l_orderkey, l_linenumber
"""
_ORDERS: Final = """
SELECT * REPLACE (o_totalprice::DOUBLE AS o_totalprice)
FROM orders WHERE year(o_orderdate) = {year} ORDER BY o_orderdate, o_orderkey
"""
_CUSTOMER: Final = "SELECT * REPLACE (c_acctbal::DOUBLE AS c_acctbal) FROM customer ORDER BY c_custkey"

QUERIES: Final = {
    "q1": """
        SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price,
            sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
            sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge, count(*) AS count_order
        FROM lineitem WHERE l_shipdate <= DATE '1998-09-02'
        GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus
    """,
    "q3": """
        SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
        FROM lineitem JOIN orders ON l_orderkey = o_orderkey JOIN customer ON o_custkey = c_custkey
        WHERE c_mktsegment = 'BUILDING' AND o_orderdate < DATE '1995-03-15' AND l_shipdate > DATE '1995-03-15'
        GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate LIMIT 10
    """,
    "q6": """
        SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
        WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
            AND l_discount BETWEEN 0.045 AND 0.075 AND l_quantity < 24
    """,
}
"""All rows of a few columns; three tables joined; a year of one. Q1 has no averages: they are ratios of its sums."""

SCANS: Final = (
    ("l_orderkey", "l_extendedprice"),
    ("l_partkey", "l_quantity"),
    ("l_suppkey", "l_discount", "l_tax"),
    ("l_shipdate", "l_receiptdate", "l_extendedprice"),
)
"""What each part of a scan reads: some of it alone, some of it others read too."""


def tpch_absence() -> str | None:
    """Why the files cannot be made here, or None."""
    return absence("duckdb", "duckdb_extension_tpch")


def tpch_names() -> list[str]:
    """The names of all files, below the directory of the set."""
    return ["customer/all.parquet", *(f"{table}/{year}.parquet" for table in ("lineitem", "orders") for year in _YEARS)]


def made_tpch(below: Path) -> Path:
    """The directory of the set below a directory that may have it from an earlier run; makes it where it is missing.

    Raises:
        subprocess.CalledProcessError: it could not be made.
    """
    directory = below / f"tpch-{SCALE:g}-by-duckdb-{version('duckdb')}"
    if not directory.exists():
        partial = directory.with_name(f"{directory.name}.partial")
        # In a process of its own, whose memory is gone afterwards.
        subprocess.run([sys.executable, "-m", __name__, str(partial)], check=True, cwd=Path(__file__).parents[2])
        partial.rename(directory)
    return directory


def make_tpch(directory: Path, scale: float = SCALE) -> None:
    """Write all files, over what is there."""
    import duckdb  # noqa: PLC0415 (the bench imports this file without it)

    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension_file(_EXTENSION)}'")
        connection.execute("CALL dbgen(sf = ?)", [scale])
        for name, query in _files():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")


def _files() -> Iterator[tuple[str, str]]:
    yield "customer/all.parquet", _CUSTOMER
    for year in _YEARS:
        yield f"lineitem/{year}.parquet", _LINEITEM.format(year=year)
        yield f"orders/{year}.parquet", _ORDERS.format(year=year)


def extension_file(name: str) -> Path:
    """A DuckDB extension that is installed as a Python package: nothing is downloaded at run time."""
    import duckdb  # noqa: PLC0415 (the bench imports this file without it)

    package = importlib.import_module(f"duckdb_extension_{name}")
    assert package.__file__ is not None
    return Path(package.__file__).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"


if __name__ == "__main__":
    make_tpch(Path(sys.argv[1]))
