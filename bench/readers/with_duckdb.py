"""DuckDB with its own S3 client, the extension ``httpfs``."""

from functools import partial

import duckdb

from bench.readers.job import Answer, Job, Task
from bench.readers.tpch import QUERIES, TABLES, extension_file

_LOGIN = """
CREATE SECRET (
    TYPE s3, ENDPOINT '{endpoint}', USE_SSL false, URL_STYLE 'path',
    KEY_ID '{access_key}', SECRET '{secret_key}', REGION '{region}'
)
"""


def task(job: Job) -> Task:
    """One of the queries as SQL."""
    remote, local = duckdb.connect(), duckdb.connect()
    remote.execute(f"LOAD '{extension_file('httpfs')}'")
    login = _LOGIN.format(
        endpoint=job.endpoint, access_key=job.access_key, secret_key=job.secret_key, region=job.region
    )
    remote.execute(login)
    query = QUERIES[job.task]
    return Task(
        read=partial(_query, remote, f"s3://{job.bucket}/{job.prefix}", query),
        expected=partial(_query, local, job.directory, query),
    )


def _query(connection: duckdb.DuckDBPyConnection, base: str, query: str) -> Answer:
    for table in TABLES:
        if table in query:
            files = f"read_parquet('{base}/{table}/*.parquet')"
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {files}")  # noqa: S608 (names of our own)
    return connection.execute(query).fetchall()
