"""s3fs, as fsspec's users have it: ``cat_file`` of a range."""

import s3fs

from bench.readers.job import Job, Task
from bench.readers.samples import sampling


def task(job: Job) -> Task:
    """``samples``."""
    store = s3fs.S3FileSystem(
        endpoint_url=job.url, key=job.access_key, secret=job.secret_key, client_kwargs={"region_name": job.region}
    )
    store.connect()  # else it would load what describes S3 in its first request

    def fetch(name: str, start: int, stop: int) -> bytes:
        part: bytes = store.cat_file(f"{job.bucket}/{job.prefix}/{name}", start=start, end=stop)
        return part

    return sampling(job, fetch)
