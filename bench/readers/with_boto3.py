"""boto3: ranged ``get_object`` for samples, and the transfer manager's ``download_file``, with its defaults."""

from collections.abc import Callable
from functools import partial
from typing import Any

import boto3

from bench.readers.downloads import downloading
from bench.readers.job import Job, Task
from bench.readers.samples import sampling


def task(job: Job) -> Task:
    """``samples``, or ``download`` of the only object below the prefix."""
    client = boto3.client(
        "s3",
        endpoint_url=job.url,
        aws_access_key_id=job.access_key,
        aws_secret_access_key=job.secret_key,
        region_name=job.region,
    )
    if job.task == "samples":
        return sampling(job, partial(_fetch, client.get_object, job))
    return downloading(job, partial(client.download_file, job.bucket))


def _fetch(get_object: Callable[..., Any], job: Job, name: str, start: int, stop: int) -> bytes:
    key = f"{job.prefix}/{name}"
    body: bytes = get_object(Bucket=job.bucket, Key=key, Range=f"bytes={start}-{stop - 1}")["Body"].read()
    return body
