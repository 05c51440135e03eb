"""TPC-H's queries 1, 3 and 6 over Parquet files at scale 1, by pyarrow, Polars and DuckDB.

Q1 reads seven columns of nearly all rows, Q3 joins three tables, Q6 wants one year of one: files and row groups of
other years are left aside by their statistics.
"""

from bench.cases import Case, Session
from bench.readers import require
from bench.readers.cases import Work, cases_of
from bench.readers.tpch import QUERIES, made_tpch, tpch_absence, tpch_names

PREFIX = "tpch"
_READERS = ("pyarrow", "polars", "duckdb")


def cases() -> list[Case]:
    """Each query by each reader."""
    return [case for query in QUERIES for reader in _READERS for case in cases_of(_work(query, reader))]


def _work(query: str, reader: str) -> Work:
    return Work(
        workload="tpch",
        name=f"tpch-{query}-{reader}",
        reader=reader,
        task=query,
        prefix=PREFIX,
        names=tpch_names(),
        make=make_tables,
    )


def make_tables(session: Session) -> None:
    """Have the tables among the sources, from an earlier run if that kept them."""
    sources = [session.dataset.source_path(f"{PREFIX}/{name}") for name in tpch_names()]
    if all(source.exists() for source in sources):
        return
    require(tpch_absence())
    kept = made_tpch(session.kept or session.scratch)
    for name, source in zip(tpch_names(), sources, strict=True):
        source.hardlink_to(kept / name)
