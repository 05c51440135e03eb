"""Polars, lazily: columns and predicates go down into its own Parquet reader and S3 client."""

from functools import partial

import polars

from bench.readers.job import Answer, Job, Task
from bench.readers.tpch import QUERIES, TABLES


def task(job: Job) -> Task:
    """One of the queries as SQL."""
    options = {
        "aws_endpoint_url": job.url,
        "aws_access_key_id": job.access_key,
        "aws_secret_access_key": job.secret_key,
        "aws_region": job.region,
        "aws_allow_http": "true",
    }
    query = QUERIES[job.task]
    return Task(
        read=partial(_query, f"s3://{job.bucket}/{job.prefix}", options, query),
        expected=partial(_query, job.directory, None, query),
    )


def _query(base: str, options: dict[str, str] | None, query: str) -> Answer:
    frames = {
        table: polars.scan_parquet(f"{base}/{table}/*.parquet", storage_options=options)
        for table in TABLES
        if table in query
    }
    return polars.SQLContext(frames).execute(query, eager=True).rows()
