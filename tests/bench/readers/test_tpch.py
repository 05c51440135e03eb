"""The tables, and that all readers understand the queries alike."""

import importlib
from pathlib import Path

import pytest

from bench.readers import reader_absence
from bench.readers.job import Answer, agree
from bench.readers.tpch import QUERIES, SCANS, make_tpch, tpch_absence, tpch_names
from tests.bench.readers.jobs import job_of

_READERS = ("pyarrow", "polars", "duckdb")
_ABSENCE = next(filter(None, [tpch_absence(), *map(reader_absence, _READERS)]), None)

pytestmark = pytest.mark.skipif(_ABSENCE is not None, reason=_ABSENCE or "")


@pytest.fixture(scope="module", name="tables")
def _tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tpch")
    make_tpch(directory, scale=0.01)
    return directory


def _expected(tables: Path, reader: str, task: str, part: int = 0) -> Answer:
    job = job_of(task, reader=reader, part=part, prefix="tpch", directory=tables)
    return importlib.import_module(f"bench.readers.with_{reader}").task(job).expected()


def test_tables_are_the_files_that_are_named(tables: Path) -> None:
    files = [str(path.relative_to(tables)) for path in tables.rglob("*") if path.is_file()]
    assert sorted(files) == sorted(tpch_names())


@pytest.mark.parametrize("query", QUERIES)
def test_readers_of_sql_give_the_same_answer(tables: Path, query: str) -> None:
    by_polars, by_duckdb = (_expected(tables, reader, query) for reader in ("polars", "duckdb"))
    assert by_polars
    assert agree(by_polars, by_duckdb)


def test_pyarrow_gives_the_answers_of_sql(tables: Path) -> None:
    q1, q3, q6 = (_expected(tables, "duckdb", query) for query in ("q1", "q3", "q6"))
    assert agree(_expected(tables, "pyarrow", "q1"), q1)
    assert isinstance(q3, list)
    in_its_order = [(key, day, priority, revenue) for key, revenue, day, priority in q3]
    assert agree(_expected(tables, "pyarrow", "q3"), in_its_order)
    assert agree([[_expected(tables, "pyarrow", "q6")]], q6)


def test_scans_read_the_same_rows_of_different_columns(tables: Path) -> None:
    answers = [_expected(tables, "pyarrow", "scan", part) for part in range(len(SCANS))]
    assert all(isinstance(answer, list) for answer in answers)
    rows = {answer[0] for answer in answers if isinstance(answer, list)}
    assert len(rows) == 1
    assert rows.pop() > 0
    assert len({str(answer) for answer in answers}) == len(SCANS)
